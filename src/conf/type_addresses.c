#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/mem.h"
#include "base/names.h"
#include "conf/type_parts.h"

static bool is_unix(struct span text)
{
    return text.len >= 5 && memcmp(text.p, "unix:", 5) == 0;
}

/* "example.com:443" or "example.com": letters where a numeric address stands. */
static bool is_host_name(struct span text)
{
    const char *colon = memchr(text.p, ':', text.len);
    size_t host = colon ? (size_t)(colon - text.p) : text.len;
    bool letters = false;

    if (is_unix(text) || (text.len >= 8 && memcmp(text.p, "systemd:", 8) == 0))
        return false;
    if (colon != NULL && memchr(colon + 1, ':', text.len - host - 1) != NULL)
        return false;           /* an IPv6 address that lacks its brackets */
    for (size_t i = 0; i < host; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (!isalnum(c) && c != '.' && c != '-' && c != '_')
            return false;
        letters = letters || isalpha(c);
    }
    return letters && !str_eq((struct span){ text.p, host }, "localhost");
}

static int parse_numeric(struct span text, const char *example, struct addr *out,
                         struct refusal *r)
{
    bool unix_path = is_unix(text);

    if (!unix_path && memchr(text.p, ',', text.len) != NULL)
        return err_setx(&r->why, "several addresses in one value");

    if (memmem(text.p, text.len, "://", 3) != NULL) {
        err_setx(&r->hint, "write the address alone, such as %s", example);
        return err_setx(&r->why, "an address has no scheme and no path");
    }
    if (is_host_name(text)) {
        err_setx(&r->hint, "a name is not looked up here: write the address, such as %s", example);
        return err_setx(&r->why, "a host name; only numeric addresses and localhost are accepted");
    }
    return addr_parse(text, out, &r->why);
}

int type_parse_address(struct span text, const char *bare, struct conf_addrs *out,
                       struct refusal *r)
{
    struct addr a;
    uint64_t port;
    bool star = text.len > 2 && text.p[0] == '*' && text.p[1] == ':';
    struct span digits = star ? (struct span){ text.p + 2, text.len - 2 } : text;

    if (parse_numeric(text, "0.0.0.0:443", &a, r) < 0) {
        if (str_u64(digits, UINT64_MAX, &port) && port > 65535)
            return err_setx(&r->why, "a port is a number from 0 to 65535");
        if (str_u64(digits, 65535, &port))
            err_setx(&r->hint, "did you mean \"%s:%u\"?", bare, (unsigned)port);
        else if (memchr(text.p, ',', text.len) != NULL)
            err_setx(&r->hint, "give each its own line or flag");
        return -1;
    }
    for (size_t i = 0; i < out->n; i++)
        if (addr_equal(&out->v[i], &a))
            return err_setx(&r->why, "listed twice");
    out->v = mem_grow(out->v, out->n + 1, sizeof(out->v[0]));
    out->v[out->n++] = a;
    return 0;
}

/* --- servers --- */

static int refuse_port(struct refusal *r)
{
    return err_setx(&r->why, "nobody can be reached on port 0");
}

/* NAME:PORT; the name is kept as it is written, for whoever resolves it. */
static int parse_name(struct span text, struct conf_server *out, struct refusal *r)
{
    char folded[DNS_NAME_MAX + 1];
    const char *colon = memchr(text.p, ':', text.len), *why;
    struct span host = { text.p, colon != NULL ? (size_t)(colon - text.p) : text.len };
    uint64_t port;

    why = dns_fold(host, folded) > 0 ? type_bad_dns_name(folded, r) : "a name has 1 to 255 bytes";
    if (why != NULL)
        return err_setx(&r->why, "%s", why);
    if (colon == NULL)
        return err_setx(&r->why, "the port is missing");
    if (!str_u64((struct span){ colon + 1, text.len - host.len - 1 }, 65535, &port))
        return err_setx(&r->why, "a port is a number from 1 to 65535");
    if (port == 0)
        return refuse_port(r);
    out->host = mem_strndup(host.p, host.len);
    out->port = (uint16_t)port;
    out->written = mem_strndup(text.p, text.len);
    return 0;
}

static int parse_numeric_server(struct span text, struct conf_server *out, struct refusal *r)
{
    char written[ADDR_TEXT_MAX];

    if (parse_numeric(text, "127.0.0.1:9042", &out->addr, r) < 0) {
        if (memchr(text.p, ',', text.len) != NULL)
            err_setx(&r->hint, "give each its own line or flag");
        return -1;
    }
    if (addr_is_systemd(&out->addr))
        return err_setx(&r->why, "a socket of systemd's is one to listen on");
    if (out->addr.u.sa.sa_family != AF_UNIX && addr_port(&out->addr) == 0)
        return refuse_port(r);
    /* What a certificate has to have is the name that was written. */
    if (text.len > 10 && strncasecmp(text.p, "localhost:", 10) == 0)
        out->written = mem_strndup(text.p, text.len);
    else
        out->written = mem_strdup(addr_text(&out->addr, written));
    return 0;
}

/* The servers that are no address and no name, and stand alone. 1: it is one. 0: it is none.
   -1: a wrong one. */
static int parse_special(struct span text, struct conf_servers *out, struct refusal *r)
{
    static const size_t len = sizeof(TYPE_ORIGINAL) - 1;
    uint64_t port;

    if (str_eq(text, TYPE_BUILTIN_PAGE)) {
        out->builtin_page = true;
        return 1;
    }
    if (text.len >= 8 && memcmp(text.p, "builtin:", 8) == 0)
        return err_setx(&r->why, "the only builtin is %s", TYPE_BUILTIN_PAGE);
    if (text.len < len || memcmp(text.p, TYPE_ORIGINAL, len) != 0
        || (text.len > len && text.p[len] != ':'))
        return 0;
    if (text.len > len) {
        if (!str_u64((struct span){ text.p + len + 1, text.len - len - 1 }, 65535, &port))
            return err_setx(&r->why, "a port is a number from 1 to 65535");
        if (port == 0)
            return refuse_port(r);
        out->original_port = (uint16_t)port;
    }
    out->original = true;
    return 1;
}

static const char *special_name(const struct conf_servers *s)
{
    return s->builtin_page ? TYPE_BUILTIN_PAGE : s->original ? TYPE_ORIGINAL : NULL;
}

/* A path's case counts, a name's does not; localhost is the address that it stands for. */
static bool is_same_server(const struct conf_server *a, const struct conf_server *b)
{
    if (a->host == NULL || b->host == NULL)
        return a->host == b->host && addr_equal(&a->addr, &b->addr);
    return a->port == b->port && strcasecmp(a->host, b->host) == 0;
}

int type_parse_server(struct span text, struct conf_servers *out, struct refusal *r)
{
    struct conf_servers special = { 0 };
    struct conf_server s = { 0 };
    int is_special = parse_special(text, &special, r);
    const char *alone = special_name(out);

    if (is_special < 0)
        return -1;
    if (alone == NULL && out->n > 0)
        alone = special_name(&special);
    if (alone != NULL)
        return err_setx(&r->why, "%s is alone: no other server stands beside it", alone);
    if (is_special == 1) {
        *out = special;
        return 0;
    }
    if ((is_host_name(text) ? parse_name : parse_numeric_server)(text, &s, r) < 0)
        return -1;
    for (size_t i = 0; i < out->n; i++)
        if (is_same_server(&out->v[i], &s)) {
            free(s.written);
            free(s.host);
            return err_setx(&r->why, "listed twice");
        }
    out->v = mem_grow(out->v, out->n + 1, sizeof(out->v[0]));
    out->v[out->n++] = s;
    return 0;
}
