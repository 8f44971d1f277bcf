# completions/bash.awk: completion for bash, of the rows of man/tables (after common.awk). Needs
# nothing of bash-completion but what bash itself has.

# "verb:flag" patterns of the flags whose value is completed alike.
function patterns(kind, words,    i, out, k) {
    for (i = 1; i <= nflags; i++) {
        k = value_kind(i)
        if (k == kind && (kind != "words" || value_words(i) == words))
            out = out (out == "" ? "" : " | ") flag_verb[i] ":" flag_name[i]
    }
    return out
}

function value_kind(i) {
    if (flag_value[i] == "") return "none"
    if (value_is_dir(i)) return "dir"
    if (value_is_file(i)) return value_words(i) == "" ? "file" : "both"
    return value_words(i) == "" ? "free" : "words"
}

function branch(pattern, reply) {
    if (pattern == "")
        return
    print "    " pattern ")"
    print "        " reply
    print "        return"
    print "        ;;"
}

END {
    print "# bash completion for sallyport, made from its own tables"
    print "_sallyport() {"
    print "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]}"
    print "    local IFS=$' \\n'"
    print "    COMPREPLY=()"
    print "    if [ \"$COMP_CWORD\" -eq 1 ]; then"
    print "        COMPREPLY=($(compgen -W '" verbs() " --help --version' -- \"$cur\"))"
    print "        return"
    print "    fi"
    print "    # --flag=value are three words here"
    print "    if [ \"$cur\" = = ]; then"
    print "        cur="
    print "    elif [ \"$prev\" = = ]; then"
    print "        prev=${COMP_WORDS[COMP_CWORD - 2]}"
    print "    fi"
    print "    local words="
    print "    case $verb:$prev in"
    branch(patterns("dir", ""), "_sallyport_files -d")
    branch(patterns("file", ""), "_sallyport_files -f")
    branch(patterns("free", ""), ":")
    for (i = 1; i <= nflags; i++) {
        w = value_words(i)
        if (value_kind(i) == "words" && !(w in seen)) {
            seen[w] = 1
            branch(patterns("words", w), "COMPREPLY=($(compgen -W '" w "' -- \"$cur\"))")
        }
    }
    for (i = 1; i <= nflags; i++)
        if (value_kind(i) == "both")
            branch(flag_verb[i] ":" flag_name[i], "_sallyport_files -f -W '" value_words(i) "'")
    print "    esac"
    print "    case $verb in"
    for (i = 1; i <= nverbs; i++) {
        if (verb[i] == "help")
            reply = "words='" verbs() " keys presets'"
        else if (flags_of(verb[i]) == "")
            continue
        else
            reply = "words='" flags_of(verb[i]) "'"
        print "    " verb[i] ") " reply " ;;"
    }
    print "    esac"
    print "    case $verb:$cur in"
    for (i = 1; i <= nverbs; i++)
        if (takes_files[verb[i]]) {
            print "    " verb[i] ":-*) ;;"
            print "    " verb[i] ":*) _sallyport_files -f ; return ;;"
        }
    print "    esac"
    print "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))"
    print "}"
    print ""
    print "# names may have blanks in them: one a line"
    print "_sallyport_files() {"
    print "    compopt -o filenames 2>/dev/null"
    print "    mapfile -t COMPREPLY < <(compgen \"$@\" -- \"$cur\")"
    print "}"
    print ""
    print "complete -F _sallyport sallyport"
}
