#include "net/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"

struct loop {
    struct event_base *base;
    struct event log_again;     /* wakes a loop whose log could not be written */
    struct list tasks;
    uint64_t now_us;            /* 0: not asked for in this turn yet */
    bool stopped;
};

struct loop_fd {
    struct event ev;
    struct loop *loop;
    loop_fd_fn *fn;
    void *arg;
    int fd;
    unsigned want;
};

struct loop_timer {
    struct event ev;
    loop_timer_fn *fn;
    void *arg;
};

struct loop_signal {
    struct event ev;
    loop_signal_fn *fn;
    void *arg;
};

static void on_log_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;                  /* loop_run() flushes at every turn */
}

static void flush_log(struct loop *l)
{
    static const struct timeval soon = { .tv_usec = 50000 };

    if (!log_flush() && !evtimer_pending(&l->log_again, NULL))
        evtimer_add(&l->log_again, &soon);
}

struct loop *loop_new(struct err *e)
{
    struct loop *l = calloc(1, sizeof(*l));
    struct event_config *cfg = event_config_new();

    if (l == NULL || cfg == NULL)
        goto fail;
    /* One thread, so no locks. With the change list, interest that is set and
       unset within one turn never reaches the kernel. */
    if (event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK) != 0
        || event_config_set_flag(cfg, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) != 0)
        goto fail;
    l->base = event_base_new_with_config(cfg);
    if (l->base == NULL)
        goto fail;
    event_config_free(cfg);
    evtimer_assign(&l->log_again, l->base, on_log_again, l);
    list_init(&l->tasks);
    return l;
fail:
    err_set(e, "cannot make an event loop");
    if (cfg != NULL)
        event_config_free(cfg);
    free(l);
    return NULL;
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    event_base_free(l->base);
    free(l);
}

void loop_abandon(struct loop *l)
{
    /* event_reinit() gives this process an epoll descriptor of its own, so that
       freeing does not change what the parent's watches. */
    if (event_reinit(l->base) == 0)
        event_base_free(l->base);
    free(l);
}

static void run_tasks(struct loop *l)
{
    struct list now;

    if (list_empty(&l->tasks))
        return;
    /* Move the list aside: what tasks add belongs to the next turn. */
    now = l->tasks;
    now.next->prev = &now;
    now.prev->next = &now;
    list_init(&l->tasks);
    while (!list_empty(&now)) {
        struct loop_task *t = LIST_OF(struct loop_task, link, now.next);
        list_remove(&t->link);
        t->fn(t->arg);
    }
}

void loop_run(struct loop *l)
{
    l->stopped = false;
    while (!l->stopped) {
        flush_log(l);
        bool idle = list_empty(&l->tasks);
        int rc = event_base_loop(l->base, EVLOOP_ONCE | (idle ? 0 : EVLOOP_NONBLOCK));

        if (rc < 0 || (rc == 1 && idle && list_empty(&l->tasks)))
            break;              /* nothing left that could ever happen */
        run_tasks(l);
        l->now_us = 0;
    }
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
    event_base_loopbreak(l->base);
}

uint64_t loop_now_us(const struct loop *l)
{
    struct loop *cache = (struct loop *)(uintptr_t)l;

    if (l->now_us == 0)
        cache->now_us = clock_mono_us();
    return l->now_us;
}

/* --- descriptors --- */

static void on_fd(evutil_socket_t fd, short what, void *arg)
{
    struct loop_fd *f = arg;

    (void)fd;
    f->fn(f->arg, (what & EV_READ ? LOOP_READ : 0u) | (what & EV_WRITE ? LOOP_WRITE : 0u));
}

struct loop_fd *loop_fd_new(struct loop *l, int fd, loop_fd_fn *fn, void *arg)
{
    struct loop_fd *f = calloc(1, sizeof(*f));

    if (f == NULL)
        return NULL;
    f->loop = l;
    f->fn = fn;
    f->arg = arg;
    f->fd = fd;
    return f;
}

int loop_fd_want(struct loop_fd *f, unsigned want)
{
    short what = EV_PERSIST;

    if (want == f->want)
        return 0;
    if (f->want != 0)
        event_del(&f->ev);
    f->want = want;
    if (want == 0)
        return 0;
    if (want & LOOP_READ)
        what |= EV_READ;
    if (want & LOOP_WRITE)
        what |= EV_WRITE;
    if (event_assign(&f->ev, f->loop->base, f->fd, what, on_fd, f) != 0
        || event_add(&f->ev, NULL) != 0) {
        f->want = 0;
        return -1;
    }
    return 0;
}

void loop_fd_free(struct loop_fd *f)
{
    if (f == NULL)
        return;
    loop_fd_want(f, 0);
    free(f);
}

/* --- timers --- */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *t = arg;

    (void)fd;
    (void)what;
    t->fn(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_timer_fn *fn, void *arg)
{
    struct loop_timer *t = calloc(1, sizeof(*t));

    if (t == NULL)
        return NULL;
    t->fn = fn;
    t->arg = arg;
    if (evtimer_assign(&t->ev, l->base, on_timer, t) != 0) {
        free(t);
        return NULL;
    }
    return t;
}

int loop_timer_set(struct loop_timer *t, uint64_t ms)
{
    struct timeval tv = {
        .tv_sec = (time_t)(ms / 1000),
        .tv_usec = (suseconds_t)(ms % 1000) * 1000,
    };

    return evtimer_add(&t->ev, &tv);
}

void loop_timer_clear(struct loop_timer *t)
{
    evtimer_del(&t->ev);
}

void loop_timer_free(struct loop_timer *t)
{
    if (t == NULL)
        return;
    evtimer_del(&t->ev);
    free(t);
}

/* --- signals --- */

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
    struct loop_signal *s = arg;

    (void)what;
    s->fn(s->arg, (int)signo);
}

struct loop_signal *loop_signal_new(struct loop *l, int signo, loop_signal_fn *fn, void *arg)
{
    struct loop_signal *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->fn = fn;
    s->arg = arg;
    if (evsignal_assign(&s->ev, l->base, signo, on_signal, s) != 0
        || evsignal_add(&s->ev, NULL) != 0) {
        free(s);
        return NULL;
    }
    return s;
}

void loop_signal_free(struct loop_signal *s)
{
    if (s == NULL)
        return;
    evsignal_del(&s->ev);
    free(s);
}

/* --- end of the turn --- */

void loop_task_init(struct loop_task *t, void (*fn)(void *arg), void *arg)
{
    list_init(&t->link);
    t->fn = fn;
    t->arg = arg;
}

void loop_later(struct loop *l, struct loop_task *t)
{
    if (list_empty(&t->link))
        list_append(&l->tasks, &t->link);
}

void loop_task_cancel(struct loop_task *t)
{
    list_remove(&t->link);
}
