#include "app/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/channel.h"
#include "app/child.h"
#include "app/logsink.h"
#include "app/spawn.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define ANSWER_MS 30000u        /* a worker that is silent for so long is stuck */
#define DRAIN_GRACE_MS 5000u    /* beyond drain_timeout, for a worker that does not end */

/* pool_respawn_ms() */
#define QUICK_DEATH_US 1000000u
#define BREATH_MS 20u
#define RETRY_FIRST_MS 100u
#define RETRY_MAX_MS 5000u
#define END_MS 1000u            /* from the end of its channel to its own */

struct slot {
    struct pool *pool;
    size_t index;
    struct spawned proc;
    struct channel *ch;         /* NULL: the worker's end is closed */
    bool alive;                 /* was started, and is not yet gone altogether */
    bool reaped;                /* its exit status is known */
    int wait_status;
    bool waiting;               /* for its answer to the offer */
    bool served;                /* was ready once */
    bool drained;               /* told us how many it cut */
    bool hung;                  /* its loop did not turn, and so it was ended */
    struct watched loop;
    const struct edition *sent; /* last; an answer to anything older is no news */
    uint64_t started_us, began_us;      /* monotonic, and by the clock on the wall */
    unsigned false_starts;      /* in a row */
    struct loop_timer *timer;   /* to replace it, or to wait for its end */
};

struct pool {
    struct loop *loop;
    bool foreground, draining;
    struct privs privs;
    const struct tickets *tickets;
    struct dialler *dialler;
    int sandbox;                /* enum conf_sandbox of the start */
    bool tokens;                /* workers may use them */
    struct watchdog *watchdog;
    int endpoints;              /* as the monitor told them last; -1: nothing is known */
    struct pool_events ev;
    struct accounts *accounts;
    struct slot *slots;
    size_t n;
    const struct edition *current, *offer;
    size_t ready;               /* workers that took the offer */
    char why[ERR_TEXT_MAX + 64];/* it fails; empty while nothing speaks against it */
    uint64_t cut;
    struct loop_timer *patience;
};

static void start(struct slot *s);
static void start_later(struct slot *s);
static void settle_if_done(struct pool *p);
static void gone(struct slot *s);

/* --- handing out --- */

static void give_up_on(struct slot *s, const char *why)
{
    log_error("worker %zu %s: it is replaced", s->index, why);
    spawn_kill(&s->proc);
}

static void send_edition(struct slot *s, const struct edition *ed)
{
    size_t n = listen_set_count(ed->sockets);
    int *fds = mem_zalloc((n + 1) * sizeof(int));
    struct channel_msg m = {
        .kind = CHANNEL_BUNDLE, .number = ed->generation, .fds = fds, .nfds = n + 1
    };

    fds[0] = ed->bundle_fd;
    memcpy(fds + 1, listen_set_fds(ed->sockets, s->index), n * sizeof(int));
    s->sent = ed;
    watchdog_limit(&s->loop, ANSWER_MS);        /* thousands of certificates take seconds */
    if (s->ch == NULL || channel_send(s->ch, &m) != 0)
        give_up_on(s, "takes no messages");
    free(fds);
}

/* A worker that cannot be told is ending. */
static void send_endpoints(struct slot *s)
{
    struct channel_msg m = { .kind = CHANNEL_ENDPOINTS, .fds = &s->pool->endpoints,
                             .nfds = s->pool->endpoints >= 0 };

    if (s->ch != NULL)
        (void)channel_send(s->ch, &m);
}

/* Workers look up where they count. */
static void enter_rows(const struct accounts *a, const struct conf *c)
{
    for (size_t i = 0; i < c->nroutes; i++)
        (void)ledger_enter(a->ledger, LEDGER_ROUTE, c->routes[i]->head.name);
    for (size_t i = 0; i < c->nlisteners; i++)
        (void)ledger_enter(a->ledger, LEDGER_LISTENER, c->listeners[i]->head.name);
    for (size_t i = 0; i < c->nupstreams; i++)
        (void)ledger_enter(a->ledger, LEDGER_UPSTREAM, c->upstreams[i]->head.name);
}

static void send_dialler(struct slot *s)
{
    int fd = dialler_fd(s->pool->dialler);
    struct channel_msg m = { .kind = CHANNEL_DIALLER, .fds = &fd, .nfds = fd >= 0 };

    if (s->ch != NULL)
        (void)channel_send(s->ch, &m);
}

void pool_dialler(struct pool *p)
{
    for (size_t i = 0; i < p->n; i++)
        send_dialler(&p->slots[i]);
}

/* What next needs dialled, and what is in force until it is. */
static void prepare_dialler(struct pool *p, const struct edition *next,
                            const struct edition *running)
{
    if (dialler_prepare(p->dialler, next->conf, running != NULL ? running->conf : NULL))
        pool_dialler(p);
}

/* A sandbox keeps workers from tokens, and cannot be loosened. */
static bool lacks_tokens(struct pool *p, const struct edition *ed)
{
    struct sandbox s = sandbox_plan(ed->conf);

    if (p->current == NULL) {
        p->sandbox = s.mode;
        p->tokens = s.tokens;
    }
    bool lacks = s.tokens && !p->tokens && p->sandbox != SANDBOX_OFF && !p->foreground;
    sandbox_free(&s);
    return lacks;
}

void pool_offer(struct pool *p, const struct edition *ed)
{
    enter_rows(p->accounts, ed->conf);
    if (lacks_tokens(p, ed)) {
        p->ev.settled(p->ev.arg, "the workers' sandbox keeps them from keys in tokens, of which "
                                 "there were none at the start: restart sallyport");
        return;
    }
    prepare_dialler(p, ed, p->current);
    p->offer = ed;
    p->ready = 0;
    p->why[0] = '\0';
    loop_timer_set(p->patience, ANSWER_MS);
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->slots[i];
        if (p->current == NULL)
            start(s);
        else if (s->alive)
            send_edition(s, ed);
        s->waiting = s->alive;
    }
    settle_if_done(p);
}

/* After an offer: whoever has not what is in force gets it. */
static void level(struct pool *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->slots[i];
        if (s->alive && s->sent != p->current)
            send_edition(s, p->current);
    }
}

/* Without a process for the worker, this one becomes its user; not before everything
   that needs the old one is done. */
static int settle_in(struct pool *p, struct err *e)
{
    return p->foreground && p->current == NULL ? privs_drop(&p->privs, e) : 0;
}

static void settle_if_done(struct pool *p)
{
    const struct edition *offer = p->offer;

    if (offer == NULL)
        return;
    for (size_t i = 0; i < p->n; i++)
        if (p->slots[i].waiting)
            return;

    loop_timer_clear(p->patience);
    p->offer = NULL;
    struct err e;
    if (p->ready == 0 && p->why[0] == '\0')
        snprintf(p->why, sizeof(p->why), "no worker lived to answer");
    else if (p->why[0] == '\0' && settle_in(p, &e) != 0)
        snprintf(p->why, sizeof(p->why), "%s", e.text);
    bool ok = p->why[0] == '\0';
    if (ok)
        p->current = offer;
    if (p->current != NULL) {
        level(p);
        prepare_dialler(p, p->current, NULL);
    }
    p->ev.settled(p->ev.arg, ok ? NULL : p->why);
}

static void on_patience(void *arg)
{
    struct pool *p = arg;

    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->slots[i];
        if (p->draining ? s->alive : s->waiting)
            give_up_on(s, p->draining ? "did not end in time" : "gave no answer for 30 s");
    }
}

/* --- what workers say --- */

static void answered(struct slot *s, uint64_t generation)
{
    if (s->sent != NULL && s->sent->generation == generation)
        watchdog_limit(&s->loop, WATCHDOG_LIMIT_MS);
}

static void on_ready(struct slot *s, uint64_t generation)
{
    struct pool *p = s->pool;

    s->served = true;
    s->false_starts = 0;
    answered(s, generation);
    if (!s->waiting || generation != p->offer->generation)
        return;
    s->waiting = false;
    p->ready++;
    settle_if_done(p);
}

static void on_failed(struct slot *s, uint64_t generation, const char *text)
{
    struct pool *p = s->pool;

    answered(s, generation);
    if (!s->waiting || generation != p->offer->generation) {
        /* Not the offer: it cannot take what is in force, so it cannot go on. */
        log_error("worker %zu: %s", s->index, text);
        give_up_on(s, "could not take the configuration in force");
        return;
    }
    s->waiting = false;
    if (p->why[0] == '\0')
        snprintf(p->why, sizeof(p->why), "worker %zu: %s", s->index, text);
    settle_if_done(p);
}

static void on_message(void *arg, struct channel_msg *m)
{
    struct slot *s = arg;

    switch (m->kind) {
    case CHANNEL_READY:
        on_ready(s, m->number);
        break;
    case CHANNEL_FAILED:
        on_failed(s, m->number, m->text);
        break;
    case CHANNEL_DRAINED:
        s->drained = true;
        s->pool->cut += m->number;
        break;
    case CHANNEL_PONG:
        watchdog_answer(&s->loop, m->number);
        break;
    case CHANNEL_BUNDLE:
    case CHANNEL_DRAIN:
    case CHANNEL_LOG:
    case CHANNEL_TICKETS:
    case CHANNEL_LOADED:
    case CHANNEL_RELOAD:
    case CHANNEL_RELOADED:
    case CHANNEL_SETTINGS:
    case CHANNEL_REPORT:
    case CHANNEL_FACTS:
    case CHANNEL_ENDPOINTS:
    case CHANNEL_DIALLER:
    case CHANNEL_PING:
        break; /* not for us */
    }
}

/* --- death, and what follows --- */

/* The end of its channel: it is ending, or it speaks nonsense. */
static void on_end(void *arg)
{
    struct slot *s = arg;

    watchdog_end(&s->loop);
    channel_free(s->ch);
    s->ch = NULL;
    if (!s->reaped && !s->pool->draining)
        loop_timer_set(s->timer, END_MS);
    gone(s);
}

static void on_stuck(void *arg, uint64_t ms, const char *how)
{
    struct slot *s = arg;
    char why[96];

    s->hung = true;
    snprintf(why, sizeof(why), "did not turn its loop for %.1f s (%s)", (double)ms / 1000.0, how);
    give_up_on(s, why);
}

static void on_timer(void *arg)
{
    struct slot *s = arg;

    if (s->alive)
        give_up_on(s, "closed its channel and did not end");
    else
        start(s);
}

static void start(struct slot *s)
{
    struct pool *p = s->pool;
    struct err e = ERR_INIT;
    const struct edition *ed = p->current ? p->current : p->offer;
    struct sandbox box = sandbox_plan(ed->conf);
    struct spawn_spec spec = {
        .loop = p->loop,
        .foreground = p->foreground,
        .privs = &p->privs,
        .accounts = p->accounts,
        .sandbox = &box,
        .index = s->index,
    };

    s->alive = s->reaped = s->served = s->drained = s->hung = false;
    s->started_us = clock_mono_us();
    s->began_us = clock_wall_us();
    box.mode = p->sandbox;
    box.tokens = p->tokens;
    int rc = spawn_worker(&spec, &s->proc, &e);
    if (!p->foreground)
        dialler_began(p->dialler, &box);
    sandbox_free(&box);
    if (rc != 0) {
        log_error("worker %zu: %s", s->index, e.text);
        start_later(s);
        return;
    }
    s->alive = true;
    s->reaped = s->proc.pid == 0;
    s->wait_status = 0;
    s->ch = channel_new(p->loop, s->proc.fd, on_message, on_end, s);
    if (p->current != NULL && s->proc.pid > 0)
        log_info("worker %zu is replaced by process %ld", s->index, (long)s->proc.pid);
    p->ev.changed(p->ev.arg);
    if (s->ch != NULL && s->proc.pid > 0)
        watchdog_begin(p->watchdog, &s->loop, s->proc.pid, s->ch);
    if (s->ch != NULL)
        (void)tickets_send(p->tickets, s->ch);      /* what fails fails again, just below */
    if (dialler_fd(p->dialler) >= 0)
        send_dialler(s);
    send_edition(s, ed);
    if (p->endpoints >= 0)
        send_endpoints(s);
}

uint64_t pool_respawn_ms(bool served, uint64_t lived_us, unsigned false_starts)
{
    if (served)
        return lived_us < QUICK_DEATH_US ? BREATH_MS : 0;
    if (false_starts <= 1)
        return 0;

    unsigned doublings = false_starts - 2 < 10 ? false_starts - 2 : 10;
    uint64_t ms = RETRY_FIRST_MS << doublings;
    return ms < RETRY_MAX_MS ? ms : RETRY_MAX_MS;
}

static void start_later(struct slot *s)
{
    uint64_t lived_us = clock_mono_us() - s->started_us;

    if (!s->served)
        s->false_starts++;
    loop_timer_set(s->timer, pool_respawn_ms(s->served, lived_us, s->false_starts));
}

static void tell_death(const struct slot *s, uint64_t lost)
{
    char how[CHILD_TEXT_MAX], message[CHILD_TEXT_MAX + 64];
    struct logline l;

    snprintf(message, sizeof(message), "worker %zu %s", s->index,
             child_ending(s->wait_status, how));
    logline_begin(&l, LOG_LEVEL_ERROR, message);
    logline_u64(&l, "pid", (uint64_t)s->proc.pid);
    logline_u64(&l, "connections_lost", lost);
    logline_end(&l);
}

static bool any_alive(const struct pool *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->slots[i].alive)
            return true;
    return false;
}

static void end_if_done(struct pool *p)
{
    if (any_alive(p))
        return;
    loop_timer_clear(p->patience);
    p->ev.ended(p->ev.arg, p->cut);
}

/* Gone altogether: its status is known, and its last words have been read. */
static void gone(struct slot *s)
{
    struct pool *p = s->pool;
    struct counters *count = &p->accounts->v[s->index].count;
    uint64_t lost = count->value[COUNTER_OPEN];

    if (!s->alive || !s->reaped || s->ch != NULL)
        return;
    s->alive = false;
    account_clear_gauges(p->accounts, s->index);
    count->value[COUNTER_HUNG] += s->hung;
    p->ev.changed(p->ev.arg);
    if (s->wait_status != 0)
        tell_death(s, lost);
    if (p->draining) {
        if (!s->drained)
            p->cut += lost;
        end_if_done(p);
        return;
    }
    count->value[COUNTER_RESTARTS]++;
    start_later(s);
    if (s->waiting) {
        s->waiting = false;
        if (p->current == NULL)
            snprintf(p->why, sizeof(p->why), "worker %zu ended while it started", s->index);
        settle_if_done(p);
    }
}

bool pool_reaped(struct pool *p, pid_t pid, int wait_status)
{
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->slots[i];
        if (s->alive && !s->reaped && s->proc.pid == pid) {
            s->reaped = true;
            s->wait_status = wait_status;
            gone(s);
            return true;
        }
    }
    return false;
}

/* --- for the master --- */

void pool_log(struct pool *p)
{
    /* In the foreground there is one sink, and it is set. A worker that cannot be
       told is ending. */
    for (size_t i = 0; i < p->n && !p->foreground; i++)
        if (p->slots[i].ch != NULL)
            logsink_send(p->slots[i].ch);
}

void pool_tickets(struct pool *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->slots[i].ch != NULL)
            (void)tickets_send(p->tickets, p->slots[i].ch);
}

void pool_endpoints(struct pool *p, int fd)
{
    if (p->endpoints >= 0)
        close(p->endpoints);
    p->endpoints = fd;
    for (size_t i = 0; i < p->n; i++)
        send_endpoints(&p->slots[i]);
}

void pool_drain(struct pool *p, uint64_t timeout_ms)
{
    struct channel_msg m = { .kind = CHANNEL_DRAIN, .number = timeout_ms };

    p->draining = true;
    p->offer = NULL;
    loop_timer_set(p->patience, timeout_ms + DRAIN_GRACE_MS);
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->slots[i];
        s->waiting = false;
        loop_timer_clear(s->timer);
        if (s->alive && s->ch != NULL && channel_send(s->ch, &m) != 0)
            give_up_on(s, "takes no messages");
    }
    end_if_done(p);
}

uint64_t pool_kill(struct pool *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->slots[i];
        if (!s->alive)
            continue;
        if (!s->drained)
            p->cut += p->accounts->v[i].count.value[COUNTER_OPEN];
        spawn_kill(&s->proc);
        if (!s->reaped)
            while (waitpid(s->proc.pid, &s->wait_status, 0) < 0 && errno == EINTR)
                ;
        s->alive = false;
    }
    return p->cut;
}

size_t pool_size(const struct pool *p)
{
    return p->n;
}

bool pool_is_foreground(const struct pool *p)
{
    return p->foreground;
}

struct report_worker *pool_workers(const struct pool *p)
{
    struct report_worker *v = mem_zalloc(p->n * sizeof(*v));

    for (size_t i = 0; i < p->n; i++) {
        const struct slot *s = &p->slots[i];
        const uint64_t *count = p->accounts->v[i].count.value;
        v[i] = (struct report_worker){ .pid = s->alive ? (uint64_t)s->proc.pid : 0,
                                       .started_us = s->alive ? s->began_us : 0,
                                       .restarts = count[COUNTER_RESTARTS] };
    }
    return v;
}

struct accounts *pool_accounts(const struct pool *p)
{
    return p->accounts;
}

void pool_counters(const struct pool *p, struct counters *sum)
{
    accounts_sum(p->accounts, sum);
}

/* --- life --- */

struct pool *pool_new(const struct pool_spec *spec, struct err *e)
{
    struct pool *p = mem_zalloc(sizeof(*p));

    p->loop = spec->loop;
    p->foreground = spec->foreground;
    p->privs = spec->privs;
    p->tickets = spec->tickets;
    p->dialler = spec->dialler;
    p->watchdog = spec->watchdog;
    p->ev = spec->events;
    p->n = spec->n;
    p->endpoints = -1;
    p->slots = mem_zalloc(p->n * sizeof(struct slot));
    p->patience = loop_timer_new(p->loop, on_patience, p);
    p->accounts = accounts_new(p->n);
    if (p->accounts == NULL || p->patience == NULL) {
        err_set(e, "cannot map the counters");
        pool_free(p);
        return NULL;
    }
    for (size_t i = 0; i < p->n; i++) {
        struct slot *s = &p->slots[i];
        s->pool = p;
        s->index = i;
        s->loop = (struct watched){ .stuck = on_stuck, .arg = s };
        s->timer = loop_timer_new(p->loop, on_timer, s);
        if (s->timer == NULL) {
            err_setx(e, "memory is out");
            pool_free(p);
            return NULL;
        }
    }
    return p;
}

void pool_free(struct pool *p)
{
    if (p == NULL)
        return;
    if (p->accounts != NULL)
        pool_kill(p);
    for (size_t i = 0; i < p->n; i++) {
        watchdog_end(&p->slots[i].loop);
        channel_free(p->slots[i].ch);
        loop_timer_free(p->slots[i].timer);
    }
    accounts_free(p->accounts);
    loop_timer_free(p->patience);
    if (p->endpoints >= 0)
        close(p->endpoints);
    privs_free(&p->privs);
    free(p->slots);
    free(p);
}
