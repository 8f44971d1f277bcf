/*
 * hello: what a ClientHello says before TLS begins, as far as a route depends on it.
 *
 * Routes have policies of their own (who may come in, which CA is believed), and OpenSSL
 * takes few of them back once a connection began with others. So the ClientHello is read
 * here first, as it stands on the wire, and TLS begins with the context of the route it
 * asks for. What decides is read here alone: should OpenSSL read the same bytes another
 * way, the route that was chosen holds, with all that it demands.
 *
 * RFC 8446 4.1.2 (ClientHello), 5.1 (records, over which it may be split); RFC 6066 3
 * (server_name); RFC 7301 3.1 (ALPN). Nothing is allocated, nothing points into the input.
 */
#ifndef SALLYPORT_PROTO_HELLO_H
#define SALLYPORT_PROTO_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest that is read, its records' heads included. The usual one has 300 to 2,000
   bytes; a longer one is not routed by. */
#define HELLO_MAX 16384u

#define HELLO_NAME_MAX 255
#define HELLO_ALPN_MAX 512

enum hello_state {
    HELLO_MORE,                 /* so far it is one, and not whole */
    HELLO_WHOLE,
    HELLO_OTHER,                /* something else, a damaged one, or one that is too long */
};

struct hello {
    bool named;                 /* it asks for a server name */
    char name[HELLO_NAME_MAX + 1];      /* as it stands there; no NUL is in it */
    uint16_t alpn_len;
    uint8_t alpn[HELLO_ALPN_MAX];       /* the protocols it offers, each with its length before
                                           it; those that do not fit are left out */
};

/* Of the first len bytes of a connection. `out` is complete with HELLO_WHOLE only. */
enum hello_state hello_read(const uint8_t *p, size_t len, struct hello *out);

/* Is this protocol in such a list? */
bool alpn_has(const uint8_t *list, size_t len, const char *protocol);

#endif
