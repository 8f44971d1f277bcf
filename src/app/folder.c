#include "app/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static const char *const endings[] = { ".pem", ".crt", ".cer", ".der", ".key",
                                       ".p12", ".pfx", ".jks", ".jceks", ".keystore" };

#define ENDINGS (sizeof(endings) / sizeof(endings[0]))

static bool ends_with(const char *name, size_t len, const char *ending)
{
    size_t n = strlen(ending);

    return len > n && name[len - n] == '.' && strncasecmp(name + len - n, ending, n) == 0;
}

/* How much of a name stands before its endings: a.pem.key belongs to a.pem. */
static size_t stem_len(const char *name, size_t len)
{
    for (size_t i = 0; i < ENDINGS;) {
        bool has = ends_with(name, len, endings[i]);
        len -= has ? strlen(endings[i]) : 0;
        i = has ? 0 : i + 1;
    }
    return len;
}

struct listing {
    struct folder *out;
    size_t room;
    const struct folder_part *part;
};

/* --- names --- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

bool folder_has_name(const struct folder_names *names, const char *name)
{
    return names->n > 0
           && bsearch(&name, names->v, names->n, sizeof(names->v[0]), by_text) != NULL;
}

static void add_name(struct folder_names *names, char *name)
{
    names->v = mem_append(names->v, names->n, sizeof(names->v[0]));
    names->v[names->n++] = name;
}

static void sort_names(struct folder_names *names)
{
    if (names->n > 0)
        qsort(names->v, names->n, sizeof(names->v[0]), by_text);
}

static void names_free(struct folder_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->v[i]);
    free(names->v);
}

void folder_part_free(struct folder_part *part)
{
    names_free(&part->units);
    names_free(&part->files);
    *part = (struct folder_part){ 0 };
}

char *folder_unit_endings(const char *path, const struct folder_unit *u)
{
    size_t dir = strlen(path), stem = strlen(u->name);
    char *all = mem_strdup("");

    for (size_t i = 0; i < u->n; i++) {
        const char *name = u->v[i].path + dir + 1;
        if (strncmp(name, u->name, stem) != 0 || strchr(name, '/') != NULL) {
            free(all);
            return NULL;
        }
        char *more = mem_printf("%s/%s", all, name + stem);
        free(all);
        all = more;
    }
    return all;
}

void folder_expect(struct folder_part *part, const char *unit, const char *rest)
{
    while (rest[0] == '/') {
        size_t n = strcspn(rest + 1, "/");
        add_name(&part->files, mem_printf("%s%.*s", unit, (int)n, rest + 1));
        rest += n + 1;
    }
}

/* A name that is looked at at all. */
static bool is_of_interest(const char *name)
{
    return name[0] != '.' && stem_len(name, strlen(name)) < strlen(name);
}

/* Is it wanted, and by which name? */
static bool is_wanted(const struct listing *l, const char *name, size_t len)
{
    char stem[256];

    if (l->part == NULL)
        return true;
    if (len >= sizeof(stem))
        return false;
    memcpy(stem, name, len);
    stem[len] = '\0';
    return folder_has_name(&l->part->units, stem);
}

bool folder_changes(const char *path, char *const *changed, size_t n, struct folder_part *out)
{
    char *real = realpath(path, NULL);
    size_t dir = real != NULL ? strlen(real) : 0;
    bool sure = real != NULL;

    *out = (struct folder_part){ 0 };
    for (size_t i = 0; i < n && sure; i++) {
        const char *name = changed[i] + dir + 1;
        sure = strncmp(changed[i], real, dir) == 0 && changed[i][dir] == '/'
               && strchr(name, '/') == NULL && strncmp(name, "..", 2) != 0;
        if (!sure || !is_of_interest(name))
            continue;
        add_name(&out->units, mem_strndup(name, stem_len(name, strlen(name))));
        add_name(&out->files, mem_strdup(name));
    }
    sort_names(&out->units);
    free(real);
    if (!sure)
        folder_part_free(out);
    return sure;
}

/* --- units --- */

static struct folder_unit *new_unit(struct listing *l, const char *name, size_t len)
{
    if (l->out->n == l->room) {
        l->room = l->room ? 2 * l->room : 16;
        l->out->v = mem_grow(l->out->v, l->room, sizeof(l->out->v[0]));
    }
    struct folder_unit *u = &l->out->v[l->out->n++];
    *u = (struct folder_unit){ .name = mem_strndup(name, len) };
    return u;
}

static void add_file(struct folder_unit *u, char *path, const struct stat *st)
{
    u->v = mem_grow(u->v, u->n + 1, sizeof(u->v[0]));
    u->v[u->n++] = (struct folder_file){ path, file_stamp_of(st) };
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct folder_file *)a)->path, ((const struct folder_file *)b)->path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct folder_unit *)a)->name, ((const struct folder_unit *)b)->name);
}

static void pass_over(struct listing *l, char *why)
{
    struct folder *f = l->out;

    f->passed = mem_grow(f->passed, f->npassed + 1, sizeof(f->passed[0]));
    f->passed[f->npassed++] = why;
}

/* Is there a file in it that would be looked at elsewhere? */
static bool holds_any(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *e = NULL;

    if (d == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    while ((e = readdir(d)) != NULL && !is_of_interest(e->d_name))
        continue;
    closedir(d);
    return e != NULL;
}

static void add_subfolder(struct listing *l, int dir, const char *path, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct folder_unit *u = NULL;
    struct dirent *e;
    struct stat st;

    if (d == NULL) {
        if (fd >= 0)
            close(fd);
        return;                 /* not for us, as a folder such as lost+found is not */
    }
    while ((e = readdir(d)) != NULL) {
        if (e->d_name[0] != '.' && e->d_type != DT_REG && holds_any(fd, e->d_name))
            pass_over(l, mem_printf("%s/%s/%s, which lies too deep: subfolders are looked at, and "
                                    "none within them", path, name, e->d_name));
        if (!is_of_interest(e->d_name) || fstatat(fd, e->d_name, &st, 0) != 0
            || !S_ISREG(st.st_mode))
            continue;
        if (u == NULL)
            u = new_unit(l, name, strlen(name));
        add_file(u, mem_printf("%s/%s/%s", path, name, e->d_name), &st);
    }
    closedir(d);
}

static void add_entry(struct listing *l, int dir, const char *path, const char *name)
{
    struct stat st = { 0 };

    size_t stem = stem_len(name, strlen(name));

    if (name[0] != '.' && ends_with(name, strlen(name), ".truststore") && l->part == NULL)
        pass_over(l, mem_printf("%s/%s, which as a truststore holds no key", path, name));
    if (name[0] == '.' || !is_wanted(l, name, stem))
        return;
    /* What cannot be looked at (a link to nowhere) is told of when it is read; a FIFO would
       keep who reads it waiting. */
    bool known = fstatat(dir, name, &st, 0) == 0;
    if (known && S_ISDIR(st.st_mode))
        add_subfolder(l, dir, path, name);
    else if (name[stem] != '\0' && (!known || S_ISREG(st.st_mode)))
        add_file(new_unit(l, name, stem),
                 mem_printf("%s/%s", path, name), &st);
}

static void unit_free(struct folder_unit *u)
{
    for (size_t i = 0; i < u->n; i++)
        free(u->v[i].path);
    free(u->v);
    free(u->name);
}

/* Units of one name become one. */
static void gather(struct folder *f)
{
    size_t n = 0;

    if (f->n > 0)
        qsort(f->v, f->n, sizeof(f->v[0]), by_name);
    for (size_t i = 0; i < f->n; i++) {
        struct folder_unit *last = n > 0 ? &f->v[n - 1] : NULL;
        if (last == NULL || strcmp(last->name, f->v[i].name) != 0) {
            f->v[n++] = f->v[i];
            continue;
        }
        last->v = mem_grow(last->v, last->n + f->v[i].n, sizeof(last->v[0]));
        memcpy(last->v + last->n, f->v[i].v, f->v[i].n * sizeof(last->v[0]));
        last->n += f->v[i].n;
        f->v[i].n = 0;
        unit_free(&f->v[i]);
    }
    f->n = n;
    for (size_t i = 0; i < n; i++)
        qsort(f->v[i].v, f->v[i].n, sizeof(f->v[i].v[0]), by_path);
}

/* To list a folder of ten thousand pairs takes longer than to read one of them. */
static void add_known(struct listing *l, int dir, const char *path, struct folder_names *files)
{
    struct stat st;

    sort_names(files);
    for (size_t i = 0; i < files->n; i++)
        if ((i == 0 || strcmp(files->v[i - 1], files->v[i]) != 0)
            && fstatat(dir, files->v[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
            add_entry(l, dir, path, files->v[i]);
}

int folder_read(const char *path, struct folder_part *part, struct diag_at where,
                struct folder *out, struct diags *d)
{
    struct listing l = { .out = out, .part = part };
    DIR *dir = opendir(path);
    struct dirent *e;

    *out = (struct folder){ 0 };
    if (dir == NULL) {
        diag_add(d, DIAG_ERROR, where, errno == ENOTDIR ? "a file is named by `cert`" : NULL,
                 "the folder cannot be read: %s", strerror(errno));
        return -1;
    }
    if (part != NULL && part->known)
        add_known(&l, dirfd(dir), path, &part->files);
    else
        while ((e = readdir(dir)) != NULL)
            add_entry(&l, dirfd(dir), path, e->d_name);
    closedir(dir);
    gather(out);
    if (out->npassed > 0)
        qsort(out->passed, out->npassed, sizeof(out->passed[0]), by_text);
    return 0;
}

void folder_free(struct folder *f)
{
    for (size_t i = 0; i < f->n; i++)
        unit_free(&f->v[i]);
    for (size_t i = 0; i < f->npassed; i++)
        free(f->passed[i]);
    free(f->passed);
    free(f->v);
    *f = (struct folder){ 0 };
}
