/*
 * knock: one check of one address: connect, shake hands where TLS is spoken, ask, and judge
 * the answer (proto/probe.h).
 *
 * Nothing blocks, and the whole of it has one deadline. Its connection is closed when it is
 * over.
 */
#ifndef SALLYPORT_APP_KNOCK_H
#define SALLYPORT_APP_KNOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "tls/client.h"

struct knock;

struct knock_at {
    const struct addr *addr;
    int dialler;                /* net/dial.h */
    int kind;                   /* enum conf_check_kind, neither off nor auto */
    bool session;               /* CHECK_ZOOKEEPER: it is known not to take four-letter words */
    const char *host;           /* as the server is written: "db.example:8080" */
    const char *path;           /* CHECK_HTTP */
    const struct tls_client *tls;   /* NULL: plaintext. It must outlive this */
    const char *sni;            /* NULL: none */
    int proxy_protocol;         /* enum conf_proxy_protocol: the server expects such a header */
    uint64_t timeout_ms;
};

struct knock_result {
    const char *why;            /* it is not up; NULL: it is. Escaped by whoever shows it */
    bool session;               /* as above, as it has turned out */
};

/* Called once, and not from within knock_new(). The knock is gone then. */
typedef void knock_fn(void *arg, const struct knock_result *r);

/* What is given is copied. NULL when memory is out. */
struct knock *knock_new(struct loop *l, const struct knock_at *at, knock_fn *fn, void *arg);

/* Break it off; `fn` is not called. NULL is fine. */
void knock_free(struct knock *k);

#endif
