/* LINGER: all is said; the client gets a moment to read it. */
#include <sys/socket.h>

#include "net/stream.h"
#include "proxy/conn_state.h"

#define LINGER_MS 2000u
#define LINGER_BYTES (256u * 1024)

void conn_linger_enter(struct conn *c)
{
    stream_close(&c->upstream);
    relay_drop(&c->relay, &c->env->pool);
    loop_task_cancel(&c->again);
    (void)shutdown(c->client.fd, SHUT_WR);
    c->client.blocked_read = false;
    conn_deadline(c, LINGER_MS);
    if (c->state == CONN_LINGER && stream_want(&c->client, LOOP_READ) != 0)
        conn_end(c, c->reason);
}

void conn_linger_turn(struct conn *c)
{
    char waste[4096];
    size_t n = 0;

    for (;;) {
        switch (stream_recv(&c->client, waste, sizeof(waste), &n)) {
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
    conn_end(c, c->reason);
}
