#include "proto/proxyhdr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const uint8_t signature[12] = { 13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 10 };

enum { HEAD = 16, FAMILY_UNSPEC = 0, FAMILY_INET = 1, FAMILY_INET6 = 2, FAMILY_UNIX = 3 };
enum { STREAM = 1, LOCAL = 0, PROXY = 1 };

static enum proxyhdr_state bad(struct proxyhdr *out, const char *why)
{
    out->why = why;
    return PROXYHDR_BAD;
}

/* CRC-32C (RFC 3720 B.4), bit by bit: headers are short and few. */
static uint32_t crc32c(const uint8_t *p, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static unsigned u16_at(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)u16_at(p) << 16 | u16_at(p + 2);
}

/* --- version 1: one line of text --- */

static bool read_port(struct span word, uint16_t *out)
{
    uint64_t n;

    if (!str_u64(word, 65535, &n) || (word.len > 1 && word.p[0] == '0'))
        return false;
    *out = (uint16_t)n;
    return true;
}

static bool read_ip(struct span word, int family, struct peer *out)
{
    char text[INET6_ADDRSTRLEN];

    if (word.len == 0 || word.len >= sizeof(text))
        return false;
    memcpy(text, word.p, word.len);
    text[word.len] = '\0';
    out->family = (uint8_t)family;
    return strlen(text) == word.len && inet_pton(family, text, out->ip) == 1;
}

/* The word before the next blank, which is taken, too. */
static struct span next_word(struct span *line)
{
    const char *blank = memchr(line->p, ' ', line->len);
    size_t n = blank != NULL ? (size_t)(blank - line->p) : line->len;
    struct span word = { line->p, n };

    *line = (struct span){ line->p + n + (blank != NULL), line->len - n - (blank != NULL) };
    return word;
}

static enum proxyhdr_state read_line(struct span line, struct proxyhdr *out)
{
    struct span family;

    (void)next_word(&line);     /* PROXY */
    family = next_word(&line);
    if (str_eq(family, "UNKNOWN"))
        return PROXYHDR_WHOLE;  /* the rest is to be ignored */
    int af = str_eq(family, "TCP4") ? AF_INET : str_eq(family, "TCP6") ? AF_INET6 : -1;
    if (af < 0)
        return bad(out, "its family is not TCP4, TCP6 or UNKNOWN");
    if (!read_ip(next_word(&line), af, &out->from) || !read_ip(next_word(&line), af, &out->to))
        return bad(out, "an address in it is none of its family");
    struct span source = next_word(&line);
    if (memchr(line.p, ' ', line.len) != NULL || !read_port(source, &out->from.port)
        || !read_port(line, &out->to.port))
        return bad(out, "a port in it is not a number from 0 to 65535");
    peer_unmap(&out->from);
    peer_unmap(&out->to);
    out->addressed = true;
    return PROXYHDR_WHOLE;
}

static enum proxyhdr_state read_v1(const uint8_t *p, size_t len, struct proxyhdr *out)
{
    size_t look = len < PROXYHDR_V1_MAX - 1 ? len : PROXYHDR_V1_MAX - 1;
    const uint8_t *end = memchr(p, '\n', look);

    out->version = 1;
    if (end == NULL)
        return look < PROXYHDR_V1_MAX - 1 ? PROXYHDR_MORE
                                          : bad(out, "its line does not end within 107 bytes");
    if (end[-1] != '\r')
        return bad(out, "its line does not end in CR LF");
    out->len = (size_t)(end - p) + 1;
    return read_line((struct span){ (const char *)p, out->len - 2 }, out);
}

/* --- version 2: binary --- */

bool proxyhdr_next(const uint8_t **tlvs, size_t *left, int *type, struct span *value)
{
    if (*left < 3)
        return false;
    *type = (*tlvs)[0];
    *value = (struct span){ (const char *)*tlvs + 3, u16_at(*tlvs + 1) };
    if (value->len > *left - 3)
        return false;
    *tlvs += 3 + value->len;
    *left -= 3 + value->len;
    return true;
}

/* What the sum was made over: the header, the sum itself being zero. */
static bool sum_is_right(const uint8_t *p, size_t len, const uint8_t *sum)
{
    uint8_t copy[PROXYHDR_MAX];

    memcpy(copy, p, len);
    memset(copy + (sum - p), 0, 4);
    return crc32c(copy, len) == u32_at(sum);
}

static enum proxyhdr_state check_tlvs(const uint8_t *p, struct proxyhdr *out)
{
    const uint8_t *at = out->tlvs;
    size_t left = out->tlvs_len;
    struct span value;
    int type;

    while (left > 0) {
        if (!proxyhdr_next(&at, &left, &type, &value))
            return bad(out, "a field in it is longer than the header");
        if (type == PROXYHDR_UNIQUE_ID && value.len > 128)
            return bad(out, "its unique id is longer than 128 bytes");
        if (type == PROXYHDR_CRC32C
            && (value.len != 4 || !sum_is_right(p, out->len, (const uint8_t *)value.p)))
            return bad(out, "its checksum is wrong");
    }
    return PROXYHDR_WHOLE;
}

static void take_addresses(const uint8_t *p, size_t size, int family, struct proxyhdr *out)
{
    out->from.family = out->to.family = (uint8_t)family;
    memcpy(out->from.ip, p, size);
    memcpy(out->to.ip, p + size, size);
    out->from.port = (uint16_t)u16_at(p + 2 * size);
    out->to.port = (uint16_t)u16_at(p + 2 * size + 2);
    peer_unmap(&out->from);
    peer_unmap(&out->to);
    out->addressed = true;
}

static enum proxyhdr_state read_body(const uint8_t *p, struct proxyhdr *out)
{
    static const size_t sizes[] = { 0, 4 + 4 + 2 + 2, 16 + 16 + 2 + 2, 108 + 108 };
    unsigned command = p[12] & 15u, family = p[13] >> 4, transport = p[13] & 15u;
    size_t size, body = out->len - HEAD;

    if (p[12] >> 4 != 2)
        return bad(out, "its version is neither 1 nor 2");
    if (command > PROXY)
        return bad(out, "its command is neither LOCAL nor PROXY");
    if (command == LOCAL)
        return PROXYHDR_WHOLE;  /* the rest is to be ignored */
    if (family > FAMILY_UNIX || transport > 2)
        return bad(out, "its address family is unknown");
    if (family == FAMILY_UNSPEC || transport == 0)
        return PROXYHDR_WHOLE;  /* the same: a sender that cannot say */
    size = sizes[family];
    if (transport != STREAM)
        return bad(out, "it is of a datagram");
    if (size > body)
        return bad(out, "it is too short for its addresses");
    if (family == FAMILY_INET)
        take_addresses(p + HEAD, 4, AF_INET, out);
    else if (family == FAMILY_INET6)
        take_addresses(p + HEAD, 16, AF_INET6, out);
    else if (family == FAMILY_UNIX) {
        out->from.family = out->to.family = AF_UNIX;
        out->addressed = true;
    }
    out->tlvs = p + HEAD + size;
    out->tlvs_len = body - size;
    return check_tlvs(p, out);
}

static enum proxyhdr_state read_v2(const uint8_t *p, size_t len, struct proxyhdr *out)
{
    out->version = 2;
    if (len < HEAD)
        return PROXYHDR_MORE;
    out->len = HEAD + u16_at(p + 14);
    if (out->len > PROXYHDR_MAX)
        return bad(out, "it is longer than 8192 bytes");
    return len < out->len ? PROXYHDR_MORE : read_body(p, out);
}

static bool begins_like(const uint8_t *p, size_t len, const void *word, size_t n)
{
    return memcmp(p, word, len < n ? len : n) == 0;
}

enum proxyhdr_state proxyhdr_read(const uint8_t *p, size_t len, struct proxyhdr *out)
{
    *out = (struct proxyhdr){ 0 };
    if (len == 0)
        return PROXYHDR_MORE;
    if (begins_like(p, len, signature, sizeof(signature)))
        return len < sizeof(signature) ? PROXYHDR_MORE : read_v2(p, len, out);
    if (begins_like(p, len, "PROXY ", 6))
        return len < 6 ? PROXYHDR_MORE : read_v1(p, len, out);
    return bad(out, "there is none");
}

/* --- writing --- */

static bool is_ip(const struct peer *p)
{
    return p->family == AF_INET || p->family == AF_INET6;
}

/* Both have addresses. Of one family: an IPv4 address beside one of IPv6 is mapped. */
static bool told(const struct proxyhdr_facts *f, struct peer *from, struct peer *to)
{
    *from = f->from;
    *to = f->to;
    if (!is_ip(from) || !is_ip(to))
        return false;
    if (from->family != to->family)
        peer_map(from->family == AF_INET ? from : to);
    return true;
}

size_t proxyhdr_write_v1(const struct proxyhdr_facts *f, char out[PROXYHDR_V1_MAX])
{
    char source[INET6_ADDRSTRLEN], dest[INET6_ADDRSTRLEN];
    struct peer from, to;

    if (!told(f, &from, &to) || inet_ntop(from.family, from.ip, source, sizeof(source)) == NULL
        || inet_ntop(to.family, to.ip, dest, sizeof(dest)) == NULL)
        return (size_t)snprintf(out, PROXYHDR_V1_MAX, "PROXY UNKNOWN\r\n");
    return (size_t)snprintf(out, PROXYHDR_V1_MAX, "PROXY %s %s %s %u %u\r\n",
                            from.family == AF_INET ? "TCP4" : "TCP6", source, dest,
                            (unsigned)from.port, (unsigned)to.port);
}

struct writer {
    uint8_t *p;
    size_t len, cap;
};

static void put(struct writer *w, const void *p, size_t n)
{
    memcpy(w->p + w->len, p, n);
    w->len += n;
}

static void put_number(uint8_t *p, size_t n, unsigned bytes)
{
    while (bytes-- > 0) {
        p[bytes] = (uint8_t)n;
        n >>= 8;
    }
}

static void put_u16(struct writer *w, size_t n)
{
    put_number(w->p + w->len, n, 2);
    w->len += 2;
}

/* With room left for a checksum behind it; one that does not fit is left out. */
static void put_tlv(struct writer *w, int type, struct span value)
{
    if (value.p == NULL || value.len > UINT16_MAX || w->len + 3 + value.len + 7 > w->cap)
        return;
    w->p[w->len++] = (uint8_t)type;
    put_u16(w, value.len);
    put(w, value.p, value.len);
}

static void put_text(struct writer *w, int type, const char *text)
{
    put_tlv(w, type, (struct span){ text, text != NULL ? strlen(text) : 0 });
}

/* proxy-protocol.txt 2.2.6: which of SSL, certificate on this connection, certificate in
   this session; then 0 for one that was verified. */
static void put_tls(struct writer *w, const struct proxyhdr_tls *t)
{
    size_t at = w->len;
    uint8_t client = 1;

    if (w->len + 8 + 7 > w->cap)
        return;
    if (t->certified)
        client |= t->resumed ? 4 : 2 | 4;
    w->p[at] = PROXYHDR_SSL;
    w->p[at + 3] = client;
    put_number(w->p + at + 4, t->certified ? 0 : 1, 4);
    w->len += 8;
    put_text(w, PROXYHDR_SSL_VERSION, t->version);
    put_tlv(w, PROXYHDR_SSL_CN, t->cn);
    put_text(w, PROXYHDR_SSL_CIPHER, t->cipher);
    put_text(w, PROXYHDR_SSL_SIG_ALG, t->sig_alg);
    put_text(w, PROXYHDR_SSL_KEY_ALG, t->key_alg);
    put_text(w, PROXYHDR_SSL_GROUP, t->group);
    put_tlv(w, PROXYHDR_SSL_CLIENT_CERT, t->cert);
    put_number(w->p + at + 1, w->len - at - 3, 2);
}

static void put_addresses(struct writer *w, const struct proxyhdr_facts *f)
{
    struct peer from, to;

    if (!told(f, &from, &to)) {
        put(w, (uint8_t[]){ FAMILY_UNSPEC << 4, 0, 0 }, 3);
        return;
    }
    size_t size = from.family == AF_INET ? 4 : 16;
    uint8_t family = from.family == AF_INET ? FAMILY_INET : FAMILY_INET6;

    put(w, (uint8_t[]){ (uint8_t)(family << 4 | STREAM), 0, 0 }, 3);
    put(w, from.ip, size);
    put(w, to.ip, size);
    put_u16(w, from.port);
    put_u16(w, to.port);
}

size_t proxyhdr_write_v2(const struct proxyhdr_facts *f, bool tlvs, uint8_t *out, size_t cap)
{
    struct writer w = { out, 0, cap < PROXYHDR_MAX ? cap : PROXYHDR_MAX };

    put(&w, signature, sizeof(signature));
    put(&w, (uint8_t[]){ 2 << 4 | PROXY }, 1);
    put_addresses(&w, f);
    if (tlvs) {
        put_tlv(&w, PROXYHDR_ALPN, f->alpn);
        put_tlv(&w, PROXYHDR_AUTHORITY, f->authority);
        put_tlv(&w, PROXYHDR_UNIQUE_ID, f->unique_id);
        if (f->tls != NULL)
            put_tls(&w, f->tls);
        put(&w, (uint8_t[]){ PROXYHDR_CRC32C, 0, 4, 0, 0, 0, 0 }, 7);
    }
    put_number(out + 14, w.len - HEAD, 2);
    if (tlvs)
        put_number(out + w.len - 4, crc32c(out, w.len), 4);
    return w.len;
}
