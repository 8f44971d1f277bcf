#include "app/report.h"

#include <stdlib.h>

#include "app/memfile.h"
#include "base/mem.h"
#include "base/pack.h"

#define REPORT_MAX (64u << 20)

int report_write(const struct report *r)
{
    struct pack k = { 0 };
    char *findings;
    size_t len;

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
    diags_pack(&r->findings, &findings, &len);
    pack_bytes(&k, findings, len);
    int fd = memfile_write("report", k.p, k.len);
    free(findings);
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
    bool good = !u.bad && diags_unpack((const char *)u.p, u.left, &out->findings);
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
    *r = (struct report){ 0 };
}

uint64_t report_restarts(const struct report *r)
{
    uint64_t all = 0;

    for (size_t i = 0; i < r->n; i++)
        all += r->workers[i].restarts;
    return all;
}
