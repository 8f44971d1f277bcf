#include "app/dialler.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "app/child.h"
#include "app/privs.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/dial.h"

/* The next one, after one that lived less than that. */
#define AGAIN_MS 1000u

struct dialler {
    struct loop *loop;
    struct privs privs;
    struct sandbox all;         /* what everybody can do without it */
    struct sandbox now;         /* what the process can */
    pid_t pid;                  /* 0: there is none */
    int fd;
    struct loop_timer *timer;   /* to start it again */
    uint64_t started_us;
    dialler_fn *changed;
    void *arg;
};

static _Noreturn void serve_and_exit(const struct dialler *d, int end)
{
    struct err e = ERR_INIT;

    prctl(PR_SET_NAME, "sallyport-dial");
    if (privs_drop(&d->privs, &e) != 0 || sandbox_enter(&d->now, SANDBOX_DIALLER, &e) != 0) {
        log_error("the dialler: %s", e.text);
        exit(1);
    }
    dial_serve(end);
    exit(0);
}

static void start(struct dialler *d)
{
    struct err e = ERR_INIT;
    int ends[2];

    d->started_us = clock_mono_us();
    if (dial_pair(ends, &e) == 0) {
        pid_t pid = child_fork(d->loop, &(struct child_keep){ .fds = &ends[1], .n = 1 }, &e);
        if (pid == 0)
            serve_and_exit(d, ends[1]);
        close(ends[1]);
        if (pid > 0) {
            d->pid = pid;
            d->fd = ends[0];
            return;
        }
        close(ends[0]);
    }
    log_error("ports that the reload brought cannot be dialled: %s", e.text);
}

/* The process ends when the workers have been told, too. */
static void let_go(struct dialler *d)
{
    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
    d->pid = 0;
    loop_timer_clear(d->timer);
    sandbox_free(&d->now);
}

void dialler_began(struct dialler *d, const struct sandbox *s)
{
    sandbox_narrow(&d->all, s);
}

bool dialler_prepare(struct dialler *d, const struct conf *c, const struct conf *running)
{
    struct sandbox need = sandbox_plan(c);
    bool had = d->fd >= 0;

    need.mode = d->all.mode;    /* a reload cannot change it */
    if (running != NULL) {
        struct sandbox too = sandbox_plan(running);
        sandbox_widen(&need, &too);
        sandbox_free(&too);
    }
    if (need.mode == SANDBOX_OFF || sandbox_covers(&d->all, &need)) {
        let_go(d);
        sandbox_free(&need);
        return had;
    }
    if (had && sandbox_covers(&d->now, &need) && sandbox_covers(&need, &d->now)) {
        sandbox_free(&need);
        return false;
    }
    let_go(d);
    d->now = need;
    start(d);
    return true;
}

int dialler_fd(const struct dialler *d)
{
    return d->fd;
}

static void on_timer(void *arg)
{
    struct dialler *d = arg;

    start(d);
    if (d->fd >= 0)
        d->changed(d->arg);
}

bool dialler_reaped(struct dialler *d, pid_t pid, int wait_status)
{
    char how[CHILD_TEXT_MAX];

    if (d == NULL || d->pid == 0 || d->pid != pid)
        return false;
    log_error("the dialler %s: it is replaced", child_ending(wait_status, how));
    close(d->fd);
    d->fd = -1;
    d->pid = 0;
    uint64_t lived_us = clock_mono_us() - d->started_us;
    loop_timer_set(d->timer, lived_us < AGAIN_MS * 1000u ? AGAIN_MS : 0);
    return true;
}

struct dialler *dialler_new(struct loop *l, const struct conf *c, dialler_fn *changed, void *arg)
{
    struct dialler *d = mem_zalloc(sizeof(*d));
    struct diags told = { 0 };  /* by the loader */

    *d = (struct dialler){
        .loop = l, .privs = privs_plan_apart(&c->proxy, &told), .all = sandbox_plan(c), .fd = -1,
        .changed = changed, .arg = arg
    };
    diags_free(&told);
    d->timer = loop_timer_new(l, on_timer, d);
    if (d->timer != NULL)
        return d;
    dialler_free(d);
    return NULL;
}

void dialler_free(struct dialler *d)
{
    if (d == NULL)
        return;
    if (d->timer != NULL)
        let_go(d);
    loop_timer_free(d->timer);
    sandbox_free(&d->all);
    privs_free(&d->privs);
    free(d);
}
