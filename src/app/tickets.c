#include "app/tickets.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/memfile.h"
#include "base/log.h"
#include "base/mem.h"
#include "tls/ticket.h"

#define TURN_MS 3600000u
#define KEPT 3u                 /* as many as can be needed: a ticket lives for one turn */

struct tickets {
    struct loop_timer *hourly;
    int fd;                     /* the secrets, newest first */
    tickets_turned_fn *turned;
    void *arg;
};

/* A new descriptor: a fresh secret, and as many of `old` (-1: none) as are kept beside it. */
static int one_more(int old, struct err *e)
{
    uint8_t secrets[KEPT * TICKET_SECRET_LEN], *rest = secrets + TICKET_SECRET_LEN;
    size_t len = 0, most = sizeof(secrets) - TICKET_SECRET_LEN;
    void *before = old >= 0 ? memfile_read(old, sizeof(secrets), &len) : NULL;
    size_t keep = before == NULL ? 0 : len < most ? len : most;
    int fd = -1;

    if (keep > 0)
        memcpy(rest, before, keep);
    mem_wipe_free(before, len);
    if (getrandom(secrets, TICKET_SECRET_LEN, 0) != TICKET_SECRET_LEN)
        err_set(e, "no random bytes");
    else if ((fd = memfile_write("tickets", secrets, TICKET_SECRET_LEN + keep)) < 0)
        err_set(e, "cannot make a file in memory");
    explicit_bzero(secrets, sizeof(secrets));
    return fd;
}

void tickets_turn(struct tickets *t)
{
    struct err e = ERR_INIT;
    int fd = one_more(t->fd, &e);

    if (fd < 0) {
        log_error("session tickets keep their keys for another hour: %s", e.text);
        return;
    }
    close(t->fd);
    t->fd = fd;
    t->turned(t->arg);
}

static void on_hour(void *arg)
{
    struct tickets *t = arg;

    (void)loop_timer_set(t->hourly, TURN_MS);
    tickets_turn(t);
}

int tickets_send(const struct tickets *t, struct channel *to)
{
    int fd = t->fd;
    struct channel_msg m = { .kind = CHANNEL_TICKETS, .fds = &fd, .nfds = 1 };

    return channel_send(to, &m);
}

void tickets_take(const struct channel_msg *m, struct worker *w)
{
    size_t len = 0;
    uint8_t *secrets =
        m->nfds == 1 ? memfile_read(m->fds[0], KEPT * TICKET_SECRET_LEN, &len) : NULL;

    if (secrets == NULL)
        log_error("new keys for session tickets did not arrive");
    else
        worker_tickets(w, secrets, len / TICKET_SECRET_LEN);
    mem_wipe_free(secrets, len);
}

static bool has_secrets(int fd)
{
    struct stat st;

    return fd >= 0 && memfile_is_sealed(fd) && fstat(fd, &st) == 0 && st.st_size > 0
        && st.st_size % TICKET_SECRET_LEN == 0
        && st.st_size <= (off_t)(KEPT * TICKET_SECRET_LEN);
}

int tickets_fd(const struct tickets *t)
{
    return t->fd;
}

struct tickets *tickets_new(struct loop *l, int secrets, tickets_turned_fn *turned, void *arg,
                            struct err *e)
{
    struct tickets *t = mem_zalloc(sizeof(*t));

    if (secrets >= 0 && !has_secrets(secrets)) {
        close(secrets);
        secrets = -1;
    }
    *t = (struct tickets){ .turned = turned, .arg = arg,
                           .fd = secrets >= 0 ? secrets : one_more(-1, e) };
    if (t->fd >= 0) {
        t->hourly = loop_timer_new(l, on_hour, t);
        if (t->hourly != NULL && loop_timer_set(t->hourly, TURN_MS) == 0)
            return t;
        err_setx(e, "memory is out");
    }
    tickets_free(t);
    return NULL;
}

void tickets_free(struct tickets *t)
{
    if (t == NULL)
        return;
    loop_timer_free(t->hourly);
    if (t->fd >= 0)
        close(t->fd);
    free(t);
}
