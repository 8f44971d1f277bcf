#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "app/askers.h"
#include "app/verdict.h"

static struct diags with(enum diag_level level, const char *text)
{
    struct diags d = { 0 };

    diag_add(&d, level, (struct diag_at){ .section = "store s" }, "mend it", "%s", text);
    return d;
}

static size_t unsaid_to(const struct verdict *v, bool asked, enum diag_level level,
                        const char *text)
{
    struct diags d = with(level, text), out = { 0 };

    verdict_unsaid(v, &d, asked, &out);
    size_t n = out.n;
    diags_free(&out);
    diags_free(&d);
    return n;
}

static size_t unsaid(const struct verdict *v, enum diag_level level, const char *text)
{
    return unsaid_to(v, false, level, text);
}

static bool told(const struct verdict *v, const char *text)
{
    struct diags d = with(DIAG_ERROR, text);
    bool yes = verdict_is_told(v, &d);

    diags_free(&d);
    return yes;
}

Test(verdict, the_same_failure_is_known)
{
    struct verdict v = { .status.ok = true };
    struct diags bad = with(DIAG_ERROR, "no such file"), none = { 0 };

    cr_expect_not(told(&v, "no such file"));
    verdict_bad(&v, &bad);
    cr_expect(told(&v, "no such file"));
    cr_expect_not(told(&v, "it is empty"));
    cr_expect_not(v.status.ok);
    cr_expect_eq(v.status.failed, 1u);
    cr_expect_str_eq(v.status.why, "error: [store s] no such file (mend it)");
    verdict_good(&v, &none, false);
    cr_expect_not(told(&v, "no such file"));
    cr_expect(v.status.ok);
    cr_expect_null(v.status.why);
    cr_expect_eq(v.status.done, 1u);
    verdict_free(&v);
    diags_free(&bad);
}

Test(verdict, a_warning_about_what_is_in_force_is_known)
{
    struct verdict v = { .status.ok = true };
    struct diags first = with(DIAG_WARNING, "a weak key");

    cr_expect_eq(unsaid(&v, DIAG_WARNING, "a weak key"), 1u);
    verdict_good(&v, &first, true);
    cr_expect_eq(first.n, 0u, "taken");
    cr_expect_eq(v.status.done, 0u, "the start is no reload");
    cr_expect_eq(unsaid(&v, DIAG_WARNING, "a weak key"), 0u);
    cr_expect_eq(unsaid(&v, DIAG_WARNING, "another"), 1u);
    cr_expect_eq(unsaid(&v, DIAG_ERROR, "a weak key"), 1u);
    cr_expect_eq(unsaid(&v, DIAG_NOTE, "a weak key"), 1u);
    cr_expect_eq(unsaid_to(&v, true, DIAG_WARNING, "a weak key"), 1u, "who asks is told again");
    verdict_free(&v);
}

Test(verdict, a_note_is_said_once_whoever_asks)
{
    struct verdict v = { .status.ok = true };
    struct diags first = with(DIAG_NOTE, "3 pairs");

    verdict_good(&v, &first, true);
    cr_expect_eq(unsaid_to(&v, false, DIAG_NOTE, "3 pairs"), 0u);
    cr_expect_eq(unsaid_to(&v, true, DIAG_NOTE, "3 pairs"), 0u);
    cr_expect_eq(unsaid_to(&v, true, DIAG_NOTE, "4 pairs"), 1u);
    verdict_free(&v);
}

Test(verdict, mended_without_a_reload)
{
    struct verdict v = { .status.ok = true };
    struct diags bad = with(DIAG_ERROR, "gone");

    cr_expect_not(verdict_mended(&v));
    verdict_bad(&v, &bad);
    cr_expect(verdict_mended(&v));
    cr_expect(v.status.ok);
    cr_expect_eq(v.status.done, 0u);
    verdict_free(&v);
    diags_free(&bad);
}

/* --- who asked --- */

static struct askers askers;
static char heard[64];

static void on_done(void *arg, bool ok, uint64_t generation, const struct diags *d)
{
    size_t used = strlen(heard);

    snprintf(heard + used, sizeof(heard) - used, "%s%s%d ", (const char *)arg, ok ? "+" : "-",
             (int)generation);
    if (d != NULL && d->n > 0)
        cr_expect_str_eq(d->v[0].message, "sallyport is ending");
}

static void on_done_ask_again(void *arg, bool ok, uint64_t generation, const struct diags *d)
{
    on_done(arg, ok, generation, d);
    askers_add(&askers, on_done, arg);
}

Test(askers, hear_of_the_load_that_began_after_they_asked)
{
    static char a[] = "a", b[] = "b", c[] = "c";

    askers_add(&askers, on_done, a);
    askers_begin(&askers);
    askers_add(&askers, on_done, b);
    askers_tell(&askers, true, 2, NULL);
    cr_expect_str_eq(heard, "a+2 ");
    askers_add(&askers, on_done_ask_again, c);
    askers_begin(&askers);
    askers_tell(&askers, false, 2, NULL);
    cr_expect_str_eq(heard, "a+2 b-2 c-2 ");
    askers_refuse(&askers, 3);
    cr_expect_str_eq(heard, "a+2 b-2 c-2 c-3 ");
    cr_expect_eq(askers.n, 0u);
}

/* A folder whose mode is wrong has one for each of its files, and meanwhile the master does nothing
   else. With work for each pair of them it would take minutes. */
Test(verdict, thousands_of_findings_are_told_at_once, .timeout = 20)
{
    struct verdict v = { .status.ok = true };
    struct diags bad = { 0 }, weak = { 0 }, out = { 0 };

    for (unsigned i = 0; i < 20000; i++) {
        char value[32];
        snprintf(value, sizeof(value), "/keys/%u.pem", i);
        struct diag_at at = { .section = "store s", .key = "dir", .value = value };
        diag_add(&bad, DIAG_ERROR, at, "let root read it", "permission denied");
        diag_add(&weak, DIAG_WARNING, at, NULL, "the key has 1024 bits only");
    }
    verdict_bad(&v, &bad);
    cr_expect(verdict_is_told(&v, &bad));
    v.said = weak;
    verdict_unsaid(&v, &weak, false, &out);
    cr_expect_eq(out.n, 0u);
    verdict_unsaid(&v, &bad, false, &out);
    cr_expect_eq(out.n, bad.n);
    diags_free(&out);
    diags_free(&bad);
    verdict_free(&v);
}
