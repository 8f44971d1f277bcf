#include "app/inherited.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/sock.h"

#define LISTEN_FDS_START 3      /* sd_listen_fds(3) */
#define LISTEN_FDS_MAX 4096

struct item {
    char *key;
    int fd;
};

static struct {
    struct item *v;
    size_t n;
    bool leave_files;
} all;

static bool is_systemds(const struct item *i)
{
    return strncmp(i->key, INHERITED_SYSTEMD, sizeof(INHERITED_SYSTEMD) - 1) == 0;
}

void inherited_add(const char *key, int fd)
{
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    all.v = mem_append(all.v, all.n, sizeof(all.v[0]));
    all.v[all.n++] = (struct item){ mem_strdup(key), fd };
}

/* 0 when they are not for us. */
static uint64_t listen_fds(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    uint64_t whose, n;

    if (pid == NULL || fds == NULL || !str_u64(str_span(pid), INT32_MAX, &whose)
        || (pid_t)whose != getpid() || !str_u64(str_span(fds), LISTEN_FDS_MAX, &n))
        return 0;
    return n;
}

void inherited_from_systemd(void)
{
    const char *names = getenv("LISTEN_FDNAMES"), *at = names != NULL ? names : "";
    uint64_t n = listen_fds();

    for (uint64_t i = 0; i < n; i++) {
        size_t len = strcspn(at, ":");
        char *key = len > 0 ? mem_printf(INHERITED_SYSTEMD "%.*s", (int)len, at)
                            : mem_strdup(INHERITED_SYSTEMD "unknown");
        if (fcntl(LISTEN_FDS_START + (int)i, F_GETFD) >= 0)
            inherited_add(key, LISTEN_FDS_START + (int)i);
        free(key);
        at += at[len] == ':' ? len + 1 : len;
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

size_t inherited_count(const char *key)
{
    size_t n = 0;

    for (size_t i = 0; i < all.n; i++)
        n += strcmp(all.v[i].key, key) == 0;
    return n;
}

static void forget(size_t i)
{
    free(all.v[i].key);
    memmove(&all.v[i], &all.v[i + 1], (--all.n - i) * sizeof(all.v[0]));
}

int inherited_take(const char *key)
{
    for (size_t i = 0; i < all.n; i++) {
        if (strcmp(all.v[i].key, key) != 0)
            continue;
        int fd = all.v[i].fd;
        if (is_systemds(&all.v[i]))
            return fcntl(fd, F_DUPFD_CLOEXEC, LISTEN_FDS_START);
        forget(i);
        return fd;
    }
    return -1;
}

void inherited_close_rest(void)
{
    for (size_t i = all.n; i-- > 0;)
        if (!is_systemds(&all.v[i])) {
            struct addr a;
            if (sock_local_addr(all.v[i].fd, &a) == 0 && a.u.sa.sa_family == AF_UNIX
                && a.u.un.sun_path[0] == '/')
                (void)unlink(a.u.un.sun_path);
            close(all.v[i].fd);
            forget(i);
        }
}

/* The names that systemd gave, with commas between; "" when there are none. */
static char *names(void)
{
    char *list = mem_strdup("");

    for (size_t i = 0; i < all.n; i++)
        if (is_systemds(&all.v[i]))
            list = mem_join(list, ", ", all.v[i].key + sizeof(INHERITED_SYSTEMD) - 1);
    return list;
}

static const char *name_of(const struct addr *a)
{
    return a->u.un.sun_path + sizeof(INHERITED_SYSTEMD) - 1;
}

static void complain(const struct addr *a, size_t n, struct err *e)
{
    char *list = names();

    if (n > 1)
        err_setx(e, "systemd handed over %zu sockets named %s", n, name_of(a));
    else if (list[0] != '\0')
        err_setx(e, "systemd handed over no socket named %s; it has %s", name_of(a), list);
    else
        err_setx(e, "systemd handed over no sockets");
    free(list);
}

int inherited_from_name(const struct addr *a, struct err *e)
{
    size_t n = inherited_count(a->u.un.sun_path);

    if (n != 1) {
        complain(a, n, e);
        return -1;
    }
    int fd = inherited_take(a->u.un.sun_path);
    if (fd < 0)
        return err_set(e, "cannot copy the socket");
    if (sock_adopt(fd, e) == 0)
        return fd;
    close(fd);
    return err_wrap(e, "systemd's socket %s", name_of(a));
}

char *inherited_hint(const struct addr *a)
{
    return mem_printf("a .socket unit with one ListenStream= and FileDescriptorName=%s has to "
                      "start sallyport, or the service's Sockets= to name that unit", name_of(a));
}

void inherited_leave_files(bool leave)
{
    all.leave_files = leave;
}

bool inherited_files_stay(void)
{
    return all.leave_files;
}

const char *inherited_systemd(size_t i, int *fd)
{
    for (size_t k = 0; k < all.n; k++) {
        if (!is_systemds(&all.v[k]) || i-- > 0)
            continue;
        *fd = all.v[k].fd;
        return all.v[k].key;
    }
    return NULL;
}
