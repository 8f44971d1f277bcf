#include "app/master.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/admin.h"
#include "app/caps.h"
#include "app/channel.h"
#include "app/cpus.h"
#include "app/dialler.h"
#include "app/edition.h"
#include "app/expiry.h"
#include "app/handover.h"
#include "app/hops.h"
#include "app/inherited.h"
#include "app/logsink.h"
#include "app/master_state.h"
#include "app/notify.h"
#include "app/pool.h"
#include "app/privs.h"
#include "app/reload.h"
#include "app/sandbox.h"
#include "app/takeover.h"
#include "app/tickets.h"
#include "app/watchdog.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

static const int signals[NSIGNALS] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2,
                                       SIGCHLD };

#define HOUR_MS 3600000u
#define STOP_GRACE_MS 10000u    /* beyond drain_timeout and wait_files, for systemd */

static const struct conf_proxy *settings(const struct master *m)
{
    return &reload_current(m->reload)->conf->proxy;
}

/* --- log --- */

static int open_log(const struct conf_proxy *p, struct err *e)
{
    return logsink_open(p->log, (enum log_format)p->log_format, (enum log_level)p->log_level, e);
}

static bool reopen_log(struct master *m)
{
    struct err e = ERR_INIT;

    if (open_log(settings(m), &e) != 0) {
        log_error("the log %s %s; the old one stays in use", settings(m)->log, e.text);
        return false;
    }
    pool_log(m->pool);
    admin_log(m->admin);
    return true;
}

/* --- systemd --- */

static bool all_turn(void *arg)
{
    const struct master *m = arg;

    return watchdog_all_turn(m->watchdog);
}

static void tell_reloaded(void *arg)
{
    const struct master *m = arg;

    if (m->phase == RUNNING)
        notify_ready(m->notify);
}

/* --- ends --- */

static void stop(struct master *m, int code)
{
    m->phase = ENDED;
    m->code = code;
    loop_stop(m->loop);
}

static void end_at_once(struct master *m)
{
    uint64_t cut = 0;

    notify_stopping(m->notify);
    reload_stop(m->reload);
    if (m->pool != NULL)
        cut = pool_kill(m->pool);
    if (m->phase != STARTING)
        master_log_totals(m, "sallyport stopped at once", cut);
    admin_drained(m->admin, cut);
    stop(m, cut > 0 ? 1 : 0);
}

static void drain(struct master *m, uint64_t timeout_ms)
{
    char text[DURATION_TEXT_MAX];
    struct counters sum;

    m->phase = DRAINING;
    master_tell_later(m);
    handover_cancel(m->handover, "sallyport ends");
    duration_text(timeout_ms, text);
    pool_counters(m->pool, &sum);
    uint64_t open = sum.value[COUNTER_OPEN];
    log_info("draining: %llu connection%s %s to end", (unsigned long long)open,
             open == 1 ? " has" : "s have", text);
    reload_stop(m->reload);
    /* Before the workers close theirs: each is then the last to hold its sockets, and
       can take what waits and close with nothing coming in between. */
    edition_unbind(reload_current(m->reload));
    pool_drain(m->pool, timeout_ms);
    notify_stopping(m->notify);
    notify_extend(m->notify, timeout_ms + STOP_GRACE_MS);
}

/* Another one serves, at our sockets. */
static void on_handed_over(void *arg, pid_t pid)
{
    struct master *m = arg;

    log_info("process %ld has taken over", (long)pid);
    inherited_leave_files(true);
    notify_main_pid(m->notify, pid);
    handover_go(m->handover);
    admin_leave(m->admin);
    drain(m, settings(m)->drain_timeout_ms);
}

static void hand_over(struct master *m)
{
    struct handover_gift gift = { .sockets = reload_current(m->reload)->sockets,
                                  .admin = m->admin, .tickets = m->tickets,
                                  .notify = m->notify };
    struct err e = ERR_INIT;

    if (m->hooks != NULL)
        err_setx(&e, "a tunnel is for the moment");
    else if (handover_is_under_way(m->handover))
        err_setx(&e, "another one is being started already");
    else if (handover_begin(m->handover, &gift, &e) == 0) {
        log_info("another sallyport is started, to take over");
        return;
    }
    log_error("nothing takes over: %s", e.text);
}

/* All is ours now. */
static void on_taken_over(void *arg)
{
    struct master *m = arg;

    inherited_leave_files(false);
    inherited_close_rest();
    notify_ready(m->notify);
    if (m->takeover != NULL)
        log_info("taken over: the sallyport that ran before ends");
}

/* Through the admin socket. Who asks again hears how the first one ends. */
static void on_drain_asked(void *arg, uint64_t timeout_ms)
{
    struct master *m = arg;

    if (m->phase == RUNNING)
        drain(m, timeout_ms != CHANNEL_DRAIN_DEFAULT ? timeout_ms : settings(m)->drain_timeout_ms);
}

static void on_drained(void *arg, uint64_t cut)
{
    struct master *m = arg;

    admin_drained(m->admin, cut);
    if (cut > 0)
        log_warn("the time for the drain is over: connections were cut");
    master_log_totals(m, "sallyport stopped", cut);
    stop(m, cut > 0 ? 1 : 0);
}

/* --- the start, and reloads --- */

static void on_settled(void *arg, const char *why)
{
    struct master *m = arg;

    reload_settled(m->reload, why);
}

/* Takes what is in *privs. */
static struct pool *make_pool(struct master *m, const struct conf *c, struct privs *privs,
                              struct err *e)
{
    uint32_t workers = c->proxy.workers;
    struct pool_spec spec = {
        .loop = m->loop,
        .n = workers == CONF_WORKERS_AUTO ? cpus_auto() : workers == 0 ? 1 : workers,
        .foreground = workers == 0,
        .privs = *privs,
        .tickets = m->tickets,
        .dialler = m->dialler,
        .watchdog = m->watchdog,
        .events = { .settled = on_settled, .changed = master_tell_later,
                    .ended = on_drained, .arg = m },
    };

    *privs = (struct privs){ 0 };
    return pool_new(&spec, e);
}

static void on_endpoints(void *arg, int fd)
{
    struct master *m = arg;

    pool_endpoints(m->pool, fd);
}

static void on_dialler(void *arg)
{
    struct master *m = arg;

    pool_dialler(m->pool);
    admin_dialler(m->admin);
}

static bool open_admin(struct master *m, const struct conf *c, struct diags *d)
{
    struct admin_events ev = { .endpoints = on_endpoints, .drain = on_drain_asked,
                               .arg = m };

    struct admin_around around = { .reload = m->reload, .accounts = pool_accounts(m->pool),
                                   .dialler = m->dialler, .watchdog = m->watchdog };

    m->admin = admin_new(m->loop, &around, c, &ev, d);
    if (m->admin != NULL)
        admin_recall(m->admin, takeover_endpoints(m->takeover));
    return m->admin != NULL;
}

static struct pool *on_first(void *arg, const struct conf *c, struct diags *d)
{
    struct master *m = arg;
    struct err e = ERR_INIT;
    struct diags told = { 0 }; /* by the loader */
    struct privs privs = privs_plan(&c->proxy, &told);
    bool good = told.errors == 0;

    diags_free(&told);
    m->dialler = dialler_new(m->loop, c, on_dialler, m);
    if (m->dialler == NULL)
        err_setx(&e, "memory is out");
    else if (!good)
        err_setx(&e, "the user %s is gone", c->proxy.user);
    else if (open_log(&c->proxy, &e) != 0)
        err_wrap(&e, "the log %s", c->proxy.log);
    else
        m->pool = make_pool(m, c, &privs, &e);
    privs_free(&privs);
    if (m->pool == NULL)
        diag_add(d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "%s", e.text);
    else if (!open_admin(m, c, d))
        return NULL;
    return m->pool;
}

/* After each load, and every hour after that. `news` as in struct reload_outcome. */
static void warn_of_expiry(struct master *m, bool loaded, const struct inventory *news)
{
    const struct edition *ed = reload_current(m->reload);
    struct inventory inv;
    struct diags d = { 0 };

    if (news != NULL && expiry_all_fine(m->expiry, ed->conf, news, (int64_t)time(NULL)))
        return;
    edition_inventory(ed, &inv);
    expiry_check(m->expiry, ed->conf, &inv, (int64_t)time(NULL), loaded, &d);
    diags_log(&d);
    diags_free(&d);
    inventory_free(&inv);
    loop_timer_set(m->hourly, HOUR_MS);
}

static void on_hour(void *arg)
{
    warn_of_expiry(arg, false, NULL);
}

static void on_turned(void *arg)
{
    struct master *m = arg;

    if (m->pool != NULL)
        pool_tickets(m->pool);
}

static void tell_failed(const struct master *m, const struct diags *d)
{
    char *text = NULL;

    for (size_t i = 0; i < d->n && text == NULL; i++)
        if (d->v[i].level == DIAG_ERROR)
            text = diag_text(&d->v[i]);
    takeover_fail(m->takeover, text != NULL ? text : "it does not say why");
    free(text);
}

static void first_outcome(struct master *m, const struct reload_outcome *o)
{
    char text[DURATION_TEXT_MAX];

    if (!o->ok) {
        duration_text(o->waited_ms - o->waited_ms % 100, text);
        if (o->waited_ms > 0)
            fprintf(stderr, "sallyport: gave up waiting for files after %s:\n", text);
        diags_print(o->d, stderr);
        tell_failed(m, o->d);
        stop(m, 1);
        return;
    }
    diags_log(o->d);
    m->phase = RUNNING;
    m->since_us = m->last_ok_us = clock_wall_us();
    edition_log_listeners(reload_current(m->reload));
    hops_log(&m->hops, reload_current(m->reload)->conf);
    master_tell_later(m);
    admin_edition(m->admin, reload_current(m->reload));
    master_log_started(m);
    sandbox_log(reload_current(m->reload)->conf);
    if (m->takeover == NULL || takeover_ready(m->takeover, m->loop, on_taken_over, m) != 0)
        on_taken_over(m);
    warn_of_expiry(m, true, NULL);
    if (m->hooks != NULL && m->hooks->started != NULL
        && !m->hooks->started(m->hooks->arg, reload_current(m->reload)->sockets)) {
        end_at_once(m);
        m->code = 1;
    }
}

static void remember(struct master *m, const struct reload_outcome *o)
{
    char text[RELOAD_CAUSES_MAX];

    free(m->cause);
    free(m->files);
    m->cause = mem_strdup(reload_causes_text(o->causes, text));
    m->files = o->files != NULL ? mem_strdup(o->files) : NULL;
    m->mended = false;
    if (o->ok)
        m->since_us = m->last_ok_us = clock_wall_us();
    master_tell_later(m);
}

static void on_mended(void *arg)
{
    struct master *m = arg;

    m->mended = true;
    m->last_ok_us = clock_wall_us();
    master_tell_later(m);
}

static void on_outcome(void *arg, const struct reload_outcome *o)
{
    struct master *m = arg;

    if (m->phase == STARTING) {
        first_outcome(m, o);
        return;
    }
    remember(m, o);
    const struct edition *ed = reload_current(m->reload);
    if (o->causes & RELOAD_HUP)
        loop_later(m->loop, &m->reloaded);
    diags_log_only(o->d, false);
    if (!o->ok) {
        master_log_failed(m, o);
        return;
    }
    (void)reopen_log(m); /* it may be another one now */
    admin_edition(m->admin, ed);
    edition_log_listeners(ed);
    hops_log(&m->hops, ed->conf);
    master_log_done(m, o);
    diags_log_only(o->d, true);
    warn_of_expiry(m, true, o->news);
}

static void on_waiting(void *arg, uint64_t ms, const struct diags *d)
{
    struct master *m = arg;
    char text[DURATION_TEXT_MAX];

    notify_extend(m->notify, ms + STOP_GRACE_MS);
    duration_text(ms, text);
    fprintf(stderr, "sallyport: waiting up to %s for files that are not all there:\n", text);
    diags_print(d, stderr);
}

/* --- signals --- */

static void reap(struct master *m)
{
    int status;
    pid_t pid;

    /* As process 1 of a container we inherit strangers too; they need no more. */
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (!reload_reaped(m->reload, pid, status) && !admin_reaped(m->admin, pid, status)
            && !dialler_reaped(m->dialler, pid, status)
            && !handover_reaped(m->handover, pid, status) && m->pool != NULL)
            (void)pool_reaped(m->pool, pid, status);
}

static void on_signal(void *arg, int signo)
{
    struct master *m = arg;

    if (m->phase == ENDED)
        return;
    switch (signo) {
    case SIGCHLD:
        reap(m);
        break;
    case SIGHUP:
        if (m->hooks != NULL && m->hooks->hangup_ends)
            end_at_once(m);
        else if (m->phase == RUNNING) {
            notify_reloading(m->notify);
            reload_ask(m->reload, RELOAD_HUP);
            handover_hangup(m->handover);
        } else if (m->phase == DRAINING)
            log_warn("sallyport is ending: SIGHUP reloads nothing any more");
        break;
    case SIGUSR1:
        if (m->phase == STARTING)
            break;
        if (reopen_log(m))
            log_info("log reopened");
        break;
    case SIGUSR2:
        if (m->phase == RUNNING)
            hand_over(m);
        else if (m->phase == DRAINING)
            log_warn("sallyport is ending: SIGUSR2 starts nothing any more");
        break;
    case SIGTERM:
        if (m->phase == RUNNING) {
            drain(m, settings(m)->drain_timeout_ms);
            break;
        }
        end_at_once(m);
        break;
    default:
        end_at_once(m);
        break;
    }
}

static int set_up(struct master *m, const struct load_plan *plan, struct err *e)
{
    struct reload_events ev = { .first = on_first, .waiting = on_waiting,
                                .outcome = on_outcome, .mended = on_mended, .arg = m };
    struct notify_asks asks = { .status = master_put_status, .well = all_turn, .arg = m };

    loop_task_init(&m->reloaded, tell_reloaded, m);
    loop_task_init(&m->tell, master_tell, m);
    if (takeover_receive(&m->takeover, e) != 0)
        return -1;
    m->loop = loop_new(e);
    if (m->loop == NULL)
        return -1;
    for (size_t i = 0; i < NSIGNALS; i++) {
        m->signals[i] = loop_signal_new(m->loop, signals[i], on_signal, m);
        if (m->signals[i] == NULL)
            return err_setx(e, "cannot take signals");
    }
    m->expiry = expiry_new();
    m->hourly = loop_timer_new(m->loop, on_hour, m);
    m->watchdog = watchdog_new(m->loop);
    if (m->hourly == NULL || m->watchdog == NULL)
        return err_setx(e, "memory is out");
    m->tickets = tickets_new(m->loop, takeover_tickets(m->takeover), on_turned, m, e);
    if (m->tickets == NULL)
        return err_wrap(e, "session tickets");
    m->reload = reload_new(m->loop, plan, &ev, e);
    if (m->reload == NULL)
        return -1;
    m->notify = notify_new(m->loop, &asks);
    m->handover = handover_new(m->loop, &(struct handover_events){ on_handed_over, m });
    return m->notify && m->handover ? 0 : err_setx(e, "memory is out");
}

static void tear_down(struct master *m)
{
    pool_free(m->pool);
    dialler_free(m->dialler);
    tickets_free(m->tickets);
    admin_free(m->admin);
    notify_free(m->notify);
    handover_free(m->handover);
    takeover_free(m->takeover);
    watchdog_free(m->watchdog);
    reload_free(m->reload);
    expiry_free(m->expiry);
    hops_free(&m->hops);
    loop_task_cancel(&m->tell);
    loop_task_cancel(&m->reloaded);
    free(m->cause);
    free(m->files);
    loop_timer_free(m->hourly);
    for (size_t i = 0; i < NSIGNALS; i++)
        loop_signal_free(m->signals[i]);
    loop_free(m->loop);
    logsink_close();
}

int master_run(const struct load_plan *plan, const struct master_hooks *hooks)
{
    struct master m = { .hooks = hooks, .started_us = clock_mono_us(),
                        .wall_us = clock_wall_us() };
    struct err e = ERR_INIT;

    inherited_from_systemd();   /* before anything else is opened */
    signal(SIGPIPE, SIG_IGN);
    privs_raise_nofile();
    privs_harden();
    caps_master();
    if (set_up(&m, plan, &e) == 0) {
        reload_ask(m.reload, 0);
        loop_run(m.loop);
    } else {
        fprintf(stderr, "sallyport: %s\n", e.text);
        m.code = 1;
    }
    tear_down(&m);
    return m.code;
}
