/* folder: which files of a folder belong together. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/folder.h"
#include "scratch.h"

static char dir[SCRATCH_PATH_MAX];
static struct folder folder;
static struct diags diags;

static void setup(void)
{
    scratch_make(dir);
}

static void teardown(void)
{
    folder_free(&folder);
    diags_free(&diags);
    scratch_remove(dir);
}

TestSuite(folder, .init = setup, .fini = teardown);

static void put(const char *path)
{
    scratch_write(dir, path, "x");
}

/* "a: a.crt a.key; b: b/cert.pem; " */
static const char *units(struct folder_part *part)
{
    static char text[1024];
    size_t len = 0;

    folder_free(&folder);
    cr_assert_eq(folder_read(dir, part, (struct diag_at){ 0 }, &folder, &diags), 0);
    text[0] = '\0';
    for (size_t i = 0; i < folder.n; i++) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s:", folder.v[i].name);
        for (size_t k = 0; k < folder.v[i].n; k++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, " %s",
                                    folder.v[i].v[k].path + strlen(dir) + 1);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "; ");
    }
    return text;
}

Test(folder, files_of_one_name_belong_together)
{
    put("b.key");
    put("a-b.crt");
    put("a.pem.key");
    put("b.crt");
    put("a.pem");
    put("example.com.CRT");
    put("example.com.key");
    cr_expect_str_eq(units(NULL),
                     "a: a.pem a.pem.key; a-b: a-b.crt; b: b.crt b.key; "
                     "example.com: example.com.CRT example.com.key; ");
}

Test(folder, a_subfolder_is_a_unit)
{
    put("site/privkey.pem");
    put("site/fullchain.pem");
    put("site/README");
    put("site/deeper/x.pem");
    put("site/notes/readme.txt");
    put("empty/notes.txt");
    put("z.p12");
    cr_expect_str_eq(units(NULL), "site: site/fullchain.pem site/privkey.pem; z: z.p12; ");
    cr_assert_eq(folder.npassed, 1u);
    cr_expect_not_null(strstr(folder.passed[0], "/site/deeper, which lies too deep"));
}

Test(folder, keystores_by_all_their_endings)
{
    put("a.KEYSTORE");
    put("a.truststore");
    put("b.jceks");
    put("b.jks");
    cr_expect_str_eq(units(NULL), "a: a.KEYSTORE; b: b.jceks b.jks; ");
    cr_assert_eq(folder.npassed, 1u);
    cr_expect_not_null(strstr(folder.passed[0], "/a.truststore, which as a truststore holds"));
}

Test(folder, other_files_are_not_looked_at)
{
    char link[SCRATCH_PATH_MAX + 16], hidden[SCRATCH_PATH_MAX + 16];

    put("README");
    put("a.pem~");
    put(".pem");
    put(".hidden.pem");
    put("..2026/tls.crt");
    put("tls.csr");
    put("a.crt.bak");
    snprintf(hidden, sizeof(hidden), "%s/..data", dir);
    snprintf(link, sizeof(link), "%s/tls.crt", dir);
    cr_assert_eq(symlink("..2026", hidden), 0);
    cr_assert_eq(symlink("..data/tls.crt", link), 0);
    cr_expect_str_eq(units(NULL), "tls: tls.crt; ");
}

Test(folder, a_fifo_would_keep_us_waiting)
{
    char path[SCRATCH_PATH_MAX + 16];

    put("a.pem");
    snprintf(path, sizeof(path), "%s/b.pem", dir);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_str_eq(units(NULL), "a: a.pem; ");
}

Test(folder, a_link_to_nowhere_is_told_of_when_it_is_read)
{
    char link[SCRATCH_PATH_MAX + 16];

    snprintf(link, sizeof(link), "%s/gone.crt", dir);
    cr_assert_eq(symlink("/nowhere", link), 0);
    cr_expect_str_eq(units(NULL), "gone: gone.crt; ");
}

Test(folder, a_stamp_tells_two_contents_apart)
{
    put("a.pem");
    units(NULL);
    struct file_stamp before = folder.v[0].v[0].stamp;
    scratch_write(dir, "a.pem", "longer than before");
    units(NULL);
    cr_expect_neq(memcmp(&before, &folder.v[0].v[0].stamp, sizeof(before)), 0);
}

Test(folder, what_is_no_folder_is_a_finding)
{
    char path[SCRATCH_PATH_MAX + 16];

    put("file");
    snprintf(path, sizeof(path), "%s/file", dir);
    cr_expect_eq(folder_read(path, NULL, (struct diag_at){ 0 }, &folder, &diags), -1);
    snprintf(path, sizeof(path), "%s/none", dir);
    cr_expect_eq(folder_read(path, NULL, (struct diag_at){ 0 }, &folder, &diags), -1);
    cr_expect_eq(diags.errors, 2);
}

/* --- changes --- */

static char *changed(const char *name)
{
    static char texts[8][SCRATCH_PATH_MAX + 64];
    static unsigned next;
    char *text = texts[next++ % 8];
    char *real = realpath(dir, NULL);

    snprintf(text, sizeof(texts[0]), "%s/%s", real, name);
    free(real);
    return text;
}

Test(folder, changed_files_say_which_units)
{
    char *files[] = { changed("b.key"), changed("a.pem.key"), changed("notes.txt"),
                      changed(".b.key.tmp"), changed("b.crt") };
    struct folder_part part;

    put("a.pem");
    put("b.crt");
    put("b.key");
    put("c.pem");
    cr_assert(folder_changes(dir, files, 5, &part));
    cr_expect(folder_has_name(&part.units, "a") && folder_has_name(&part.units, "b"));
    cr_expect_not(folder_has_name(&part.units, "c") || folder_has_name(&part.units, "notes"));
    cr_expect_str_eq(units(&part), "a: a.pem; b: b.crt b.key; ");
    folder_part_free(&part);
}

Test(folder, nothing_of_interest_changed)
{
    char *files[] = { changed("notes.txt") };
    struct folder_part part;

    put("a.pem");
    cr_assert(folder_changes(dir, files, 1, &part));
    cr_expect_eq(part.units.n, 0);
    cr_expect_str_eq(units(&part), "");
    folder_part_free(&part);
}

Test(folder, what_cannot_be_told_by_names)
{
    char elsewhere[] = "/etc/other.pem", within[SCRATCH_PATH_MAX + 64];
    char *cases[] = { elsewhere, changed("..data"), changed("sub/a.pem"), within };
    struct folder_part part;

    snprintf(within, sizeof(within), "%sx/a.pem", dir);     /* only begins like it */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_not(folder_changes(dir, &cases[i], 1, &part), "%s", cases[i]);
}

Test(folder, endings_are_what_follows_the_name)
{
    char *endings[4];

    put("a.pem.key");
    put("a.pem");
    put("b.crt");
    put("c/tls.pem");
    put("d.pem");
    put("d/tls.key");
    units(NULL);
    for (size_t i = 0; i < 4; i++)
        endings[i] = folder_unit_endings(dir, &folder.v[i]);
    cr_expect_str_eq(endings[0], "/.pem/.pem.key");
    cr_expect_str_eq(endings[1], "/.crt");
    cr_expect_null(endings[2], "what is in a subfolder is called otherwise");
    cr_expect_null(endings[3]);
    free(endings[0]);
    free(endings[1]);
}

/* The unit's old files and those that changed, each once; c.pem is not looked for. */
Test(folder, who_knows_the_files_need_not_list_them)
{
    char *files[] = { changed("b.key"), changed("a.pem"), changed("a.key") };
    struct folder_part part;

    put("a.pem");
    put("a.key");
    put("b.crt");
    put("c.pem");
    cr_assert(folder_changes(dir, files, 3, &part));
    folder_expect(&part, "a", "/.pem");
    folder_expect(&part, "b", "/.crt/.key");
    part.known = true;
    cr_expect_str_eq(units(&part), "a: a.key a.pem; b: b.crt; ", "b.key is gone");
    folder_part_free(&part);
}
