#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/proxyhdr.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"

static enum proxyhdr_state read_of(const void *p, size_t len, struct proxyhdr *h)
{
    /* In memory of its own size: a sanitizer sees a byte too far. */
    uint8_t *copy = malloc(len > 0 ? len : 1);
    enum proxyhdr_state s;

    memcpy(copy, p, len);
    s = proxyhdr_read(copy, len, h);
    h->tlvs = NULL;
    free(copy);
    return s;
}

static const struct {
    const char *line;
    bool addressed;
    const char *from, *to;
} lines[] = {
    { "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", true, "192.0.2.1:56324",
      "198.51.100.2:443" },
    { "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", true, "255.255.255.255:65535",
      "255.255.255.255:65535" },
    { "PROXY TCP6 2001:db8::1 ::1 0 1\r\n", true, "[2001:db8::1]:0", "[::1]:1" },
    { "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "65535 65535\r\n", true, NULL, NULL },
    { "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", true, "192.0.2.1:1", "[::1]:2" },
    { "PROXY UNKNOWN\r\n", false, NULL, NULL },
    { "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", false, NULL, NULL },
};

Test(proxyhdr, lines_are_read_and_every_beginning_of_one_wants_more)
{
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        size_t len = strlen(lines[i].line);
        struct proxyhdr h;
        char text[PEER_TEXT_MAX], more[256];
        for (size_t n = 0; n < len; n++)
            cr_assert_eq(read_of(lines[i].line, n, &h), PROXYHDR_MORE, "%zu of %s", n,
                         lines[i].line);
        snprintf(more, sizeof(more), "%s\x16\x03\x01", lines[i].line);
        cr_assert_eq(read_of(more, len + 3, &h), PROXYHDR_WHOLE, "%s", lines[i].line);
        cr_assert_eq(h.len, len);
        cr_assert_eq(h.version, 1);
        cr_assert_eq(h.addressed, lines[i].addressed);
        if (lines[i].from != NULL) {
            cr_assert_str_eq(peer_text(&h.from, text), lines[i].from);
            cr_assert_str_eq(peer_text(&h.to, text), lines[i].to);
        }
    }
}

Test(proxyhdr, lines_that_are_none)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\n", "P ", "PROXX", "proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 01 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 1 \r\n", "PROXY TCP4  1.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY TCP4 1.2.3 1.2.3.4 1 1\r\n", "PROXY TCP4 ::1 ::1 1 1\r\n",
        "PROXY TCP6 1.2.3.4 ::1 1 1\r\n", "PROXY UDP4 1.2.3.4 1.2.3.4 1 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 1x\r\n", "PROXY \r\n",
        "PROXY TCP4\r\n",
    };
    char endless[200];
    struct proxyhdr h;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(read_of(bad[i], strlen(bad[i]), &h), PROXYHDR_BAD, "%s", bad[i]);
        cr_assert_not_null(h.why);
    }
    memset(endless, 'x', sizeof(endless));
    memcpy(endless, "PROXY UNKNOWN ", 14);
    cr_assert_eq(read_of(endless, 106, &h), PROXYHDR_MORE);
    cr_assert_eq(read_of(endless, 107, &h), PROXYHDR_BAD);
    cr_assert_eq(read_of("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 1\r\n", 34, &h), PROXYHDR_BAD);
}

static const struct {
    const char *p;
    size_t len;
    enum proxyhdr_state state;
    bool addressed;
} binary[] = {
#define V2(text, state, addressed) { SIG text, sizeof(SIG text) - 1, state, addressed }
    V2("\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02", PROXYHDR_WHOLE, true),
    V2("\x20\x00\x00\x00", PROXYHDR_WHOLE, false),
    V2("\x20\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02", PROXYHDR_WHOLE, false),
    V2("\x20\xff\x00\x02\xff\xff", PROXYHDR_WHOLE, false),
    V2("\x21\x00\x00\x05\x04\x00\x02\x00\x00", PROXYHDR_WHOLE, false),
    V2("\x21\x00\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02", PROXYHDR_WHOLE,
       false),
    V2("\x21\x11\x00\x0f\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02\x04\x00\x00",
       PROXYHDR_WHOLE, true),
    V2("\x11\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02", PROXYHDR_BAD, false),
    V2("\x22\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02", PROXYHDR_BAD, false),
    V2("\x21\x12\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02", PROXYHDR_BAD, false),
    V2("\x21\x41\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02", PROXYHDR_BAD, false),
    V2("\x21\x11\x00\x0b\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00", PROXYHDR_BAD, true),
    V2("\x21\x21\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02", PROXYHDR_BAD, true),
    V2("\x21\x11\x00\x0f\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02\x04\x00\x01",
       PROXYHDR_BAD, true),
    V2("\x21\x11\x00\x0d\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02\x04", PROXYHDR_BAD, true),
    V2("\x21\x11\x00\x13\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02\x03\x00\x04"
       "\x00\x00\x00\x00", PROXYHDR_BAD, true),
    V2("\x21\x11\x00\x11\x7f\x00\x00\x01\x7f\x00\x00\x02\x00\x01\x00\x02\x03\x00\x02\x00\x00",
       PROXYHDR_BAD, true),
    V2("\x21\x11\x20\x00", PROXYHDR_BAD, false),
};

Test(proxyhdr, binary_ones)
{
    for (size_t i = 0; i < sizeof(binary) / sizeof(binary[0]); i++) {
        struct proxyhdr h;
        cr_assert_eq(read_of(binary[i].p, binary[i].len, &h), binary[i].state, "row %zu", i);
        if (binary[i].state != PROXYHDR_WHOLE) {
            cr_assert_not_null(h.why, "row %zu", i);
            continue;
        }
        cr_assert_eq(h.len, binary[i].len, "row %zu", i);
        cr_assert_eq(h.addressed, binary[i].addressed, "row %zu", i);
        for (size_t n = 0; n < binary[i].len; n++)
            cr_assert_eq(read_of(binary[i].p, n, &h), PROXYHDR_MORE, "row %zu, %zu bytes", i, n);
    }
}

static struct peer peer_at(int family, const char *ip, uint16_t port)
{
    struct peer p = { .family = (uint8_t)family, .port = port };

    cr_assert_eq(inet_pton(family, ip, p.ip), 1);
    return p;
}

static struct span text(const char *s)
{
    return (struct span){ s, strlen(s) };
}

/* The value of a TLV in a run, or one that is not there. */
static struct span find(const uint8_t *p, size_t left, int wanted)
{
    struct span value;
    int type;

    while (proxyhdr_next(&p, &left, &type, &value))
        if (type == wanted)
            return value;
    return (struct span){ NULL, 0 };
}

Test(proxyhdr, what_is_written_is_read_again)
{
    static char cert[5000];
    struct proxyhdr_tls tls = {
        .certified = true, .version = "TLSv1.3", .cipher = "TLS_AES_128_GCM_SHA256",
        .sig_alg = "RSA-SHA256", .key_alg = "RSA2048", .group = "x25519", .cn = text("alice"),
        .cert = { cert, sizeof(cert) },
    };
    struct proxyhdr_facts f = {
        .from = peer_at(AF_INET6, "2001:db8::7", 1234), .to = peer_at(AF_INET6, "::1", 443),
        .alpn = text("h2"), .authority = text("a.example"), .unique_id = text("77"), .tls = &tls,
    };
    uint8_t out[PROXYHDR_MAX];
    size_t len = proxyhdr_write_v2(&f, true, out, sizeof(out));
    struct proxyhdr h;

    cr_assert_eq(proxyhdr_read(out, len, &h), PROXYHDR_WHOLE);
    cr_assert_eq(h.len, len);
    cr_assert_eq(memcmp(&h.from, &f.from, sizeof(f.from)), 0);
    cr_assert_eq(memcmp(&h.to, &f.to, sizeof(f.to)), 0);
    cr_assert(str_eq(find(h.tlvs, h.tlvs_len, PROXYHDR_ALPN), "h2"));
    cr_assert(str_eq(find(h.tlvs, h.tlvs_len, PROXYHDR_AUTHORITY), "a.example"));
    cr_assert(str_eq(find(h.tlvs, h.tlvs_len, PROXYHDR_UNIQUE_ID), "77"));
    cr_assert_eq(find(h.tlvs, h.tlvs_len, PROXYHDR_CRC32C).len, 4);

    struct span ssl = find(h.tlvs, h.tlvs_len, PROXYHDR_SSL);
    const uint8_t *subs = (const uint8_t *)ssl.p + 5;
    cr_assert_eq(memcmp(ssl.p, "\x07\0\0\0\0", 5), 0);
    cr_assert(str_eq(find(subs, ssl.len - 5, PROXYHDR_SSL_VERSION), "TLSv1.3"));
    cr_assert(str_eq(find(subs, ssl.len - 5, PROXYHDR_SSL_CN), "alice"));
    cr_assert(str_eq(find(subs, ssl.len - 5, PROXYHDR_SSL_CIPHER), "TLS_AES_128_GCM_SHA256"));
    cr_assert(str_eq(find(subs, ssl.len - 5, PROXYHDR_SSL_SIG_ALG), "RSA-SHA256"));
    cr_assert(str_eq(find(subs, ssl.len - 5, PROXYHDR_SSL_KEY_ALG), "RSA2048"));
    cr_assert(str_eq(find(subs, ssl.len - 5, PROXYHDR_SSL_GROUP), "x25519"));
    cr_assert_eq(find(subs, ssl.len - 5, PROXYHDR_SSL_CLIENT_CERT).len, sizeof(cert));

    /* Every byte matters to the sum, but that which says that it is one. */
    for (size_t i = 0; i < len; i++) {
        if (i == len - 7)
            continue;
        out[i] ^= 4;
        cr_assert_neq(read_of(out, len, &h), PROXYHDR_WHOLE, "byte %zu", i);
        out[i] ^= 4;
    }
}

Test(proxyhdr, who_showed_no_certificate_is_said_so)
{
    struct proxyhdr_tls tls = { .version = "TLSv1.2" };
    struct proxyhdr_facts f = { .from = peer_at(AF_INET, "10.0.0.1", 1),
                                .to = peer_at(AF_INET, "10.0.0.2", 2), .tls = &tls };
    uint8_t out[PROXYHDR_MAX];
    struct proxyhdr h;

    cr_assert_eq(proxyhdr_read(out, proxyhdr_write_v2(&f, true, out, sizeof(out)), &h),
                 PROXYHDR_WHOLE);
    cr_assert_eq(memcmp(find(h.tlvs, h.tlvs_len, PROXYHDR_SSL).p, "\x01\0\0\0\1", 5), 0);
    tls.certified = tls.resumed = true;
    cr_assert_eq(proxyhdr_read(out, proxyhdr_write_v2(&f, true, out, sizeof(out)), &h),
                 PROXYHDR_WHOLE);
    cr_assert_eq(memcmp(find(h.tlvs, h.tlvs_len, PROXYHDR_SSL).p, "\x05\0\0\0\0", 5), 0);
    cr_assert_eq(proxyhdr_write_v2(&f, false, out, sizeof(out)), 16 + 12);
}

Test(proxyhdr, what_does_not_fit_is_left_out)
{
    static char cert[9000];
    struct proxyhdr_tls tls = { .certified = true, .version = "TLSv1.3",
                                .cert = { cert, sizeof(cert) } };
    struct proxyhdr_facts f = { .from = peer_at(AF_INET, "10.0.0.1", 1),
                                .to = peer_at(AF_INET, "10.0.0.2", 2), .tls = &tls };
    uint8_t out[PROXYHDR_MAX];
    struct proxyhdr h;

    for (size_t n = 8000; n < sizeof(cert); n++) {
        tls.cert.len = n;
        size_t len = proxyhdr_write_v2(&f, true, out, sizeof(out));
        cr_assert_leq(len, sizeof(out));
        cr_assert_eq(proxyhdr_read(out, len, &h), PROXYHDR_WHOLE, "%zu", n);
        struct span ssl = find(h.tlvs, h.tlvs_len, PROXYHDR_SSL);
        cr_assert(str_eq(find((const uint8_t *)ssl.p + 5, ssl.len - 5, PROXYHDR_SSL_VERSION),
                         "TLSv1.3"));
        cr_assert_eq(find(h.tlvs, h.tlvs_len, PROXYHDR_CRC32C).len, 4);
    }
}

Test(proxyhdr, lines_are_written)
{
    struct proxyhdr_facts f = { .from = peer_at(AF_INET, "10.0.0.1", 56324),
                                .to = peer_at(AF_INET, "10.0.0.2", 443) };
    char out[PROXYHDR_V1_MAX];

    cr_assert_eq(proxyhdr_write_v1(&f, out), 40);
    cr_assert_str_eq(out, "PROXY TCP4 10.0.0.1 10.0.0.2 56324 443\r\n");
    f.to = peer_at(AF_INET6, "::1", 443);
    proxyhdr_write_v1(&f, out);
    cr_assert_str_eq(out, "PROXY TCP6 ::ffff:10.0.0.1 ::1 56324 443\r\n");
    f.from.family = f.to.family = AF_UNIX;
    cr_assert_eq(proxyhdr_write_v1(&f, out), 15);
    f.from = f.to = peer_at(AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
    cr_assert_lt(proxyhdr_write_v1(&f, out), sizeof(out));
}
