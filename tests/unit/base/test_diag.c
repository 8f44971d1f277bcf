#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"
#include "capture.h"

static const struct diag_at at_key = {
    { "sallyport.conf", 12 }, "route cql", "client_auth", "requird",
};

static void add_some(struct diags *d)
{
    diag_add(d, DIAG_ERROR, at_key, "did you mean \"require\"?", "not one of %s", "none, require");
    diag_add(d, DIAG_WARNING, (struct diag_at){ .section = "store node" }, NULL, "expires soon");
    diag_add(d, DIAG_ERROR, (struct diag_at){ .at = { "command line", 0 }, .key = "listen" }, NULL,
             "missing");
}

static const char *const some[] = {
    ("sallyport.conf:12: error: [route cql] client_auth = \"requird\": not one of none, require "
     "(did you mean \"require\"?)"),
    "warning: [store node] expires soon",
    "command line: error: listen: missing",
};

Test(diag, as_one_line_each)
{
    struct diags d = { 0 };

    add_some(&d);
    cr_assert_eq(d.n, 3);
    cr_assert_eq(d.errors, 2, "a warning is no error");
    for (size_t i = 0; i < 3; i++) {
        char *text = diag_text(&d.v[i]);
        cr_assert_str_eq(text, some[i]);
        free(text);
    }
    diags_free(&d);
    cr_assert_eq(d.n, 0);
    cr_assert_eq(d.errors, 0);
}

static char *printed(const struct diags *d, void (*print)(const struct diags *, FILE *))
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    print(d, out);
    fclose(out);
    return text;
}

Test(diag, print)
{
    struct diags d = { 0 };
    char expected[1024];

    add_some(&d);
    snprintf(expected, sizeof(expected), "%s\n%s\n%s\n", some[0], some[1], some[2]);
    char *text = printed(&d, diags_print);
    cr_assert_str_eq(text, expected);
    free(text);
    diags_free(&d);
}

Test(diag, print_json)
{
    struct diags d = { 0 };
    char *text = printed(&d, diags_print_json);

    cr_assert(json_is_valid(text), "%s", text);
    free(text);
    add_some(&d);
    /* what a file may hold: control bytes, Latin-1, UTF-8 that is cut or overlong */
    diag_add(&d, DIAG_ERROR,
             (struct diag_at){ .key = "k", .value = "\"\\\n\t\x01\x7f\xfc \xc3\xbc \xc3 \xc0\xaf" },
             NULL, "bytes");
    text = printed(&d, diags_print_json);
    cr_assert(json_is_valid(text), "%s", text);
    cr_assert_not_null(strstr(text, "\"level\": \"error\", \"file\": \"sallyport.conf\", "
                                    "\"line\": 12, \"section\": \"route cql\", "
                                    "\"key\": \"client_auth\", \"value\": \"requird\""),
                       "%s", text);
    cr_assert_not_null(strstr(text, "\"hint\": null"), "%s", text);
    cr_assert_not_null(strstr(text, "\\\"\\\\\\u000a\\u0009\\u0001\\u007f\\ufffd \xc3\xbc \\ufffd "
                                    "\\ufffd\\ufffd"), "not UTF-8: %s", text);
    free(text);
    diags_free(&d);
}

Test(diag, a_long_value_is_cut_and_a_strange_one_escaped)
{
    struct diags d = { 0 };
    char value[1000];

    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    diag_add(&d, DIAG_ERROR, (struct diag_at){ .key = "k", .value = value }, NULL, "too long");
    char *text = diag_text(&d.v[0]);
    cr_assert_lt(strlen(text), 400);
    cr_assert_not_null(strstr(text, "vvv...\": too long"), "%s", text);
    free(text);

    memset(value, '\n', sizeof(value) - 1);
    diag_add(&d, DIAG_ERROR, (struct diag_at){ .key = "k", .value = value }, NULL, "line breaks");
    text = diag_text(&d.v[1]);
    cr_assert_null(strchr(text, '\n'));
    cr_assert_not_null(strstr(text, "k = \"\\x0a\\x0a"), "%s", text);
    free(text);
    diags_free(&d);
}

static void reads(const char *value, const char *message, const char *expected)
{
    struct diags d = { 0 };

    diag_add(&d, DIAG_ERROR, (struct diag_at){ .key = "k", .value = value }, NULL, "%s", message);
    char *text = diag_text(&d.v[0]);
    cr_expect_str_eq(text, expected);
    cr_expect_str_eq(d.v[0].message, message, "JSON has it whole");
    free(text);
    diags_free(&d);
}

Test(diag, a_path_that_is_the_value_is_said_once)
{
    reads("/a/b", "/a/b: it expired", "error: k = \"/a/b\": it expired");
    reads("/a/b", "no key for X in /a/b", "error: k = \"/a/b\": no key for X in it");
    reads("/a/b", "/a/b is empty", "error: k = \"/a/b\": it is empty");
    reads("/a/b", "not in /a/b.c or /x/a/b", "error: k = \"/a/b\": not in /a/b.c or /x/a/b");
    reads("a.pem", "a.pem: it expired", "error: k = \"a.pem\": it expired");
    reads("a.pem", "no key in a.pem", "error: k = \"a.pem\": no key in a.pem");
    reads("on", "on is no path", "error: k = \"on\": on is no path");
}

Test(diag, a_message_of_any_length)
{
    struct diags d = { 0 };

    diag_add(&d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "%5000s", "end");
    cr_assert_eq(strlen(d.v[0].message), 5000);
    diags_free(&d);
}

Test(diag, into_the_log)
{
    struct diags d = { 0 };

    add_some(&d);
    capture_begin(LOG_FORMAT_TEXT, LOG_LEVEL_INFO);
    diags_log(&d);
    const char *text = capture_end();
    cr_assert_not_null(strstr(text, " error sallyport.conf:12: [route cql]"), "%s", text);
    cr_assert_not_null(strstr(text, " warn  [store node] expires soon\n"), "%s", text);
    diags_free(&d);
}

Test(diag, survives_the_trip_between_processes)
{
    struct diags d = { 0 }, back = { 0 };
    char *bytes;
    size_t len;

    add_some(&d);
    diags_pack(&d, &bytes, &len);
    cr_assert(diags_unpack(bytes, len, &back));
    cr_assert_eq(back.n, 3);
    cr_assert_eq(back.errors, 2);
    for (size_t i = 0; i < 3; i++) {
        char *text = diag_text(&back.v[i]);
        cr_assert_str_eq(text, some[i]);
        free(text);
    }
    cr_assert_null(back.v[1].hint);
    diags_free(&back);

    /* every shorter run of bytes is refused, but for those that end between findings */
    size_t whole = 0;
    for (size_t n = 0; n < len; n++) {
        char *part = malloc(n ? n : 1);   /* its own block: the sanitizer sees a read behind it */
        memcpy(part, bytes, n);
        if (diags_unpack(part, n, &back))
            whole++;
        diags_free(&back);
        free(part);
    }
    cr_assert_eq(whole, 3, "none, one and two of them");

    /* any byte may be damaged */
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] = (char)(bytes[i] ^ (1 << bit));
            diags_unpack(bytes, len, &back);
            diags_free(&back);
            bytes[i] = (char)(bytes[i] ^ (1 << bit));
        }
    }
    free(bytes);
    diags_free(&d);

    diags_pack(&d, &bytes, &len);
    cr_assert_eq(len, 0);
    cr_assert(diags_unpack(bytes, len, &back));
    cr_assert_eq(back.n, 0);
    free(bytes);
}
