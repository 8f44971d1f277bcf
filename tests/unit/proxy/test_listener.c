/*
 * The listener when accepting fails: accept4() is this program's own and fails as
 * it is told to, because the kernel cannot be made to fail in all these ways.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proxy/listener.h"

/* Each call takes one; behind the last, the last stays. 0: not used. */
static int failures[4];
static size_t calls;

int accept4(int fd, struct sockaddr *restrict addr, socklen_t *restrict len, int flags)
{
    if (failures[0] == 0)
        return (int)syscall(SYS_accept4, fd, addr, len, flags);
    errno = failures[calls];
    if (failures[calls + 1] != 0)
        calls++;
    return -1;
}

struct rig {
    struct loop *loop;
    struct accounts *accounts;
    struct conn_env env;
    struct conf_listener conf;
    struct snap_listener settings;
    struct snapshot snap;
    struct listener *listener;
    unsigned starved;
};

static void on_starved(void *arg)
{
    struct rig *r = arg;

    r->starved++;
}

static bool always_room(void *arg)
{
    (void)arg;
    return true;
}

static void rig_open(struct rig *r)
{
    struct err e = ERR_INIT;

    *r = (struct rig){ .loop = loop_new(&e), .snap = { .refs = 1 } };
    cr_assert_not_null(r->loop);
    r->accounts = accounts_new(1);
    cr_assert_not_null(r->accounts);
    conn_env_init(&r->env, r->loop, &r->accounts->v[0], NULL, NULL);
    r->settings.conf = &r->conf;
    r->listener = listener_new(&r->env, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), &r->snap,
                               &r->settings);
    cr_assert_not_null(r->listener);
    r->listener->room = always_room;
    r->listener->starved = on_starved;
    r->listener->arg = r;
}

static void rig_close(struct rig *r)
{
    failures[0] = 0;
    listener_free(r->listener);
    conn_env_free(&r->env);
    loop_free(r->loop);
    accounts_free(r->accounts);
    cr_assert_eq(r->snap.refs, 1);
}

/* Were it taken for the trouble of one connection, this would never end. */
Test(listener, what_may_last_pauses_it, .timeout = 5)
{
    static const int errors[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, EINVAL, EBADF, ENOTSOCK,
                                  EFAULT, EACCES, ENOSYS };

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct rig r;
        rig_open(&r);
        failures[0] = errors[i];
        failures[1] = 0;
        calls = 0;
        listener_empty_queue(r.listener);
        cr_expect_eq(r.starved, 1, "%s", strerror(errors[i]));
        cr_expect_eq(r.env.count->value[COUNTER_ACCEPT_ERRORS], 1, "%s", strerror(errors[i]));
        rig_close(&r);
    }
}

Test(listener, what_befell_one_connection_does_not_stop_the_next, .timeout = 5)
{
    static const int errors[] = { ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET,
                                  EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH, EPERM, ECONNRESET,
                                  ETIMEDOUT };

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        struct rig r;
        rig_open(&r);
        failures[0] = failures[1] = errors[i];
        failures[2] = EAGAIN;
        failures[3] = 0;
        calls = 0;
        listener_empty_queue(r.listener);
        cr_expect_eq(r.starved, 0, "%s", strerror(errors[i]));
        cr_expect_eq(r.env.count->value[COUNTER_ACCEPT_ERRORS], 2, "%s", strerror(errors[i]));
        rig_close(&r);
    }
}
