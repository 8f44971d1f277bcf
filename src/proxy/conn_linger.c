/*
 * LINGER: all is said to one side, the other is gone. What that side still sends is
 * thrown away: a close over unread bytes would reset what is on its way to it.
 */
#include <sys/socket.h>

#include "net/sock.h"
#include "net/stream.h"
#include "proxy/conn_state.h"

#define LINGER_MS 2000u         /* and as long again while it takes what we sent … */
#define LINGER_TIMES 30u        /* … so often */
#define LINGER_BYTES (256u * 1024)

void conn_linger_enter(struct conn *c)
{
    struct stream *s = c->lingering;

    stream_close(s == &c->client ? &c->upstream : &c->client);
    relay_drop(&c->relay, &c->env->pool);
    loop_task_cancel(&c->again);
    (void)shutdown(s->fd, SHUT_WR);
    s->blocked_read = false;
    conn_deadline(c, LINGER_MS);
    if (c->state == CONN_LINGER && stream_want(s, LOOP_READ) != 0)
        conn_end(c, c->reason);
}

void conn_linger_turn(struct conn *c)
{
    char waste[4096];
    size_t n = 0;

    for (;;) {
        switch (stream_recv(c->lingering, waste, sizeof(waste), &n)) {
        case STREAM_OK:
            c->lingered += (uint32_t)n;
            if (c->lingered > LINGER_BYTES) {
                conn_end(c, c->reason);
                return;
            }
            break;
        case STREAM_AGAIN:
            return;
        default:
            conn_end(c, c->reason);
            return;
        }
    }
}

void conn_linger_timeout(struct conn *c)
{
    if (sock_unacked(c->lingering->fd) > 0 && ++c->lingered_times < LINGER_TIMES)
        conn_deadline(c, LINGER_MS);
    else
        conn_end(c, c->reason);
}
