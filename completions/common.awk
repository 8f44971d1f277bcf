# completions/common.awk: reads the rows of man/tables for the scripts beside it.
#
# A value is completed by what its metavar says: words of the language (`text|json`), a file where
# it has PATH or FILE, the names of presets; nothing else is known of it.

function keep_flag(row,    f, names, n, i) {
    split(row, f, "\t")
    n = split(f[4], names, /, /)
    for (i = 1; i <= n; i++) {
        nflags++
        flag_verb[nflags] = f[2]
        flag_name[nflags] = names[i]
        flag_value[nflags] = f[5]
        flag_help[nflags] = f[6]
    }
}

# The words a value may be, with blanks between.
function value_words(i,    v, n, j, out) {
    if (flag_name[i] == "--preset")
        return presets
    n = split(flag_value[i], v, "|")
    for (j = 1; j <= n; j++)
        if (v[j] ~ /^[a-z][a-z0-9_:]*$/)
            out = out (out == "" ? "" : " ") v[j]
    return out
}

function value_is_file(i) { return flag_value[i] ~ /PATH|FILE/ }
function value_is_dir(i) { return flag_name[i] ~ /-dir$/ }

FNR == 1 { section = "" }
{
    split($0, row, "\t")
    if (row[1] == "verb") {
        verb[++nverbs] = row[2]
        verb_help[nverbs] = row[4]
        takes_files[row[2]] = row[3] ~ /FILE\.\.\./
    } else if (row[1] == "flag") {
        keep_flag($0)
    } else if (row[1] == "preset") {
        presets = presets (presets == "" ? "" : " ") row[2]
    }
}

function verbs(    i, out) {
    for (i = 1; i <= nverbs; i++)
        out = out (i > 1 ? " " : "") verb[i]
    return out
}

function flags_of(v,    i, out) {
    for (i = 1; i <= nflags; i++)
        if (flag_verb[i] == v)
            out = out (out == "" ? "" : " ") flag_name[i]
    return out
}
