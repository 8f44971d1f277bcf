/*
 * probe: the few bytes by which a service shows that it is alive.
 *
 * What is asked, and what an answer means; who sends and receives is app/probe. An answer
 * is looked at whenever more of it has come: MORE until it can be judged. Nothing is
 * believed that a stranger might say by chance: whatever else listens on the port of a
 * service that is down is not taken for it.
 *
 *   http        GET PATH          2xx and 3xx
 *   cql         OPTIONS (v4)      SUPPORTED, or an error about the version
 *   grpc        HTTP/2 preface and SETTINGS, and Check of grpc.health.v1.Health: the server's
 *               SETTINGS; one that has that service must say SERVING as well
 *   zookeeper   srvr              its statistics, which a server without a quorum does not tell.
 *               Where four-letter words are not allowed: a session, ended at once
 *   dask        nothing           the greeting with which it speaks first
 */
#ifndef SALLYPORT_PROTO_PROBE_H
#define SALLYPORT_PROTO_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum probe_kind {
    PROBE_HTTP, PROBE_CQL, PROBE_GRPC, PROBE_ZOOKEEPER, PROBE_ZOOKEEPER_SESSION, PROBE_DASK,
    PROBE_KIND_COUNT
};

enum probe_verdict {
    PROBE_MORE,                 /* it cannot be told yet */
    PROBE_UP,
    PROBE_DOWN,                 /* and why */
    PROBE_OTHERWISE             /* alive, but not to be asked so: ask by PROBE_ZOOKEEPER_SESSION */
};

struct probe_to {
    const char *host;           /* "db.example:8080"; cut where it would not fit */
    const char *path;           /* of PROBE_HTTP */
    bool tls;                   /* it is asked over TLS */
};

/* No question is longer; paths are (probe_ask() says 0). */
#define PROBE_ASK_MAX 1024u

/* An answer that cannot be judged by so many bytes is none. */
#define PROBE_ANSWER_MAX 8192u

/* The question, into out. Its length; 0: nothing is asked (PROBE_DASK), or it is too long. */
size_t probe_ask(enum probe_kind k, const struct probe_to *to, uint8_t out[PROBE_ASK_MAX]);

/* What has come of an answer so far. `why` is set with PROBE_DOWN alone: "answered HTTP 503";
   what a peer sent is in it as it came. */
enum probe_verdict probe_judge(enum probe_kind k, const uint8_t *p, size_t n, struct err *why);

/* What ends it politely, when it is up; its length, or 0. */
size_t probe_goodbye(enum probe_kind k, uint8_t out[PROBE_ASK_MAX]);

/* What was waited for, for who closed or was silent: "SUPPORTED". Static. */
const char *probe_awaited(enum probe_kind k);

#endif
