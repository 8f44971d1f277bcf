#include "proto/probe.h"

#include <string.h>

#include "proto/probe_parts.h"

static const struct {
    size_t (*ask)(const struct probe_to *to, uint8_t *out);
    enum probe_verdict (*judge)(const uint8_t *p, size_t n, struct err *why);
    size_t (*goodbye)(uint8_t *out);
    const char *awaited;
} kinds[PROBE_KIND_COUNT] = {
    [PROBE_HTTP] = { probe_http_ask, probe_http_judge, NULL, "an HTTP answer" },
    [PROBE_CQL] = { probe_cql_ask, probe_cql_judge, NULL, "SUPPORTED" },
    [PROBE_GRPC] = { probe_grpc_ask, probe_grpc_judge, NULL, "SETTINGS of HTTP/2" },
    [PROBE_ZOOKEEPER] = { probe_zookeeper_ask, probe_zookeeper_judge, NULL, "an answer to srvr" },
    [PROBE_ZOOKEEPER_SESSION] = { probe_session_ask, probe_session_judge, probe_session_goodbye,
                                  "a session" },
    [PROBE_DASK] = { probe_dask_ask, probe_dask_judge, NULL, "Dask's greeting" },
};

size_t probe_ask(enum probe_kind k, const struct probe_to *to, uint8_t out[PROBE_ASK_MAX])
{
    return kinds[k].ask(to, out);
}

enum probe_verdict probe_judge(enum probe_kind k, const uint8_t *p, size_t n, struct err *why)
{
    enum probe_verdict v = kinds[k].judge(p, n, why);

    if (v != PROBE_MORE || n < PROBE_ANSWER_MAX)
        return v;
    err_setx(why, "sent much, and not %s", kinds[k].awaited);
    return PROBE_DOWN;
}

size_t probe_goodbye(enum probe_kind k, uint8_t out[PROBE_ASK_MAX])
{
    return kinds[k].goodbye != NULL ? kinds[k].goodbye(out) : 0;
}

const char *probe_awaited(enum probe_kind k)
{
    return kinds[k].awaited;
}

enum probe_verdict probe_alien(const uint8_t *p, size_t n, const char *protocol, struct err *why)
{
    if (n >= 2 && p[0] == 0x15 && p[1] == 0x03)
        err_setx(why, "answered with a TLS alert: it does not speak plaintext");
    else if (n >= 5 && memcmp(p, "HTTP/", 5) == 0)
        err_setx(why, "answered in HTTP/1, not in %s", protocol);
    else
        err_setx(why, "answered, but not in %s", protocol);
    return PROBE_DOWN;
}
