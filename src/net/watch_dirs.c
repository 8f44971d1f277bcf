#include "net/watch_dirs.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define LINKS_MAX 40            /* as the kernel has it */

static void add(struct watch_names *s, const char *dir, const char *name, bool content)
{
    if (s->n % 64 == 0)
        s->v = mem_grow(s->v, s->n + 64, sizeof(s->v[0]));
    s->v[s->n++] = (struct watch_name){
        mem_strdup(dir), name != NULL ? mem_strdup(name) : NULL, content
    };
}

static char *joined(const char *dir, const char *name)
{
    return mem_printf("%s%s%s", dir, strcmp(dir, "/") == 0 ? "" : "/", name);
}

/* The caller's; the root is its own parent. */
static char *parent(const char *dir)
{
    const char *slash = strrchr(dir, '/');

    return slash == dir ? mem_strdup("/") : mem_strndup(dir, (size_t)(slash - dir));
}

static char *link_target(const char *path)
{
    char buf[PATH_MAX];
    ssize_t n = readlink(path, buf, sizeof(buf));

    return n > 0 && n < (ssize_t)sizeof(buf) ? mem_strndup(buf, (size_t)n) : NULL;
}

/* Where a walk has got to. */
struct walk {
    struct watch_names *names;
    char *here;                 /* a directory */
    char *left;                 /* the components that are still to be taken */
    unsigned links;
};

static char *next_component(struct walk *w)
{
    size_t skip = strspn(w->left, "/"), n = strcspn(w->left + skip, "/");
    char *name = n > 0 ? mem_strndup(w->left + skip, n) : NULL;

    memmove(w->left, w->left + skip + n, strlen(w->left + skip + n) + 1);
    return name;
}

static void go_to(struct walk *w, char *dir)
{
    free(w->here);
    w->here = dir;
}

static bool follow(struct walk *w, const char *link)
{
    char *target = w->links++ < LINKS_MAX ? link_target(link) : NULL;

    if (target == NULL)
        return false;
    if (target[0] == '/')
        go_to(w, mem_strdup("/"));
    char *left = mem_printf("%s/%s", target, w->left);
    free(target);
    free(w->left);
    w->left = left;
    return true;
}

/* One component. False: the walk is over, and where it ended is no directory. */
static bool step(struct walk *w, const char *name)
{
    struct stat st;

    if (strcmp(name, ".") == 0)
        return true;
    if (strcmp(name, "..") == 0) {
        go_to(w, parent(w->here));
        return true;
    }

    char *path = joined(w->here, name);
    bool there = lstat(path, &st) == 0;
    bool is_dir = there && S_ISDIR(st.st_mode), is_link = there && S_ISLNK(st.st_mode);

    add(w->names, w->here, name, !is_dir && !is_link);
    if (is_dir)
        go_to(w, path);
    else if (is_link)
        is_link = follow(w, path);
    if (!is_dir)
        free(path);
    return is_dir || is_link;
}

/* The directory that `path` leads to from `from`, the caller's; NULL when it leads to none. */
static char *walk(struct watch_names *s, const char *from, const char *path)
{
    struct walk w = { .names = s, .here = mem_strdup(from), .left = mem_strdup(path) };
    bool on = true;
    char *name;

    while (on && (name = next_component(&w)) != NULL) {
        on = step(&w, name);
        free(name);
    }
    free(w.left);
    if (!on) {
        free(w.here);
        w.here = NULL;
    }
    return w.here;
}

/* Everything in it, and in the directories in it. */
static void add_whole(struct watch_names *s, const char *dir)
{
    DIR *d = opendir(dir);

    add(s, dir, NULL, true);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || e->d_type == DT_REG)
            continue;
        char *sub = walk(s, dir, e->d_name);
        if (sub != NULL)
            add(s, sub, NULL, true);
        free(sub);
    }
    if (d != NULL)
        closedir(d);
}

void watch_names_add(struct watch_names *s, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t n = (size_t)(slash - path);

    /* Thousands of files in one folder are the rule, not the exception. */
    if (s->last == NULL || strlen(s->last) != n || strncmp(s->last, path, n) != 0) {
        free(s->last);
        free(s->last_real);
        s->last = mem_strndup(path, n);
        s->last_real = walk(s, "/", s->last);
    }
    char *dir = s->last_real != NULL ? walk(s, s->last_real, slash + 1) : NULL;
    if (dir != NULL)
        add_whole(s, dir);
    free(dir);
}

static int by_dir_and_name(const void *x, const void *y)
{
    const struct watch_name *a = x, *b = y;
    int c = strcmp(a->dir, b->dir);

    if (c != 0 || a->name == b->name)
        return c;
    return a->name == NULL ? -1 : b->name == NULL ? 1 : strcmp(a->name, b->name);
}

static void name_free(struct watch_name *n)
{
    free(n->dir);
    free(n->name);
}

void watch_names_sort(struct watch_names *s)
{
    size_t n = 0;

    if (s->n > 0)
        qsort(s->v, s->n, sizeof(s->v[0]), by_dir_and_name);
    for (size_t i = 0; i < s->n; i++) {
        if (n > 0 && by_dir_and_name(&s->v[n - 1], &s->v[i]) == 0) {
            s->v[n - 1].content |= s->v[i].content;
            name_free(&s->v[i]);
        } else {
            s->v[n++] = s->v[i];
        }
    }
    s->n = n;
}

void watch_names_free(struct watch_names *s)
{
    for (size_t i = 0; i < s->n; i++)
        name_free(&s->v[i]);
    free(s->v);
    free(s->last);
    free(s->last_real);
    *s = (struct watch_names){ 0 };
}
