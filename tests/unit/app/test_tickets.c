#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "app/tickets.h"
#include "tls/ticket.h"

#define LEN TICKET_SECRET_LEN

static struct loop *loop;
static int fds[2];
static uint8_t got[8 * LEN];
static size_t len;
static unsigned turns;

static void on_message(void *arg, struct channel_msg *m)
{
    (void)arg;
    cr_assert_eq(m->kind, CHANNEL_TICKETS);
    cr_assert_eq(m->nfds, 1);
    len = (size_t)pread(m->fds[0], got, sizeof(got), 0);
    cr_assert_eq(pwrite(m->fds[0], "x", 1, 0), -1, "a worker could change what others are sent");
    loop_stop(loop);
}

static void on_closed(void *arg)
{
    (void)arg;
    cr_assert(false);
}

static void on_turn(void *arg)
{
    cr_assert_eq(arg, &turns);
    turns++;
}

static void receive(const struct tickets *t, struct channel *to)
{
    cr_assert_eq(tickets_send(t, to), 0);
    loop_run(loop);
}

Test(tickets, three_are_kept_and_the_newest_is_first)
{
    struct err e = ERR_INIT;
    uint8_t before[8 * LEN];
    struct tickets *t;

    loop = loop_new(&e);
    cr_assert_eq(channel_pair(fds, &e), 0);
    struct channel *to = channel_new(loop, fds[0], on_message, on_closed, NULL);
    struct channel *from = channel_new(loop, fds[1], on_message, on_closed, NULL);
    t = tickets_new(loop, -1, on_turn, &turns, &e);
    cr_assert_not_null(t, "%s", e.text);

    receive(t, to);
    cr_assert_eq(len, LEN);
    for (unsigned n = 2; n < 6; n++) {
        memcpy(before, got, sizeof(before));
        tickets_turn(t);
        cr_assert_eq(turns, n - 1);
        receive(t, to);
        cr_assert_eq(len, (n < 3 ? n : 3) * LEN);
        cr_assert_neq(memcmp(got, before, LEN), 0);
        cr_assert_eq(memcmp(got + LEN, before, len - LEN), 0);
    }
    tickets_free(t);
    channel_free(to);
    channel_free(from);
    loop_free(loop);
}
