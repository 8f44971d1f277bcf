/*
 * The loader as a process: a fork that builds the bundle and sends two memory
 * files back: the findings with what else it tells, and the sealed bundle.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/channel.h"
#include "app/child.h"
#include "app/loader.h"
#include "app/memfile.h"
#include "app/privs.h"
#include "base/mem.h"
#include "base/pack.h"

/* What hangs uses no processor. What does (ten thousand keystores, each with a password that was
   made slow on purpose, take more than a minute) has ten times as long. */
#define PATIENCE_MS  60000u
#define PATIENCE_MAX 10u
#define BUSY_SHARE   60u        /* of that time, at least one in so many parts on the processor */
#define REPORT_MAX (64u * 1024 * 1024)

/* Over when the process is gone and its channel read to the end: whoever acts on
   the outcome need not reckon with a child that is still about. */
struct loader_job {
    pid_t pid;                  /* 0: reaped */
    int wait_status;            /* then */
    bool heard;                 /* the channel has an answer, or its end */
    bool answered;
    int bundle_fd;
    struct diags findings;
    struct load_report report;
    struct channel *ch;
    struct loop_timer *timer;
    unsigned patience_ms, timeouts;     /* so far, */
    uint64_t cpu_us;            /* and the processor's time it had used then */
    loader_done_fn *done;
    void *arg;
};

/* --- the child's side --- */

/* The findings, and what else there is to tell. */
static void pack_report(const struct diags *d, const struct load_report *r, struct pack *k)
{
    char *bytes;
    size_t len;

    diags_pack(d, &bytes, &len);
    pack_blob(k, bytes, len);
    free(bytes);
    pack_u64(k, r->wait_ms);
    pack_u32(k, r->doubtful);
    for (size_t i = 0; i < r->nread; i++) {
        pack_str(k, r->read[i].path);
        pack_u64(k, r->read[i].mark);
    }
}

static int report_file(const struct diags *d, const struct load_report *r)
{
    struct pack k = { 0 };
    int fd;

    pack_report(d, r, &k);
    fd = memfile_write("report", k.p, k.len);
    pack_free(&k);
    return fd;
}

static void unexpected_message(void *arg, struct channel_msg *m)
{
    (void)arg;
    (void)m;
}

static void nobody_there(void *arg)
{
    (void)arg;
}

struct outcome {
    struct diags d;
    int bundle_fd;              /* -1: none */
    struct load_report report;
};

static void put_fd(struct channel_msg *m, int fd)
{
    if (fd >= 0)
        m->fds[m->nfds++] = fd;
}

/* LOADED: the report, the bundle (number says whether), pipes' copies (text has their numbers). */
static int send_outcome(int fd, const struct outcome *o)
{
    int fds[2 + LOADER_PIPES_MAX], report = report_file(&o->d, &o->report);
    const struct loader_pipes *pipes = &o->report.pipes;
    struct channel_msg m = { .kind = CHANNEL_LOADED, .number = o->bundle_fd >= 0, .fds = fds };
    struct err e;
    size_t used = 0;

    put_fd(&m, report);
    put_fd(&m, o->bundle_fd);
    for (size_t i = 0; i < pipes->n; i++) {
        put_fd(&m, pipes->copy[i]);
        used += (size_t)snprintf(m.text + used, sizeof(m.text) - used, "%d ", pipes->number[i]);
    }

    struct loop *l = loop_new(&e);
    if (l == NULL)
        return -1;
    struct channel *ch = channel_new(l, fd, unexpected_message, nobody_there, NULL);
    /* The first message of a fresh channel always has room. */
    int rc = ch != NULL && report >= 0 ? channel_send(ch, &m) : -1;
    channel_free(ch);
    loop_free(l);
    return rc;
}

static _Noreturn void load_and_exit(const struct load_plan *from, int fd, pid_t master)
{
    struct load_plan plan = *from;
    struct outcome o = { .bundle_fd = -1 };
    struct err e;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != master)
        exit(1);
    prctl(PR_SET_NAME, "sallyport-load");
    privs_harden();
    plan.confine = true;

    struct bundle *b = loader_build_again(&plan, &o.report, &o.d);
    if (b != NULL) {
        o.bundle_fd = bundle_seal(b, &e);
        if (o.bundle_fd < 0)
            diag_add(&o.d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "%s", e.text);
    }
    bundle_free(b);

    int rc = send_outcome(fd, &o);
    diags_free(&o.d);
    load_report_free(&o.report);
    exit(rc == 0 ? 0 : 1);
}

/* --- the master's side --- */

static void job_free(struct loader_job *j)
{
    if (j->bundle_fd >= 0)
        close(j->bundle_fd);
    diags_free(&j->findings);
    load_report_free(&j->report);
    channel_free(j->ch);
    loop_timer_free(j->timer);
    free(j);
}

static void add_error(struct loader_job *j, const char *text)
{
    diag_add(&j->findings, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "%s", text);
}

static void finish(struct loader_job *j)
{
    int fd = j->findings.errors == 0 ? j->bundle_fd : -1;
    struct diags d = j->findings;
    struct load_report report = j->report;
    loader_done_fn *done = j->done;
    void *arg = j->arg;

    if (fd >= 0)
        j->bundle_fd = -1;
    j->findings = (struct diags){ 0 };
    j->report = (struct load_report){ 0 };
    job_free(j);
    done(arg, fd, &d, &report);
    diags_free(&d);
    load_report_free(&report);
}

static void finish_if_over(struct loader_job *j)
{
    if (j->pid != 0 || !j->heard)
        return;
    if (!j->answered) {
        char how[CHILD_TEXT_MAX], text[CHILD_TEXT_MAX + 64];
        snprintf(text, sizeof(text), "the loader process %s", child_ending(j->wait_status, how));
        add_error(j, text);
    }
    finish(j);
}

static bool unpack_report(struct unpack *u, struct diags *d, struct load_report *r)
{
    size_t len;
    const uint8_t *bytes = unpack_blob(u, &len);

    r->wait_ms = unpack_u64(u);
    r->doubtful = unpack_u32(u) != 0;
    if (u->bad || !diags_unpack((const char *)bytes, len, d))
        return false;
    while (u->left > 0) {
        struct watch_path p = { .path = unpack_str(u) };
        p.mark = unpack_u64(u);
        if (p.path == NULL)
            return false;
        r->read = mem_grow(r->read, r->nread + 1, sizeof(r->read[0]));
        r->read[r->nread++] = p;
    }
    return !u->bad;
}

static bool read_report(int fd, struct diags *d, struct load_report *r)
{
    size_t len;
    uint8_t *bytes = memfile_read(fd, REPORT_MAX, &len);
    struct unpack u = { bytes, len, false };
    bool ok = bytes != NULL && unpack_report(&u, d, r);

    free(bytes);
    return ok;
}

/* A copy takes the place of the pipe it came from; only of one that we were started
   with, as those alone are not close-on-exec. */
static void replace_pipe(int number, int copy)
{
    int flags = fcntl(number, F_GETFD);

    if (number > STDERR_FILENO && flags >= 0 && !(flags & FD_CLOEXEC))
        (void)dup2(copy, number);
}

static bool take_answer(struct loader_job *j, struct channel_msg *m)
{
    size_t pipes = m->number ? 2 : 1;
    char *at = m->text;

    if (m->kind != CHANNEL_LOADED || m->nfds < pipes
        || !read_report(m->fds[0], &j->findings, &j->report))
        return false;
    for (size_t i = pipes; i < m->nfds; i++)
        replace_pipe((int)strtol(at, &at, 10), m->fds[i]);
    if (m->number) {
        j->bundle_fd = m->fds[1];
        m->fds[1] = -1;
    }
    return j->bundle_fd >= 0 || j->findings.errors > 0;
}

static void on_answer(void *arg, struct channel_msg *m)
{
    struct loader_job *j = arg;

    if (j->answered)
        return;
    j->answered = j->heard = true;
    if (!take_answer(j, m))
        add_error(j, "the loader's answer makes no sense");
    finish_if_over(j);
}

static void on_end(void *arg)
{
    struct loader_job *j = arg;

    j->heard = true;
    finish_if_over(j);
}

static bool is_busy(struct loader_job *j)
{
    uint64_t before = j->cpu_us;
    struct timespec t;
    clockid_t clock;

    if (j->pid == 0 || clock_getcpuclockid(j->pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return false;
    j->cpu_us = (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
    return j->cpu_us - before >= j->patience_ms * 1000u / BUSY_SHARE;
}

static void on_timeout(void *arg)
{
    struct loader_job *j = arg;

    if (is_busy(j) && ++j->timeouts < PATIENCE_MAX
        && loop_timer_set(j->timer, j->patience_ms) == 0)
        return;
    if (j->pid != 0) {
        kill(j->pid, SIGKILL);
        (void)waitpid(j->pid, &j->wait_status, 0);
    }
    add_error(j, j->timeouts == PATIENCE_MAX
                     ? "loading took longer than 10 minutes"
                     : "loading did nothing for 60 s: is a file on a dead mount, or a FIFO that "
                       "nobody writes?");
    finish(j);
}

struct loader_job *loader_start(struct loop *l, const struct load_plan *plan, loader_done_fn *done,
                                void *arg, struct err *e)
{
    pid_t master = getpid();
    int fds[2];

    if (channel_pair(fds, e) != 0)
        return NULL;
    int keep[] = { fds[1], plan->running };
    pid_t pid = child_fork(l, &(struct child_keep){ keep, plan->again ? 2 : 1, true }, e);
    if (pid == 0)
        load_and_exit(plan, fds[1], master);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return NULL;
    }

    struct loader_job *j = mem_zalloc(sizeof(*j));
    *j = (struct loader_job){ .pid = pid, .bundle_fd = -1, .done = done, .arg = arg,
                             .patience_ms = plan->patience_ms ? plan->patience_ms : PATIENCE_MS };
    j->ch = channel_new(l, fds[0], on_answer, on_end, j);
    j->timer = loop_timer_new(l, on_timeout, j);
    if (j->ch == NULL || j->timer == NULL || loop_timer_set(j->timer, j->patience_ms) != 0) {
        err_setx(e, "memory is out");
        loader_cancel(j);
        return NULL;
    }
    return j;
}

bool loader_reaped(struct loader_job *j, pid_t pid, int wait_status)
{
    if (j == NULL || j->pid != pid)
        return false;
    j->pid = 0;
    j->wait_status = wait_status;
    finish_if_over(j);
    return true;
}

void loader_cancel(struct loader_job *j)
{
    if (j == NULL)
        return;
    if (j->pid != 0) {
        kill(j->pid, SIGKILL);
        (void)waitpid(j->pid, NULL, 0);
    }
    job_free(j);
}
