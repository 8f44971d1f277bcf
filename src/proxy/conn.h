/*
 * conn: the life of one connection, from accept to its one end.
 *
 *   OPENING     the client's first bytes say which route it is for; where plaintext alone
 *               comes in, only a PROXY header is waited for
 *   HANDSHAKE   TLS with the client, as that route demands. One absolute deadline for both,
 *               which bytes do not extend
 *   CONNECT     the client is admitted; the upstream is dialled
 *   SECURE      TLS with the upstream, where it speaks that: under a deadline of its own
 *   RELAY       bytes pass; each direction ends on its own (relay.h)
 *   LINGER      one side is gone, to the other all is said; it gets a moment to read
 *               that, because closing over unread bytes would reset what is on its way
 *   ENDED       counted, told, freed at the end of the loop's turn
 *
 * One function changes the state, one table says what each state does when it is
 * entered, when a stream wakes and when its time is up, and conn_end() is the only
 * end, with a row of reasons.tbl.
 */
#ifndef SALLYPORT_PROXY_CONN_H
#define SALLYPORT_PROXY_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/list.h"
#include "net/loop.h"
#include "proxy/account.h"
#include "proxy/snapshot.h"

/* What all connections of a worker share; the worker owns it. */
struct conn_env {
    struct loop *loop;
    struct account *account;
    struct counters *count;     /* the account's */
    struct bufpool pool;
    struct repeats *repeats;    /* the worker's, as are the next */
    struct upstreams *upstreams;
    int dialler;                /* net/dial.h; -1: nobody */
    struct tls_sessions *sessions;  /* with upstreams; NULL: memory was out, none are kept */
    struct ticket_ring *tickets;    /* the master's secrets; a snapshot may have its own */
    struct list conns;          /* struct conn.link */
    struct list ended;          /* to be freed at the end of this turn */
    struct list pages;          /* built-in origins being served (page.h) */
    struct loop_task reap;
    struct conn **dialling;     /* conn_original.c; NULL before the first of these */
    const struct snapshot *current;     /* in force: conn_env_current() */
    struct loop_task review;    /* connections that `current` has not judged yet are at the head */
    unsigned open;              /* length of conns */
    struct list leaving;        /* struct conn.leaving: of these, that shall end */
    unsigned nleaving;
    uint64_t next_turn;         /* when the next one that shall has its turn */
    struct loop_timer *turns;   /* the worker's: conn_drain_turns(), with the env */
    uint64_t next_id;
    void (*gone)(void *arg);    /* a connection has left: a descriptor is free */
    void *arg;
};

void conn_env_init(struct conn_env *env, struct loop *l, struct account *account,
                   void (*gone)(void *arg), void *arg);
/* Ends every connection, with REASON_DRAINED, and frees what the env holds. */
void conn_env_free(struct conn_env *env);

/* `snap` is in force from now on; connections that are open belong to an older one. */
void conn_env_current(struct conn_env *env, const struct snapshot *snap);

/*
 * Begin with an accepted descriptor, which becomes the connection's. `listener` is one
 * of snap->listeners, `number` the listener's own (account.h), `port` the one it really
 * has (the configured one may be 0); a reference to snap is taken. Out of memory: the
 * descriptor is closed.
 */
void conn_begin(struct conn_env *env, struct snapshot *snap, const struct snap_listener *listener,
                uint32_t number, uint16_t port, int fd, const struct peer *client);

/*
 * Every connection shall end within that time: those that are quiet first, in order, one after
 * the other; those that carry bytes, or may await an answer, when they are quiet or over
 * (conn_drain.c). What is left then is the caller's to cut. A reload does the same to those
 * whose route or server it removed, within drain_timeout, and cuts what is left itself.
 */
void conn_drain_all(struct conn_env *env, uint64_t timeout_ms);
void conn_drain_turns(void *env);

/* Cut every connection that is open: they end with REASON_DRAINED. Returns their number. */
unsigned conn_cut_all(struct conn_env *env);

/*
 * To be called every CONN_REVIEW_MS: ends connections whose client's certificate has expired.
 * What a reload brings (a CRL, another trust, other rules) is looked at after
 * conn_env_current(), a few connections in each turn of the loop.
 */
#define CONN_REVIEW_MS 2000u
void conn_review(struct conn_env *env);

/* Ends those whose server is down, where their upstream says on_down = close. */
void conn_leave_down(struct conn_env *env);

/*
 * To be called every CONN_SWEEP_MS: looks after what the kernel's own timers get
 * wrong. TCP_USER_TIMEOUT also ends a connection whose peer is alive but has shut its
 * window (a consumer that pauses for a minute), so it is lifted while that lasts;
 * and a reset by a peer whose reading is paused is not reported by readiness.
 */
#define CONN_SWEEP_MS 10000u
void conn_sweep(struct conn_env *env);

#endif
