/*
 * The sample that is installed is good as it stands, and with every line that is
 * commented out by a single `;` put in force; and no damage to it does worse than
 * findings.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/file.h"
#include "conf/schema.h"
#include "support.h"

static char *read_sample(void)
{
    struct diags d = { 0 };
    struct file f;

    cr_assert_eq(file_read(TOP_SRCDIR "/conf/sallyport.conf", (struct diag_at){ 0 }, &f, &d), 0,
                 "%s", findings(&d));
    char *text = mem_strdup((const char *)f.data);
    file_free(&f);
    return text;
}

static void is_good(const char *text)
{
    struct diags d = { 0 };
    struct conf *c = build_text(text, strlen(text), &d);

    cr_expect(c != NULL && d.n == 0, "%s", findings(&d));
    conf_free(c);
    diags_free(&d);
}

Test(sample, is_good)
{
    char *text = read_sample();

    is_good(text);
    free(text);
}

Test(sample, is_good_with_everything_in_force)
{
    char *text = read_sample(), *out = text;
    unsigned n = 0;

    for (const char *p = text; *p != '\0'; p++) {
        bool first = p == text || p[-1] == '\n';
        /* `dir` stands instead of `cert` and `key`, which are in force */
        if (first && *p == ';' && p[1] != ' ' && strncmp(p, ";dir =", 6) != 0)
            n++;
        else
            *out++ = *p;
    }
    *out = '\0';
    cr_expect_gt(n, 20);
    is_good(text);
    free(text);
}

Test(sample, damage_gives_findings)
{
    static const char bytes[] = { '\0', '\n', ' ', ';', '[', ']', '=', ':', ',', '\r', '\x80' };
    char *text = read_sample();
    size_t len = strlen(text);
    unsigned refused = 0;

    for (size_t i = 0; i < len; i++) {
        char was = text[i];
        for (size_t k = i % 3; k < sizeof(bytes); k += 3) {
            struct diags d = { 0 };
            text[i] = bytes[k];
            struct conf *c = build_text(text, len, &d);
            cr_assert_eq(c == NULL, d.errors > 0);
            refused += c == NULL;
            conf_free(c);
            diags_free(&d);
        }
        text[i] = was;
    }
    cr_expect_gt(refused, 1000);
    for (size_t n = 0; n < len; n++) {
        struct diags d = { 0 };
        char *exact = mem_dup(text, n);     /* so that a sanitizer sees a read behind it */
        conf_free(build_text(exact, n, &d));
        free(exact);
        diags_free(&d);
    }
    free(text);
}
