#include <criterion/criterion.h>
#include <string.h>

#include "base/glob.h"

static struct span span(const char *s)
{
    return (struct span){ s, strlen(s) };
}

static bool match(const char *pattern, const char *text, const char *barriers)
{
    return glob_match(span(pattern), span(text), barriers, 0, 0);
}

Test(glob, stars_stand_for_runs)
{
    cr_assert(match("", "", ""));
    cr_assert_not(match("", "a", ""));
    cr_assert(match("*", "", ""));
    cr_assert(match("a*", "abc", ""));
    cr_assert(match("*c", "abc", ""));
    cr_assert(match("a*c", "ac", ""));
    cr_assert(match("*b*", "abc", ""));
    cr_assert_not(match("a*d", "abc", ""));
    cr_assert_not(match("abc", "ab", ""));
    cr_assert_not(match("ab", "abc", ""));
    cr_assert(match("a?c", "a?c", ""));
    cr_assert_not(match("a?c", "abc", ""));
    cr_assert(match("*aab", "aaaab", ""));
}

Test(glob, one_star_stays_within_its_part)
{
    cr_assert(match("*.example.com", "a.example.com", "."));
    cr_assert_not(match("*.example.com", "a.b.example.com", "."));
    cr_assert(match("ns/*/sa/x", "ns/prod/sa/x", "/"));
    cr_assert_not(match("ns/*/sa/x", "ns/a/b/sa/x", "/"));
    cr_assert(match("ns/**/x", "ns/a/b/x", "/"));
    cr_assert(match("**/x", "a/b/x", "/"));
    cr_assert(match("a**", "a/b/x", "/"));
    cr_assert_not(match("a*", "a/b/x", "/"));
    cr_assert(match("**/b*/d", "a/b/c/bb/d", "/"));
}

Test(glob, bytes_are_compared_by_length)
{
    cr_assert_not(glob_match(span("a*"), (struct span){ "b\0a", 3 }, "", 0, 0));
    cr_assert_not(glob_match(span("a"), (struct span){ "a\0", 2 }, "", 0, 0));
    cr_assert(glob_match(span("ab*.Q"), span("aB.Q"), ".", 0, 2));
    cr_assert_not(glob_match(span("ab*.q"), span("aB.Q"), ".", 0, 2));
}

/* What it means, without any thought of time. */
static bool naive(const char *p, const char *t, const char *barriers)
{
    if (*p == '*') {
        bool wide = barriers[0] == '\0' || p[1] == '*';
        const char *rest = p + strspn(p, "*");
        for (;; t++) {
            if (naive(rest, t, barriers))
                return true;
            if (*t == '\0' || (!wide && strchr(barriers, *t) != NULL))
                return false;
        }
    }
    return *p == *t && (*p == '\0' || naive(p + 1, t + 1, barriers));
}

static void spell(unsigned n, const char *letters, char *out)
{
    size_t base = strlen(letters) + 1, len = 0;

    for (; n > 0; n /= (unsigned)base)
        if (n % base > 0)
            out[len++] = letters[n % base - 1];
    out[len] = '\0';
}

Test(glob, is_what_it_means_for_all_short_patterns_and_texts)
{
    char pattern[16], text[16];

    for (unsigned i = 0; i < 4096; i++) {       /* up to 6 of a / * */
        spell(i, "a/*", pattern);
        for (unsigned k = 0; k < 729; k++) {    /* up to 6 of a / */
            spell(k, "a/", text);
            cr_assert_eq(match(pattern, text, "/"), naive(pattern, text, "/"), "%s of %s", pattern,
                         text);
            cr_assert_eq(match(pattern, text, ""), naive(pattern, text, ""), "%s of %s", pattern,
                         text);
        }
    }
}

/* What would take years, or minutes, by going back and trying again. */
Test(glob, many_stars_take_no_time)
{
    static char pattern[1001], text[60001];

    for (size_t i = 0; i + 1 < sizeof(pattern); i += 2)
        memcpy(pattern + i, "*a", 2);
    pattern[999] = 'b';
    memset(text, 'a', 20000);
    cr_assert_not(match(pattern, text, ""));
    cr_assert_not(match(pattern, text, "."));
    memset(text, 'a', sizeof(text) - 1);
    text[30000] = '/';
    cr_assert_not(match("**aaa*aaab", text, "/"));
    cr_assert(match("**aaa*/aaa*a", text, "/"));
}

Test(glob, every_barrier_is_one)
{
    cr_assert(match("a*c", "abc", "/?"));
    cr_assert_not(match("a*c", "a/c", "/?"));
    cr_assert_not(match("a*c", "a?c", "/?"));
    cr_assert(match("a*?*c", "ab?dc", "/?"));
    cr_assert(match("a**c", "a/?c", "/?"));
    cr_assert(glob_match(span("a*c"), (struct span){ "a\0c", 3 }, "/", 0, 0));
}

Test(glob, a_pattern_has_an_end)
{
    static char pattern[GLOB_MAX + 8], text[GLOB_MAX + 8];

    memset(pattern, 'a', sizeof(pattern) - 1);
    memset(text, 'a', sizeof(text) - 1);
    cr_assert(match(pattern, text, ""));
    pattern[6] = '*';           /* GLOB_MAX + 1 from here on */
    cr_assert_not(match(pattern, text, ""));
    pattern[6] = 'a';
    pattern[7] = '*';
    cr_assert(match(pattern, text, ""));
}
