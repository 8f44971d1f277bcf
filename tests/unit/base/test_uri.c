#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/uri.h"

static struct span span(const char *s)
{
    return (struct span){ s, strlen(s) };
}

Test(uri, a_scheme_tells_it_from_a_path)
{
    static const struct {
        const char *text;
        size_t scheme;
    } cases[] = {
        { "pkcs11:token=a", 6 },    { "file:///a", 4 },   { "a+b-c.1:x", 7 }, { "PKCS11:", 6 },
        { "tls.key", 0 },           { "/a:b", 0 },        { "./a:b", 0 },     { "dir/a:b", 0 },
        { "c:key.pem", 0 },         { ":x", 0 },          { "", 0 },          { "1a:x", 0 },
        { "pkcs11", 0 },            { "a b:c", 0 },       { "a_b:c", 0 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(uri_scheme(span(cases[i].text)), cases[i].scheme, "%s", cases[i].text);
    cr_assert(uri_has_scheme(span("PKCS11:a"), "pkcs11"));
    cr_assert_not(uri_has_scheme(span("pkcs11x:a"), "pkcs11"));
    cr_assert_not(uri_has_scheme(span("pkcs11"), "pkcs11"));
}

Test(uri, attributes_are_found_in_path_and_query)
{
    static const char uri[] = "pkcs11:token=a;object=b%20c?pin-source=file:/p&module-path=/m.so";
    struct span value;

    cr_assert(uri_attribute(span(uri), "token", &value));
    cr_assert(str_eq(value, "a"));
    cr_assert(uri_attribute(span(uri), "object", &value));
    cr_assert(str_eq(value, "b%20c"));
    cr_assert(uri_attribute(span(uri), "pin-source", &value));
    cr_assert(str_eq(value, "file:/p"));
    cr_assert(uri_attribute(span(uri), "MODULE-PATH", &value));
    cr_assert(str_eq(value, "/m.so"));
    cr_assert_not(uri_attribute(span(uri), "pin-value", &value));
    cr_assert_not(uri_attribute(span("pkcs11:a=pin-value=1"), "pin-value", &value));
    cr_assert_not(uri_attribute(span("pkcs11:my-pin-value=1"), "pin-value", &value));
    cr_assert(uri_attribute(span("pkcs11:pin-value="), "pin-value", &value));
    cr_assert_eq(value.len, 0);
    cr_assert_not(uri_attribute(span("pkcs11:"), "pin-value", &value));
    cr_assert_not(uri_attribute(span("tls.key?pin-value=1"), "pin-value", &value));
}

Test(uri, percent_signs_are_decoded)
{
    static const struct {
        const char *text, *plain;
    } cases[] = {
        { "", "" },         { "a%20b", "a b" }, { "%2Fa%2f", "/a/" }, { "100%25", "100%" },
        { "%", NULL },      { "%4", NULL },     { "a%4", NULL },      { "%zz", NULL },
        { "a%00b", NULL },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *got = uri_decode(span(cases[i].text));
        if (cases[i].plain == NULL)
            cr_assert_null(got, "%s", cases[i].text);
        else
            cr_assert_str_eq(got, cases[i].plain);
        free(got);
    }
}

Test(uri, a_file_is_a_path_on_this_machine)
{
    static const struct {
        const char *uri, *path;
    } cases[] = {
        { "file:/etc/a.key", "/etc/a.key" },
        { "file:///etc/a.key", "/etc/a.key" },
        { "FILE://localhost/etc/a%20b", "/etc/a b" },
        { "file:a.key", "a.key" },
        { "file:", NULL },
        { "file://", NULL },
        { "file://other/etc/a.key", NULL },
        { "file://localhost", NULL },
        { "file:///etc/a%0", NULL },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err e = ERR_INIT;
        char *got = uri_file_path(span(cases[i].uri), &e);
        if (cases[i].path != NULL) {
            cr_assert_not_null(got, "%s: %s", cases[i].uri, e.text);
            cr_assert_str_eq(got, cases[i].path);
        } else {
            cr_assert_null(got, "%s", cases[i].uri);
            cr_assert_neq(e.text[0], '\0', "%s", cases[i].uri);
        }
        free(got);
    }
}
