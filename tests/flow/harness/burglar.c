/*
 * Preloaded into the program (harness/burglar.py), it has one of its processes do, from within,
 * what somebody would who had broken into it: once, as soon as the process waits for its work,
 * and so when it is in its sandbox. BURGLAR is "PROCESS DEED ARGUMENT"; what came of it is a line
 * on stderr: "burglar: DEED: done", or "burglar: DEED: EACCES".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char name[32] = "master";       /* of this process; a child gives itself another */

static int dial(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&to, sizeof(to));
}

static int run(void)
{
    char *const args[] = { "sh", "-c", "echo burglar: exec: done >&2", NULL };
    char *const env[] = { NULL };

    return execve("/bin/sh", args, env);
}

static int be_two(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid < 0 || waitpid(pid, NULL, 0) != pid ? -1 : 0;
}

static int be_traced(const char *victim)
{
    long rc = atoi(victim) > 0 ? ptrace(PTRACE_SEIZE, atoi(victim), NULL, NULL)
                               : ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    return rc < 0 ? -1 : 0;
}

static int make_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? -1 : 0;
}

static int do_it(const char *deed, const char *arg)
{
    if (strcmp(deed, "open") == 0)
        return open(arg, O_RDONLY | O_CLOEXEC);
    if (strcmp(deed, "create") == 0)
        return open(arg, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (strcmp(deed, "exec") == 0)
        return run();
    if (strcmp(deed, "fork") == 0)
        return be_two();
    if (strcmp(deed, "socket") == 0)
        return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 4);  /* NETLINK_SOCK_DIAG */
    if (strcmp(deed, "packets") == 0)
        return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (strcmp(deed, "dial") == 0)
        return dial(atoi(arg));
    if (strcmp(deed, "ptrace") == 0)
        return be_traced(arg);
    if (strcmp(deed, "code") == 0)
        return make_code();
    if (strcmp(deed, "signal") == 0)    /* by a socket that is told whom to signal, and how */
        return fcntl(STDERR_FILENO, F_SETSIG, SIGKILL);
    errno = EINVAL;
    return -1;
}

static void consider(void)
{
    static int over;
    char who[32], deed[32], arg[4096] = "", line[128];
    const char *order = getenv("BURGLAR");
    int saved = errno;

    if (over || order == NULL || sscanf(order, "%31s %31s %4095s", who, deed, arg) < 2
        || strcmp(who, name) != 0)
        return;
    over = 1;
    int rc = do_it(deed, arg);
    int n = snprintf(line, sizeof(line), "burglar: %s: %s\n", deed,
                     rc >= 0 ? "done" : strerrorname_np(errno));
    (void)!write(STDERR_FILENO, line, (size_t)n);
    errno = saved;
}

/* A process is known by the name that it gave itself. */
int prctl(int option, ...)
{
    int (*next)(int, ...) = (int (*)(int, ...))dlsym(RTLD_NEXT, "prctl");
    unsigned long a[4];
    va_list ap;

    va_start(ap, option);
    for (int i = 0; i < 4; i++)
        a[i] = va_arg(ap, unsigned long);
    va_end(ap);
    if (option == PR_SET_NAME)
        snprintf(name, sizeof(name), "%s", (const char *)a[0]);
    return next(option, a[0], a[1], a[2], a[3]);
}

int epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    int (*next)(int, struct epoll_event *, int, int) =
        (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");

    consider();
    return next(fd, events, n, timeout);
}

/* The dialler waits for a message. */
ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    ssize_t (*next)(int, struct msghdr *, int) =
        (ssize_t (*)(int, struct msghdr *, int))dlsym(RTLD_NEXT, "recvmsg");

    if (strcmp(name, "sallyport-dial") == 0)
        consider();
    return next(fd, m, flags);
}

/* The loader writes down what it has read. */
int memfd_create(const char *title, unsigned flags)
{
    int (*next)(const char *, unsigned) =
        (int (*)(const char *, unsigned))dlsym(RTLD_NEXT, "memfd_create");

    if (strcmp(name, "sallyport-load") == 0)
        consider();
    return next(title, flags);
}
