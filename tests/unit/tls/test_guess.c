#include <criterion/criterion.h>

#include "tls/guess.h"

#define IS(bytes, guess, name) is(bytes, sizeof(bytes) - 1, guess, name)

static void is(const char *p, size_t n, enum guess want, const char *want_name)
{
    const char *name = NULL;

    /* From memory of exactly this size: a read beyond it is an error of its own. */
    unsigned char *copy = malloc(n ? n : 1);
    memcpy(copy, p, n);
    cr_assert_eq(guess_protocol(copy, n, &name), want, "%.*s", (int)n, p);
    if (want_name != NULL)
        cr_assert(name != NULL && strstr(name, want_name) != NULL, "%s", name ? name : "(none)");
    free(copy);
}

Test(guess, protocols_by_their_first_bytes)
{
    IS("", GUESS_NOTHING, NULL);
    IS("\x16\x03\x01\x02\x00\x01", GUESS_TLS, NULL);
    IS("\x16", GUESS_TLS, NULL);
    IS("\x15\x03\x01\x00\x02\x02\x28", GUESS_TLS, NULL);
    IS("\x80\x2e\x01\x03\x01", GUESS_TLS, NULL);
    IS("GET / HTTP/1.1\r\n", GUESS_HTTP, NULL);
    IS("OPTIONS * HTTP/1", GUESS_HTTP, NULL);
    IS("CONNECT a:443 HT", GUESS_HTTP_CONNECT, NULL);
    IS("PROXY TCP4 10.0.", GUESS_PROXY, "version 1");
    IS("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", GUESS_PROXY, "version 2");
    IS("PRI * HTTP/2.0\r\n", GUESS_NAMED, "h2c");
    IS("SSH-2.0-OpenSSH_", GUESS_NAMED, "SSH");
    IS("JRMI\0\x02K", GUESS_NAMED, "RMI");
    IS("\x04\0\0\0\x05\0\0\0\0", GUESS_NAMED, "CQL");
    IS("\x42\x10\0\0\x01\0\0\0\x16", GUESS_NAMED, "CQL");
    IS("\xca\x55\x2d\xfa\0\0", GUESS_NAMED, "internode");
    IS("\xff\xff\xff\x81\0\0\0\x10", GUESS_NAMED, "Pravega");
    IS("\0\0\0\x08\x04\xd2\x16\x2f", GUESS_NAMED, "SSLRequest");
    IS("\0\0\0\x54\0\x03\0\0user", GUESS_NAMED, "PostgreSQL");
    IS("*1\r\n$4\r\nPING\r\n", GUESS_NAMED, "Redis");
    IS("\x9c\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0", GUESS_NAMED, "Dask");
}

Test(guess, what_is_not_certain_stays_unknown)
{
    IS("GE", GUESS_UNKNOWN, NULL);
    IS("hello there", GUESS_UNKNOWN, NULL);
    IS("\0\0\0\x2d\0\0\0\0", GUESS_UNKNOWN, NULL);
    IS("\x04\0\0\0\x77\0\0\0\0", GUESS_UNKNOWN, NULL);
    IS("\x16\x02\x01", GUESS_UNKNOWN, NULL);
    IS("\r\n", GUESS_UNKNOWN, NULL);
    IS("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", GUESS_UNKNOWN, NULL);
}
