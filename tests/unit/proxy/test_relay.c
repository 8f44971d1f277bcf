/*
 * The relay between two raw streams, whose other ends the test holds. Blocking is
 * made by small socket buffers and by not reading.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/relay.h"

struct rig {
    struct loop *loop;
    struct bufpool pool;
    struct stream client, upstream;
    struct relay relay;
    struct stream *failed;
    enum relay_status status;
    int c, u;                   /* our ends */
    int turns;
};

static void on_wake(void *arg)
{
    struct rig *r = arg;

    r->status = relay_turn(&r->relay, &r->pool, &r->failed);
    r->turns++;
    loop_stop(r->loop);
}

static void tcp_pair(int pair[2])
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(bind(l, (struct sockaddr *)&a, sizeof(a)), 0);
    cr_assert_eq(listen(l, 1), 0);
    cr_assert_eq(getsockname(l, (struct sockaddr *)&a, &len), 0);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(pair[0], (struct sockaddr *)&a, sizeof(a)), 0);
    pair[1] = accept(l, NULL, NULL);
    close(l);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
}

static void rig_open(struct rig *r)
{
    struct err e = ERR_INIT;
    int client[2], upstream[2];

    *r = (struct rig){ .loop = loop_new(&e) };
    cr_assert_not_null(r->loop);
    tcp_pair(client);
    tcp_pair(upstream);
    r->c = client[0];
    r->u = upstream[0];
    cr_assert_eq(stream_open(&r->client, r->loop, client[1], on_wake, r), 0);
    cr_assert_eq(stream_open(&r->upstream, r->loop, upstream[1], on_wake, r), 0);
    relay_init(&r->relay, &r->client, &r->upstream);
    r->status = relay_turn(&r->relay, &r->pool, &r->failed);
    cr_assert_eq(r->status, RELAY_WAIT);
}

static void rig_close(struct rig *r)
{
    relay_drop(&r->relay, &r->pool);
    cr_expect_eq(r->pool.nlent, 0);
    bufpool_free(&r->pool);
    stream_close(&r->client);
    stream_close(&r->upstream);
    if (r->c >= 0)
        close(r->c);
    if (r->u >= 0)
        close(r->u);
    loop_free(r->loop);
}

static void turn(struct rig *r)
{
    if (r->status == RELAY_MORE)
        on_wake(r);
    else
        loop_run(r->loop);
}

/* Turns until `fd` has `n` bytes or its end; what was read is in p. */
static size_t receive(struct rig *r, int fd, char *p, size_t n)
{
    size_t got = 0;

    for (int i = 0; i < 1000 && got < n; i++) {
        ssize_t x = read(fd, p + got, n - got);
        if (x > 0)
            got += (size_t)x;
        else if (x == 0)
            break;
        else if (r->status <= RELAY_MORE)
            turn(r);
        else
            break;
    }
    return got;
}

Test(relay, bytes_pass_both_ways_and_an_idle_relay_holds_no_block)
{
    struct rig r;
    char p[16];

    rig_open(&r);
    cr_assert_eq(write(r.c, "ping", 4), 4);
    cr_expect_eq(receive(&r, r.u, p, 4), 4);
    cr_assert_eq(write(r.u, "pong!", 5), 5);
    cr_expect_eq(receive(&r, r.c, p, 5), 5);
    cr_expect_eq(memcmp(p, "pong!", 5), 0);
    cr_expect_eq(r.relay.up.bytes, 4);
    cr_expect_eq(r.relay.down.bytes, 5);
    cr_expect_eq(r.pool.nlent, 0);
    rig_close(&r);
}

Test(relay, a_half_close_passes_and_the_other_direction_goes_on)
{
    struct rig r;
    char p[16];

    rig_open(&r);
    cr_assert_eq(write(r.c, "all", 3), 3);
    shutdown(r.c, SHUT_WR);
    cr_expect_eq(receive(&r, r.u, p, sizeof(p)), 3, "bytes, then the end");
    cr_expect_eq(r.status, RELAY_WAIT);
    cr_assert_eq(write(r.u, "answer", 6), 6);
    cr_expect_eq(receive(&r, r.c, p, 6), 6);
    shutdown(r.u, SHUT_WR);
    turn(&r);
    cr_expect_eq(r.status, RELAY_DONE);
    cr_expect(!r.relay.up.lost && !r.relay.down.lost);
    rig_close(&r);
}

Test(relay, a_slow_reader_stops_the_reading_and_nothing_is_lost)
{
    struct rig r;
    static char block[65536], p[65536];
    uint64_t sent = 0, got = 0, sum_in = 0, sum_out = 0;
    int stuck = 0;

    rig_open(&r);
    /* Write until nothing moves any more: kernel buffers are full, one block is held. */
    while (stuck < 50) {
        for (size_t i = 0; i < sizeof(block); i++)
            block[i] = (char)((sent + i) * 31 >> 3);
        ssize_t n = write(r.c, block, sizeof(block));
        if (n > 0) {
            for (ssize_t i = 0; i < n; i++)
                sum_in = sum_in * 131 + (unsigned char)block[i];
            sent += (uint64_t)n;
            stuck = 0;
        } else {
            struct pollfd fds = { .fd = r.client.fd, .events = POLLIN };
            stuck++;
            if (r.relay.up.buf.len == 0 && poll(&fds, 1, 10) == 1)
                turn(&r);
            else
                usleep(1000);
        }
    }
    cr_expect(r.relay.up.buf.len > 0 && r.relay.up.buf.len <= BUF_SIZE);
    shutdown(r.c, SHUT_WR);
    for (size_t n; (n = receive(&r, r.u, p, sizeof(p))) > 0; got += n)
        for (size_t i = 0; i < n; i++)
            sum_out = sum_out * 131 + (unsigned char)p[i];
    cr_expect_eq(got, sent);
    cr_expect_eq(sum_in, sum_out);
    cr_expect_eq(r.pool.nlent, 0);
    rig_close(&r);
}

Test(relay, one_turn_is_bounded)
{
    struct rig r;
    static char block[1 << 20];
    int size = 8 << 20;
    size_t sent = 0;

    rig_open(&r);
    setsockopt(r.c, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    for (ssize_t n; sent < 2u << 20 && (n = write(r.c, block, sizeof(block))) > 0;)
        sent += (size_t)n;
    usleep(50000);
    turn(&r);
    cr_expect_leq(r.relay.up.bytes, 16 * BUF_SIZE);
    rig_close(&r);
}

Test(relay, a_reset_source_fails_the_relay)
{
    struct rig r;
    struct linger hard = { 1, 0 };

    rig_open(&r);
    setsockopt(r.u, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(r.u);
    r.u = -1;
    turn(&r);
    cr_expect_eq(r.status, RELAY_FAILED);
    cr_expect_eq(r.failed, &r.upstream);
    rig_close(&r);
}

/* An upstream that answers and closes while the client still sends: the answer passes. */
Test(relay, what_an_upstream_said_before_it_left_still_arrives)
{
    struct rig r;
    char p[32];

    rig_open(&r);
    cr_assert_eq(write(r.u, "413 go away", 11), 11);
    shutdown(r.u, SHUT_WR);
    cr_expect_eq(receive(&r, r.c, p, 11), 11);
    close(r.u);
    r.u = -1;
    for (int i = 0; i < 100 && !r.relay.up.lost; i++) {
        cr_assert(write(r.c, "more", 4) == 4);
        turn(&r);
        usleep(2000);
    }
    cr_expect(r.relay.up.lost);
    cr_expect_eq(r.status, RELAY_DONE);
    cr_expect_eq(read(r.c, p, sizeof(p)), 0, "an end in order");
    rig_close(&r);
}
