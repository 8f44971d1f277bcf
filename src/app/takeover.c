#include "app/takeover.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/inherited.h"
#include "app/memfile.h"
#include "base/mem.h"
#include "base/str.h"

struct takeover {
    int talk, tickets, endpoints;       /* -1: none */
    struct loop_fd *io;
    void (*go)(void *arg);
    void *arg;
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* --- what was handed over --- */

static void keep(int *slot, int fd)
{
    close_fd(slot);
    *slot = fd;
}

/* "WORD FD" or "WORD FD KEY", without its end. */
static int read_line(struct takeover *t, char *line, struct err *e)
{
    char *number = strchr(line, ' '), *key = NULL;
    uint64_t n;

    if (number != NULL) {
        *number++ = '\0';
        key = strchr(number, ' ');
    }
    if (key != NULL)
        *key++ = '\0';
    if (number == NULL || !str_u64(str_span(number), INT32_MAX, &n))
        return err_setx(e, "a line of what is handed over is damaged");

    int fd = (int)n;
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return err_set(e, "descriptor %d was not handed over", fd);
    if (strcmp(line, "talk") == 0)
        keep(&t->talk, fd);
    else if (strcmp(line, "socket") == 0 && key != NULL)
        inherited_add(key, fd);
    else if (strcmp(line, "tickets") == 0)
        keep(&t->tickets, fd);
    else if (strcmp(line, "endpoints") == 0)
        keep(&t->endpoints, fd);
    else
        close(fd);
    return 0;
}

static int read_lines(struct takeover *t, char *text, struct err *e)
{
    size_t head = sizeof(TAKEOVER_HEAD) - 1;

    if (strncmp(text, TAKEOVER_HEAD, head) != 0)
        return err_setx(e, "the sallyport that runs hands over in a way this version does not "
                           "know");
    for (char *line = text + head, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        if (read_line(t, line, e) != 0)
            return -1;
    }
    return t->talk >= 0 ? 0 : err_setx(e, "there is nobody to talk to");
}

int takeover_receive(struct takeover **out, struct err *e)
{
    const char *value = getenv(TAKEOVER_ENV);
    uint64_t fd;
    size_t len = 0;

    *out = NULL;
    if (value == NULL)
        return 0;
    bool good = str_u64(str_span(value), INT32_MAX, &fd) && memfile_is_sealed((int)fd);
    unsetenv(TAKEOVER_ENV);
    if (!good)
        return err_setx(e, "%s is set, and not by a sallyport", TAKEOVER_ENV);
    char *text = memfile_read((int)fd, TAKEOVER_MAX, &len);
    close((int)fd);
    if (text == NULL)
        return err_set(e, "what is handed over cannot be read");

    struct takeover *t = mem_zalloc(sizeof(*t));
    *t = (struct takeover){ .talk = -1, .tickets = -1, .endpoints = -1 };
    inherited_leave_files(true);        /* they are the old one's until it says so */
    int rc = read_lines(t, text, e);
    free(text);
    if (rc == 0) {
        *out = t;
        return 0;
    }
    takeover_fail(t, e->text);
    takeover_free(t);
    return -1;
}

static int give_away(int *slot)
{
    int fd = *slot;

    *slot = -1;
    return fd;
}

int takeover_tickets(struct takeover *t)
{
    return t != NULL ? give_away(&t->tickets) : -1;
}

int takeover_endpoints(struct takeover *t)
{
    return t != NULL ? give_away(&t->endpoints) : -1;
}

/* --- the end of it --- */

static void say(const struct takeover *t, const char *text)
{
    if (t->talk >= 0)
        (void)send(t->talk, text, strlen(text), MSG_NOSIGNAL);
}

/* "go", or the end of the old one. */
static void on_word(void *arg, unsigned ready)
{
    struct takeover *t = arg;
    char text[64];

    (void)ready;
    if (recv(t->talk, text, sizeof(text), MSG_DONTWAIT) < 0)
        return;
    loop_fd_free(t->io);
    t->io = NULL;
    close_fd(&t->talk);
    t->go(t->arg);
}

int takeover_ready(struct takeover *t, struct loop *l, void (*go)(void *arg), void *arg)
{
    if (t == NULL)
        return 0;
    t->go = go;
    t->arg = arg;
    t->io = loop_fd_new(l, t->talk, on_word, t);
    if (t->io == NULL || loop_fd_want(t->io, LOOP_READ) != 0)
        return -1;
    say(t, TAKEOVER_READY);
    return 0;
}

void takeover_fail(struct takeover *t, const char *why)
{
    char text[ERR_TEXT_MAX + sizeof(TAKEOVER_FAILED)];

    if (t == NULL)
        return;
    snprintf(text, sizeof(text), "%s%s", TAKEOVER_FAILED, why);
    say(t, text);
}

void takeover_free(struct takeover *t)
{
    if (t == NULL)
        return;
    loop_fd_free(t->io);
    close_fd(&t->talk);
    close_fd(&t->tickets);
    close_fd(&t->endpoints);
    free(t);
}
