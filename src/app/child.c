#include "app/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/logsink.h"
#include "base/log.h"

static bool kept(int fd, const struct child_keep *keep)
{
    if (fd <= STDERR_FILENO || fd == log_get().fd)
        return true;
    for (size_t i = 0; i < keep->n; i++)
        if (keep->fds[i] == fd)
            return true;
    return false;
}

static void consider(int fd, const struct child_keep *keep)
{
    if (kept(fd, keep))
        return;

    int flags = fcntl(fd, F_GETFD);
    if (flags >= 0 && (!keep->inherited || (flags & FD_CLOEXEC)))
        close(fd);
}

static void close_others(const struct child_keep *keep)
{
    DIR *dir = opendir("/proc/self/fd");

    if (dir == NULL) { /* no /proc: try every number there can be */
        struct rlimit r;
        int end = getrlimit(RLIMIT_NOFILE, &r) == 0 ? (int)r.rlim_cur : 65536;
        for (int fd = STDERR_FILENO + 1; fd < end; fd++)
            consider(fd, keep);
        return;
    }
    for (struct dirent *d; (d = readdir(dir)) != NULL;) {
        int fd = atoi(d->d_name); /* "." and "..": 0, which stays */
        if (fd != dirfd(dir))
            consider(fd, keep);
    }
    closedir(dir);
}

static void reset_signals(void)
{
    static const int group[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 };

    for (size_t i = 0; i < sizeof(group) / sizeof(group[0]); i++)
        signal(group[i], SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
}

pid_t child_fork(struct loop *parent, const struct child_keep *keep, struct err *e)
{
    sigset_t all, before;

    /* No signal may reach the child while it still has the master's handlers:
       they write into a pipe that the two share. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        loop_abandon(parent);
        reset_signals();
        log_forget();
        logsink_forked();
        close_others(keep);
    } else if (pid < 0) {
        err_set(e, "cannot start a process");
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

char *child_ending(int st, char out[CHILD_TEXT_MAX])
{
    if (WIFSIGNALED(st))
        snprintf(out, CHILD_TEXT_MAX, "was killed by signal %d (%s)", WTERMSIG(st),
                 strsignal(WTERMSIG(st)));
    else
        snprintf(out, CHILD_TEXT_MAX, "ended with status %d", WEXITSTATUS(st));
    return out;
}
