#include "base/pack.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

#define NO_TEXT UINT32_MAX      /* the length of a text that is NULL */

/* Not realloc(): what moves may be a key, and its old place is to be wiped. */
static void make_room(struct pack *k, size_t n)
{
    size_t cap = k->cap > 0 ? k->cap : 256;
    uint8_t *bigger;

    if (n > SIZE_MAX / 4 || k->len > SIZE_MAX / 4 - n)
        abort();                /* more than there is memory: a mistake of ours */
    if (k->cap - k->len >= n)
        return;
    while (cap - k->len < n)
        cap *= 2;
    bigger = mem_zalloc(cap);
    if (k->len > 0)
        memcpy(bigger, k->p, k->len);
    mem_wipe_free(k->p, k->len);
    k->p = bigger;
    k->cap = cap;
}

void pack_bytes(struct pack *k, const void *p, size_t n)
{
    make_room(k, n);
    if (n > 0)
        memcpy(k->p + k->len, p, n);
    k->len += n;
}

void pack_u32(struct pack *k, uint32_t v)
{
    pack_bytes(k, &v, sizeof(v));
}

void pack_u64(struct pack *k, uint64_t v)
{
    pack_bytes(k, &v, sizeof(v));
}

void pack_blob(struct pack *k, const void *p, size_t n)
{
    if (n >= NO_TEXT)
        abort();                /* files are 10 MiB at most: a mistake of ours */
    pack_u32(k, (uint32_t)n);
    pack_bytes(k, p, n);
}

void pack_str(struct pack *k, const char *s)
{
    if (s != NULL)
        pack_blob(k, s, strlen(s));
    else
        pack_u32(k, NO_TEXT);
}

void pack_text(struct pack *k, const char *s)
{
    if (s != NULL)
        pack_blob(k, s, strlen(s) + 1);
    else
        pack_u32(k, NO_TEXT);
}

/* Ten thousand pairs are 20 MiB: a fault for each 4 KiB of them would take longer than to fill
   them. It is a wish: where the kernel has no huge pages to give, nothing is lost. */
#define HUGE_FROM ((size_t)4 << 20)

static void ask_for_huge_pages(void *p, size_t n)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)p;
    uintptr_t from = (at + page - 1) / page * page, to = (at + n) / page * page;

    if (to > from)
        (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

void pack_reserve(struct pack *k, size_t n)
{
    make_room(k, n);
    if (n >= HUGE_FROM)
        ask_for_huge_pages(k->p, k->cap);
}

void pack_free(struct pack *k)
{
    mem_wipe_free(k->p, k->len);
    *k = (struct pack){ 0 };
}

const uint8_t *unpack_bytes(struct unpack *u, size_t n)
{
    const uint8_t *at = u->p;

    if (u->bad || n > u->left) {
        u->bad = true;
        return NULL;
    }
    u->p += n;
    u->left -= n;
    return at;
}

uint32_t unpack_u32(struct unpack *u)
{
    uint32_t v = 0;
    const uint8_t *p = unpack_bytes(u, sizeof(v));

    if (p != NULL)
        memcpy(&v, p, sizeof(v));
    return v;
}

uint64_t unpack_u64(struct unpack *u)
{
    uint64_t v = 0;
    const uint8_t *p = unpack_bytes(u, sizeof(v));

    if (p != NULL)
        memcpy(&v, p, sizeof(v));
    return v;
}

const uint8_t *unpack_blob(struct unpack *u, size_t *n)
{
    uint32_t len = unpack_u32(u);
    const uint8_t *p = unpack_bytes(u, len);

    *n = p != NULL ? len : 0;
    return p;
}

struct span unpack_span(struct unpack *u)
{
    uint32_t len = unpack_u32(u);
    const uint8_t *p;

    if (u->bad || len == NO_TEXT)
        return (struct span){ NULL, 0 };
    p = unpack_bytes(u, len);
    if (p != NULL && memchr(p, '\0', len) != NULL) {
        u->bad = true;
        p = NULL;
    }
    return (struct span){ (const char *)p, p != NULL ? len : 0 };
}

const char *unpack_text(struct unpack *u)
{
    uint32_t len = unpack_u32(u);
    const uint8_t *p;

    if (u->bad || len == NO_TEXT)
        return NULL;
    p = unpack_bytes(u, len);
    if (p == NULL || memchr(p, '\0', len) != p + len - 1) {
        u->bad = true;          /* no end, or one within */
        return NULL;
    }
    return (const char *)p;
}

char *unpack_str(struct unpack *u)
{
    struct span s = unpack_span(u);

    return s.p != NULL ? mem_strndup(s.p, s.len) : NULL;
}
