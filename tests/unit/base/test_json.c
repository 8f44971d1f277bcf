#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

struct sheet {
    char *text;
    size_t len;
    struct json j;
};

static struct json *start(struct sheet *s)
{
    s->j = (struct json){ .out = open_memstream(&s->text, &s->len) };
    return &s->j;
}

static void reads(struct sheet *s, const char *expected)
{
    fclose(s->j.out);
    cr_assert_str_eq(s->text, expected);
    free(s->text);
}

Test(json, one_line_or_a_line_each)
{
    struct sheet s = { 0 };
    struct json *j = start(&s);

    json_object(j, NULL, JSON_LINES);
    json_text(j, "a", "x");
    json_array(j, "b", JSON_LINE);
    json_number(j, NULL, -1);
    json_number(j, NULL, INT64_MAX);
    json_end(j);
    json_array(j, "c", JSON_LINES);
    json_object(j, NULL, JSON_LINE);
    json_bool(j, "yes", true);
    json_text(j, "none", NULL);
    json_end(j);
    json_object(j, NULL, JSON_LINE);
    json_end(j);
    json_end(j);
    json_array(j, "d", JSON_LINES);
    json_end(j);
    json_bool(j, "e", false);
    json_end(j);
    reads(&s, "{\n"
              "  \"a\": \"x\",\n"
              "  \"b\": [-1, 9223372036854775807],\n"
              "  \"c\": [\n"
              "    {\"yes\": true, \"none\": null},\n"
              "    {}\n"
              "  ],\n"
              "  \"d\": [],\n"
              "  \"e\": false\n"
              "}\n");
}

Test(json, several_documents_follow_each_other)
{
    struct sheet s = { 0 };
    struct json *j = start(&s);

    for (int i = 0; i < 2; i++) {
        json_object(j, NULL, JSON_LINE);
        json_number(j, "i", i);
        json_end(j);
    }
    reads(&s, "{\"i\": 0}\n{\"i\": 1}\n");
}

/* What a file may hold: control bytes, Latin-1, UTF-8 that is cut or overlong; in names too. */
Test(json, any_bytes_become_text)
{
    struct sheet s = { 0 };
    struct json *j = start(&s);

    json_object(j, NULL, JSON_LINE);
    json_text(j, "\"\n", "\"\\\n\x01\xfc \xc3\xbc \xc3 \xc0\xaf \xed\xa0\x80 \xf0\x9f\x98\x80"
                         " \x7f \xc2\x9b \xc2\xa0");
    json_end(j);
    reads(&s, "{\"\\\"\\u000a\": \"\\\"\\\\\\u000a\\u0001\\ufffd \xc3\xbc \\ufffd \\ufffd\\ufffd "
              "\\ufffd\\ufffd\\ufffd \xf0\x9f\x98\x80 \\u007f \\u009b \xc2\xa0\"}\n");
}
