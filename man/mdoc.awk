# man/mdoc.awk: a template and the rows of man/tables as a page of mdoc(7).
#
#   awk -v version=V -v sysconfdir=DIR -f mdoc.awk tables.tsv TEMPLATE
#
# In the template, a line @NAME@ stands for a list that is made here, @sysconfdir@ and @version@
# within a line for what was given.

function text(s) {              # as it stands, wherever it stands
    gsub(/\\/, "\\e", s)
    gsub(/-/, "\\-", s)
    gsub(/`/, "\\(ga", s)
    gsub(/"/, "\\(dq", s)
    gsub(/…/, "...", s)
    sub(/^[.']/, "\\\\\\&&", s)
    return s
}

# In a line of a macro every word is protected: some words are macros, and `|` a delimiter.
function words(s,    v, n, i, out) {
    n = split(text(s), v, / /)
    for (i = 1; i <= n; i++)
        out = out (i > 1 ? " " : "") "\\&" v[i]
    return out
}

# Prose: short lines, and each sentence on one of its own.
function prose(s,    v, n, i, out) {
    n = split(s, v, / +/)
    out = ""
    for (i = 1; i <= n; i++) {
        if (out != "" && (length(out) + length(v[i]) > 76 || v[i - 1] ~ /[.?!]$/)) {
            print text(out)
            out = ""
        }
        out = out (out == "" ? "" : " ") v[i]
    }
    if (out != "")
        print text(out)
}

function item(tag, value) {
    print ".It Cm " words(tag) (value == "" ? "" : " Ar " words(value))
}

# Lines of a help text: paragraphs, and what is indented as it stands.
function block(verb,    i, l, pending, literal, shown) {
    for (i = 1; i <= ntext[verb] + 1; i++) {
        l = i <= ntext[verb] ? line[verb, i] : ""
        if (literal && l !~ /^  /) {
            print ".Ed"
            literal = 0
        }
        if (pending != "" && (l == "" || l ~ /^  /)) {
            if (shown++)
                print ".Pp"
            prose(pending)
            pending = ""
        }
        if (l ~ /^  /) {
            if (!literal++)
                print ".Bd -literal"
            print text(l)
        } else if (l != "") {
            pending = pending (pending == "" ? "" : " ") l
        }
    }
}

function flags(verb, group,    i, f, any) {
    for (i = 1; i <= nflags; i++) {
        split(flag[i], f, "\t")
        if (f[2] != verb || f[3] != group)
            continue
        if (!any++)
            print ".Bl -tag -width Ds"
        item(f[4], f[5])
        prose(f[6])
    }
    if (any)
        print ".El"
}

function commands(    i, v) {
    for (i = 1; i <= nverbs; i++) {
        split(verb[i], v, "\t")
        print ".Ss sallyport " v[2]
        print ".Nm Cm " v[2] (v[3] == "" ? "" : " Ar " words(v[3]))
        print ".Pp"
        if (ntext[v[2]] == 0)
            print toupper(substr(v[4], 1, 1)) text(substr(v[4], 2)) "."
        block(v[2])
        flags(v[2], "own")
    }
}

function verb_list(    i, v) {
    print ".Bl -column \"explain\" \"what it does\" -compact"
    for (i = 1; i <= nverbs; i++) {
        split(verb[i], v, "\t")
        print ".It Cm " v[2] " Ta " text(v[4])
    }
    print ".El"
}

function keys(    i, k, section) {
    for (i = 1; i <= nkeys; i++) {
        split(key[i], k, "\t")
        if (k[2] != section) {
            if (section != "")
                print ".El"
            section = k[2]
            print ".Ss [" text(section) "]"
            print ".Bl -tag -width Ds"
        }
        print ".It Cm " words(k[3]) " = Ar " words(k[4])
        prose(k[5])
        if (k[6] != "") {
            print ".br"
            print text("(" k[6] ")")
        }
    }
    print ".El"
}

function shortened(s) { return length(s) > 60 ? "..." substr(s, length(s) - 50) : s }

function presets(    i, j, p, s) {
    print ".Bl -tag -width Ds"
    for (i = 1; i <= npresets; i++) {
        split(preset[i], p, "\t")
        print ".It Cm " words(p[2])
        prose(p[3])
        for (j = 1; j <= nsets; j++) {
            split(set[j], s, "\t")
            if (s[2] != p[2])
                continue
            print ".br"
            print ".Cm " words(s[3] " = " shortened(s[4]))
            prose("(" s[5] ")")
        }
    }
    print ".El"
}

FNR == NR {
    split($0, row, "\t")
    if (row[1] == "verb") verb[++nverbs] = $0
    else if (row[1] == "text") line[row[2], ++ntext[row[2]]] = row[3]
    else if (row[1] == "flag") flag[++nflags] = $0
    else if (row[1] == "key") key[++nkeys] = $0
    else if (row[1] == "preset") preset[++npresets] = $0
    else if (row[1] == "sets") set[++nsets] = $0
    next
}

/^\.\\" / && FNR < 4 { next }
/^@COMMANDS@$/ { commands(); next }
/^@VERBS@$/ { verb_list(); next }
/^@ROUTE_FLAGS@$/ { flags("serve", "route"); next }
/^@PROCESS_FLAGS@$/ { flags("serve", "process"); next }
/^@KEYS@$/ { keys(); next }
/^@PRESETS@$/ { presets(); next }
{
    gsub(/@sysconfdir@/, sysconfdir)
    gsub(/@version@/, version)
    print
}
END {
    if (nverbs == 0 || nkeys == 0 || npresets == 0) {
        print "mdoc.awk: the tables are empty" | "cat >&2"
        exit 1
    }
}
