#include "proxy/worker.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proxy/conn.h"
#include "proxy/listener.h"
#include "proxy/repeats.h"
#include "proxy/upstream.h"

#define STARVED_MS 100u         /* pause when the kernel has no descriptor or memory */
#define SPARE_FDS 16u           /* log, channel, reloads */

struct worker {
    struct loop *loop;
    const struct accounts *accounts;
    struct conn_env env;
    struct snapshot *snap;      /* in force; NULL before the first */
    uint64_t generation;
    struct list listeners;
    struct list leaving;        /* listeners that are to be closed */
    struct loop_task close_leaving;
    bool unwatched;             /* the kernel knows that they are watched no more */
    unsigned used_fds;          /* by what is no connection and no listener */
    unsigned max_open;
    bool paused;
    struct loop_timer *starved, *sweep, *review, *deadline;
    worker_drained_fn *drained; /* set while draining */
    void *drained_arg;
    uint64_t drain_ms;
    struct loop_task last;      /* tells of the drain's end outside of any connection */
    unsigned cut;
};

/* Descriptors that are in use when a worker begins: the next free one is that many. */
static unsigned descriptors_used(void)
{
    int lowest = dup(STDIN_FILENO);

    if (lowest < 0)
        return 0;
    close(lowest);
    return (unsigned)lowest;
}

/* Two descriptors a connection, beside those of the listeners. */
static unsigned connections_allowed(unsigned used, size_t listeners)
{
    struct rlimit lim;
    rlim_t taken = (rlim_t)used + SPARE_FDS + listeners;

    if (getrlimit(RLIMIT_NOFILE, &lim) != 0 || lim.rlim_cur == RLIM_INFINITY)
        return UINT32_MAX;
    return lim.rlim_cur > taken + 2 ? (unsigned)((lim.rlim_cur - taken) / 2) : 1;
}

static bool has_room(void *arg)
{
    const struct worker *w = arg;

    return w->env.open < w->max_open;
}

static void pause_all(struct worker *w)
{
    if (w->paused)
        return;
    w->paused = true;
    w->env.count->value[COUNTER_ACCEPT_PAUSES]++;
    LIST_EACH (l, next, &w->listeners)
        listener_pause(LIST_OF(struct listener, link, l));
}

static void resume_all(void *arg)
{
    struct worker *w = arg;

    if (!w->paused || !has_room(w))
        return;
    w->paused = false;
    LIST_EACH (l, next, &w->listeners)
        listener_resume(LIST_OF(struct listener, link, l));
}

static void on_starved(void *arg)
{
    struct worker *w = arg;

    pause_all(w);
    (void)loop_timer_set(w->starved, STARVED_MS);
}

/* Asked before each accept: at the limit, the listeners are put to sleep. */
static bool room_or_pause(void *arg)
{
    if (has_room(arg))
        return true;
    pause_all(arg);
    return false;
}

static void tell_drained(void *arg)
{
    struct worker *w = arg;
    worker_drained_fn *done = w->drained;

    w->drained = NULL;
    if (done != NULL)
        done(w->drained_arg, w->cut);
}

static void on_gone(void *arg)
{
    struct worker *w = arg;

    if (w->drained == NULL)
        resume_all(w);
    else if (w->env.open == 0 && list_empty(&w->leaving))
        loop_later(w->loop, &w->last);
}

static void on_sweep(void *arg)
{
    struct worker *w = arg;

    conn_sweep(&w->env);
    (void)loop_timer_set(w->sweep, CONN_SWEEP_MS);
}

static void on_review(void *arg)
{
    struct worker *w = arg;

    conn_review(&w->env);
    repeats_sweep(w->env.repeats, loop_now_us(w->loop), false);
    (void)loop_timer_set(w->review, CONN_REVIEW_MS);
}

static void on_deadline(void *arg)
{
    struct worker *w = arg;

    w->cut += conn_cut_all(&w->env);
    loop_later(w->loop, &w->last);
}

static void drain_conns(struct worker *w)
{
    conn_drain_all(&w->env, w->drain_ms);
    if (w->env.open == 0)
        loop_later(w->loop, &w->last);
    else if (loop_timer_set(w->deadline, w->drain_ms) != 0)
        on_deadline(w);
}

/*
 * A socket that other processes hold as well (systemd, another sallyport) must be out of our
 * epoll set before it is closed here: afterwards the kernel would go on to report it, and nobody
 * could tell it to stop. The loop tells the kernel at the beginning of its next turn.
 */
static void close_leaving(void *arg)
{
    struct worker *w = arg;

    if (!w->unwatched) {
        w->unwatched = true;
        loop_later(w->loop, &w->close_leaving);
        return;
    }
    LIST_EACH (l, next, &w->leaving) {
        struct listener *li = LIST_OF(struct listener, link, l);
        if (w->drained != NULL)
            listener_empty_queue(li);
        listener_free(li);
    }
    if (w->drained != NULL)
        drain_conns(w);
}

static void let_leave(struct worker *w, struct listener *l)
{
    listener_leave(l);
    list_remove(&l->link);
    list_append(&w->leaving, &l->link);
    w->unwatched = false;
    loop_later(w->loop, &w->close_leaving);
}

struct worker *worker_new(struct loop *l, const struct accounts *all, size_t slot, struct err *e)
{
    struct worker *w = calloc(1, sizeof(*w));

    if (w == NULL) {
        err_setx(e, "memory is out");
        return NULL;
    }
    w->loop = l;
    w->accounts = all;
    list_init(&w->listeners);
    list_init(&w->leaving);
    loop_task_init(&w->close_leaving, close_leaving, w);
    loop_task_init(&w->last, tell_drained, w);
    conn_env_init(&w->env, l, &all->v[slot], on_gone, w);
    /* Unique among this host's workers, and over their restarts. */
    w->env.next_id = (uint64_t)getpid() << 32 | 1;
    w->used_fds = descriptors_used();
    w->env.tickets = ticket_ring_new();
    w->env.repeats = repeats_new();
    w->env.upstreams = upstreams_new();
    w->starved = loop_timer_new(l, resume_all, w);
    w->sweep = loop_timer_new(l, on_sweep, w);
    w->review = loop_timer_new(l, on_review, w);
    w->env.turns = loop_timer_new(l, conn_drain_turns, &w->env);
    w->deadline = loop_timer_new(l, on_deadline, w);
    if (w->env.tickets == NULL || w->env.repeats == NULL
        || w->env.upstreams == NULL || w->starved == NULL || w->sweep == NULL
        || w->review == NULL || w->env.turns == NULL || w->deadline == NULL
        || loop_timer_set(w->sweep, CONN_SWEEP_MS) != 0
        || loop_timer_set(w->review, CONN_REVIEW_MS) != 0) {
        err_setx(e, "memory is out");
        worker_free(w);
        return NULL;
    }
    return w;
}

static struct listener *find(struct worker *w, const struct addr *a)
{
    LIST_EACH (l, next, &w->listeners) {
        struct listener *li = LIST_OF(struct listener, link, l);
        if (addr_equal(&li->addr, a))
            return li;
    }
    return NULL;
}

/* Listeners for the addresses that are new, or NULL entries; -1 when memory is out. */
static int make_new(struct worker *w, struct snapshot *snap, const int *fds, struct listener **made)
{
    for (size_t i = 0; i < snap->nlisteners; i++) {
        made[i] = NULL;
        if (find(w, &snap->listeners[i].conf->addr) != NULL) {
            close(fds[i]);
            continue;
        }
        made[i] = listener_new(&w->env, fds[i], snap, &snap->listeners[i]);
        if (made[i] == NULL) {
            for (size_t k = i + 1; k < snap->nlisteners; k++)
                close(fds[k]);
            while (i-- > 0)
                listener_free(made[i]);
            return -1;
        }
        made[i]->room = room_or_pause;
        made[i]->starved = on_starved;
        made[i]->arg = w;
        if (w->paused)
            listener_pause(made[i]);
    }
    return 0;
}

static const struct snap_listener *settings_for(const struct snapshot *snap, const struct addr *a)
{
    for (size_t i = 0; i < snap->nlisteners; i++)
        if (addr_equal(&snap->listeners[i].conf->addr, a))
            return &snap->listeners[i];
    return NULL;
}

/* Where it is to be counted. */
static void number(const struct ledger *l, struct snapshot *snap)
{
    for (size_t i = 0; i < snap->nroutes; i++)
        snap->routes[i].row = ledger_find(l, LEDGER_ROUTE, snap->routes[i].conf->head.name);
    for (size_t i = 0; i < snap->nlisteners; i++)
        snap->listeners[i].row = ledger_find(l, LEDGER_LISTENER,
                                             snap->listeners[i].conf->head.name);
    for (size_t i = 0; i < snap->upstreams.n; i++)
        snap->upstreams.v[i].row = ledger_find(l, LEDGER_UPSTREAM,
                                               snap->upstreams.v[i].conf->head.name);
}

int worker_apply(struct worker *w, struct snapshot *snap, const int *fds, size_t nfds,
                 struct err *e)
{
    struct listener **made;

    if (nfds != snap->nlisteners || w->drained != NULL) {
        for (size_t i = 0; i < nfds; i++)
            close(fds[i]);
        snapshot_retire(snap);
        return err_setx(e, w->drained ? "the worker is draining"
                                      : "the number of sockets does not match the configuration");
    }
    number(w->accounts->ledger, snap);
    made = calloc(nfds + 1, sizeof(*made));
    if (made == NULL || make_new(w, snap, fds, made) != 0) {
        free(made);
        snapshot_retire(snap);
        return err_setx(e, "memory is out");
    }
    LIST_EACH (link, next, &w->listeners) {
        struct listener *l = LIST_OF(struct listener, link, link);
        const struct snap_listener *settings = settings_for(snap, &l->addr);
        if (settings == NULL)
            let_leave(w, l);
        else
            listener_update(l, snap, settings);
    }
    for (size_t i = 0; i < nfds; i++)
        if (made[i] != NULL)
            list_append(&w->listeners, &made[i]->link);
    free(made);
    w->max_open = connections_allowed(w->used_fds, nfds);
    snap->generation = ++w->generation;
    upstreams_apply(w->env.upstreams, snap->conf);
    conn_env_current(&w->env, snap);
    snapshot_retire(w->snap);
    w->snap = snap;
    pair_cache_age(snap->cache);
    return 0;
}

void worker_drain(struct worker *w, uint64_t timeout_ms, worker_drained_fn *done, void *arg)
{
    bool first = w->drained == NULL;

    w->drained = done;
    w->drained_arg = arg;
    w->drain_ms = timeout_ms;
    if (first)
        LIST_EACH (l, next, &w->listeners)
            let_leave(w, LIST_OF(struct listener, link, l));
    if (list_empty(&w->leaving))
        drain_conns(w);
}

void worker_tickets(struct worker *w, const uint8_t *secrets, size_t n)
{
    ticket_ring_set(w->env.tickets, secrets, n);
}

void worker_dialler(struct worker *w, int fd)
{
    if (w->env.dialler >= 0)
        close(w->env.dialler);
    w->env.dialler = fd;
}

void worker_learn_begin(struct worker *w)
{
    upstreams_learn_begin(w->env.upstreams);
}

void worker_learn(struct worker *w, const struct upstream_news *news)
{
    upstreams_learn(w->env.upstreams, news);
}

void worker_learn_end(struct worker *w)
{
    if (!upstreams_learn_end(w->env.upstreams))
        conn_leave_down(&w->env);
}

const struct snapshot *worker_snapshot(const struct worker *w)
{
    return w->snap;
}

void worker_free(struct worker *w)
{
    if (w == NULL)
        return;
    w->drained = NULL;
    LIST_EACH (l, next, &w->listeners)
        listener_free(LIST_OF(struct listener, link, l));
    LIST_EACH (l, next, &w->leaving)
        listener_free(LIST_OF(struct listener, link, l));
    conn_env_free(&w->env);
    if (w->env.repeats != NULL)
        repeats_sweep(w->env.repeats, loop_now_us(w->loop), true);
    repeats_free(w->env.repeats);
    upstreams_free(w->env.upstreams);
    ticket_ring_free(w->env.tickets);
    loop_task_cancel(&w->last);
    loop_task_cancel(&w->close_leaving);
    loop_timer_free(w->starved);
    loop_timer_free(w->sweep);
    loop_timer_free(w->review);
    loop_timer_free(w->env.turns);
    loop_timer_free(w->deadline);
    snapshot_retire(w->snap);
    free(w);
}
