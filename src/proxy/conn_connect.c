/* CONNECT: the upstream is dialled; the client's bytes wait in the kernel meanwhile. */
#include <errno.h>
#include <unistd.h>

#include "net/sock.h"
#include "net/stream.h"
#include "proxy/conn_log.h"
#include "proxy/conn_state.h"
#include "proxy/page.h"

#define DIAL_AGAIN_MS 20u

static enum reason dial_reason(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT:                        /* no such Unix socket: nobody serves it */
        return REASON_UPSTREAM_REFUSED;
    case ETIMEDOUT:
        return REASON_UPSTREAM_TIMEOUT;
    case EMFILE:
    case ENFILE:
        return REASON_NO_DESCRIPTOR;
    case ENOMEM:
    case ENOBUFS:
        return REASON_NO_MEMORY;
    default:
        return REASON_UPSTREAM_FAILED;
    }
}

static void dial_failed(struct conn *c, int error)
{
    c->error = error;
    conn_end(c, dial_reason(error));
}

static int open_page(struct conn *c)
{
    char client[PEER_TEXT_MAX], listener[ADDR_TEXT_MAX], id[IDENTITY_TEXT_MAX];
    const struct identity *who = c->facts.identity;
    struct page_facts f = {
        .connection = c->id,
        .route = c->route->conf->head.name,
        .listener = conn_listener_text(c, listener),
        .client = peer_text(&c->peer, client),
        .version = c->facts.version,
        .suite = c->facts.suite,
        .group = c->facts.group,
        .sni = c->sni,
        .alpn = c->facts.alpn,
        .resumed = c->facts.resumed,
    };

    if (who != NULL) {
        f.identity = identity_text(who, id, sizeof(id));
        f.subject = who->subject;
        f.not_after = who->not_after;
    }
    return page_open(c->env->loop, &c->env->pages, &f);
}

/* Milliseconds, at least 1. */
static uint64_t dial_time_left(const struct conn *c)
{
    uint64_t limit = c->route->conf->upstream->connect_timeout_ms;
    uint64_t spent = (loop_now_us(c->env->loop) - c->at.secured) / 1000;

    return spent < limit ? limit - spent : 1;
}

static void dial(struct conn *c)
{
    const struct conf_upstream *up = c->route->conf->upstream;
    int fd = up->builtin_page ? open_page(c) : sock_connect(&up->server);

    if (fd < 0) {
        /* A Unix socket with a full queue cannot be waited for, only tried again. */
        if (errno == EAGAIN)
            conn_deadline(c, DIAL_AGAIN_MS);
        else
            dial_failed(c, errno);
        return;
    }
    conn_deadline(c, dial_time_left(c));
    if (c->state != CONN_CONNECT) {
        close(fd);
        return;
    }
    if (stream_open(&c->upstream, c->env->loop, fd, conn_wake, c) != 0
        || stream_want(&c->upstream, LOOP_WRITE) != 0) {
        conn_end(c, REASON_NO_MEMORY);
        return;
    }
    c->upstream.blocked_write = true;   /* until the loop says that it is connected */
}

void conn_connect_enter(struct conn *c)
{
    /* The client's bytes wait in the kernel meanwhile. */
    if (stream_want(&c->client, 0) != 0)
        conn_end(c, REASON_NO_MEMORY);
    else
        dial(c);
}

void conn_connect_turn(struct conn *c)
{
    int error;

    if (!stream_is_open(&c->upstream) || c->upstream.blocked_write)
        return;
    error = stream_take_error(&c->upstream);
    if (error != 0) {
        dial_failed(c, error);
        return;
    }
    c->at.connected = loop_now_us(c->env->loop);
    conn_enter(c, CONN_RELAY);
}

void conn_connect_timeout(struct conn *c)
{
    if (!stream_is_open(&c->upstream) && dial_time_left(c) > 1)
        dial(c);
    else
        dial_failed(c, ETIMEDOUT);
}
