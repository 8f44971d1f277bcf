#include "tls/guess.h"

#include <stdbool.h>
#include <string.h>

#define BYTES(s) (s), sizeof(s) - 1

static const struct {
    const char *bytes;
    size_t len;
    enum guess guess;
    const char *name;
} prefixes[] = {
    { BYTES("GET "), GUESS_HTTP, NULL },
    { BYTES("HEAD "), GUESS_HTTP, NULL },
    { BYTES("POST "), GUESS_HTTP, NULL },
    { BYTES("PUT "), GUESS_HTTP, NULL },
    { BYTES("DELETE "), GUESS_HTTP, NULL },
    { BYTES("OPTIONS "), GUESS_HTTP, NULL },
    { BYTES("PATCH "), GUESS_HTTP, NULL },
    { BYTES("TRACE "), GUESS_HTTP, NULL },
    { BYTES("CONNECT "), GUESS_HTTP_CONNECT, NULL },
    { BYTES("PROXY "), GUESS_PROXY, "version 1" },
    { BYTES("\r\n\r\n\0\r\nQUIT\n"), GUESS_PROXY, "version 2" },
    { BYTES("PRI * HTTP/2.0"), GUESS_NAMED, "HTTP/2 without TLS (h2c, plaintext gRPC)" },
    { BYTES("HTTP/1."), GUESS_NAMED, "HTTP" },
    { BYTES("220 "), GUESS_NAMED, "SMTP or FTP" },
    { BYTES("220-"), GUESS_NAMED, "SMTP or FTP" },
    { BYTES("* OK "), GUESS_NAMED, "IMAP" },
    { BYTES("+OK "), GUESS_NAMED, "POP3" },
    { BYTES("-ERR "), GUESS_NAMED, "Redis" },
    { BYTES("SSH-"), GUESS_NAMED, "SSH" },
    { BYTES("JRMI"), GUESS_NAMED, "Java RMI (JMX)" },
    { BYTES("AMQP"), GUESS_NAMED, "AMQP" },
    { BYTES("EHLO "), GUESS_NAMED, "SMTP" },
    { BYTES("HELO "), GUESS_NAMED, "SMTP" },
    { BYTES("\xca\x55\x2d\xfa"), GUESS_NAMED, "Cassandra's internode protocol" },
    { BYTES("\xff\xff\xff\x81"), GUESS_NAMED, "Pravega's segment store protocol" },
    { BYTES("\0\0\0\x08\x04\xd2\x16\x2f"), GUESS_NAMED, "PostgreSQL (an SSLRequest)" },
    { BYTES("\0\0\0\x08\x04\xd2\x16\x30"), GUESS_NAMED, "PostgreSQL (a GSSENCRequest)" },
};

/* A frame head of version 3 to 5 (or the beta, 0x42): flags, stream, OPTIONS or STARTUP. */
static bool is_cql(const unsigned char *p, size_t n)
{
    return n >= 5 && ((p[0] >= 3 && p[0] <= 5) || p[0] == 0x42) && (p[1] & 0xe0) == 0
        && (p[4] == 0x01 || p[4] == 0x05);
}

/* int32 length, then protocol 3.0. */
static bool is_postgres(const unsigned char *p, size_t n)
{
    return n >= 8 && p[0] == 0 && p[1] == 0 && memcmp(p + 4, "\0\x03\0\0", 4) == 0;
}

/* "*1\r\n$4\r\n": an array of bulk strings. */
static bool is_redis(const unsigned char *p, size_t n)
{
    return n >= 5 && p[0] == '*' && p[1] >= '1' && p[1] <= '9' && p[2] == '\r' && p[3] == '\n'
        && p[4] == '$';
}

/* Two little-endian 64-bit numbers: bytes to come, and frames. */
static bool is_dask(const unsigned char *p, size_t n)
{
    static const unsigned char zeros[6] = { 0 };

    return n >= 16 && memcmp(p + 4, zeros, 4) == 0 && memcmp(p + 10, zeros, 6) == 0
        && (p[0] | p[1] | p[2] | p[3]) != 0 && p[8] != 0;
}

static const struct {
    bool (*is)(const unsigned char *p, size_t n);
    const char *name;
} shapes[] = {
    { is_cql, "CQL (Cassandra)" },
    { is_postgres, "PostgreSQL" },
    { is_redis, "Redis" },
    { is_dask, "Dask" },
};

static bool is_tls(const unsigned char *p, size_t n)
{
    if (p[0] == 0x16 || p[0] == 0x15)
        return n < 2 || p[1] == 3;
    return (p[0] & 0x80) != 0 && n >= 3 && p[2] == 1;       /* an SSL 2 hello */
}

enum guess guess_protocol(const unsigned char *p, size_t n, const char **name)
{
    if (n == 0)
        return GUESS_NOTHING;
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (n >= prefixes[i].len && memcmp(p, prefixes[i].bytes, prefixes[i].len) == 0) {
            if (prefixes[i].name != NULL)
                *name = prefixes[i].name;
            return prefixes[i].guess;
        }
    }
    if (is_tls(p, n))
        return GUESS_TLS;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (shapes[i].is(p, n)) {
            *name = shapes[i].name;
            return GUESS_NAMED;
        }
    }
    return GUESS_UNKNOWN;
}
