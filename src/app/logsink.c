#include "app/logsink.h"

#include <fcntl.h>
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
static int open_file(const char *path, struct err *e)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);

    if (fd < 0)
        return err_set(e, "cannot open the log %s", path);
    return fd;
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

void logsink_adopt(int fd, enum log_format format, enum log_level level)
{
    if (fd < 0)
        openlog("sallyport", LOG_PID, LOG_DAEMON);
    use(fd, fd, format, level);
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
