/*
 * trial: what would become of a client, without a connection. It asks the functions that
 * connections ask, in the order in which they do, and stops where they would.
 *
 * What depends on the moment (limits, whether the upstream answers) and on more of the
 * client than is said here (versions, suites) is left out.
 */
#ifndef SALLYPORT_PROXY_TRIAL_H
#define SALLYPORT_PROXY_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/policy.h"
#include "proxy/snapshot.h"
#include "tls/verify.h"

struct trial_ask {
    const char *name;           /* SNI; NULL: none */
    const uint8_t *alpn;        /* each protocol with its length before it */
    size_t alpn_len;
    const struct peer_file *client;     /* NULL: without a certificate */
    const struct peer *from;    /* NULL: from somewhere */
};

struct trial {
    bool awaits_header;         /* PROXY; the client is then who that says */
    const struct snap_route *plaintext; /* whose service takes plaintext from there, or NULL */
    const struct snap_route *route;
    bool plain;                 /* that takes plaintext alone, and no more is asked */
    enum route_by by;
    struct keypair *pairs[CERTS_TYPES]; /* of the certificates; none: refused before */
    size_t npairs;
    struct span alpn;           /* p NULL: none */
    bool asked;                 /* for a certificate */
    bool judged;                /* by the rules: it was not refused before */
    struct verdict verdict;
    bool refused;
    struct tls_failure why;     /* in the words of the log */
};

/* 0; or -1 and e, when a certificate of ours does not parse or memory is out. */
int trial_run(const struct snapshot *s, const struct snap_listener *l,
              const struct trial_ask *ask, struct trial *out, struct err *e);

#endif
