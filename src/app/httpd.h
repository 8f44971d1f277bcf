/*
 * httpd: the small HTTP server behind the admin addresses.
 *
 * A connection carries one request: it is read whole, handed to the owner, answered
 * now or later, and closed. Nobody who connects can hold more than its share: heads
 * have at most 16 KiB, bodies 64 KiB (they are passed over: no endpoint takes one), a
 * request has 10 s from its first byte's accept to be whole, and at most HTTPD_CONNS_MAX
 * connections are open. When they are, the one that has been sending its request for
 * longest makes room for a new one, so that connections which never say anything do
 * not keep out one that does.
 *
 * It stands on proto/http1, as the built-in page does, and not on evhttp: that one
 * (libevent 2.1) knows no limit on connections, counts its timeouts anew with every
 * byte, and takes no socket that was accepted by somebody who does.
 */
#ifndef SALLYPORT_APP_HTTPD_H
#define SALLYPORT_APP_HTTPD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/loop.h"
#include "proto/http1.h"

#define HTTPD_HEAD_MAX 16384u
#define HTTPD_BODY_MAX 65536u
#define HTTPD_CONNS_MAX 256u
#define HTTPD_REQUEST_MS 10000u

struct httpd;
struct httpd_call;              /* a request that waits for its answer */

struct httpd_answer {
    unsigned status;
    const char *type;           /* Content-Type */
    const char *extra;          /* further header lines, each with its CRLF; may be NULL */
    const char *body;           /* copied */
    size_t len;
};

struct httpd_events {
    /* A request came through the door'th listening socket. `r` is gone when this returns;
       `call` stays until it is answered, or gone. */
    void (*request)(void *arg, struct httpd_call *call, const struct http1_request *r,
                    size_t door);
    /* Nobody waits for the answer any more; `call` is void. */
    void (*gone)(void *arg, struct httpd_call *call);
    void *arg;
};

/* Serves on n listening sockets, which it owns, even when this fails (NULL and e). */
struct httpd *httpd_new(struct loop *l, const int *fds, size_t n, const struct httpd_events *ev,
                        struct err *e);
void httpd_free(struct httpd *h);           /* NULL is fine; nobody is told of calls that wait */

/* Once for each call. */
void httpd_answer(struct httpd_call *call, const struct httpd_answer *a);

/* The same, with a line of text. */
void httpd_say(struct httpd_call *call, unsigned status, const char *text);

/* It came to an address that this host alone has (loopback, a Unix socket), whatever the listening
   socket's is. */
bool httpd_is_local(const struct httpd_call *call);

#endif
