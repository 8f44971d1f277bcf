#include "app/reload.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

/* A request after this much silence is served at once; those that follow it more
   closely wait until it is quiet again, though never longer than the limit. So a
   storm of a second's length costs two reloads. */
#define QUIET_MS 100u
#define BURST_MAX_MS 2000u

/* Who asked and wants to hear of it. */
struct asker {
    reload_asked_fn *done;
    void *arg;
    bool begun;                 /* the load under way began after the asking */
};

struct reload {
    struct loop *loop;
    struct load_plan plan;
    struct reload_events ev;
    struct pool *pool;          /* the master's */
    struct edition *current, *offered;
    struct conf *started;       /* what the process was started with, once it is replaced */
    struct diags findings;      /* of the load under way */
    struct loader_job *job;
    struct loop_timer *timer;
    struct asker *askers;
    size_t naskers;
    uint64_t last_ask_us, burst_us; /* 0: none */
    bool pending;               /* asked for, not yet begun */
    bool stopped;
};

static bool is_busy(const struct reload *r)
{
    return r->job != NULL || r->offered != NULL;
}

static uint64_t generation(const struct reload *r)
{
    return r->current != NULL ? r->current->generation : 0;
}

static void add_asker(struct reload *r, reload_asked_fn *done, void *arg)
{
    r->askers = mem_grow(r->askers, r->naskers + 1, sizeof(r->askers[0]));
    r->askers[r->naskers++] = (struct asker){ done, arg, false };
}

static void refuse(reload_asked_fn *done, void *arg, uint64_t in_force)
{
    struct diags d = { 0 };

    diag_add(&d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "the proxy is ending");
    done(arg, false, in_force, &d);
    diags_free(&d);
}

/* Tell those whose load this was; they may ask again while they are told. */
static void answer(struct reload *r, bool ok, const struct diags *d)
{
    struct asker *all = r->askers;
    size_t n = r->naskers;

    r->askers = NULL;
    r->naskers = 0;
    for (size_t i = 0; i < n; i++)
        if (!all[i].begun)
            add_asker(r, all[i].done, all[i].arg);
    for (size_t i = 0; i < n; i++)
        if (all[i].begun)
            all[i].done(all[i].arg, ok, generation(r), d);
    free(all);
}

static void conclude(struct reload *r, bool ok)
{
    struct diags d = r->findings;

    r->findings = (struct diags){ 0 };
    r->ev.outcome(r->ev.arg, ok, &d);
    answer(r, ok, &d);
    diags_free(&d);
    if (r->pending && !r->stopped)
        loop_timer_set(r->timer, QUIET_MS);
}

static void give_up(struct reload *r)
{
    edition_free(r->offered);
    r->offered = NULL;
    conclude(r, false);
}

/* Everything of the new edition that can fail, in the order in which it can be
   taken back: nothing has changed until all of it is done. */
static bool prepare(struct reload *r, int bundle_fd)
{
    struct diags *d = &r->findings;
    uint64_t generation = r->current ? r->current->generation + 1 : 1;

    r->offered = edition_new(bundle_fd, generation, d);
    if (r->offered == NULL)
        return false;
    if (r->pool == NULL)
        r->pool = r->ev.first(r->ev.arg, r->offered->conf, d);
    if (r->pool == NULL || edition_bind(r->offered, r->current, pool_size(r->pool), d) != 0)
        return false;
    if (r->current != NULL)
        conf_warn_restart(r->started ? r->started : r->current->conf, r->offered->conf, d);
    return true;
}

static void on_loaded(void *arg, int bundle_fd, struct diags *d)
{
    struct reload *r = arg;

    r->job = NULL;
    r->findings = *d;
    *d = (struct diags){ 0 };
    if (bundle_fd < 0 || !prepare(r, bundle_fd))
        give_up(r);
    else
        pool_offer(r->pool, r->offered);
}

void reload_settled(struct reload *r, const char *why)
{
    if (why != NULL) {
        diag_add(&r->findings, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "%s", why);
        give_up(r);
        return;
    }
    /* The workers have closed what is not in the new edition; now so do we. */
    if (r->current != NULL && r->started == NULL) {
        r->started = r->current->conf;
        r->current->conf = NULL;
    }
    edition_free(r->current);
    r->current = r->offered;
    r->offered = NULL;
    r->plan.again = true;
    r->plan.running = r->current->bundle_fd;
    conclude(r, true);
}

static void begin(struct reload *r)
{
    struct err e = ERR_INIT;

    r->pending = false;
    r->burst_us = 0;
    for (size_t i = 0; i < r->naskers; i++)
        r->askers[i].begun = true;
    r->job = loader_start(r->loop, &r->plan, on_loaded, r, &e);
    if (r->job == NULL) {
        diag_add(&r->findings, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "%s", e.text);
        give_up(r);
    }
}

static void on_timer(void *arg)
{
    struct reload *r = arg;

    if (r->pending && !is_busy(r))
        begin(r);
}

void reload_ask(struct reload *r)
{
    uint64_t now = clock_mono_us();
    bool quiet = r->last_ask_us == 0 || now - r->last_ask_us > QUIET_MS * 1000u;

    if (r->stopped)
        return;
    r->last_ask_us = now;
    if (quiet && !r->pending && !is_busy(r)) {
        begin(r);
        return;
    }
    if (!r->pending)
        r->burst_us = now;
    r->pending = true;

    uint64_t waited = (now - r->burst_us) / 1000u;
    uint64_t left = waited < BURST_MAX_MS ? BURST_MAX_MS - waited : 0;
    loop_timer_set(r->timer, left < QUIET_MS ? left : QUIET_MS);
}

void reload_ask_then(struct reload *r, reload_asked_fn *done, void *arg)
{
    if (r->stopped) {
        refuse(done, arg, generation(r));
        return;
    }
    add_asker(r, done, arg);
    reload_ask(r);
}

bool reload_reaped(struct reload *r, pid_t pid, int wait_status)
{
    return loader_reaped(r->job, pid, wait_status);
}

void reload_stop(struct reload *r)
{
    struct asker *left = r->askers;
    size_t n = r->naskers;

    r->stopped = true;
    r->pending = false;
    r->askers = NULL;
    r->naskers = 0;
    for (size_t i = 0; i < n; i++)
        refuse(left[i].done, left[i].arg, generation(r));
    free(left);
    loop_timer_clear(r->timer);
    loader_cancel(r->job);
    r->job = NULL;
    if (r->offered != NULL)
        edition_unbind(r->offered); /* it shares sockets with the one in force */
}

struct edition *reload_current(const struct reload *r)
{
    return r->current;
}

struct reload *reload_new(struct loop *l, const struct load_plan *plan,
                          const struct reload_events *ev, struct err *e)
{
    struct reload *r = mem_zalloc(sizeof(*r));

    r->loop = l;
    r->plan = *plan;
    r->ev = *ev;
    r->timer = loop_timer_new(l, on_timer, r);
    if (r->timer == NULL) {
        err_setx(e, "memory is out");
        free(r);
        return NULL;
    }
    return r;
}

void reload_free(struct reload *r)
{
    if (r == NULL)
        return;
    reload_stop(r);
    edition_free(r->offered);
    edition_free(r->current);
    conf_free(r->started);
    diags_free(&r->findings);
    loop_timer_free(r->timer);
    free(r);
}
