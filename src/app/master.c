#include "app/master.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
#include "tls/ctx.h"

static const int signals[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2,
                               SIGCHLD };
#define NSIGNALS (sizeof(signals) / sizeof(signals[0]))

#define HOUR_MS 3600000u
#define STOP_GRACE_MS 10000u    /* beyond drain_timeout and wait_files, for systemd */

enum phase { STARTING, RUNNING, DRAINING, ENDED };

struct master {
    struct loop *loop;
    struct loop_signal *signals[NSIGNALS];
    const struct master_hooks *hooks;
    struct reload *reload;
    struct admin *admin;        /* NULL until the first configuration is loaded */
    struct pool *pool;          /* NULL until the first configuration is loaded */
    struct tickets *tickets;
    struct dialler *dialler;    /* NULL until then, too */
    struct watchdog *watchdog;
    struct notify *notify;
    struct takeover *takeover;  /* of another's place; NULL: there was none */
    struct handover *handover;  /* of ours */
    struct loop_task reloaded;  /* tells systemd of it, when all else knows */
    struct expiry *expiry;
    struct hops hops;           /* that were told */
    char *cause, *files;        /* of the last reload */
    bool mended;                /* report.h */
    uint64_t wall_us, since_us, last_ok_us;     /* of the start, of what is in force, of the
                                                   last good load; by the clock on the wall */
    struct loop_task tell;
    struct loop_timer *hourly;
    enum phase phase;
    uint64_t started_us;
    int code;
};

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

/* What is in force: "generation=2 pairs=3 names=5". */
static void put_edition(struct logline *l, const struct edition *ed)
{
    struct roster r = edition_roster(ed);

    logline_u64(l, "generation", ed->generation);
    logline_u64(l, "pairs", r.pairs);
    logline_u64(l, "names", r.names);
}

static void log_started(const struct master *m)
{
    struct logline l;

    logline_begin(&l, LOG_LEVEL_INFO, "sallyport " SALLYPORT_VERSION " started");
    logline_u64(&l, "pid", (uint64_t)getpid());
    logline_u64(&l, "workers", pool_is_foreground(m->pool) ? 0 : pool_size(m->pool));
    put_edition(&l, reload_current(m->reload));
    logline_str(&l, "library", tls_library());
    logline_end(&l);
}

/* The names of reasons and causes, as keys, which have no dashes: "plain-http" is plain_http. */
static void put_count(struct logline *l, const char *prefix, const char *name, uint64_t n)
{
    char key[48];

    if (n == 0)
        return;
    snprintf(key, sizeof(key), "%s%s", prefix, name);
    for (char *p = key; *p != '\0'; p++)
        if (*p == '-')
            *p = '_';
    logline_u64(l, key, n);
}

/* What all workers together have done: one line, zeros left out. */
static void log_totals(const struct master *m, const char *message, uint64_t cut)
{
    struct counters sum;
    struct logline l;

    if (m->pool == NULL)
        return;
    pool_counters(m->pool, &sum);
    logline_begin(&l, LOG_LEVEL_INFO, message);
    logline_u64(&l, "uptime_s", (clock_mono_us() - m->started_us) / 1000000u);
    logline_u64(&l, "cut", cut);
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        if (sum.value[i] != 0 && i != COUNTER_OPEN)
            logline_u64(&l, counter_name((enum counter)i), sum.value[i]);
    for (size_t i = 0; i < REASON_COUNT; i++)
        put_count(&l, "", reason_name((enum reason)i), sum.reason[i]);
    for (size_t i = 0; i < TLS_CAUSE_COUNT; i++)
        put_count(&l, "cause_", failure_name((enum tls_cause)i), sum.cause[i]);
    logline_end(&l);
}

/* --- the monitor --- */

static void tell(void *arg)
{
    struct master *m = arg;
    const struct edition *ed = reload_current(m->reload);
    struct reload_status s = reload_status(m->reload);

    if (m->admin == NULL || ed == NULL || m->phase == ENDED)
        return;
    struct report r = {
        .pid = (uint64_t)getpid(),
        .started_us = m->wall_us,
        .draining = m->phase == DRAINING,
        .generation = ed->generation,
        .since_us = m->since_us,
        .done = s.done,
        .failed = s.failed,
        .ok = s.ok,
        .mended = m->mended,
        .last_us = s.at_us,
        .last_ok_us = m->last_ok_us,
        .cause = m->cause,
        .files = m->files,
        .workers = pool_workers(m->pool),
        .n = pool_size(m->pool),
    };
    if (s.findings != NULL)
        r.findings = *s.findings;
    admin_report(m->admin, &r);
    free(r.workers);
}

/* Whatever has changed in this turn of the loop, it is told once. */
static void tell_later(void *arg)
{
    struct master *m = arg;

    loop_later(m->loop, &m->tell);
}

/* --- systemd --- */

static void put_status(void *arg, char out[NOTIFY_STATUS_MAX])
{
    const struct master *m = arg;
    struct reload_status last = reload_status(m->reload);
    struct counters sum;

    if (m->pool == NULL || reload_current(m->reload) == NULL) {
        snprintf(out, NOTIFY_STATUS_MAX, "starting");
        return;
    }
    pool_counters(m->pool, &sum);
    unsigned long long open = sum.value[COUNTER_OPEN];
    int len = snprintf(out, NOTIFY_STATUS_MAX, "%sgeneration %llu, workers: %zu, connections: %llu",
                       m->phase == DRAINING ? "draining: " : "",
                       (unsigned long long)reload_current(m->reload)->generation,
                       pool_size(m->pool), open);
    if (!last.ok && last.why != NULL)
        snprintf(out + len, NOTIFY_STATUS_MAX - (size_t)len, "; the last reload failed: %.*s",
                 (int)strcspn(last.why, "\n"), last.why);
}

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
        log_totals(m, "sallyport stopped at once", cut);
    admin_drained(m->admin, cut);
    stop(m, cut > 0 ? 1 : 0);
}

static void drain(struct master *m, uint64_t timeout_ms)
{
    char text[DURATION_TEXT_MAX];
    struct counters sum;

    m->phase = DRAINING;
    tell_later(m);
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
    log_totals(m, "sallyport stopped", cut);
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
        .events = { .settled = on_settled, .changed = tell_later,
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
    tell_later(m);
    admin_edition(m->admin, reload_current(m->reload));
    log_started(m);
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

static void put_cause(struct logline *l, const struct reload_outcome *o)
{
    char text[RELOAD_CAUSES_MAX];

    logline_str(l, "cause", reload_causes_text(o->causes, text));
    logline_str(l, "files", o->files);
}

static void log_failed(const struct edition *ed, const struct reload_outcome *o)
{
    char message[80];
    struct logline l;

    snprintf(message, sizeof(message), "reload failed: generation %llu stays in force",
             (unsigned long long)ed->generation);
    logline_begin(&l, LOG_LEVEL_ERROR, message);
    put_cause(&l, o);
    logline_end(&l);
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
    tell_later(m);
}

static void on_mended(void *arg)
{
    struct master *m = arg;

    m->mended = true;
    m->last_ok_us = clock_wall_us();
    tell_later(m);
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
        log_failed(ed, o);
        return;
    }
    (void)reopen_log(m); /* it may be another one now */
    admin_edition(m->admin, ed);
    edition_log_listeners(ed);
    hops_log(&m->hops, ed->conf);

    struct counters sum;
    struct logline l;
    logline_begin(&l, LOG_LEVEL_INFO, "reload done");
    put_edition(&l, ed);
    put_cause(&l, o);
    pool_counters(m->pool, &sum);
    if (sum.value[COUNTER_ON_OLDER] > 0)
        logline_u64(&l, counter_name(COUNTER_ON_OLDER), sum.value[COUNTER_ON_OLDER]);
    logline_end(&l);
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
    struct notify_asks asks = { .status = put_status, .well = all_turn, .arg = m };

    loop_task_init(&m->reloaded, tell_reloaded, m);
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

    loop_task_init(&m.tell, tell, &m);
    inherited_from_systemd();   /* before anything else is opened */
    signal(SIGPIPE, SIG_IGN);
    privs_raise_nofile();
    privs_harden();
    caps_master();
    if (takeover_receive(&m.takeover, &e) == 0 && set_up(&m, plan, &e) == 0) {
        reload_ask(m.reload, 0);
        loop_run(m.loop);
    } else {
        fprintf(stderr, "sallyport: %s\n", e.text);
        m.code = 1;
    }
    tear_down(&m);
    return m.code;
}
