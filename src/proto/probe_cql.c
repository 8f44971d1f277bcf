/* native_protocol_v4.spec of Cassandra: version, flags, stream (2), opcode, length (4), body. */
#include <string.h>

#include "proto/probe_parts.h"

#define HEAD 9u
#define FROM_SERVER 0x80u
#define OP_ERROR 0x00u
#define OP_OPTIONS 0x05u
#define OP_SUPPORTED 0x06u
#define ERROR_PROTOCOL 0x0000000au

size_t probe_cql_ask(const struct probe_to *to, uint8_t *out)
{
    static const uint8_t options[HEAD] = { 0x04, 0, 0, 0, OP_OPTIONS, 0, 0, 0, 0 };

    (void)to;
    memcpy(out, options, HEAD);
    return HEAD;
}

/* An int, and a string with two bytes for its length. */
static enum probe_verdict judge_error(const uint8_t *body, size_t n, size_t have, struct err *why)
{
    if (n < 6)
        return probe_alien(body, 0, "CQL", why);
    if (have < 6)
        return PROBE_MORE;
    if (have > n)
        have = n;
    /* It knows no version 4: older or newer, it is there. */
    if (probe_be32(body) == ERROR_PROTOCOL)
        return PROBE_UP;

    size_t len = (size_t)body[4] << 8 | body[5];
    if (have < 6 + len && have < n)
        return PROBE_MORE;
    if (len > have - 6)
        len = have - 6;
    err_setx(why, "answered with the CQL error %04x: %.*s", probe_be32(body),
             (int)(len < 120 ? len : 120), (const char *)body + 6);
    return PROBE_DOWN;
}

enum probe_verdict probe_cql_judge(const uint8_t *p, size_t n, struct err *why)
{
    if (n >= 1 && ((p[0] & FROM_SERVER) == 0 || (p[0] & 0x7f) < 1 || (p[0] & 0x7f) > 6))
        return probe_alien(p, n, "CQL", why);
    if (n < HEAD)
        return PROBE_MORE;

    uint32_t len = probe_be32(p + 5);
    if (len > 0x10000000u || (p[4] != OP_SUPPORTED && p[4] != OP_ERROR))
        return probe_alien(p, n, "CQL", why);
    return p[4] == OP_SUPPORTED ? PROBE_UP : judge_error(p + HEAD, len, n - HEAD, why);
}
