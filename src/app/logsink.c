#include "app/logsink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

/* The descriptor behind the log sink if it is a file of ours, else -1. */
static int owned = -1;

static void use(int fd, int own, enum log_format format, enum log_level level)
{
    log_set(&(struct log_sink){ .fd = fd, .format = format, .level = level });
    if (owned >= 0 && owned != own)
        close(owned);
    owned = own;
}

/* Non-blocking matters for what is no regular file: a FIFO nobody reads must stop
   neither the start nor, later, the work. */
#define LOG_OPEN (O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

static int open_file(const char *path, struct err *e)
{
    int fd = open(path, LOG_OPEN | O_CREAT, 0640);

    if (fd < 0)
        return err_set(e, "cannot be opened");
    return fd;
}

static bool is_word(const char *target)
{
    return strchr(target, '/') == NULL;
}

/* In the directory of the path a file can be made. */
static bool can_create(const char *path)
{
    char dir[PATH_MAX];
    int n = (int)(strrchr(path, '/') - path);

    if (snprintf(dir, sizeof(dir), "%.*s/", n, path) >= (int)sizeof(dir)) {
        errno = ENAMETOOLONG;
        return false;
    }
    return access(dir, W_OK | X_OK) == 0;
}

int logsink_check(const char *target, struct err *e)
{
    if (is_word(target))
        return 0;

    int fd = open(target, LOG_OPEN);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    if (errno == ENOENT && can_create(target))
        return 0;
    return err_set(e, "cannot be opened");
}

int logsink_open(const char *target, enum log_format format, enum log_level level, struct err *e)
{
    if (strcmp(target, "stdout") == 0) {
        use(STDOUT_FILENO, -1, format, level);
    } else if (strcmp(target, "stderr") == 0) {
        use(STDERR_FILENO, -1, format, level);
    } else if (strcmp(target, "syslog") == 0) {
        openlog("sallyport", LOG_PID, LOG_DAEMON);
        use(-1, -1, format, level);
    } else {
        int fd = open_file(target, e);
        if (fd < 0)
            return -1;
        use(fd, fd, format, level);
    }
    return 0;
}

void logsink_send(struct channel *to)
{
    struct log_sink sink = log_get();
    struct channel_msg m = {
        .kind = CHANNEL_LOG,
        .log_format = (int)sink.format,
        .log_level = (int)sink.level,
        .fds = &sink.fd,
        .nfds = sink.fd >= 0 ? 1 : 0,
    };

    (void)channel_send(to, &m);
}

void logsink_take(struct channel_msg *m)
{
    int fd = m->nfds == 1 ? m->fds[0] : -1;

    if (m->nfds == 1)
        m->fds[0] = -1;
    else
        openlog("sallyport", LOG_PID, LOG_DAEMON);
    use(fd, fd, (enum log_format)m->log_format, (enum log_level)m->log_level);
}

void logsink_forked(void)
{
    if (log_get().fd < 0)
        closelog();
}

void logsink_close(void)
{
    struct log_sink s = log_get();

    use(STDERR_FILENO, -1, s.format, s.level);
}
