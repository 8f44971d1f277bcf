/*
 * conn_state: what a connection is made of, for the conn_*.c files alone. Each state
 * has a file with what it does when it is entered, when a stream wakes (or a turn was
 * asked for), and when its time is up.
 */
#ifndef SALLYPORT_PROXY_CONN_STATE_H
#define SALLYPORT_PROXY_CONN_STATE_H

#include "net/stream.h"
#include "proxy/conn.h"
#include "proxy/policy.h"
#include "proxy/relay.h"
#include "proxy/upstream.h"
#include "tls/tls_stream.h"

enum conn_state {
    CONN_OPENING, CONN_HANDSHAKE, CONN_CONNECT, CONN_SECURE, CONN_RELAY, CONN_LINGER, CONN_ENDED
};

/* Why the rules of the route do not admit it. */
struct conn_refusal {
    char identity[IDENTITY_TEXT_MAX];
    char rule[VERDICT_TEXT_MAX];
};

/* What is known of TLS with the upstream. */
struct conn_secure {
    struct tls_facts facts;     /* empty until its handshake is done */
    struct conn_refusal *refusal;       /* of the server, by tls_allow; NULL: none */
};

/* What a PROXY header changed. */
struct conn_header {
    struct peer via;            /* who sent it */
    struct peer to;             /* the address that the client had dialled */
};

/* Where a redirected client wanted to go, with the port that the upstream says. */
struct conn_original {
    struct addr addr;
    char text[ADDR_TEXT_MAX];
};

struct conn {
    struct list link;           /* env->conns, or env->ended */
    struct conn_env *env;
    struct snapshot *snap;      /* held */
    const struct snap_listener *listener;   /* of snap */
    const struct snap_route *route;         /* the default one until the client has asked */
    char *sni;                  /* the name it asked for; NULL: none, or not known yet */
    struct stream client, upstream;
    struct relay relay;
    struct loop_timer *timer;   /* NULL while there is no deadline */
    struct loop_task again;     /* go on in the next turn */
    struct tls_facts facts;
    struct peer peer;           /* the client: where it connects from, or what a header says */
    struct conn_header *header; /* NULL: none came */
    struct conn_refusal *refusal;   /* NULL: admitted, or not judged */
    struct conn_secure *secure; /* NULL: plaintext goes to the upstream, or nothing yet */
    uint16_t port;              /* that it was accepted on */
    uint16_t dialled_port;      /* of ours, towards `original`; 0: none */
    uint32_t number;            /* of the listener, for the keys below */
    uint64_t at_listener, at_source;    /* counted as open by these keys; 0: not */
    uint64_t id;
    uint64_t reviewed;          /* generation by which it was judged last */
    uint64_t demands;           /* the beginning of the policy digest that it has met */
    uint64_t active_us;         /* when bytes last passed, or could first */
    struct {                    /* monotonic microseconds; 0: not reached */
        uint64_t accepted, secured, dialled, connected, upstream_secured, first;
    } at;
    struct conn_original *original;     /* of a redirected client; else NULL */
    struct endpoint *endpoint;  /* joined: the server it is with, or tried last */
    struct endpoint **tried;    /* others that failed it, held; NULL: none did */
    unsigned ntried;
    struct list leaving;        /* env->leaving, while leave_by is not 0 */
    uint64_t leave_at, leave_by;    /* it shall end: its turn, and when time is up; 0: no */
    enum reason leave_why;
    struct stream *lingering;   /* in LINGER: the side that is left */
    uint32_t lingered;          /* bytes of it thrown away */
    uint32_t lingered_times;
    int error;                  /* errno behind the reason, or 0 */
    enum conn_state state;
    enum reason reason;
    bool watched;               /* bytes may be unacknowledged: the sweep looks at it */
    bool asked;                 /* the client's bytes were the last that passed */
    bool client_lifted, upstream_lifted;    /* TCP_USER_TIMEOUT is lifted */
    bool holds_keys;            /* of snap: its handshake is not over */
    bool awaits_header;         /* a PROXY header comes before all else */
    bool misses_h2;             /* it offers HTTP/2 alone, and the route has no alpn */
    bool plain;                 /* the client speaks no TLS, and may (plaintext_from) */
    bool admitted;              /* its source is known, and over no limit */
    bool told;                  /* the handshake's failure has its line already */
};

/* Where it is counted: by its route, its listener, its upstream. */
struct route_count *conn_route_count(const struct conn *c);
struct listener_count *conn_listener_count(const struct conn *c);
struct upstream_count *conn_upstream_count(const struct conn *c);

/* Its route is that one from now on. */
void conn_set_route(struct conn *c, const struct snap_route *r);

/* The one end. The conn is freed at the end of the loop's turn. */
void conn_end(struct conn *c, enum reason why);

/* The server that it is with failed it: another is tried, or it ends for that reason. `error`
   is an errno, or 0; `why` says it in a few words, for the log. */
void conn_dial_failed(struct conn *c, enum reason reason, int error, const char *why);

/* The address that it is with, or tried last; NULL: none yet. */
const struct addr *conn_server(const struct conn *c);
const char *conn_server_written(const struct conn *c);

/* It is done with its servers. */
void conn_leave_servers(struct conn *c);

/* It shall not end any more, or has; by what is in force now: whether it shall (conn_drain.c). */
void conn_drain_forget(struct conn *c);
void conn_drain_one(struct conn *c);

/* End, but let that side take what was sent to it first. */
void conn_linger(struct conn *c, struct stream *side, enum reason why);

/* The only writer of c->state but for conn_end(). May end the connection. */
void conn_enter(struct conn *c, enum conn_state state);

/* conn_*_timeout() of the state is called after `ms`; 0: never. May end the connection. */
void conn_deadline(struct conn *c, uint64_t ms);

/* Where it comes from (conn_source.c): counted for its listener, and whether it begins with a
   header; then that header, out of what the client's stream holds: false until it is whole,
   and when it ended the connection; then, the source being known, the limits of sources,
   which may have ended it: false. */
void conn_source_enter(struct conn *c);
bool conn_source_read(struct conn *c);
bool conn_source_admit(struct conn *c);
void conn_source_leave(struct conn *c);
void conn_source_fail(struct conn *c, const char *what, enum reason why);   /* of the header */

/* Of a route that is transparent (conn_original.c): where its client wanted to go, false when that
   ended the connection; then, that it is being dialled there with this descriptor; and that this
   is over. */
bool conn_original_find(struct conn *c);
void conn_original_dialled(struct conn *c, int fd);
void conn_original_leave(struct conn *c);

/* Why it is not admitted, for its log lines; what does not fit in memory is not told. */
struct conn_refusal *conn_refusal_of(const struct identity *who, const char *rule);
void conn_refused(struct conn *c, const struct identity *who, const char *rule);

/* TLS with the upstream failed in RELAY: the reason. A server may refuse us when our side of the
   handshake is done (TLS 1.3): then that is told. */
enum reason conn_secure_lost(struct conn *c);
void conn_secure_free(struct conn_secure *s);       /* NULL is fine */

/* The PROXY header that the upstream wants, before the client's bytes. 0, or -1 when memory
   is out. */
int conn_announce(struct conn *c);

void conn_review_some(void *env);   /* of conn_env.review */

/* By what is in force now; its demands and its identity are known. May end the connection. */
void conn_review_one(struct conn *c);
void conn_wake(void *conn);     /* stream_wake_fn of both streams */

void conn_opening_enter(struct conn *c);
void conn_opening_turn(struct conn *c);
void conn_opening_timeout(struct conn *c);
void conn_handshake_enter(struct conn *c);
void conn_handshake_turn(struct conn *c);
void conn_handshake_timeout(struct conn *c);
void conn_connect_enter(struct conn *c);
void conn_connect_turn(struct conn *c);
void conn_connect_timeout(struct conn *c);
void conn_secure_enter(struct conn *c);
void conn_secure_turn(struct conn *c);
void conn_secure_timeout(struct conn *c);
void conn_relay_enter(struct conn *c);
void conn_relay_turn(struct conn *c);
void conn_relay_timeout(struct conn *c);
void conn_linger_enter(struct conn *c);
void conn_linger_turn(struct conn *c);
void conn_linger_timeout(struct conn *c);

#endif
