/*
 * proxyhdr: the PROXY protocol, versions 1 and 2: who a connection really comes from, told
 * by the load balancer in front, and told by us to the service behind.
 *
 * HAProxy's proxy-protocol.txt, revision 2020/03/05, and the later subtypes GROUP,
 * SIG_SCHEME and CLIENT_CERT. Readers allocate nothing; lengths are believed within the
 * bytes at hand only. Datagram families are damage on a stream.
 */
#ifndef SALLYPORT_PROTO_PROXYHDR_H
#define SALLYPORT_PROTO_PROXYHDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/str.h"

/* The longest that is taken. Addresses take 52 bytes, what HAProxy and AWS add some
   hundreds; a client's certificate is the only long thing in one. */
#define PROXYHDR_MAX 8192u

enum proxyhdr_state { PROXYHDR_MORE, PROXYHDR_WHOLE, PROXYHDR_BAD };

struct proxyhdr {
    size_t len;                 /* of the header: what comes behind it is the client's */
    int version;                /* 1 or 2 */
    bool addressed;             /* else (LOCAL, UNKNOWN, UNSPEC) the connection is its own */
    struct peer from, to;
    const uint8_t *tlvs;        /* version 2: proxyhdr_next(); in the input */
    size_t tlvs_len;
    const char *why;            /* PROXYHDR_BAD: in words; static */
};

/* Of the first len bytes of a connection. Bytes behind the header are not looked at. */
enum proxyhdr_state proxyhdr_read(const uint8_t *p, size_t len, struct proxyhdr *out);

enum proxyhdr_type {
    PROXYHDR_ALPN = 0x01,
    PROXYHDR_AUTHORITY = 0x02,
    PROXYHDR_CRC32C = 0x03,
    PROXYHDR_NOOP = 0x04,
    PROXYHDR_UNIQUE_ID = 0x05,
    PROXYHDR_SSL = 0x20,
    PROXYHDR_SSL_VERSION = 0x21,
    PROXYHDR_SSL_CN = 0x22,
    PROXYHDR_SSL_CIPHER = 0x23,
    PROXYHDR_SSL_SIG_ALG = 0x24,
    PROXYHDR_SSL_KEY_ALG = 0x25,
    PROXYHDR_SSL_GROUP = 0x26,
    PROXYHDR_SSL_CLIENT_CERT = 0x28,
};

/* Takes the next TLV off a run of them that proxyhdr_read() found good. False: none is left. */
bool proxyhdr_next(const uint8_t **tlvs, size_t *left, int *type, struct span *value);

/* --- writing --- */

struct proxyhdr_tls {
    bool certified;             /* the client showed a certificate, and it was verified */
    bool resumed;               /* … when the session began, not on this connection */
    const char *version, *cipher, *sig_alg, *key_alg, *group;   /* NULL: not told */
    struct span cn;             /* of the client's certificate; p NULL: none */
    struct span cert;           /* its DER; p NULL: none */
};

struct proxyhdr_facts {
    struct peer from, to;
    struct span alpn, authority, unique_id;     /* p NULL: none */
    const struct proxyhdr_tls *tls;             /* NULL: none */
};

/* A v1 header is never longer (proxy-protocol.txt 2.1). */
#define PROXYHDR_V1_MAX 108u

/* The addresses of Unix sockets, which have no names here, go as UNKNOWN; of two families, the
   IPv4 address is mapped (RFC 4291 2.5.5.2). Returns the length. */
size_t proxyhdr_write_v1(const struct proxyhdr_facts *f, char out[PROXYHDR_V1_MAX]);

/*
 * A header of at most cap (PROXYHDR_MAX or more) bytes. `tlvs`: with all that f knows, and
 * a CRC32C; else addresses alone. What does not fit is left out, the certificate first.
 */
size_t proxyhdr_write_v2(const struct proxyhdr_facts *f, bool tlvs, uint8_t *out, size_t cap);

#endif
