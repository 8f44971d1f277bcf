#include "conf/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/*
 * The file: 8 bytes magic, 4 bytes count; per entry 4 bytes name length, 4 bytes
 * data length, name (no NUL), data. Numbers are in this machine's order: the bytes
 * never leave it. Entries are in strictly rising order of their names, so that
 * they can be searched as they lie, and so that a name cannot be there twice.
 */
static const char magic[8] = { 's', 'p', 'b', 'u', 'n', 'd', 'l', '1' };

#define HEAD     (sizeof(magic) + sizeof(uint32_t))
#define SEALS    (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define NAME_CAP 256u

struct entry {
    char *name;
    const uint8_t *data;        /* our own copy, or inside the map */
    size_t len;
};

struct bundle {
    unsigned refs;
    struct entry *v;            /* by name */
    size_t n;
    void *map;                  /* NULL: made here */
    size_t map_len;
};

struct bundle *bundle_new(void)
{
    struct bundle *b = mem_zalloc(sizeof(*b));

    b->refs = 1;
    return b;
}

/* Where the name is (true), or where it would have to go. */
static bool find(const struct bundle *b, const char *name, size_t *at)
{
    size_t low = 0, high = b->n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = strcmp(name, b->v[mid].name);
        if (c == 0) {
            *at = mid;
            return true;
        }
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    *at = low;
    return false;
}

__attribute__((format(printf, 2, 0)))
static void format_name(char name[NAME_CAP], const char *fmt, va_list ap)
{
    int n = vsnprintf(name, NAME_CAP, fmt, ap);

    /* Names are made from section names, which are short: this is a mistake of ours. */
    if (n <= 0 || (size_t)n >= NAME_CAP)
        abort();
}

/* `data` becomes the bundle's. */
static void insert(struct bundle *b, const char *name, uint8_t *data, size_t len)
{
    size_t at;

    if (b->map != NULL || len > UINT32_MAX || find(b, name, &at))
        abort();                /* sealed, or given twice: a mistake of ours */
    b->v = mem_grow(b->v, b->n + 1, sizeof(b->v[0]));
    memmove(b->v + at + 1, b->v + at, (b->n - at) * sizeof(b->v[0]));
    b->v[at] = (struct entry){ mem_strdup(name), data, len };
    b->n++;
}

void bundle_put(struct bundle *b, const void *data, size_t len, const char *name_fmt, ...)
{
    char name[NAME_CAP];
    va_list ap;

    va_start(ap, name_fmt);
    format_name(name, name_fmt, ap);
    va_end(ap);
    insert(b, name, mem_dup(data, len), len);
}

void bundle_take(struct bundle *b, struct pack *k, const char *name_fmt, ...)
{
    char name[NAME_CAP];
    va_list ap;

    va_start(ap, name_fmt);
    format_name(name, name_fmt, ap);
    va_end(ap);
    insert(b, name, k->p, k->len);
    *k = (struct pack){ 0 };
}

const uint8_t *bundle_get(const struct bundle *b, size_t *len, const char *name_fmt, ...)
{
    char name[NAME_CAP];
    size_t at;
    va_list ap;

    va_start(ap, name_fmt);
    format_name(name, name_fmt, ap);
    va_end(ap);
    if (!find(b, name, &at))
        return NULL;
    *len = b->v[at].len;
    return b->v[at].data;
}

static int write_all(int fd, const void *data, size_t len)
{
    const uint8_t *p = data;

    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_entries(int fd, const struct bundle *b)
{
    uint32_t count = (uint32_t)b->n;

    if (write_all(fd, magic, sizeof(magic)) < 0 || write_all(fd, &count, sizeof(count)) < 0)
        return -1;
    for (size_t i = 0; i < b->n; i++) {
        const struct entry *t = &b->v[i];
        uint32_t lens[2] = { (uint32_t)strlen(t->name), (uint32_t)t->len };
        if (write_all(fd, lens, sizeof(lens)) < 0 || write_all(fd, t->name, lens[0]) < 0
            || write_all(fd, t->data, t->len) < 0)
            return -1;
    }
    return 0;
}

int bundle_seal(const struct bundle *b, struct err *e)
{
    int fd = memfd_create("sallyport-bundle", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return err_set(e, "cannot make a memory file");
    if (write_entries(fd, b) < 0)
        err_set(e, "cannot write the bundle");
    else if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        err_set(e, "cannot seal the bundle");
    else
        return fd;
    close(fd);
    return -1;
}

/* The next entry out of the map; every length is looked at before it is believed. */
static int take_entry(struct bundle *b, size_t *at, struct err *e)
{
    const uint8_t *bytes = b->map;
    uint32_t lens[2];

    if (b->map_len - *at < sizeof(lens))
        return err_setx(e, "the bundle ends within the head of an entry");
    memcpy(lens, bytes + *at, sizeof(lens));
    *at += sizeof(lens);
    if (lens[0] == 0 || lens[0] >= NAME_CAP || b->map_len - *at < lens[0])
        return err_setx(e, "the bundle has a name of %u bytes", lens[0]);
    const char *name = (const char *)bytes + *at;
    if (memchr(name, '\0', lens[0]) != NULL)
        return err_setx(e, "the bundle has a name with a NUL byte");
    *at += lens[0];
    if (b->map_len - *at < lens[1])
        return err_setx(e, "the bundle ends within an entry");

    b->v = mem_grow(b->v, b->n + 1, sizeof(b->v[0]));
    b->v[b->n] = (struct entry){ mem_strndup(name, lens[0]), bytes + *at, lens[1] };
    *at += lens[1];
    b->n++;
    if (b->n > 1 && strcmp(b->v[b->n - 2].name, b->v[b->n - 1].name) >= 0)
        return err_setx(e, "the names in the bundle are out of order");
    return 0;
}

static int take_entries(struct bundle *b, struct err *e)
{
    size_t at = HEAD;
    uint32_t count;

    if (memcmp(b->map, magic, sizeof(magic)) != 0)
        return err_setx(e, "not a bundle of this program");
    memcpy(&count, (const uint8_t *)b->map + sizeof(magic), sizeof(count));
    for (uint32_t i = 0; i < count; i++)
        if (take_entry(b, &at, e) < 0)
            return -1;
    if (at != b->map_len)
        return err_setx(e, "the bundle has bytes behind its last entry");
    return 0;
}

struct bundle *bundle_map(int fd, struct err *e)
{
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & SEALS) != SEALS) {
        err_setx(e, "the bundle is not sealed");
        return NULL;
    }
    if (fstat(fd, &st) < 0) {
        err_set(e, "cannot look at the bundle");
        return NULL;
    }
    if (st.st_size < (off_t)HEAD) {
        err_setx(e, "the bundle has only %lld bytes", (long long)st.st_size);
        return NULL;
    }
    /* Private, and never written: the pages are the file's own. (Shared mappings of a
       write-sealed file are refused before Linux 6.7.) */
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        err_set(e, "cannot map the bundle");
        return NULL;
    }
    (void)madvise(map, (size_t)st.st_size, MADV_DONTDUMP);      /* keys are in it */
    struct bundle *b = bundle_new();
    b->map = map;
    b->map_len = (size_t)st.st_size;
    if (take_entries(b, e) == 0)
        return b;
    bundle_free(b);
    return NULL;
}

bool bundle_same(int fd, int other)
{
    struct stat a, b;

    if (fstat(fd, &a) < 0 || fstat(other, &b) < 0 || a.st_size != b.st_size || a.st_size == 0)
        return false;
    size_t len = (size_t)a.st_size;
    void *x = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    void *y = mmap(NULL, len, PROT_READ, MAP_PRIVATE, other, 0);
    bool same = x != MAP_FAILED && y != MAP_FAILED && memcmp(x, y, len) == 0;

    if (x != MAP_FAILED)
        munmap(x, len);
    if (y != MAP_FAILED)
        munmap(y, len);
    return same;
}

static void wipe_entry(struct entry *t)
{
    /* the one place that writes to what was put in; it is ours */
    mem_wipe_free((void *)(uintptr_t)t->data, t->len);
}

bool bundle_nth(const struct bundle *b, size_t i, const char **name, const uint8_t **data,
                size_t *len)
{
    if (i >= b->n)
        return false;
    *name = b->v[i].name;
    *data = b->v[i].data;
    *len = b->v[i].len;
    return true;
}

struct bundle *bundle_ref(struct bundle *b)
{
    b->refs++;
    return b;
}

void bundle_free(struct bundle *b)
{
    if (b == NULL || --b->refs > 0)
        return;
    for (size_t i = 0; i < b->n; i++) {
        if (b->map == NULL)
            wipe_entry(&b->v[i]);
        free(b->v[i].name);
    }
    free(b->v);
    if (b->map != NULL)
        munmap(b->map, b->map_len);
    free(b);
}
