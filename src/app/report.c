#include "app/report.h"

#include <stdlib.h>

#include "app/memfile.h"
#include "base/mem.h"
#include "base/pack.h"

#define REPORT_MAX (64u << 20)

static void put_diags(struct pack *k, const struct diags *d)
{
    char *bytes;
    size_t len;

    diags_pack(d, &bytes, &len);
    pack_blob(k, bytes, len);
    free(bytes);
}

int report_write(const struct report *r)
{
    struct pack k = { 0 };

    pack_u64(&k, r->pid);
    pack_u64(&k, r->started_us);
    pack_u32(&k, r->draining);
    pack_u64(&k, r->generation);
    pack_u64(&k, r->since_us);
    pack_u64(&k, r->done);
    pack_u64(&k, r->failed);
    pack_u32(&k, r->ok);
    pack_u32(&k, r->mended);
    pack_u64(&k, r->last_us);
    pack_u64(&k, r->last_ok_us);
    pack_str(&k, r->cause);
    pack_str(&k, r->files);
    pack_u32(&k, (uint32_t)r->n);
    for (size_t i = 0; i < r->n; i++) {
        pack_u64(&k, r->workers[i].pid);
        pack_u64(&k, r->workers[i].started_us);
        pack_u64(&k, r->workers[i].restarts);
    }
    put_diags(&k, &r->findings);
    put_diags(&k, &r->changes);
    int fd = memfile_write("report", k.p, k.len);
    pack_free(&k);
    return fd;
}

static void read_workers(struct unpack *u, struct report *out)
{
    uint32_t n = unpack_u32(u);

    if (n > u->left / (3 * sizeof(uint64_t))) {
        u->bad = true;
        return;
    }
    out->workers = mem_zalloc((n + 1) * sizeof(out->workers[0]));
    for (out->n = 0; out->n < n; out->n++) {
        struct report_worker *w = &out->workers[out->n];
        w->pid = unpack_u64(u);
        w->started_us = unpack_u64(u);
        w->restarts = unpack_u64(u);
    }
}

static bool read_diags(struct unpack *u, struct diags *out)
{
    size_t len = 0;
    const uint8_t *bytes = unpack_blob(u, &len);

    return !u->bad && diags_unpack((const char *)bytes, len, out);
}

bool report_read(int fd, struct report *out)
{
    size_t len = 0;
    uint8_t *bytes = memfile_read(fd, REPORT_MAX, &len);
    struct unpack u = { bytes, bytes != NULL ? len : 0, bytes == NULL };

    *out = (struct report){ 0 };
    out->pid = unpack_u64(&u);
    out->started_us = unpack_u64(&u);
    out->draining = unpack_u32(&u) != 0;
    out->generation = unpack_u64(&u);
    out->since_us = unpack_u64(&u);
    out->done = unpack_u64(&u);
    out->failed = unpack_u64(&u);
    out->ok = unpack_u32(&u) != 0;
    out->mended = unpack_u32(&u) != 0;
    out->last_us = unpack_u64(&u);
    out->last_ok_us = unpack_u64(&u);
    out->cause = unpack_str(&u);
    out->files = unpack_str(&u);
    read_workers(&u, out);
    bool good = read_diags(&u, &out->findings) && read_diags(&u, &out->changes) && u.left == 0;
    free(bytes);
    if (!good)
        report_free(out);
    return good;
}

void report_free(struct report *r)
{
    free(r->cause);
    free(r->files);
    free(r->workers);
    diags_free(&r->findings);
    diags_free(&r->changes);
    *r = (struct report){ 0 };
}

uint64_t report_restarts(const struct report *r)
{
    uint64_t all = 0;

    for (size_t i = 0; i < r->n; i++)
        all += r->workers[i].restarts;
    return all;
}
