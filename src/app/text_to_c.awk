# A text file as a C string: `const char NAME[]` and `const size_t NAME_len`, of app/NAME.h.
# The question mark is escaped because ISO C still reads trigraphs in strings.
BEGIN {
    print "/* Made by text_to_c.awk. */"
    print "#include \"app/" name ".h\"\n"
    print "const char " name "[] ="
}
{
    gsub(/[\\"?]/, "\\\\&")
    print "    \"" $0 "\\n\""
}
END {
    print "    ;"
    print "const size_t " name "_len = sizeof " name " - 1;"
}
