#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ADDR_SYSTEMD "systemd:"

static int parse_unix(struct span path, struct addr *out, struct err *e)
{
    if (path.len == 0 || path.p[0] != '/')
        return err_setx(e, "unix: needs an absolute path");
    if (path.len >= sizeof(out->u.un.sun_path))
        return err_setx(e, "the path of a Unix socket may have %zu bytes, this has %zu",
                        sizeof(out->u.un.sun_path) - 1, path.len);
    if (memchr(path.p, '\0', path.len) != NULL)
        return err_setx(e, "the path holds a NUL byte");
    out->u.un.sun_family = AF_UNIX;
    memcpy(out->u.un.sun_path, path.p, path.len);
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.len + 1);
    return 0;
}

static int parse_systemd(struct span text, struct addr *out, struct err *e)
{
    size_t prefix = sizeof(ADDR_SYSTEMD) - 1, room = sizeof(out->u.un.sun_path) - 1;

    if (text.len <= prefix || text.len > room)
        return err_setx(e, "systemd: needs the name of a socket, of at most %zu bytes",
                        room - prefix);
    for (size_t i = prefix; i < text.len; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~' || text.p[i] == ':')
            return err_setx(e, "a name that systemd knows has no colon, no blank, and ASCII only");
    out->u.un.sun_family = AF_UNSPEC;
    memcpy(out->u.un.sun_path, text.p, text.len);
    out->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + text.len + 1);
    return 0;
}

/* The host of "host:port", without brackets, as a terminated string. */
static int parse_ip(struct span host, bool bracketed, struct addr *out, uint16_t port,
                    struct err *e)
{
    char text[INET6_ADDRSTRLEN];

    if (!bracketed && str_eq(host, "localhost"))
        host = (struct span){ "127.0.0.1", 9 };
    if (host.len == 0)
        return err_setx(e, "the address before the port is missing (0.0.0.0 for all of IPv4, "
                           "[::] for all of IPv6)");
    if (host.len < sizeof(text) && memchr(host.p, '\0', host.len) == NULL) {
        memcpy(text, host.p, host.len);
        text[host.len] = '\0';
        if (!bracketed && inet_pton(AF_INET, text, &out->u.in.sin_addr) == 1) {
            out->u.in.sin_family = AF_INET;
            out->u.in.sin_port = htons(port);
            out->len = sizeof(out->u.in);
            return 0;
        }
        if (bracketed && inet_pton(AF_INET6, text, &out->u.in6.sin6_addr) == 1) {
            out->u.in6.sin6_family = AF_INET6;
            out->u.in6.sin6_port = htons(port);
            out->len = sizeof(out->u.in6);
            return 0;
        }
    }
    return err_setx(e, "not a numeric %s address", bracketed ? "IPv6" : "IPv4");
}

int addr_parse(struct span s, struct addr *out, struct err *e)
{
    struct span host, port_text;
    uint64_t port;
    bool bracketed = s.len > 0 && s.p[0] == '[';

    memset(out, 0, sizeof(*out));
    if (s.len >= 5 && memcmp(s.p, "unix:", 5) == 0)
        return parse_unix((struct span){ s.p + 5, s.len - 5 }, out, e);
    if (s.len >= 8 && memcmp(s.p, ADDR_SYSTEMD, 8) == 0)
        return parse_systemd(s, out, e);
    if (bracketed) {
        const char *close = memchr(s.p, ']', s.len);
        if (close == NULL)
            return err_setx(e, "the ] of the IPv6 address is missing");
        host = (struct span){ s.p + 1, (size_t)(close - s.p) - 1 };
        port_text = (struct span){ close + 1, s.len - host.len - 2 };
        if (port_text.len == 0 || port_text.p[0] != ':')
            return err_setx(e, "the port is missing ([::1]:9042)");
    } else {
        const char *colon = s.len > 0 ? memrchr(s.p, ':', s.len) : NULL;
        if (s.len > 0 && s.p[0] == '/')
            return err_setx(e, "a path stands behind unix: (unix:/run/app.sock)");
        if (colon == NULL)
            return err_setx(e, "the port is missing (127.0.0.1:9042)");
        host = (struct span){ s.p, (size_t)(colon - s.p) };
        if (memchr(host.p, ':', host.len) != NULL)
            return err_setx(e, "an IPv6 address stands in brackets ([::1]:9042)");
        port_text = (struct span){ colon, s.len - host.len };
    }
    port_text.p++;
    port_text.len--;
    if (!str_u64(port_text, 65535, &port))
        return err_setx(e, "the port is not a number from 0 to 65535");
    return parse_ip(host, bracketed, out, (uint16_t)port, e);
}

char *addr_text(const struct addr *a, char out[ADDR_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN] = "";

    if (a->len == 0) {
        out[0] = '\0';
    } else if (a->u.sa.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->u.in.sin_addr, ip, sizeof(ip));
        snprintf(out, ADDR_TEXT_MAX, "%s:%u", ip, ntohs(a->u.in.sin_port));
    } else if (a->u.sa.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a->u.in6.sin6_addr, ip, sizeof(ip));
        snprintf(out, ADDR_TEXT_MAX, "[%s]:%u", ip, ntohs(a->u.in6.sin6_port));
    } else if (addr_is_systemd(a)) {
        snprintf(out, ADDR_TEXT_MAX, "%s", a->u.un.sun_path);
    } else {
        snprintf(out, ADDR_TEXT_MAX, "unix:%s", a->u.un.sun_path);
    }
    return out;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    if (a->len == 0 || b->len == 0)
        return a->len == b->len;
    if (a->u.sa.sa_family != b->u.sa.sa_family)
        return false;
    switch (a->u.sa.sa_family) {
    case AF_INET:
        return a->u.in.sin_port == b->u.in.sin_port
            && a->u.in.sin_addr.s_addr == b->u.in.sin_addr.s_addr;
    case AF_INET6:
        return a->u.in6.sin6_port == b->u.in6.sin6_port
            && memcmp(&a->u.in6.sin6_addr, &b->u.in6.sin6_addr, 16) == 0;
    default:
        return strcmp(a->u.un.sun_path, b->u.un.sun_path) == 0;
    }
}

uint16_t addr_port(const struct addr *a)
{
    switch (a->u.sa.sa_family) {
    case AF_INET:
        return ntohs(a->u.in.sin_port);
    case AF_INET6:
        return ntohs(a->u.in6.sin6_port);
    default:
        return 0;
    }
}

void addr_set_port(struct addr *a, uint16_t port)
{
    if (a->u.sa.sa_family == AF_INET)
        a->u.in.sin_port = htons(port);
    else if (a->u.sa.sa_family == AF_INET6)
        a->u.in6.sin6_port = htons(port);
}

bool addr_is_ip(const char *text)
{
    unsigned char ip[16];

    return inet_pton(AF_INET, text, ip) == 1 || inet_pton(AF_INET6, text, ip) == 1;
}

bool addr_is_systemd(const struct addr *a)
{
    return a->len > 0 && a->u.sa.sa_family == AF_UNSPEC;
}

bool addr_is_local(const struct addr *a)
{
    static const struct cidr loop4 = { AF_INET, 8, { 127 } };
    static const struct cidr loop6 = { AF_INET6, 128, { [15] = 1 } };
    struct peer p;

    if (addr_is_systemd(a))
        return false;           /* nobody knows */
    peer_from(&a->u.sa, &p);
    return p.family == AF_UNIX || cidr_has(&loop4, &p) || cidr_has(&loop6, &p);
}

void peer_from(const struct sockaddr *sa, struct peer *out)
{
    memset(out, 0, sizeof(*out));
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        out->family = AF_INET;
        out->port = ntohs(in->sin_port);
        memcpy(out->ip, &in->sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
        out->family = AF_INET6;
        out->port = ntohs(in6->sin6_port);
        memcpy(out->ip, &in6->sin6_addr, 16);
        peer_unmap(out);
    } else {
        out->family = AF_UNIX;
    }
}

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };     /* RFC 4291 2.5.5.2 */

void peer_map(struct peer *p)
{
    memcpy(p->ip + sizeof(mapped), p->ip, 4);
    memcpy(p->ip, mapped, sizeof(mapped));
    p->family = AF_INET6;
}

bool peer_is_loopback(const struct peer *p)
{
    static const uint8_t one[16] = { [15] = 1 };

    return p->family == AF_INET ? p->ip[0] == 127
                                : p->family == AF_INET6 && memcmp(p->ip, one, sizeof(one)) == 0;
}

bool peer_same_host(const struct peer *a, const struct peer *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

void peer_unmap(struct peer *p)
{
    if (p->family != AF_INET6 || memcmp(p->ip, mapped, sizeof(mapped)) != 0)
        return;
    p->family = AF_INET;
    memcpy(p->ip, p->ip + 12, 4);
    memset(p->ip + 4, 0, 12);
}

char *peer_host_text(const struct peer *p, char out[PEER_TEXT_MAX])
{
    out[0] = '\0';
    if (p->family == AF_UNIX)
        snprintf(out, PEER_TEXT_MAX, "unix");
    else
        inet_ntop(p->family, p->ip, out, PEER_TEXT_MAX);
    return out;
}

char *peer_text(const struct peer *p, char out[PEER_TEXT_MAX])
{
    char ip[PEER_TEXT_MAX];

    if (p->family == AF_UNIX)
        return peer_host_text(p, out);
    peer_host_text(p, ip);
    snprintf(out, PEER_TEXT_MAX, p->family == AF_INET ? "%.45s:%u" : "[%.45s]:%u", ip, p->port);
    return out;
}

/* Whether the first `bits` bits of a and b are the same. */
static bool prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    return memcmp(a, b, whole) == 0 && (rest == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

/* As peers are: a network of mapped addresses would have none of them. */
static void cidr_unmap(struct cidr *c)
{
    struct peer p = { .family = c->family };

    memcpy(p.ip, c->ip, sizeof(p.ip));
    if (c->bits >= 8 * sizeof(mapped))
        peer_unmap(&p);
    if (p.family == c->family)
        return;
    c->family = p.family;
    c->bits = (uint8_t)(c->bits - 8 * sizeof(mapped));
    memcpy(c->ip, p.ip, sizeof(c->ip));
}

int cidr_parse(struct span s, struct cidr *out, struct err *e)
{
    char text[INET6_ADDRSTRLEN];
    const char *slash = s.len > 0 ? memchr(s.p, '/', s.len) : NULL;
    size_t host = slash ? (size_t)(slash - s.p) : s.len;
    uint8_t net[16] = { 0 };
    uint64_t bits;

    memset(out, 0, sizeof(*out));
    if (host == 0 || host >= sizeof(text) || memchr(s.p, '\0', host) != NULL)
        return err_setx(e, "not a numeric address or network (10.0.0.0/8)");
    memcpy(text, s.p, host);
    text[host] = '\0';
    if (inet_pton(AF_INET, text, out->ip) == 1)
        out->family = AF_INET;
    else if (inet_pton(AF_INET6, text, out->ip) == 1)
        out->family = AF_INET6;
    else
        return err_setx(e, "not a numeric address or network (10.0.0.0/8)");

    unsigned full = out->family == AF_INET ? 32 : 128;
    bits = full;
    if (slash != NULL && !str_u64((struct span){ slash + 1, s.len - host - 1 }, full, &bits))
        return err_setx(e, "the prefix length is not a number from 0 to %u", full);
    out->bits = (uint8_t)bits;

    for (unsigned i = 0; i < full; i++)
        if (i < bits)
            net[i / 8] |= (uint8_t)(out->ip[i / 8] & (0x80u >> (i % 8)));
    if (memcmp(net, out->ip, sizeof(net)) != 0) {
        char proper[INET6_ADDRSTRLEN];
        inet_ntop(out->family, net, proper, sizeof(proper));
        return err_setx(e, "bits are set behind the prefix; the network is %s/%u", proper,
                        (unsigned)bits);
    }
    cidr_unmap(out);
    return 0;
}

bool cidr_has(const struct cidr *c, const struct peer *p)
{
    return c->family == p->family && prefix_equal(c->ip, p->ip, c->bits);
}

static int add_cidr(struct nets *list, struct span text, struct err *e)
{
    struct cidr c;

    if (cidr_parse(text, &c, e) < 0)
        return -1;
    list->v = mem_grow(list->v, list->n + 1, sizeof(list->v[0]));
    list->v[list->n++] = c;
    return 0;
}

int nets_add(struct nets *list, struct span text, struct err *e)
{
    static const char *const words[][3] = {
        { "loopback", "127.0.0.0/8", "::1/128" }, { "anywhere", "0.0.0.0/0", "::/0" },
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!str_eq(text, words[i][0]))
            continue;
        for (size_t k = 1; k <= 2; k++)
            (void)add_cidr(list, str_span(words[i][k]), e);
        return 0;
    }
    return add_cidr(list, text, e);
}

bool nets_have(const struct nets *list, const struct peer *p)
{
    struct peer local = { .family = AF_INET, .ip = { 127, 0, 0, 1 } };

    for (size_t i = 0; i < list->n; i++)
        if (cidr_has(&list->v[i], p->family == AF_UNIX ? &local : p))
            return true;
    return false;
}

bool nets_let_plaintext(const struct nets *list, const struct addr *to)
{
    struct peer p;

    peer_from(&to->u.sa, &p);
    return addr_is_local(to) || nets_have(list, &p);
}

void nets_free(struct nets *list)
{
    free(list->v);
    *list = (struct nets){ 0 };
}
