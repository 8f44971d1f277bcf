#include <string.h>

#include "proto/probe_parts.h"

/* --- four letters --- */

size_t probe_zookeeper_ask(const struct probe_to *to, uint8_t *out)
{
    (void)to;
    memcpy(out, "srvr", 4);
    return 4;
}

/* They begin alike, as far as both go; *whole: all of the text is there. */
static bool begins(const uint8_t *p, size_t n, const char *text, bool *whole)
{
    size_t len = strlen(text);

    *whole = n >= len;
    return memcmp(p, text, n < len ? n : len) == 0;
}

enum probe_verdict probe_zookeeper_judge(const uint8_t *p, size_t n, struct err *why)
{
    bool whole;

    if (begins(p, n, "Zookeeper version: ", &whole))
        return whole ? PROBE_UP : PROBE_MORE;
    if (begins(p, n, "srvr is not executed because", &whole))
        return whole ? PROBE_OTHERWISE : PROBE_MORE;
    if (begins(p, n, "This ZooKeeper instance is not currently serving requests", &whole)) {
        if (!whole)
            return PROBE_MORE;
        err_setx(why, "says that it is not serving: it may be without a quorum");
        return PROBE_DOWN;
    }
    return probe_alien(p, n, "ZooKeeper's protocol", why);
}

/* --- a session: zookeeper.jute, ConnectRequest, ConnectResponse --- */

#define REQUEST 45u             /* without its length */
#define TIMEOUT_MS 4000u
#define RESPONSE_MIN 36u        /* older servers leave out the last byte, readOnly */
#define RESPONSE_MAX 37u

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

size_t probe_session_ask(const struct probe_to *to, uint8_t *out)
{
    (void)to;
    memset(out, 0, 4 + REQUEST);
    put32(out, REQUEST);        /* then: version 0, last zxid 0, */
    put32(out + 16, TIMEOUT_MS);    /* session 0, */
    put32(out + 28, 16);        /* a password of 16 bytes, and not read-only */
    return 4 + REQUEST;
}

enum probe_verdict probe_session_judge(const uint8_t *p, size_t n, struct err *why)
{
    if (n < 12)
        return n >= 4 && (probe_be32(p) < RESPONSE_MIN || probe_be32(p) > RESPONSE_MAX)
                   ? probe_alien(p, n, "ZooKeeper's protocol", why)
                   : PROBE_MORE;
    if (probe_be32(p) < RESPONSE_MIN || probe_be32(p) > RESPONSE_MAX)
        return probe_alien(p, n, "ZooKeeper's protocol", why);
    if (n < 4 + probe_be32(p))
        return PROBE_MORE;
    if (probe_be32(p + 8) != 0 && probe_be32(p + 20) == 16)
        return PROBE_UP;
    err_setx(why, "refused a session");
    return PROBE_DOWN;
}

size_t probe_session_goodbye(uint8_t *out)
{
    put32(out, 8);
    put32(out + 4, 1);          /* xid */
    put32(out + 8, (uint32_t)-11);  /* closeSession */
    return 12;
}
