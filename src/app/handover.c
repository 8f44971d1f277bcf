#include "app/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/child.h"
#include "app/inherited.h"
#include "app/memfile.h"
#include "app/takeover.h"
#include "base/log.h"
#include "base/mem.h"

#define PATIENCE_MS 60000u
#define ARGS_MAX (256u << 10)
#define WORD_MAX (ERR_TEXT_MAX + sizeof(TAKEOVER_FAILED))

struct handover {
    struct loop *loop;
    struct handover_events ev;
    char *program;              /* absolute, if it could be known */
    pid_t pid;                  /* of the new one; 0: there is none */
    int talk;                   /* with it; -1: not, or no more */
    struct loop_fd *io;
    struct loop_timer *patience;
    bool done;                  /* it serves */
    bool hangup;                /* a reload was asked for while it started */
    char why[WORD_MAX];         /* it does not; empty: it did not say */
};

/* --- what is handed over --- */

/* The lines, and the descriptors that they name. */
struct parcel {
    char *text;
    size_t len, room;
    int *fds;
    size_t n;
};

static void put_line(struct parcel *p, const char *word, int fd, const char *key)
{
    char *line = key != NULL ? mem_printf("%s %d %s\n", word, fd, key)
                             : mem_printf("%s %d\n", word, fd);
    size_t len = strlen(line);

    if (p->len + len >= p->room) {
        p->room = 2 * (p->room + len);
        p->text = mem_grow(p->text, p->room, 1);
    }
    memcpy(p->text + p->len, line, len + 1);
    p->len += len;
    free(line);
    p->fds = mem_append(p->fds, p->n, sizeof(int));
    p->fds[p->n++] = fd;
}

static void put_socket(void *arg, const char *key, int fd)
{
    put_line(arg, "socket", fd, key);
}

static void pack(struct parcel *p, const struct handover_gift *g, int talk)
{
    const char *key;
    int fd;

    p->room = 4096;
    p->text = mem_zalloc(p->room);
    p->len = (size_t)snprintf(p->text, p->room, "%s", TAKEOVER_HEAD);
    put_line(p, "talk", talk, NULL);
    for (size_t i = 0; (key = inherited_systemd(i, &fd)) != NULL; i++)
        put_socket(p, key, fd);
    listen_set_each(g->sockets, put_socket, p);
    admin_each_socket(g->admin, put_socket, p);
    put_line(p, "tickets", tickets_fd(g->tickets), NULL);
    if (admin_endpoints(g->admin) >= 0)
        put_line(p, "endpoints", admin_endpoints(g->admin), NULL);
}

/* --- the new one --- */

/* As the kernel was told to start us; a link in it may lead elsewhere by now. */
static char *program(void)
{
    const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);
    char cwd[PATH_MAX];

    if (name == NULL || name[0] == '/' || getcwd(cwd, sizeof(cwd)) == NULL)
        return name != NULL ? mem_strdup(name) : NULL;
    return mem_printf("%s/%s", cwd, name);
}

/* Our arguments, one behind the other, each with a NUL. The caller's to free(). */
static char *arguments(size_t *len, struct err *e)
{
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    char *all = mem_zalloc(ARGS_MAX + 1);
    ssize_t n = 1;

    for (*len = 0; fd >= 0 && n > 0 && *len < ARGS_MAX; *len += n > 0 ? (size_t)n : 0)
        n = read(fd, all + *len, ARGS_MAX - *len);
    if (fd < 0)
        err_set(e, "/proc/self/cmdline, where our arguments are");
    else if (n != 0 || *len == 0)
        err_setx(e, "our arguments cannot be read");
    if (fd >= 0)
        close(fd);
    if (fd >= 0 && n == 0 && *len > 0)
        return all;
    free(all);
    return NULL;
}

static char **split(char *all, size_t len)
{
    char **argv = mem_zalloc(sizeof(char *));
    size_t n = 0;

    for (size_t at = 0; at < len; at += strlen(all + at) + 1) {
        argv = mem_grow(argv, n + 2, sizeof(char *));
        argv[n++] = all + at;
        argv[n] = NULL;
    }
    return argv;
}

/* In the child. */
__attribute__((noreturn))
static void become(const struct handover *h, const struct parcel *p, int parcel_fd, int talk,
                   const struct notify *n, char **argv)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 };
    char number[16], why[WORD_MAX];

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], SIG_DFL);
    for (size_t i = 0; i < p->n; i++)
        (void)fcntl(p->fds[i], F_SETFD, 0);
    (void)fcntl(parcel_fd, F_SETFD, 0);
    snprintf(number, sizeof(number), "%d", parcel_fd);
    setenv(TAKEOVER_ENV, number, 1);
    notify_hand_on(n);
    execv(h->program, argv);
    snprintf(why, sizeof(why), "%scannot run %s: %s", TAKEOVER_FAILED, h->program,
             strerror(errno));
    (void)send(talk, why, strlen(why), MSG_NOSIGNAL);
    _exit(127);
}

static pid_t start(const struct handover *h, const struct handover_gift *g, int talk,
                   struct err *e)
{
    struct parcel p = { 0 };
    size_t len = 0;
    char *args = arguments(&len, e);
    pid_t pid = -1;

    if (args == NULL)
        return -1;
    char **argv = split(args, len);
    pack(&p, g, talk);
    int fd = p.len <= TAKEOVER_MAX ? memfile_write("takeover", p.text, p.len) : -1;
    if (fd < 0) {
        err_setx(e, "no file in memory could be made");
    } else {
        struct child_keep keep = { .n = p.n + 1, .inherited = true };
        int *fds = mem_zalloc((p.n + 1) * sizeof(int));
        memcpy(fds, p.fds, p.n * sizeof(int));
        fds[p.n] = fd;
        keep.fds = fds;
        pid = child_fork(h->loop, &keep, e);
        if (pid == 0)
            become(h, &p, fd, talk, g->notify, argv);
        free(fds);
        close(fd);
    }
    free(p.text);
    free(p.fds);
    free(argv);
    free(args);
    return pid;
}

/* --- what it says --- */

static void hang_up(struct handover *h)
{
    loop_timer_clear(h->patience);
    loop_fd_free(h->io);
    h->io = NULL;
    if (h->talk >= 0)
        close(h->talk);
    h->talk = -1;
}

/* Whether that is why it failed: then it is kept. */
static bool take_why(struct handover *h, const char *text)
{
    size_t failed = sizeof(TAKEOVER_FAILED) - 1;

    if (strncmp(text, TAKEOVER_FAILED, failed) != 0)
        return false;
    snprintf(h->why, sizeof(h->why), "%s", text + failed);
    return true;
}

/* The last words of one that is gone; whatever else it said counts no more. */
static void hear_why(struct handover *h)
{
    char text[WORD_MAX];

    for (ssize_t n; (n = recv(h->talk, text, sizeof(text) - 1, MSG_DONTWAIT)) > 0;) {
        text[n] = '\0';
        (void)take_why(h, text);
    }
}

/* Its workers, if it has any, serve what they have and go (role.h). */
static void end_it(struct handover *h, const char *why)
{
    snprintf(h->why, sizeof(h->why), "%s", why);
    hang_up(h);
    if (h->pid > 0)
        kill(h->pid, SIGKILL);
}

static void on_word(void *arg, unsigned ready)
{
    struct handover *h = arg;
    char text[WORD_MAX];

    (void)ready;
    ssize_t n = recv(h->talk, text, sizeof(text) - 1, MSG_DONTWAIT);
    if (n < 0)
        return;
    text[n] = '\0';
    if (n == 0) {
        loop_fd_want(h->io, 0); /* it has ended, or will be found to be silent */
    } else if (strcmp(text, TAKEOVER_READY) == 0) {
        h->done = true;
        loop_timer_clear(h->patience);
        loop_fd_want(h->io, 0);
        h->ev.done(h->ev.arg, h->pid);
    } else if (!take_why(h, text)) {
        end_it(h, "it speaks nonsense");
    }
}

static void on_patience(void *arg)
{
    end_it(arg, "it did not come to serve within a minute");
}

/* --- for the master --- */

bool handover_is_under_way(const struct handover *h)
{
    return h->pid > 0 && !h->done;
}

int handover_begin(struct handover *h, const struct handover_gift *g, struct err *e)
{
    int talk[2];

    if (getpid() == 1)
        return err_setx(e, "process 1 cannot be replaced: the container ends with it");
    if (h->program == NULL)
        return err_setx(e, "the file that sallyport was started from is not known");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, talk) != 0)
        return err_set(e, "cannot make a socket pair");
    h->why[0] = '\0';
    h->done = h->hangup = false;
    h->talk = talk[0];
    h->io = loop_fd_new(h->loop, talk[0], on_word, h);
    pid_t pid = -1;
    if (h->io == NULL || loop_fd_want(h->io, LOOP_READ) != 0)
        err_setx(e, "memory is out");
    else
        pid = start(h, g, talk[1], e);
    close(talk[1]);
    if (pid < 0) {
        hang_up(h);
        return -1;
    }
    h->pid = pid;
    (void)loop_timer_set(h->patience, PATIENCE_MS);
    return 0;
}

void handover_hangup(struct handover *h)
{
    h->hangup = true;
}

void handover_go(struct handover *h)
{
    (void)send(h->talk, TAKEOVER_GO, strlen(TAKEOVER_GO), MSG_NOSIGNAL);
    hang_up(h);
    if (h->hangup)
        kill(h->pid, SIGHUP);
}

void handover_cancel(struct handover *h, const char *why)
{
    if (h != NULL && handover_is_under_way(h))
        end_it(h, why);
}

bool handover_reaped(struct handover *h, pid_t pid, int wait_status)
{
    char how[CHILD_TEXT_MAX];

    if (h == NULL || h->pid != pid)
        return false;
    if (h->io != NULL && !h->done)
        hear_why(h);
    h->pid = 0;
    if (h->done) {
        log_error("process %ld, which had taken over, %s", (long)pid,
                  child_ending(wait_status, how));
        return true;
    }
    hang_up(h);
    log_error("process %ld did not take over, and this one goes on: %s", (long)pid,
              h->why[0] != '\0' ? h->why : child_ending(wait_status, how));
    return true;
}

struct handover *handover_new(struct loop *l, const struct handover_events *ev)
{
    struct handover *h = mem_zalloc(sizeof(*h));

    h->loop = l;
    h->ev = *ev;
    h->talk = -1;
    h->program = program();
    h->patience = loop_timer_new(l, on_patience, h);
    if (h->patience != NULL)
        return h;
    handover_free(h);
    return NULL;
}

void handover_free(struct handover *h)
{
    if (h == NULL)
        return;
    handover_cancel(h, "sallyport ends");
    hang_up(h);
    loop_timer_free(h->patience);
    free(h->program);
    free(h);
}
