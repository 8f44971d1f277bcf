# completions/zsh.awk: completion for zsh, of the rows of man/tables (after common.awk).

function quoted(s) {
    gsub(/'/, "'\\''", s)
    return s
}

# In a description of _arguments, brackets and colons mean something.
function plain(s) {
    gsub(/[][]/, "\\\\&", s)
    gsub(/:/, "\\:", s)
    return quoted(s)
}

function action(i,    w) {
    w = value_words(i)
    if (value_is_dir(i)) return "_files -/"
    if (value_is_file(i) && w == "") return "_files"
    gsub(/:/, "\\:", w)
    if (value_is_file(i)) return "_alternative \"words:word:(" w ")\" \"files:file:_files\""
    return w == "" ? " " : "(" w ")"
}

function spec(i,    value) {
    value = flag_value[i]
    gsub(/:/, "\\:", value)
    if (flag_value[i] == "")
        return "'" flag_name[i] "[" plain(flag_help[i]) "]'"
    return "'*" flag_name[i] (flag_name[i] ~ /^--/ ? "=" : "+") "[" plain(flag_help[i]) "]:" \
        quoted(value) ":" action(i) "'"
}

END {
    print "#compdef sallyport"
    print "# zsh completion for sallyport, made from its own tables"
    print "_sallyport() {"
    print "    local -a verbs"
    print "    verbs=("
    for (i = 1; i <= nverbs; i++) {
        words = words (i > 1 ? " " : "") verb[i]
        print "        '" verb[i] ":" plain(verb_help[i]) "'"
    }
    print "    )"
    print "    if (( CURRENT == 2 )); then"
    print "        _describe command verbs"
    print "        return"
    print "    fi"
    print "    local verb=$words[2]"
    print "    shift words"
    print "    (( CURRENT-- ))"
    print "    case $verb in"
    for (v = 1; v <= nverbs; v++) {
        if (verb[v] == "help") {
            print "    help) _values topic " words " keys presets ;;"
            continue
        }
        if (flags_of(verb[v]) == "")
            continue
        print "    " verb[v] ")"
        print "        _arguments -s \\"
        for (i = 1; i <= nflags; i++)
            if (flag_verb[i] == verb[v])
                print "            " spec(i) " \\"
        print "            " (takes_files[verb[v]] ? "'*:file:_files'" : "'*: : '")
        print "        ;;"
    }
    print "    esac"
    print "}"
    print ""
    print "# autoloaded, this file is the function itself; sourced, it is bound to the name"
    print "if [[ $funcstack[1] == _sallyport ]]; then"
    print "    _sallyport \"$@\""
    print "else"
    print "    compdef _sallyport sallyport"
    print "fi"
}
