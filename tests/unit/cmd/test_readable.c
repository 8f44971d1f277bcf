/* Which characters of escaped names a terminal is given. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "cmd/readable.h"

static locale_t utf8;

static void start(void)
{
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    cr_assert(utf8 != (locale_t)0);
}

static void end(void)
{
    freelocale(utf8);
}

TestSuite(readable, .init = start, .fini = end);

static void reads(const char *escaped, const char *expected)
{
    char *text = readable(escaped, utf8);

    cr_expect_str_eq(text, expected);
    free(text);
}

Test(readable, what_can_be_seen)
{
    reads("", "");
    reads("CN=node1, as it is\n", "CN=node1, as it is\n");
    reads("kn\\xc3\\xb6tchen\\xf0\\x9f\\x98\\x80", "kn\xc3\xb6tchen\xf0\x9f\x98\x80");
    reads("\\xe4\\xb8\\xad\\xe6\\x96\\x87", "\xe4\xb8\xad\xe6\x96\x87");
    reads("kn\xc3\xb6tchen", "kn\xc3\xb6tchen");
}

Test(readable, what_stays_escaped)
{
    static const char *const texts[] = {
        "\\x1b[31m", "\\x00", "\\x7f", "\\x0a",
        "\\xc2\\x9b31m",          /* CSI in one character */
        "\\xe2\\x80\\xae",        /* right-to-left override */
        "\\xe2\\x81\\xa6",        /* an isolate */
        "\\xd8\\x9c",             /* Arabic letter mark */
        "\\xe2\\x80\\x8b",        /* no width */
        "\\xe2\\x80\\xa8",        /* line separator */
        "\\xef\\xbb\\xbf",        /* byte order mark */
        "\\xf3\\xa0\\x81\\x81",   /* a tag */
        "\\xc3", "\\xc3x", "\\xc3\\x28", "\\xb6\\xc3",
        "\\xc0\\xaf",             /* overlong */
        "\\xed\\xa0\\x80",        /* half of a pair */
        "\\x5cxc3\\x5cxb6",       /* "\\xc3\\xb6" was the name itself */
        "\\x", "\\xc", "\\xc3\\", "\\xzz",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        reads(texts[i], texts[i]);
}
