#include "app/spawn.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "app/channel.h"
#include "app/child.h"
#include "base/log.h"

/* --- as a process --- */

static void process_done(void *arg)
{
    loop_stop(arg);
}

static int work(const struct spawn_spec *spec, int fd, struct err *e)
{
    char name[16]; /* what ps and top show, as much as the kernel keeps */

    snprintf(name, sizeof(name), "sallyport-w%zu", spec->index % 10000);
    prctl(PR_SET_NAME, name);
    if (privs_drop(spec->privs, e) != 0 || sandbox_enter(spec->sandbox, SANDBOX_WORKER, e) != 0) {
        close(fd);
        return -1;
    }

    struct loop *l = loop_new(e);
    if (l == NULL) {
        close(fd);
        return -1;
    }
    struct role *r = role_new(l, fd, spec->accounts, spec->index, process_done, l, e);
    if (r != NULL)
        loop_run(l);
    role_free(r);
    loop_free(l);
    return r != NULL ? 0 : -1;
}

static int spawn_process(const struct spawn_spec *spec, int ours, int theirs, struct spawned *out,
                         struct err *e)
{
    pid_t pid = child_fork(spec->loop, &(struct child_keep){ .fds = &theirs, .n = 1 }, e);

    if (pid == 0) {
        int rc = work(spec, theirs, e);
        if (rc != 0)
            log_error("worker %zu: %s", spec->index, e->text);
        exit(rc == 0 ? 0 : 1);
    }
    close(theirs);
    if (pid < 0)
        return -1;
    *out = (struct spawned){ .pid = pid, .fd = ours };
    return 0;
}

/* --- on our own loop --- */

static void foreground_done(void *arg)
{
    struct spawned *s = arg;

    spawn_kill(s);
}

static int spawn_foreground(const struct spawn_spec *spec, int ours, int theirs,
                            struct spawned *out, struct err *e)
{
    *out = (struct spawned){ .fd = ours };
    out->role = role_new(spec->loop, theirs, spec->accounts, spec->index, foreground_done, out, e);
    return out->role != NULL ? 0 : -1;
}

int spawn_worker(const struct spawn_spec *spec, struct spawned *out, struct err *e)
{
    int fds[2];

    if (channel_pair(fds, e) != 0)
        return -1;

    int rc = spec->foreground ? spawn_foreground(spec, fds[0], fds[1], out, e)
                              : spawn_process(spec, fds[0], fds[1], out, e);
    if (rc != 0)
        close(fds[0]);
    return rc;
}

void spawn_kill(struct spawned *s)
{
    if (s->pid > 0)
        kill(s->pid, SIGKILL);
    role_free(s->role);
    s->role = NULL;
}
