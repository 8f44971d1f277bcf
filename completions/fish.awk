# completions/fish.awk: completion for fish, of the rows of man/tables (after common.awk).

function quoted(s) {
    gsub(/\\/, "\\\\", s)
    gsub(/'/, "\\'", s)
    return "'" s "'"
}

function option(name) {
    return name ~ /^--/ ? "-l " substr(name, 3) : "-s " substr(name, 2)
}

END {
    print "# fish completion for sallyport, made from its own tables"
    print "complete -c sallyport -f"
    for (i = 1; i <= nverbs; i++) {
        words = words (i > 1 ? " " : "") verb[i]
        print "complete -c sallyport -n __fish_use_subcommand -a " verb[i] " -d " quoted(verb_help[i])
        if (takes_files[verb[i]])
            print "complete -c sallyport -n '__fish_seen_subcommand_from " verb[i] "' -F"
    }
    print "complete -c sallyport -n '__fish_seen_subcommand_from help' -a '" words " keys presets'"
    for (i = 1; i <= nflags; i++) {
        line = "complete -c sallyport -n '__fish_seen_subcommand_from " flag_verb[i] "' " \
            option(flag_name[i])
        if (flag_value[i] != "") {
            line = line " -r" (value_is_file(i) && !value_is_dir(i) ? " -F" : "")
            if (value_is_dir(i))
                line = line " -f -a '(__fish_complete_directories)'"
            else if (value_words(i) != "")
                line = line " -a " quoted(value_words(i))
        }
        print line " -d " quoted(flag_help[i])
    }
}
