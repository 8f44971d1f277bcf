#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/channel.h"
#include "scratch.h"

/* One end is a channel, the other a channel or the bare descriptor. */
struct end {
    struct loop *loop;
    struct channel *ch;
    struct channel_msg last;
    off_t sizes[CHANNEL_FDS_MAX];   /* of the files that came with it */
    size_t nfds;
    unsigned messages, ends, stop_after;
    uint64_t expected;              /* number of the next message */
    bool free_at_message;
};

static int fds[2];
static struct end here;

static void on_message(void *arg, struct channel_msg *m)
{
    struct end *t = arg;

    t->last = *m;
    t->nfds = m->nfds;
    for (size_t i = 0; i < m->nfds; i++) {
        struct stat st;
        cr_assert_eq(fstat(m->fds[i], &st), 0);
        t->sizes[i] = st.st_size;
    }
    if (m->kind == CHANNEL_READY)
        cr_expect_eq(m->number, t->expected++);
    if (t->free_at_message) {
        channel_free(t->ch);
        t->ch = NULL;
    }
    if (++t->messages >= t->stop_after)
        loop_stop(t->loop);
}

static void on_closed(void *arg)
{
    struct end *t = arg;

    t->ends++;
    loop_stop(t->loop);
}

static void on_timeout(void *arg)
{
    loop_stop(arg);
}

/* The receiving end is fds[0]. */
static void setup(void)
{
    struct err e = ERR_INIT;

    here.loop = loop_new(&e);
    here.stop_after = 1;
    cr_assert_eq(channel_pair(fds, &e), 0, "%s", e.text);
    here.ch = channel_new(here.loop, fds[0], on_message, on_closed, &here);
    cr_assert_not_null(here.ch);
}

static void teardown(void)
{
    channel_free(here.ch);
    loop_free(here.loop);
}

TestSuite(channel, .init = setup, .fini = teardown);

/* Until loop_stop(), but no longer than this. */
static void run(void)
{
    struct loop_timer *t = loop_timer_new(here.loop, on_timeout, here.loop);

    loop_timer_set(t, 5000);
    loop_run(here.loop);
    loop_timer_free(t);
}

static void run_briefly(void)
{
    struct loop_timer *t = loop_timer_new(here.loop, on_timeout, here.loop);

    loop_timer_set(t, 20);
    loop_run(here.loop);
    loop_timer_free(t);
}

static void heard_nothing(void *arg, struct channel_msg *m)
{
    (void)arg;
    (void)m;
}

static void closed_nothing(void *arg)
{
    (void)arg;
}

static struct channel *other_end(void)
{
    struct channel *c = channel_new(here.loop, fds[1], heard_nothing, closed_nothing, NULL);

    cr_assert_not_null(c);
    return c;
}

/* A file that can be told by its size. */
static int file_of(size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);

    cr_assert_geq(fd, 0);
    cr_assert_eq(ftruncate(fd, (off_t)size), 0);
    return fd;
}

Test(channel, what_is_sent_arrives)
{
    struct channel *there = other_end();
    struct channel_msg m = { .kind = CHANNEL_FAILED, .number = UINT64_MAX - 1 };

    memset(m.text, 'x', sizeof(m.text) - 1);
    cr_assert_eq(channel_send(there, &m), 0);
    run();
    cr_expect_eq(here.last.kind, CHANNEL_FAILED);
    cr_expect_eq(here.last.number, UINT64_MAX - 1);
    cr_expect_str_eq(here.last.text, m.text);
    cr_expect_eq(here.nfds, 0);

    m = (struct channel_msg){ .kind = CHANNEL_LOG, .log_format = 1, .log_level = 3 };
    cr_assert_eq(channel_send(there, &m), 0);
    run();
    cr_expect_eq(here.last.kind, CHANNEL_LOG);
    cr_expect_eq(here.last.log_format, 1);
    cr_expect_eq(here.last.log_level, 3);
    cr_expect_str_eq(here.last.text, "");
    channel_free(there);
}

Test(channel, descriptors_left_are_closed_and_kept_ones_are_not)
{
    struct channel *there = other_end();
    int file = file_of(7);
    struct channel_msg m = { .kind = CHANNEL_LOG, .fds = &file, .nfds = 1 };
    unsigned before = scratch_open_fds();

    cr_assert_eq(channel_send(there, &m), 0);
    run();
    cr_expect_eq(here.nfds, 1);
    cr_expect_eq(here.sizes[0], 7);
    cr_expect_eq(scratch_open_fds(), before);
    cr_expect_neq(fcntl(file, F_GETFD), -1, "the sender's own was closed");
    close(file);
    channel_free(there);
}

Test(channel, many_descriptors_come_as_one_message_in_order)
{
    enum { N = 450 };
    struct channel *there = other_end();
    struct rlimit r = { 4096, 4096 };
    int files[N];
    struct channel_msg m = { .kind = CHANNEL_BUNDLE, .number = 9, .fds = files, .nfds = N };

    (void)setrlimit(RLIMIT_NOFILE, &r);
    for (size_t i = 0; i < N; i++)
        files[i] = file_of(i + 1);
    cr_assert_eq(channel_send(there, &m), 0);
    for (size_t i = 0; i < N; i++)
        close(files[i]);
    run();
    cr_expect_eq(here.messages, 1);
    cr_assert_eq(here.nfds, N);
    for (size_t i = 0; i < N; i++)
        cr_assert_eq(here.sizes[i], (off_t)i + 1, "descriptor %zu", i);
    channel_free(there);
}

Test(channel, what_finds_no_room_is_sent_later_in_order)
{
    struct channel *there = other_end();
    unsigned sent = 0, waiting = 0;
    int file = file_of(3);

    for (; waiting < 20; sent++) {
        struct channel_msg m = { .kind = CHANNEL_READY, .number = sent, .fds = &file, .nfds = 1 };
        cr_assert_eq(channel_send(there, &m), 0, "message %u", sent);
        waiting += !channel_flushed(there);
    }
    close(file);
    here.stop_after = sent;
    run();
    cr_expect_eq(here.messages, sent);
    cr_expect_eq(here.sizes[0], 3);
    cr_expect(channel_flushed(there));
    channel_free(there);
}

Test(channel, a_full_queue_refuses)
{
    struct channel *there = other_end();
    struct channel_msg m = { .kind = CHANNEL_DRAIN };
    unsigned sent = 0;

    while (sent < 100000 && channel_send(there, &m) == 0)
        sent++;
    cr_expect_lt(sent, 100000);
    cr_expect_not(channel_flushed(there));
    channel_free(there);
}

Test(channel, last_words_come_before_the_end)
{
    struct channel *there = other_end();

    here.stop_after = 100;
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(channel_send(there, &(struct channel_msg){ .kind = CHANNEL_READY,
                                                                .number = i }), 0);
    channel_free(there);
    run();
    cr_expect_eq(here.messages, 3);
    cr_expect_eq(here.ends, 1);
    run_briefly();
    cr_expect_eq(here.ends, 1, "told of the end again");
    cr_expect_eq(channel_send(here.ch, &(struct channel_msg){ .kind = CHANNEL_DRAIN }), -1);
}

Test(channel, may_be_freed_by_its_handler)
{
    struct channel *there = other_end();

    here.free_at_message = true;
    cr_assert_eq(channel_send(there, &(struct channel_msg){ .kind = CHANNEL_DRAIN }), 0);
    cr_assert_eq(channel_send(there, &(struct channel_msg){ .kind = CHANNEL_DRAIN }), 0);
    run();
    cr_expect_eq(here.messages, 1);
    channel_free(there);
}

/* --- damage: a true packet is taken off the wire and changed --- */

struct captured {
    char bytes[4096];
    size_t len;
};

static struct captured capture(const struct channel_msg *m)
{
    struct captured c;
    struct err e = ERR_INIT;
    int pair[2];

    cr_assert_eq(channel_pair(pair, &e), 0);
    struct channel *from = channel_new(here.loop, pair[0], heard_nothing, closed_nothing, NULL);
    cr_assert_eq(channel_send(from, m), 0);
    ssize_t n = recv(pair[1], c.bytes, sizeof(c.bytes), 0); /* a descriptor with it is dropped */
    cr_assert_gt(n, 16);
    c.len = (size_t)n;
    channel_free(from);
    close(pair[1]);
    return c;
}

/* As it is, with `file` (-1: none) riding on it. */
static void send_by_hand(const struct captured *c, int file)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { .align = { .cmsg_len = CMSG_LEN(sizeof(int)),
                             .cmsg_level = SOL_SOCKET,
                             .cmsg_type = SCM_RIGHTS } };
    struct captured copy = *c;
    struct iovec iov = { copy.bytes, copy.len };
    struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

    if (file >= 0) {
        memcpy(CMSG_DATA(&control.align), &file, sizeof(file));
        h.msg_control = control.bytes;
        h.msg_controllen = sizeof(control.bytes);
    }
    cr_assert_eq(sendmsg(fds[1], &h, 0), (ssize_t)copy.len);
}

/* The channel is to end, and no descriptor to leak. */
static void expect_end(const struct captured *c, bool with_file)
{
    int file = file_of(1);
    unsigned before = scratch_open_fds();

    send_by_hand(c, with_file ? file : -1);
    run();
    cr_expect_eq(here.messages, 0);
    cr_expect_eq(here.ends, 1);
    cr_expect_eq(scratch_open_fds(), before);
    close(file);
}

static struct captured plain(void)
{
    return capture(&(struct channel_msg){ .kind = CHANNEL_READY, .text = "fine" });
}

Test(channel, a_true_packet_sent_by_hand_is_taken)
{
    struct captured c = plain();

    send_by_hand(&c, -1);
    run();
    cr_expect_eq(here.messages, 1);
    cr_expect_str_eq(here.last.text, "fine");
}

/* Each message brings the next one, so there is always one more to read. */
struct flood {
    struct captured c;
    struct loop_task next;      /* whatever else the loop has to do */
    unsigned messages, messages_then;
};

static void on_flood(void *arg, struct channel_msg *m)
{
    struct flood *f = arg;

    (void)m;
    if (++f->messages < 5000)
        send_by_hand(&f->c, -1);
    else
        loop_stop(here.loop);
}

static void on_next(void *arg)
{
    struct flood *f = arg;

    f->messages_then = f->messages;
}

Test(channel, that_never_runs_dry_leaves_the_loop_its_turns)
{
    struct flood f = { .c = plain() };
    struct err e = ERR_INIT;

    channel_free(here.ch);
    cr_assert_eq(channel_pair(fds, &e), 0);
    here.ch = channel_new(here.loop, fds[0], on_flood, on_closed, &f);
    cr_assert_not_null(here.ch);
    loop_task_init(&f.next, on_next, &f);
    send_by_hand(&f.c, -1);
    loop_later(here.loop, &f.next);
    run();
    cr_expect_eq(f.messages, 5000, "all of them came");
    cr_expect_leq(f.messages_then, 100);
}

Test(channel, too_short)
{
    struct captured c = plain();

    c.len--;
    expect_end(&c, false);
}

Test(channel, too_long)
{
    struct captured c = plain();

    c.bytes[c.len++] = 0;
    expect_end(&c, false);
}

Test(channel, not_our_magic)
{
    struct captured c = plain();

    c.bytes[0] ^= 1;
    expect_end(&c, false);
}

Test(channel, no_such_kind)
{
    struct captured c = plain();

    c.bytes[4] = 99;
    expect_end(&c, false);
}

Test(channel, text_without_end)
{
    struct captured c = plain();

    memset(c.bytes + c.len - ERR_TEXT_MAX, 'x', ERR_TEXT_MAX);
    expect_end(&c, false);
}

Test(channel, a_descriptor_that_was_not_announced)
{
    struct captured c = plain();

    expect_end(&c, true);
}

Test(channel, an_announced_descriptor_that_is_not_there)
{
    int file = file_of(1);
    struct captured c = capture(&(struct channel_msg){ .kind = CHANNEL_LOG, .fds = &file,
                                                       .nfds = 1 });

    close(file);
    expect_end(&c, false);
}

#define WIRE_NFDS 24            /* where a packet says how many descriptors its message has */

Test(channel, half_a_message_followed_by_another)
{
    int file = file_of(1);
    struct channel_msg m = { .kind = CHANNEL_LOG, .fds = &file, .nfds = 1 };
    struct captured c = capture(&m);
    unsigned before = scratch_open_fds();

    c.bytes[WIRE_NFDS] = 2;
    send_by_hand(&c, file);
    run_briefly();
    cr_expect_eq(here.messages, 0, "half a message was delivered");
    cr_expect_eq(here.ends, 0);

    c.bytes[WIRE_NFDS] = 1;
    send_by_hand(&c, file);
    run();
    cr_expect_eq(here.messages, 0);
    cr_expect_eq(here.ends, 1);
    channel_free(here.ch);
    here.ch = NULL;
    cr_expect_eq(scratch_open_fds(), before - 1, "the half message's descriptor leaked");
    close(file);
}
