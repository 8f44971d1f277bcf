#include "app/admin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/admin_sockets.h"
#include "app/channel.h"
#include "app/child.h"
#include "app/endpoints.h"
#include "app/logsink.h"
#include "app/memfile.h"
#include "app/monitor.h"
#include "app/outcome.h"
#include "app/pool.h"
#include "app/privs.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/schema.h"

#define MONITOR_NICE 10
#define MONITOR_SLICE_NS 100000u
#define END_MS 1000u            /* from the end of its channel to its own */
#define SILENT_MS 10000u        /* for a loop that serves nobody but admins, and that now and then
                                   builds what it is to look after out of a whole configuration */
#define REST_MS 100u            /* between two tellings about servers, and longer for long ones: */
#define REST_BYTES_PER_MS 16384u

/* A reload that a monitor asked for. It may be gone before the outcome comes. */
struct asked {
    struct admin *admin;        /* NULL: then */
    uint64_t number;
};

struct admin {
    struct loop *loop;
    struct reload *reload;
    struct accounts *accounts;
    struct dialler *dialler;
    int sandbox;                /* enum conf_sandbox of the start */
    struct watchdog *watchdog;
    struct watched turns;       /* the monitor's loop */
    struct privs privs;
    struct admin_sockets *sockets;
    struct channel *ch;
    struct loop_timer *timer;   /* to start it again, or to wait for its end */
    pid_t pid;                  /* 0: none runs */
    bool served;                /* it was ready */
    uint64_t told_facts;        /* of that generation; 0: of none */
    unsigned false_starts;      /* in a row */
    uint64_t started_us;
    struct asked *asked;        /* the one reload it may wait for */
    struct admin_events ev;
    bool can;                   /* there is a user to run it as */
    bool needed;
    int settings;               /* what it is sent, a file in memory; -1: none */
    int report;                 /* the same; -1: none yet */
    bool left;                  /* others answer at its sockets */
    int endpoints;              /* what it has told last, the same; -1: nothing */
    struct loop_timer *rest;    /* until it is passed on again */
    bool resting, owed;         /* … and there is something newer by now */
};

/* --- what it is for --- */

static bool watches_servers(const struct conf *c)
{
    for (size_t i = 0; i < c->nupstreams; i++)
        if (conf_is_watched(c->upstreams[i]))
            return true;
    return false;
}

static bool needs_monitor(const struct conf *c)
{
    return c->proxy.admin.n > 0 || watches_servers(c);
}

/* --- the process --- */

static void monitor_done(void *arg)
{
    loop_stop(arg);
}

static size_t nsockets(const struct admin *a)
{
    return a->sockets != NULL ? admin_sockets_count(a->sockets) : 0;
}

/* struct sched_attr, which glibc 2.36 does not have (sched_setattr(2)). */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

/*
 * Whoever asks it all the time gets less of a CPU than who is served: not next to nothing, for on a
 * busy host its answer is what keeps sallyport from being restarted. And it lets go of the CPU
 * when somebody else wakes; kernels before 6.12 do not look at the slice.
 */
static void step_back(void)
{
    struct scheduling s = { .size = sizeof(s), .policy = SCHED_OTHER, .nice = MONITOR_NICE,
                            .runtime = MONITOR_SLICE_NS };

    if (syscall(SYS_sched_setattr, 0, &s, 0) != 0)
        (void)setpriority(PRIO_PROCESS, 0, MONITOR_NICE);
}

static int monitor_work(const struct admin *a, const struct sandbox *box, int channel,
                        pid_t master, struct err *e)
{
    const int *fds = nsockets(a) > 0 ? admin_sockets_fds(a->sockets) : NULL;

    prctl(PR_SET_NAME, "sallyport-mon"); /* what ps and top show */
    if (privs_drop(&a->privs, e) != 0)
        return -1;
    step_back();
    if (accounts_only_read(a->accounts) != 0)
        return err_set(e, "cannot read what is counted");
    /* The end of the channel ends it as well, but only while it runs its loop. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != master)
        return err_setx(e, "the master is gone");
    if (sandbox_enter(box, SANDBOX_MONITOR, e) != 0)
        return -1;

    struct loop *l = loop_new(e);
    if (l == NULL)
        return -1;
    struct monitor *m = monitor_new(l, channel, fds, nsockets(a), a->accounts, monitor_done, l, e);
    if (m != NULL)
        loop_run(l);
    monitor_free(m);
    loop_free(l);
    return m != NULL ? 0 : -1;
}

static pid_t fork_monitor(struct admin *a, int theirs, struct err *e)
{
    size_t n = nsockets(a);
    int *keep = mem_zalloc((n + 2) * sizeof(int));
    pid_t master = getpid();

    if (n > 0)
        memcpy(keep, admin_sockets_fds(a->sockets), n * sizeof(int));
    keep[n] = theirs;
    keep[n + 1] = a->accounts->fd;
    struct sandbox box = sandbox_plan(reload_current(a->reload)->conf);
    box.mode = a->sandbox;
    pid_t pid = child_fork(a->loop, &(struct child_keep){ .fds = keep, .n = n + 2 }, e);
    free(keep);
    if (pid != 0) {
        dialler_began(a->dialler, &box);
        sandbox_free(&box);
        return pid;
    }

    int rc = monitor_work(a, &box, theirs, master, e);
    if (rc != 0)
        log_error("monitor: %s", e->text);
    exit(rc == 0 ? 0 : 1);
}

/* --- what it says --- */

static void send_outcome(struct admin *a, uint64_t number, const struct outcome *o)
{
    int fd = outcome_write(o);
    struct channel_msg m = {
        .kind = CHANNEL_RELOADED, .number = number, .fds = &fd, .nfds = fd >= 0 ? 1 : 0
    };

    if (a->ch != NULL && channel_send(a->ch, &m) != 0)
        kill(a->pid, SIGKILL);
    if (fd >= 0)
        close(fd);
}

static void on_outcome(void *arg, bool ok, uint64_t generation, const struct diags *d)
{
    struct asked *q = arg;
    struct outcome o = { .ok = ok, .generation = generation, .findings = *d };

    if (q->admin != NULL) {
        q->admin->asked = NULL;
        send_outcome(q->admin, q->number, &o);
    }
    free(q);
}

/* To the monitor, which must take it. */
static void send_file(struct admin *a, enum channel_kind kind, int fd)
{
    struct channel_msg m = { .kind = kind, .fds = &fd, .nfds = 1 };

    if (fd >= 0 && a->ch != NULL && channel_send(a->ch, &m) != 0)
        kill(a->pid, SIGKILL);
}

/* The more there is to read, the longer the workers are left in peace afterwards: names that
   change all the time, or a monitor that is not ours any more, shall not keep them from serving. */
static uint64_t rest_ms(int fd)
{
    struct stat st;
    uint64_t size = fstat(fd, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;

    return REST_MS + (size < ENDPOINTS_MAX ? size : ENDPOINTS_MAX) / REST_BYTES_PER_MS;
}

static void pass_on(struct admin *a)
{
    int fd = fcntl(a->endpoints, F_DUPFD_CLOEXEC, 0);

    a->owed = fd < 0;           /* what was told before stays, for now */
    a->resting = loop_timer_set(a->rest, rest_ms(a->endpoints)) == 0;
    if (fd >= 0)
        a->ev.endpoints(a->ev.arg, fd);
}

static void on_rested(void *arg)
{
    struct admin *a = arg;

    a->resting = false;
    if (a->owed && a->endpoints >= 0)
        pass_on(a);
}

/* Kept for the next one, and passed on unread; the newest, if they come fast. */
static void on_endpoints(struct admin *a, struct channel_msg *m)
{
    if (a->endpoints >= 0)
        close(a->endpoints);
    a->endpoints = m->fds[0];
    m->fds[0] = -1;
    a->owed = true;
    if (!a->resting)
        pass_on(a);
}

/* Once for each edition: to look through ten thousand certificates is work. */
static bool send_facts(struct admin *a)
{
    const struct edition *ed = reload_current(a->reload);

    if (ed->generation == a->told_facts)
        return false;
    a->told_facts = ed->generation;

    int fd = edition_facts(ed);
    struct channel_msg m = {
        .kind = CHANNEL_FACTS, .number = ed->generation, .fds = &fd, .nfds = fd >= 0 ? 1 : 0
    };
    if (fd < 0)
        log_error("the monitor cannot be told of certificates: no file in memory could be made");
    if (a->ch != NULL && channel_send(a->ch, &m) != 0)
        kill(a->pid, SIGKILL);
    if (fd >= 0)
        close(fd);
    return true;
}

static bool is_drain_time(uint64_t ms)
{
    return ms == CHANNEL_DRAIN_DEFAULT || ms <= conf_keys[KEY_PROXY_DRAIN_TIMEOUT].max;
}

static void on_message(void *arg, struct channel_msg *m)
{
    struct admin *a = arg;

    if (m->kind == CHANNEL_READY) {
        a->served = true;
        a->false_starts = 0;
    } else if (m->kind == CHANNEL_PONG) {
        watchdog_answer(&a->turns, m->number);
    } else if (m->kind == CHANNEL_RELOAD && a->asked == NULL) {
        struct asked *q = mem_zalloc(sizeof(*q));
        *q = (struct asked){ .admin = a, .number = m->number };
        a->asked = q;
        reload_ask_then(a->reload, on_outcome, q);
    } else if (m->kind == CHANNEL_DRAIN && is_drain_time(m->number)) {
        a->ev.drain(a->ev.arg, m->number);
    } else if (m->kind == CHANNEL_ENDPOINTS && m->nfds == 1 && memfile_is_sealed(m->fds[0])) {
        on_endpoints(a, m);
    } else if ((m->kind != CHANNEL_FACTS || !send_facts(a)) && a->pid > 0) {
        log_error("the monitor speaks nonsense: it is replaced");
        kill(a->pid, SIGKILL);
    }
}

/* --- its life --- */

static void forget_asked(struct admin *a)
{
    if (a->asked != NULL)
        a->asked->admin = NULL;
    a->asked = NULL;
}

static void hang_up(struct admin *a)
{
    watchdog_end(&a->turns);
    channel_free(a->ch);
    a->ch = NULL;
}

static void on_end(void *arg)
{
    struct admin *a = arg;

    hang_up(a);
    forget_asked(a);
    if (a->pid > 0)
        loop_timer_set(a->timer, END_MS);
}

static void start_later(struct admin *a)
{
    if (!a->served)
        a->false_starts++;
    uint64_t lived_us = clock_mono_us() - a->started_us;
    loop_timer_set(a->timer, pool_respawn_ms(a->served, lived_us, a->false_starts));
}

static int start(struct admin *a, struct err *e)
{
    int fds[2];

    a->served = false;
    a->told_facts = 0;
    a->started_us = clock_mono_us();
    if (channel_pair(fds, e) != 0)
        return -1;
    pid_t pid = fork_monitor(a, fds[1], e);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return -1;
    }
    a->pid = pid;
    a->ch = channel_new(a->loop, fds[0], on_message, on_end, a);
    if (a->ch == NULL)
        kill(pid, SIGKILL);
    else
        watchdog_begin(a->watchdog, &a->turns, pid, a->ch);
    watchdog_limit(&a->turns, SILENT_MS);
    send_file(a, CHANNEL_ENDPOINTS, a->endpoints);
    if (dialler_fd(a->dialler) >= 0)
        admin_dialler(a);
    send_file(a, CHANNEL_SETTINGS, a->settings);
    send_file(a, CHANNEL_REPORT, a->report);
    return 0;
}

static void try_start(struct admin *a)
{
    struct err e = ERR_INIT;

    if (start(a, &e) == 0)
        return;
    log_error("monitor: %s", e.text);
    start_later(a);
}

static void on_stuck(void *arg, uint64_t ms, const char *how)
{
    struct admin *a = arg;

    log_error("the monitor did not turn its loop for %.1f s (%s): it is replaced",
              (double)ms / 1000.0, how);
    kill(a->pid, SIGKILL);
}

static void on_timer(void *arg)
{
    struct admin *a = arg;

    if (a->pid > 0) {
        log_error("the monitor closed its channel and did not end: it is replaced");
        kill(a->pid, SIGKILL);
        return;
    }
    try_start(a);
    if (a->pid > 0)
        log_info("the monitor is replaced by process %ld", (long)a->pid);
}

bool admin_reaped(struct admin *a, pid_t pid, int wait_status)
{
    char how[CHILD_TEXT_MAX], message[CHILD_TEXT_MAX + 64];
    struct logline l;

    if (a == NULL || a->pid != pid)
        return false;
    a->pid = 0;
    hang_up(a);                 /* whatever it said last is of no use any more */
    forget_asked(a);
    snprintf(message, sizeof(message), "the monitor %s", child_ending(wait_status, how));
    logline_begin(&l, LOG_LEVEL_ERROR, message);
    logline_u64(&l, "pid", (uint64_t)pid);
    logline_end(&l);
    if (a->needed)
        start_later(a);
    return true;
}

void admin_report(struct admin *a, const struct report *r)
{
    if (a->report >= 0)
        close(a->report);
    a->report = a->needed ? report_write(r) : -1;
    if (a->needed && a->report < 0)
        log_error("the monitor cannot be told how we are: no file in memory could be made");
    send_file(a, CHANNEL_REPORT, a->report);
}

void admin_log(struct admin *a)
{
    if (a != NULL && a->ch != NULL)
        logsink_send(a->ch);
}

void admin_dialler(struct admin *a)
{
    int fd = a != NULL ? dialler_fd(a->dialler) : -1;
    struct channel_msg m = { .kind = CHANNEL_DIALLER, .fds = &fd, .nfds = fd >= 0 };

    if (a != NULL && a->ch != NULL)
        (void)channel_send(a->ch, &m);
}

void admin_drained(struct admin *a, uint64_t cut)
{
    struct channel_msg m = { .kind = CHANNEL_DRAINED, .number = cut };

    if (a != NULL && a->ch != NULL)
        (void)channel_send(a->ch, &m);
}

/* --- for the master --- */

struct admin *admin_new(struct loop *l, const struct admin_around *around, const struct conf *c,
                        const struct admin_events *ev, struct diags *d)
{
    const struct conf_proxy *p = &c->proxy;
    struct admin *a = mem_zalloc(sizeof(*a));
    struct diags told = { 0 };  /* by the loader */

    a->privs = privs_plan_apart(p, &told);
    a->loop = l;
    a->reload = around->reload;
    a->accounts = around->accounts;
    a->dialler = around->dialler;
    a->sandbox = p->sandbox;
    a->watchdog = around->watchdog;
    a->turns = (struct watched){ .stuck = on_stuck, .arg = a };
    a->ev = *ev;
    a->settings = a->endpoints = a->report = -1;
    a->can = told.errors == 0;
    a->timer = loop_timer_new(l, on_timer, a);
    a->rest = loop_timer_new(l, on_rested, a);
    diags_free(&told);
    if (!a->can && needs_monitor(c))
        diag_add(d, DIAG_ERROR, conf_at(&p->head, KEY_PROXY_USER, p->user), NULL,
                 "there is no such user, as whom %s",
                 p->admin.n > 0 ? "the admin addresses could be served"
                                : "servers could be looked after");
    else if (a->timer == NULL || a->rest == NULL)
        diag_add(d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "memory is out");
    else if (p->admin.n == 0)
        return a;
    else
        a->sockets = admin_sockets_open(p, &a->privs, d);
    if (a->sockets != NULL)
        return a;
    admin_free(a);
    return NULL;
}

/* It ends by itself when its channel does; one that does not is killed. */
static void end_monitor(struct admin *a)
{
    int pidfd = pidfd_open(a->pid, 0);
    struct pollfd p = { .fd = pidfd, .events = POLLIN };

    hang_up(a);
    if (pidfd < 0 || poll(&p, 1, END_MS) != 1)
        kill(a->pid, SIGKILL);
    if (pidfd >= 0)
        close(pidfd);
    while (waitpid(a->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    a->pid = 0;
}

/* Nobody looks after servers any more: all of them are up, as far as is known. */
static void forget_servers(struct admin *a)
{
    if (a->endpoints < 0)
        return;
    close(a->endpoints);
    a->endpoints = -1;
    a->owed = false;
    a->ev.endpoints(a->ev.arg, -1);
}

static void renew_settings(struct admin *a, const struct edition *ed)
{
    if (a->settings >= 0)
        close(a->settings);
    a->settings = a->needed ? edition_settings(ed) : -1;
    if (a->needed && a->settings < 0)
        log_error("the monitor cannot be told of generation %llu: no file in memory could be made",
                  (unsigned long long)ed->generation);
    send_file(a, CHANNEL_SETTINGS, a->settings);
    if (!watches_servers(ed->conf))
        forget_servers(a);
}

void admin_edition(struct admin *a, const struct edition *ed)
{
    a->needed = needs_monitor(ed->conf) && !a->left;
    admin_dialler(a);
    renew_settings(a, ed);
    if (!a->needed && a->pid > 0)
        end_monitor(a);
    if (!a->needed)
        loop_timer_clear(a->timer);
    else if (a->pid == 0 && !a->can)
        log_error("there is no user %s, as whom servers could be looked after: names are not "
                  "resolved, and nothing is checked", ed->conf->proxy.user);
    else if (a->pid == 0) {
        if (a->sockets != NULL)
            admin_sockets_log(a->sockets);
        try_start(a);
    }
}

void admin_each_socket(const struct admin *a, void (*fn)(void *arg, const char *key, int fd),
                       void *arg)
{
    if (a->sockets != NULL)
        admin_sockets_each(a->sockets, fn, arg);
}

int admin_endpoints(const struct admin *a)
{
    return a->endpoints;
}

void admin_leave(struct admin *a)
{
    a->left = true;
    a->needed = false;
    loop_timer_clear(a->timer);
    forget_asked(a);
    if (a->pid > 0)
        end_monitor(a);
}

void admin_recall(struct admin *a, int endpoints)
{
    if (endpoints < 0)
        return;
    a->endpoints = endpoints;
    pass_on(a);
}

void admin_free(struct admin *a)
{
    if (a == NULL)
        return;
    forget_asked(a);
    if (a->pid > 0)
        end_monitor(a);
    hang_up(a);
    if (a->settings >= 0)
        close(a->settings);
    if (a->endpoints >= 0)
        close(a->endpoints);
    if (a->report >= 0)
        close(a->report);
    loop_timer_free(a->timer);
    loop_timer_free(a->rest);
    admin_sockets_free(a->sockets);
    privs_free(&a->privs);
    free(a);
}
