/*
 * snap_upstream: an upstream as a snapshot has it: with what its servers are held to, where
 * these speak TLS.
 */
#ifndef SALLYPORT_PROXY_SNAP_UPSTREAM_H
#define SALLYPORT_PROXY_SNAP_UPSTREAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/names.h"
#include "conf/conf.h"
#include "tls/certs.h"
#include "tls/client.h"
#include "tls/trust.h"

struct snap_upstream {
    const struct conf_upstream *conf;
    struct tls_client *tls;             /* NULL: plaintext goes there */
    uint8_t policy[DIGEST_LEN];         /* its rules: sessions belong to them, too */
    uint32_t row;                       /* ledger.h */
};

/* All of a configuration, in its order. */
struct snap_upstreams {
    struct snap_upstream *v;
    size_t n;
    struct names ids;                   /* of their contexts, to places in v */
};

/* Appends one. Its trust and the certificates of its store, or NULL as the conf has them;
   `running` is what is in force, or NULL: a context that would be the same is taken from
   there. Findings go to d. */
void snap_upstreams_add(struct snap_upstreams *s, const struct conf_upstream *u,
                        struct trust *trust, struct certs *certs,
                        const struct snap_upstreams *running, struct diags *d);
void snap_upstreams_free(struct snap_upstreams *s);

#define DIAL_NAME_MAX 256

/* The host of a server as it is written: "db.example" of "db.example:9042", "::1" of "[::1]:1".
   NULL: it is a Unix socket. */
const char *snap_upstream_host(const char *server, char out[DIAL_NAME_MAX]);

/* The name that a server's certificate must have, and the one it is asked for (NULL: none),
   given its host. */
const char *snap_upstream_name(const struct conf_upstream *u, const char *host);
const char *snap_upstream_sni(const struct conf_upstream *u, const char *host);

#endif
