/* HTTP/2 (RFC 9113) with prior knowledge, as gRPC uses it, and just as much of it as one unary
   call needs. Headers are sent without compression, and those of the answer are not read: of
   them it counts only whether they end the stream. */
#include <string.h>

#include "proto/probe_parts.h"

#define HEAD 9u
#define FRAME_MAX 16384u
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, GOAWAY = 7 };
enum { ACK = 1, END_STREAM = 1, END_HEADERS = 4, PADDED = 8 };
enum { UNKNOWN = 0, SERVING = 1 };      /* HealthCheckResponse.ServingStatus */

static uint8_t *put(uint8_t *p, const void *bytes, size_t n)
{
    memcpy(p, bytes, n);
    return p + n;
}

static uint8_t *put_frame(uint8_t *p, size_t len, int type, int flags, uint32_t stream)
{
    uint8_t head[HEAD] = { (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,
                           (uint8_t)type, (uint8_t)flags, 0, 0, 0, (uint8_t)stream };

    return put(p, head, HEAD);
}

/* A string of RFC 7541 5.2, not longer than 126 bytes. */
static uint8_t *put_text(uint8_t *p, const char *s)
{
    size_t n = strlen(s) < 126 ? strlen(s) : 126;

    *p++ = (uint8_t)n;
    return put(p, s, n);
}

/* RFC 7541 6.2.2: fields that are not to be indexed, names by their place in the static table. */
static uint8_t *put_headers(uint8_t *p, const struct probe_to *to)
{
    *p++ = 0x83;                /* :method: POST */
    *p++ = to->tls ? 0x87 : 0x86;   /* :scheme: https, http */
    *p++ = 0x04;                /* :path */
    p = put_text(p, "/grpc.health.v1.Health/Check");
    *p++ = 0x01;                /* :authority */
    p = put_text(p, to->host);
    *p++ = 0x0f;                /* content-type: 31, of which 15 fit here */
    *p++ = 31 - 15;
    p = put_text(p, "application/grpc");
    *p++ = 0x00;
    p = put_text(p, "te");
    return put_text(p, "trailers");
}

size_t probe_grpc_ask(const struct probe_to *to, uint8_t *out)
{
    static const uint8_t empty_message[5] = { 0 };
    uint8_t headers[512], *p = out;
    size_t n = (size_t)(put_headers(headers, to) - headers);

    p = put(p, PREFACE, strlen(PREFACE));
    p = put_frame(p, 0, SETTINGS, 0, 0);
    p = put_frame(p, n, HEADERS, END_HEADERS, 1);
    p = put(p, headers, n);
    p = put_frame(p, sizeof(empty_message), DATA, END_STREAM, 1);
    p = put(p, empty_message, sizeof(empty_message));
    return (size_t)(p - out);
}

/* The message of a HealthCheckResponse: field 1, a small number. Without it: 0. */
static enum probe_verdict judge_message(const uint8_t *p, size_t n, struct err *why)
{
    int status = n >= 7 && p[0] == 0 && p[5] == 0x08 ? p[6] : UNKNOWN;

    if (n < 5)
        return PROBE_UP;        /* it speaks; what it means to say is in pieces */
    if (p[0] != 0 || status == SERVING)
        return PROBE_UP;        /* the first: it is compressed */
    err_setx(why, "its health service says %s", status == UNKNOWN ? "UNKNOWN" : "NOT_SERVING");
    return PROBE_DOWN;
}

static enum probe_verdict judge_frame(const uint8_t *p, size_t len, struct err *why)
{
    uint32_t stream = probe_be32(p + 5) & 0x7fffffffu;
    size_t padding = 0;

    if (p[3] == GOAWAY) {
        err_setx(why, "answered GOAWAY");
        return PROBE_DOWN;
    }
    if (stream != 1)
        return PROBE_MORE;
    switch (p[3]) {
    case DATA:
        if (p[4] & PADDED)
            padding = len > 0 ? (size_t)p[HEAD] + 1 : 0;
        if (padding > len)
            return probe_alien(p, len, "HTTP/2", why);
        if (len == padding && !(p[4] & END_STREAM))
            return PROBE_MORE;
        return judge_message(p + HEAD + (padding > 0), len - padding, why);
    /* It has no health service, or tells us nothing of it. */
    case HEADERS: return p[4] & END_STREAM ? PROBE_UP : PROBE_MORE;
    case RST_STREAM: return PROBE_UP;
    default: return PROBE_MORE;
    }
}

enum probe_verdict probe_grpc_judge(const uint8_t *p, size_t n, struct err *why)
{
    /* The first frame is its SETTINGS; everything else is told by them. */
    if ((n >= 4 && p[3] != SETTINGS) || (n >= 9 && ((p[4] & ACK) || probe_be32(p + 5) != 0)))
        return probe_alien(p, n, "HTTP/2", why);
    while (n >= HEAD) {
        size_t len = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        if (len > FRAME_MAX || (p[3] == SETTINGS && len % 6 != 0))
            return probe_alien(p, n, "HTTP/2", why);
        if (n < HEAD + len)
            return PROBE_MORE;
        enum probe_verdict v = judge_frame(p, len, why);
        if (v != PROBE_MORE)
            return v;
        p += HEAD + len;
        n -= HEAD + len;
    }
    return PROBE_MORE;
}
