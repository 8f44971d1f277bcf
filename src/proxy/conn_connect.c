/* CONNECT: a server of the upstream is dialled, and if it fails, another; the client's bytes
   wait in the kernel meanwhile. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/dial.h"
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

/* --- which server --- */

void conn_leave_servers(struct conn *c)
{
    endpoint_leave(c->endpoint);
    c->endpoint = NULL;
    while (c->ntried > 0)
        endpoint_unref(c->tried[--c->ntried]);
    free(c->tried);
    c->tried = NULL;
}

/* The one that it has failed it, and is not picked again. 0, or -1: memory is out. */
static int put_aside(struct conn *c)
{
    struct endpoint **tried = realloc(c->tried, (c->ntried + 1) * sizeof(tried[0]));

    if (tried == NULL)
        return -1;
    c->tried = tried;
    c->tried[c->ntried++] = c->endpoint;
    endpoint_part(c->endpoint);
    c->endpoint = NULL;
    return 0;
}

static enum upstream_pick pick(struct conn *c)
{
    struct upstream_ask ask = {
        .client = &c->peer,
        .tried = c->tried,
        .ntried = c->ntried,
        .now_us = loop_now_us(c->env->loop),
    };

    return upstreams_pick(c->env->upstreams, c->route->conf->upstream, &ask, &c->endpoint);
}

/* Milliseconds, at least 1. Each server has its own time. */
static uint64_t dial_time_left(const struct conn *c)
{
    uint64_t limit = c->route->conf->upstream->connect_timeout_ms;
    uint64_t spent = (loop_now_us(c->env->loop) - c->at.dialled) / 1000;

    return spent < limit ? limit - spent : 1;
}

const struct addr *conn_server(const struct conn *c)
{
    if (c->original != NULL)
        return &c->original->addr;
    if (c->endpoint != NULL)
        return &c->endpoint->addr;
    return c->ntried > 0 ? &c->tried[c->ntried - 1]->addr : NULL;
}

const char *conn_server_written(const struct conn *c)
{
    if (c->original != NULL)
        return c->original->text;
    if (c->endpoint != NULL)
        return c->endpoint->server;
    return c->ntried > 0 ? c->tried[c->ntried - 1]->server : c->route->conf->upstream->head.name;
}

/* Whether there is another one for it: it has it then. */
static bool has_another(struct conn *c)
{
    if (c->ntried >= c->route->conf->upstream->retries || put_aside(c) != 0)
        return false;
    return pick(c) == PICK_OK;
}

void conn_dial_failed(struct conn *c, enum reason reason, int error, const char *why)
{
    bool ours = reason == REASON_NO_DESCRIPTOR || reason == REASON_NO_MEMORY;

    c->error = error;
    if (c->endpoint != NULL && !ours) {
        endpoint_failed(c->endpoint, c->at.dialled, loop_now_us(c->env->loop), why);
        if (has_another(c)) {
            c->env->count->value[COUNTER_RETRIED]++;
            c->error = 0;
            stream_close(&c->upstream);
            conn_enter(c, CONN_CONNECT);
            return;
        }
    }
    conn_end(c, reason);
}

/* --- the connection to it --- */

static void failed(struct conn *c, int error)
{
    conn_dial_failed(c, dial_reason(error), error, strerror(error));
}

/* A descriptor that is being connected; -1 with errno, EAGAIN for "later". */
static int begin(struct conn *c)
{
    if (c->route->conf->upstream->servers.builtin_page)
        return open_page(c);
    if (c->original != NULL) {
        int fd = dial_connect(c->env->dialler, &c->original->addr);
        if (fd >= 0)
            conn_original_dialled(c, fd);
        return fd;
    }
    if (c->endpoint == NULL) {
        switch (pick(c)) {
        case PICK_OK: break;
        case PICK_FORBIDDEN: errno = EPERM; return -1;
        case PICK_NAMELESS: errno = EHOSTUNREACH; return -1;
        default: errno = EAGAIN; return -1;     /* its name is being resolved */
        }
    }
    return dial_connect(c->env->dialler, &c->endpoint->addr);
}

static void dial(struct conn *c)
{
    int fd = begin(c);

    if (fd < 0) {
        /* A Unix socket with a full queue cannot be waited for, only tried again. */
        if (errno == EAGAIN)
            conn_deadline(c, DIAL_AGAIN_MS);
        else if (conn_server(c) == NULL && errno == EPERM)
            conn_end(c, REASON_UPSTREAM_FORBIDDEN);
        else
            failed(c, errno);
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
    if (c->route->conf->transparent && c->original == NULL && !conn_original_find(c))
        return;
    c->at.dialled = loop_now_us(c->env->loop);
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
        failed(c, error);
        return;
    }
    c->at.connected = loop_now_us(c->env->loop);
    histogram_add(&conn_upstream_count(c)->connects, c->at.connected - c->at.dialled);
    if (conf_dials_tls(c->route->conf)) {
        conn_enter(c, CONN_SECURE);
        return;
    }
    if (c->endpoint != NULL)
        endpoint_reached(c->endpoint, c->at.connected);
    conn_enter(c, CONN_RELAY);
}

void conn_connect_timeout(struct conn *c)
{
    bool page = c->route->conf->upstream->servers.builtin_page;

    if (!stream_is_open(&c->upstream) && dial_time_left(c) > 1)
        dial(c);
    else if (conn_server(c) == NULL && !page)
        conn_end(c, REASON_UPSTREAM_UNKNOWN);
    else
        failed(c, ETIMEDOUT);
}
