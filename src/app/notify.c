#include "app/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define STATUS_MS 10000u        /* between two looks at how it goes */
#define PATIENCE_S 1            /* with a manager that reads nothing */

struct notify {
    struct notify_asks asks;
    int fd;                     /* connected; -1: nobody is to be told */
    char *where;                /* NOTIFY_SOCKET */
    uint64_t watchdog_us;       /* 0: none */
    struct loop_timer *timer;
    char told[NOTIFY_STATUS_MAX];       /* the last status */
};

/* --- the socket --- */

/* "/path", or "@name" of an abstract one. -1 when it is neither. */
static int connect_to(const char *where)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    struct timeval patience = { .tv_sec = PATIENCE_S };
    size_t len = strlen(where);

    if ((where[0] != '/' && where[0] != '@') || len < 2 || len >= sizeof(to.sun_path)) {
        errno = EINVAL;
        return -1;
    }
    memcpy(to.sun_path, where, len);
    if (where[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path)
                                                        + len)) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static void send_text(struct notify *n, const char *text, int flags)
{
    if (send(n->fd, text, strlen(text), MSG_NOSIGNAL | flags) < 0 && errno != EAGAIN)
        log_debug("systemd cannot be told: %s", strerror(errno));
}

static bool is_off(const struct notify *n)
{
    return n == NULL || n->fd < 0;
}

/* What it says, and how it goes. */
__attribute__((format(printf, 2, 3)))
static void tell(struct notify *n, const char *fmt, ...)
{
    char text[128 + NOTIFY_STATUS_MAX];
    va_list ap;

    if (is_off(n))
        return;
    va_start(ap, fmt);
    int len = vsnprintf(text, 128, fmt, ap);
    va_end(ap);
    n->asks.status(n->asks.arg, n->told);
    snprintf(text + len, sizeof(text) - (size_t)len, "STATUS=%s\n", n->told);
    send_text(n, text, 0);
}

/* --- now and then --- */

static uint64_t period_ms(const struct notify *n)
{
    uint64_t half = n->watchdog_us / 2000u;

    return half > 0 && half < STATUS_MS ? half : STATUS_MS;
}

static void on_timer(void *arg)
{
    struct notify *n = arg;
    char status[NOTIFY_STATUS_MAX], text[64 + NOTIFY_STATUS_MAX];

    (void)loop_timer_set(n->timer, period_ms(n));
    n->asks.status(n->asks.arg, status);
    bool news = strcmp(status, n->told) != 0;
    bool alive = n->watchdog_us > 0 && n->asks.well(n->asks.arg);
    if (!news && !alive)
        return;
    snprintf(n->told, sizeof(n->told), "%s", status);
    snprintf(text, sizeof(text), "%s%s%s%s", alive ? "WATCHDOG=1\n" : "",
             news ? "STATUS=" : "", news ? status : "", news ? "\n" : "");
    send_text(n, text, MSG_DONTWAIT);
}

/* --- what there is to tell --- */

void notify_ready(struct notify *n)
{
    tell(n, "READY=1\n");
}

void notify_reloading(struct notify *n)
{
    tell(n, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n", clock_mono_us());
}

void notify_stopping(struct notify *n)
{
    tell(n, "STOPPING=1\n");
}

void notify_extend(struct notify *n, uint64_t ms)
{
    tell(n, "EXTEND_TIMEOUT_USEC=%" PRIu64 "\n", ms * 1000u);
}

void notify_main_pid(struct notify *n, pid_t pid)
{
    tell(n, "MAINPID=%ld\n", (long)pid);
    if (is_off(n))
        return;
    close(n->fd);
    n->fd = -1;
    loop_timer_clear(n->timer);
}

void notify_hand_on(const struct notify *n)
{
    char number[24];

    if (is_off(n))
        return;
    setenv("NOTIFY_SOCKET", n->where, 1);
    snprintf(number, sizeof(number), "%" PRIu64, n->watchdog_us);
    if (n->watchdog_us > 0)
        setenv("WATCHDOG_USEC", number, 1);
}

/* --- life --- */

/* 0: nobody waits for it, or for another process. */
static uint64_t watchdog_us(void)
{
    const char *us = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t n = 0, whose;

    if (us == NULL || !str_u64(str_span(us), UINT64_MAX, &n))
        return 0;
    if (pid != NULL && (!str_u64(str_span(pid), INT32_MAX, &whose) || (pid_t)whose != getpid()))
        return 0;
    return n;
}

struct notify *notify_new(struct loop *l, const struct notify_asks *asks)
{
    struct notify *n = mem_zalloc(sizeof(*n));
    const char *where = getenv("NOTIFY_SOCKET");

    n->asks = *asks;
    n->fd = -1;
    n->watchdog_us = watchdog_us();
    if (where != NULL && where[0] != '\0') {
        n->where = mem_strdup(where);
        n->fd = connect_to(where);
        if (n->fd < 0)
            log_warn("NOTIFY_SOCKET=%s: %s; systemd is not told how it goes", where,
                     strerror(errno));
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    n->timer = loop_timer_new(l, on_timer, n);
    if (n->timer != NULL && (n->fd < 0 || loop_timer_set(n->timer, period_ms(n)) == 0))
        return n;
    notify_free(n);
    return NULL;
}

void notify_free(struct notify *n)
{
    if (n == NULL)
        return;
    loop_timer_free(n->timer);
    if (n->fd >= 0)
        close(n->fd);
    free(n->where);
    free(n);
}
