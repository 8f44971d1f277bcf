#include <criterion/criterion.h>
#include <string.h>

#include "base/str.h"

static struct span span(const char *s)
{
    return (struct span){ s, strlen(s) };
}

Test(str, trim_takes_blanks_off_both_ends)
{
    cr_assert(str_eq(str_trim(span(" \t a b \r\n")), "a b"));
    cr_assert(str_eq(str_trim(span("ab")), "ab"));
    cr_assert_eq(str_trim(span("  \t")).len, 0);
    cr_assert_eq(str_trim((struct span){ NULL, 0 }).len, 0);
}

Test(str, eq_compares_all_bytes)
{
    cr_assert(str_eq(span("require"), "require"));
    cr_assert_not(str_eq(span("requir"), "require"));
    cr_assert_not(str_eq(span("require "), "require"));
    cr_assert_not(str_eq((struct span){ "a\0b", 3 }, "a"));
    cr_assert(str_eq((struct span){ NULL, 0 }, ""));
    cr_assert_not(str_eq((struct span){ NULL, 0 }, "a"));
}

Test(str, next_splits_and_trims)
{
    static const struct {
        const char *list;
        const char *items[4];
    } cases[] = {
        { "a", { "a" } },
        { "h2, http/1.1", { "h2", "http/1.1" } },
        { "a,,b", { "a", "", "b" } },
        { "a,", { "a", "" } },
        { " , ", { "", "" } },
        { "", { "" } },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span rest = span(cases[i].list), item;
        size_t n = 0;
        while (str_next(&rest, ',', &item)) {
            cr_assert_lt(n, 4);
            cr_assert_not_null(cases[i].items[n], "\"%s\": too many items", cases[i].list);
            cr_assert(str_eq(item, cases[i].items[n]), "\"%s\": item %zu", cases[i].list, n);
            n++;
        }
        cr_assert(n == 4 || cases[i].items[n] == NULL, "\"%s\": %zu items", cases[i].list, n);
        cr_assert_not(str_next(&rest, ',', &item), "the end stays the end");
    }
}

Test(str, u64_takes_whole_decimal_numbers_only)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool good;
        uint64_t value;
    } cases[] = {
        { "0", 10, true, 0 },
        { "10", 10, true, 10 },
        { "11", 10, false, 0 },
        { "007", 10, true, 7 },
        { "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
        { "18446744073709551616", UINT64_MAX, false, 0 },
        { "99999999999999999999", UINT64_MAX, false, 0 },
        { "", 10, false, 0 },
        { "+1", 10, false, 0 },
        { "-1", 10, false, 0 },
        { " 1", 10, false, 0 },
        { "1 ", 10, false, 0 },
        { "0x1", 10, false, 0 },
        { "1.0", 10, false, 0 },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t v = 77;
        cr_assert_eq(str_u64(span(cases[i].text), cases[i].max, &v), cases[i].good, "\"%s\"",
                     cases[i].text);
        cr_assert_eq(v, cases[i].good ? cases[i].value : 77, "\"%s\"", cases[i].text);
    }
}

Test(str, nearest_is_what_was_meant)
{
    static const char *const words[] = { "none", "request", "require", "listen", "alpn",
                                         "handshake_timeout" };
    static const struct {
        const char *typed, *meant;
    } cases[] = {
        { "requird", "require" },               /* replaced */
        { "requre", "require" },                /* left out */
        { "reqeust", "request" },               /* neighbours swapped */
        { "lisstenn", "listen" },               /* doubled */
        { "LISTEN", "listen" },                 /* case does not count */
        { "handshake-timeout", "handshake_timeout" },
        { "nine", "none" },
        { "alnp", "alpn" },
        { "xyzzy", NULL },
        { "on", NULL },                         /* too short to guess from */
        { "", NULL },
    };
    char huge[300];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = str_nearest(cases[i].typed, words, 6);
        if (cases[i].meant == NULL)
            cr_assert_null(got, "\"%s\" gave \"%s\"", cases[i].typed, got);
        else
            cr_assert_str_eq(got ? got : "(nothing)", cases[i].meant, "\"%s\"", cases[i].typed);
    }
    memset(huge, 'a', sizeof(huge));
    huge[sizeof(huge) - 1] = '\0';
    cr_assert_null(str_nearest(huge, words, 6));
    cr_assert_null(str_nearest("require", words, 0));
}

Test(str, escape_shows_every_byte)
{
    char out[64];

    cr_assert_str_eq(str_escape(out, sizeof(out), span("plain text~")), "plain text~");
    cr_assert_str_eq(str_escape(out, sizeof(out), (struct span){ "a\0b\n\x1b\x7f\\\xc3\xbc", 9 }),
                     "a\\x00b\\x0a\\x1b\\x7f\\x5c\\xc3\\xbc");
    cr_assert_str_eq(str_escape(out, sizeof(out), (struct span){ NULL, 0 }), "");
}

Test(str, unescape_is_the_way_back)
{
    static const char text[] = "plain \n\x1b\\ \\x41 \xc3\xbc\xff~";
    char out[80], odd[] = "a\\x00b\\xg1\\x4";

    str_escape(out, sizeof(out), (struct span){ text, sizeof(text) - 1 });
    cr_assert_str_eq(str_unescape(out), text);
    cr_assert_str_eq(str_unescape(odd), "a\\x00b\\xg1\\x4", "a NUL, and what is no escape");
}

Test(str, escape_stays_in_its_room)
{
    for (size_t cap = 1; cap < 12; cap++) {
        char out[16];
        memset(out, '#', sizeof(out));
        str_escape(out, cap, (struct span){ "a\nb\nc", 5 });
        cr_assert_lt(strlen(out), cap);
        for (size_t i = cap; i < sizeof(out); i++)
            cr_assert_eq(out[i], '#', "room for %zu, wrote at %zu", cap, i);
    }
    char out[6];
    cr_assert_str_eq(str_escape(out, 6, span("a\nb")), "a\\x0a", "an escape is whole or left out");
    cr_assert_str_eq(str_escape(out, 5, span("a\nb")), "a");
}
