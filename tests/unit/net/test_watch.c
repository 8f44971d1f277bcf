#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/watch.h"
#include "net/watch_dirs.h"

/* Long enough for events to arrive; only the tests of silence wait it out. */
#define PATIENCE_MS 10000u
#define SILENCE_MS 150u

static char dir[64];
static struct loop *loop;
static struct watch *watch;
static struct loop_timer *over;
static unsigned told;

static void on_change(void *arg)
{
    (void)arg;
    told++;
    loop_stop(loop);
}

static void on_over(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static void setup(void)
{
    struct err e = ERR_INIT;

    strcpy(dir, "/tmp/sallyport-watch.XXXXXX");
    cr_assert_not_null(mkdtemp(dir));
    loop = loop_new(&e);
    watch = watch_new(loop, on_change, NULL, &e);
    over = loop_timer_new(loop, on_over, NULL);
    cr_assert_not_null(watch, "%s", e.text);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void teardown(void)
{
    watch_free(watch);
    loop_timer_free(over);
    loop_free(loop);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(watch, .init = setup, .fini = teardown, .timeout = 60);

static const char *in_dir(const char *name)
{
    static char path[4][256];
    static unsigned next;
    char *p = path[next++ % 4];

    snprintf(p, 256, "%s/%s", dir, name);
    return p;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(in_dir(name), "w");

    cr_assert_not_null(f, "%s", name);
    fputs(text, f);
    fclose(f);
}

static void make_dir(const char *name)
{
    cr_assert_eq(mkdir(in_dir(name), 0755), 0, "%s", name);
}

static void move(const char *from, const char *to)
{
    cr_assert_eq(rename(in_dir(from), in_dir(to)), 0);
}

static void point(const char *name, const char *target)
{
    cr_assert_eq(symlink(target, in_dir(name)), 0);
}

static bool told_within(unsigned ms)
{
    told = 0;
    loop_timer_set(over, ms);
    loop_run(loop);
    loop_timer_clear(over);
    return told > 0;
}

static void expect_told(void)
{
    cr_expect(told_within(PATIENCE_MS));
    while (told_within(SILENCE_MS))     /* the rest of the same change */
        ;
}

static void expect_silence(void)
{
    cr_expect_not(told_within(SILENCE_MS));
}

static void follow(const char *a, const char *b)
{
    struct watch_path p[2] = { 0 };
    size_t n = 0;

    for (const char *name = a; name != NULL; name = name == a ? b : NULL) {
        p[n].path = strdup(in_dir(name));
        p[n].mark = watch_mark(p[n].path);
        n++;
    }
    watch_set(watch, p, n);
    for (size_t i = 0; i < n; i++)
        free(p[i].path);
    expect_silence();
    cr_expect_null(watch_polls(watch));
}

Test(watch, a_file_that_is_rewritten_in_place)
{
    put("a", "one");
    follow("a", NULL);
    put("a", "two");
    expect_told();
}

Test(watch, a_file_that_is_renamed_over)
{
    put("a", "one");
    follow("a", NULL);
    put("b", "two");
    expect_silence();
    move("b", "a");
    expect_told();
    put("a", "three");
    expect_told();
}

Test(watch, a_file_that_goes_and_comes_back)
{
    put("a", "one");
    follow("a", NULL);
    unlink(in_dir("a"));
    expect_told();
    put("a", "two");
    expect_told();
}

Test(watch, a_mode_that_changes)
{
    put("a", "one");
    follow("a", NULL);
    chmod(in_dir("a"), 0);
    expect_told();
    chmod(in_dir("a"), 0644);
    expect_told();
}

Test(watch, a_neighbour_is_nobodys_business)
{
    put("a", "one");
    follow("a", NULL);
    put("b", "two");
    unlink(in_dir("b"));
    make_dir("c");
    expect_silence();
}

/* How kubelet delivers: tls.crt -> ..data/tls.crt, ..data -> ..1, and ..data is renamed over. */
Test(watch, the_swap_of_a_mounted_secret)
{
    make_dir("..1");
    put("..1/tls.crt", "one");
    point("..data", "..1");
    point("tls.crt", "..data/tls.crt");
    follow("tls.crt", NULL);
    for (char n = '2'; n < '6'; n++) {
        char folder[] = "..n", file[] = "..n/tls.crt";
        folder[2] = file[2] = n;
        make_dir(folder);
        put(file, "next");
        expect_silence();
        point("..data_tmp", folder);
        move("..data_tmp", "..data");
        expect_told();
        put(file, "and where it leads is watched, too");
        expect_told();
    }
}

Test(watch, a_link_to_another_folder)
{
    make_dir("live");
    make_dir("archive");
    put("archive/cert1", "one");
    put("archive/cert2", "two");
    point("live/cert", "../archive/cert1");
    follow("live/cert", NULL);
    put("archive/cert1", "one, again");
    expect_told();
    point("live/new", "../archive/cert2");
    move("live/new", "live/cert");
    expect_told();
    put("archive/cert1", "nobody's any more");
    expect_silence();
}

Test(watch, a_folder_that_is_not_there_yet)
{
    follow("x/y/a", NULL);
    make_dir("x");
    expect_told();
    make_dir("x/y");
    expect_told();
    put("x/y/a", "one");
    expect_told();
    put("x/y/a", "two");
    expect_told();
}

Test(watch, a_folder_that_is_replaced_as_a_whole)
{
    make_dir("x");
    make_dir("x/certs");
    put("x/certs/a", "one");
    follow("x/certs/a", NULL);
    make_dir("x/new");
    put("x/new/a", "two");
    move("x/certs", "x/old");
    expect_told();
    move("x/new", "x/certs");
    expect_told();
    put("x/certs/a", "three");
    expect_told();
    put("x/old/a", "nobody's");
    expect_silence();
    move("x", "elsewhere");
    expect_told();
}

Test(watch, a_listed_folder_is_all_that_is_in_it_and_one_below)
{
    make_dir("certs.d");
    make_dir("certs.d/a");
    make_dir("certs.d/a/deep");
    follow("certs.d", NULL);
    put("certs.d/new.crt", "one");
    expect_told();
    put("certs.d/a/tls.crt", "two");
    expect_told();
    put("certs.d/a/deep/tls.crt", "out of sight");
    expect_silence();
    make_dir("certs.d/b");
    expect_told();
    put("certs.d/b/tls.crt", "three");
    expect_told();
}

Test(watch, what_changed_between_reading_and_watching)
{
    put("a", "one");
    struct watch_path p = { .path = strdup(in_dir("a")), .mark = watch_mark(in_dir("a")) };
    put("a", "longer");
    watch_set(watch, &p, 1);
    free(p.path);
    expect_told();
}

Test(watch, no_paths_no_news)
{
    put("a", "one");
    follow("a", NULL);
    watch_set(watch, NULL, 0);
    put("a", "two");
    expect_silence();
}

Test(watch, two_folders)
{
    make_dir("x");
    make_dir("y");
    put("x/a", "one");
    put("y/b", "one");
    follow("x/a", "y/b");
    put("x/b", "not this");
    put("y/a", "nor this");
    expect_silence();
    put("y/b", "this");
    expect_told();
    put("x/a", "and this");
    expect_told();
}

Test(watch, a_link_that_leads_to_itself)
{
    point("a", "b");
    point("b", "a");
    follow("a", NULL);
    unlink(in_dir("b"));
    put("b", "an end");
    expect_told();
}

Test(watch, without_inotify_it_polls)
{
    struct rlimit all, few;
    struct watch_path p = { .path = strdup(in_dir("a")), .mark = 0 };

    /* No descriptor is left when it wants one. */
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &all), 0);
    int next = dup(0);
    few = (struct rlimit){ .rlim_cur = (rlim_t)next, .rlim_max = all.rlim_max };
    close(next);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    watch_set(watch, &p, 1);
    cr_expect_not_null(watch_polls(watch));
    expect_silence();
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &all), 0);
    put("a", "one");
    expect_told();
    cr_expect_null(watch_polls(watch), "there are descriptors again");
    free(p.path);
}

static unsigned watches(void)
{
    char path[300], line[256];
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fdinfo");

    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", e->d_name);
        FILE *f = fopen(path, "r");
        while (f != NULL && fgets(line, sizeof(line), f) != NULL)
            n += strncmp(line, "inotify ", 8) == 0;
        if (f != NULL)
            fclose(f);
    }
    closedir(d);
    return n;
}

Test(watch, many_files_in_one_folder_are_one_watch)
{
    enum { MANY = 2000 };
    struct watch_path *p = calloc(MANY, sizeof(*p));

    make_dir("x");
    watch_set(watch, NULL, 0);
    cr_expect_eq(watches(), 0u);
    for (size_t i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof(name), "x/%zu", i);
        put(name, "one");
        p[i].path = strdup(in_dir(name));
        p[i].mark = watch_mark(p[i].path);
    }
    watch_set(watch, p, MANY);
    cr_expect_eq(watches(), 4u, "/, /tmp, ours, x: %u", watches());
    expect_silence();
    put("x/1234", "two");
    expect_told();
    watch_set(watch, NULL, 0);
    cr_expect_eq(watches(), 0u, "%u", watches());
    for (size_t i = 0; i < MANY; i++)
        free(p[i].path);
    free(p);
}

/* --- which names are watched --- */

static bool names(const struct watch_names *s, const char *in, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->v[i].dir, in) == 0 && s->v[i].name != NULL
            && strcmp(s->v[i].name, name) == 0)
            return true;
    return false;
}

Test(watch, names_on_the_way)
{
    struct watch_names s = { 0 };
    const char *base = dir + strlen("/tmp/");

    make_dir("x");
    put("x/a", "one");
    point("l", "x/../x/./a");
    watch_names_add(&s, in_dir("l"));
    watch_names_add(&s, in_dir("x/a"));
    watch_names_sort(&s);
    cr_expect(names(&s, "/", "tmp"));
    cr_expect(names(&s, "/tmp", base));
    cr_expect(names(&s, dir, "l"));
    cr_expect(names(&s, dir, "x"));
    cr_expect(names(&s, in_dir("x"), "a"));
    cr_expect_eq(s.n, 5u, "%zu", s.n);
    watch_names_free(&s);
}
