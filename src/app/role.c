#include "app/role.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/channel.h"
#include "app/endpoints.h"
#include "app/logsink.h"
#include "app/memfile.h"
#include "app/tickets.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/snapshot.h"
#include "proxy/worker.h"

/* Until a snapshot says otherwise; only a worker orphaned at its start needs it. */
#define DRAIN_DEFAULT_MS 30000u

struct role {
    struct loop *loop;
    struct channel *ch;
    struct worker *worker;
    uint64_t orphan_drain_ms;   /* drain_timeout of the snapshot in force */
    void *endpoints;            /* as they were told last (endpoints.h); NULL: none were */
    size_t endpoints_len;
    role_done_fn *done;
    void *arg;
    struct loop_task finish;
};

static void reply(struct role *r, enum channel_kind kind, uint64_t number, const char *text)
{
    struct channel_msg m = { .kind = kind, .number = number };

    snprintf(m.text, sizeof(m.text), "%s", text);
    (void)channel_send(r->ch, &m); /* a master that is gone shows as its end of file */
}

static const struct diag *first_error(const struct diags *d)
{
    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].level == DIAG_ERROR)
            return &d->v[i];
    return NULL;
}

static struct snapshot *snapshot_from(int fd, const struct snapshot *running, struct err *e)
{
    struct diags d = { 0 };
    struct bundle *b = bundle_map(fd, e);
    if (b == NULL)
        return NULL;

    struct snapshot *s = snapshot_build(b, running, &d);
    bundle_free(b);
    mem_trim();                 /* of many routes the settings are as large as what they became */
    if (s == NULL) {
        const struct diag *g = first_error(&d);
        char *text = g ? diag_text(g) : NULL;
        err_setx(e, "%s", text ? text : "the configuration could not be built");
        free(text);
    }
    diags_free(&d);
    return s;
}

/* 0, or -1 and e; nothing has changed then. */
static int apply(struct role *r, struct channel_msg *m, struct err *e)
{
    if (m->nfds < 1)
        return err_setx(e, "a bundle without a descriptor");

    struct snapshot *s = snapshot_from(m->fds[0], worker_snapshot(r->worker), e);
    if (s == NULL)
        return -1;
    if (s->nlisteners != m->nfds - 1) {
        err_setx(e, "%zu sockets came for %zu listeners", m->nfds - 1, s->nlisteners);
        snapshot_retire(s);
        return -1;
    }

    uint64_t drain_ms = s->conf->proxy.drain_timeout_ms;
    s->generation = m->number;
    int rc = worker_apply(r->worker, s, m->fds + 1, m->nfds - 1, e);
    for (size_t i = 1; i < m->nfds; i++)
        m->fds[i] = -1; /* the worker's, or closed by it */
    if (rc == 0)
        r->orphan_drain_ms = drain_ms;
    return rc;
}

static void learn(void *arg, const struct upstream_news *news)
{
    worker_learn(arg, news);
}

/* What was told is all there is to know; servers it does not mention are up. */
static void learn_all(struct role *r)
{
    worker_learn_begin(r->worker);
    if (r->endpoints != NULL && !endpoints_each(r->endpoints, r->endpoints_len, learn, r->worker))
        log_error("what the monitor says of servers is damaged");
    worker_learn_end(r->worker);
}

static void on_endpoints(struct role *r, struct channel_msg *m)
{
    free(r->endpoints);
    r->endpoints = m->nfds == 1 ? memfile_read(m->fds[0], ENDPOINTS_MAX, &r->endpoints_len) : NULL;
    learn_all(r);
}

static void on_bundle(struct role *r, struct channel_msg *m)
{
    struct err e = ERR_INIT;

    if (apply(r, m, &e) == 0) {
        learn_all(r);           /* of servers that are new to it, too */
        reply(r, CHANNEL_READY, m->number, "");
    } else {
        reply(r, CHANNEL_FAILED, m->number, e.text);
    }
}

/* Not from inside the worker's callback: whoever hears of it frees the worker. */
static void on_drained(void *arg, unsigned cut)
{
    struct role *r = arg;

    reply(r, CHANNEL_DRAINED, cut, "");
    loop_later(r->loop, &r->finish);
}

static void finish(void *arg)
{
    struct role *r = arg;

    /* The answer still waits for room, which the master makes soon. */
    if (!channel_flushed(r->ch)) {
        loop_later(r->loop, &r->finish);
        return;
    }
    r->done(r->arg);
}

static void on_message(void *arg, struct channel_msg *m)
{
    struct role *r = arg;

    switch (m->kind) {
    case CHANNEL_BUNDLE:
        on_bundle(r, m);
        break;
    case CHANNEL_LOG:
        logsink_take(m);
        break;
    case CHANNEL_TICKETS:
        tickets_take(m, r->worker);
        break;
    case CHANNEL_ENDPOINTS:
        on_endpoints(r, m);
        break;
    case CHANNEL_DIALLER:
        worker_dialler(r->worker, m->nfds == 1 ? m->fds[0] : -1);
        if (m->nfds == 1)
            m->fds[0] = -1;
        break;
    case CHANNEL_DRAIN:
        worker_drain(r->worker, m->number, on_drained, r);
        break;
    case CHANNEL_PING:
        reply(r, CHANNEL_PONG, m->number, "");
        break;
    case CHANNEL_READY:
    case CHANNEL_FAILED:
    case CHANNEL_DRAINED:
    case CHANNEL_LOADED:
    case CHANNEL_RELOAD:
    case CHANNEL_RELOADED:
    case CHANNEL_SETTINGS:
    case CHANNEL_REPORT:
    case CHANNEL_FACTS:
    case CHANNEL_PONG:
        break; /* ours to say, not to hear */
    }
}

static void on_master_gone(void *arg)
{
    struct role *r = arg;

    log_warn("the master is gone: serving what is open, then ending");
    worker_drain(r->worker, r->orphan_drain_ms, on_drained, r);
}

struct role *role_new(struct loop *l, int fd, const struct accounts *all, size_t slot,
                      role_done_fn *done, void *arg, struct err *e)
{
    struct role *r = mem_zalloc(sizeof(*r));

    r->loop = l;
    r->done = done;
    r->arg = arg;
    r->orphan_drain_ms = DRAIN_DEFAULT_MS;
    loop_task_init(&r->finish, finish, r);
    r->ch = channel_new(l, fd, on_message, on_master_gone, r);
    if (r->ch == NULL) {
        err_setx(e, "memory is out");
        goto fail;
    }
    r->worker = worker_new(l, all, slot, e);
    if (r->worker != NULL)
        return r;
fail:
    role_free(r);
    return NULL;
}

void role_free(struct role *r)
{
    if (r == NULL)
        return;
    loop_task_cancel(&r->finish);
    if (r->worker != NULL)
        worker_free(r->worker);
    channel_free(r->ch);
    free(r->endpoints);
    free(r);
}
