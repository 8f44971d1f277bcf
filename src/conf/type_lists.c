#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "base/names.h"
#include "base/uri.h"
#include "conf/type_parts.h"

const char *const type_protocols[TYPE_PROTOCOL_COUNT] = {
    "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"
};

static void strs_add(struct conf_strs *s, char *text)
{
    s->v = mem_grow(s->v, s->n + 1, sizeof(s->v[0]));
    s->v[s->n++] = text;
}

static bool strs_have(const struct conf_strs *s, struct span text)
{
    for (size_t i = 0; i < s->n; i++)
        if (str_eq(text, s->v[i]))
            return true;
    return false;
}

static int refuse_again(struct refusal *r)
{
    return err_setx(&r->why, "listed twice");
}

int type_parse_file(struct span text, const char *file, struct conf_strs *out)
{
    strs_add(out, type_resolve(text, file));
    return 0;
}

/* A URI as it stands; file: is but another way to write a path. */
int type_parse_key(struct span text, const char *file, struct conf_strs *out, struct refusal *r)
{
    struct span pin;

    if (uri_scheme(text) == 0 || uri_has_scheme(text, "memory"))
        return type_parse_file(text, file, out);
    if (uri_has_scheme(text, "file")) {
        char *path = uri_file_path(text, &r->why);
        if (path == NULL)
            return -1;
        /* A colon in its name makes no URI of it again. */
        char *plain = mem_printf("%s%s", path[0] == '/' ? "" : "./", path);
        int rc = type_parse_file(str_span(plain), file, out);
        free(plain);
        free(path);
        return rc;
    }
    if (uri_attribute(text, "pin-value", &pin)) {
        r->secret = true;
        err_setx(&r->hint, "put the PIN into a file: password_file = FILE");
        return err_setx(&r->why, "a PIN in the URI (pin-value): passwords never stand in the "
                                 "configuration");
    }
    strs_add(out, mem_strndup(text.p, text.len));
    return 0;
}

/* OpenSSL's lists are separated by colons; so are our lines of one list, whose own
   colons at either end do not matter. */
int type_parse_colons(struct span text, char **out, struct refusal *r)
{
    while (text.len > 0 && text.p[text.len - 1] == ':')
        text.len--;
    while (text.len > 0 && text.p[0] == ':')
        text = (struct span){ text.p + 1, text.len - 1 };
    if (text.len == 0)
        return err_setx(&r->why, "an empty list");
    for (size_t i = 0; i < text.len; i++)
        if (isspace((unsigned char)text.p[i])) {
            err_setx(&r->hint, "the list is separated by colons");
            return err_setx(&r->why, "a blank within the list");
        }

    char *before = *out;
    *out = mem_printf("%s%s%.*s", before ? before : "", before ? ":" : "", (int)text.len, text.p);
    free(before);
    return 0;
}

int type_parse_alpn(struct span text, struct conf_strs *out, struct refusal *r)
{
    if (text.len > 255)
        return err_setx(&r->why, "the name of a protocol has at most 255 bytes, this has %zu",
                        text.len);
    if (strs_have(out, text))
        return refuse_again(r);
    strs_add(out, mem_strndup(text.p, text.len));
    return 0;
}

/* What SNI can carry: a name, never an address (RFC 6066 3). */
const char *type_bad_dns_name(const char *name, struct refusal *r)
{
    const char *rest = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
    struct addr a;
    struct err unused = ERR_INIT;
    char *address = mem_printf(strchr(rest, ':') ? "[%s]:1" : "%s:1", rest);
    bool numeric = addr_parse(str_span(address), &a, &unused) == 0
                && !str_eq(str_span(rest), "localhost");

    free(address);
    if (numeric) {
        err_setx(&r->hint, "leave sni out: a route without it serves who asks for no name");
        return "an address; clients that connect to one send no server name";
    }
    if (strchr(rest, '*') != NULL)
        return "a wildcard is the whole first label, as in *.example.com";
    if (strstr(rest, "://") != NULL)
        return "a server name has no scheme and no path";
    if (strchr(rest, ':') != NULL)
        return "a server name has no port";
    for (const char *c = rest; *c != '\0'; c++) {
        if ((unsigned char)*c > 127) {
            err_setx(&r->hint, "write it as it is on the wire, with xn-- (punycode)");
            return "a letter outside ASCII";
        }
        if (!isalnum((unsigned char)*c) && strchr("-_.", *c) == NULL)
            return "a server name has letters, digits, '-', '_' and '.'";
    }
    if (rest[0] == '\0' || rest[0] == '.' || strstr(rest, "..") != NULL)
        return "an empty label";
    return NULL;
}

int type_parse_dns_name(struct span text, struct conf_strs *out, struct refusal *r)
{
    char name[DNS_NAME_MAX + 1];
    size_t n = dns_fold(text, name);
    const char *why = n > 0 ? type_bad_dns_name(name, r) : "a server name has 1 to 255 bytes";

    if (why != NULL)
        return err_setx(&r->why, "%s", why);
    if (strs_have(out, (struct span){ name, n }))
        return refuse_again(r);
    strs_add(out, mem_strndup(name, n));
    return 0;
}

int type_parse_host(struct span text, char **out, struct refusal *r)
{
    char name[DNS_NAME_MAX + 1];
    struct err unused = ERR_INIT;
    struct cidr ip;
    size_t n = dns_fold(text, name);
    const char *why = n == 0 ? "a server name has 1 to 255 bytes" : NULL;

    if (n > 0 && cidr_parse((struct span){ name, n }, &ip, &unused) != 0)
        why = strncmp(name, "*.", 2) == 0 ? "one name, without a wildcard"
                                            : type_bad_dns_name(name, r);
    else if (n > 0 && memchr(name, '/', n) != NULL)
        why = "one address, not a network";
    if (why != NULL)
        return err_setx(&r->why, "%s", why);
    *out = mem_strndup(name, n);
    return 0;
}

int type_parse_network(struct span text, struct conf_strs *out, struct refusal *r)
{
    static const char *const words[] = { "loopback", "anywhere" };
    struct cidr net;

    if (strs_have(out, text))
        return refuse_again(r);
    if (!str_eq(text, "loopback") && !str_eq(text, "anywhere")
        && cidr_parse(text, &net, &r->why) < 0) {
        char *word = mem_strndup(text.p, text.len);
        const char *near = str_nearest(word, words, 2);
        if (near != NULL)
            err_setx(&r->hint, "did you mean \"%s\"?", near);
        else
            err_setx(&r->hint, "loopback, anywhere, or networks such as 10.0.0.0/8");
        free(word);
        return -1;
    }
    strs_add(out, mem_strndup(text.p, text.len));
    return 0;
}

int type_parse_protocol(struct span text, unsigned *out, struct refusal *r)
{
    for (unsigned i = 0; i < TYPE_PROTOCOL_COUNT; i++) {
        if (str_eq(text, type_protocols[i])) {
            if (*out & 1u << i)
                return refuse_again(r);
            *out |= 1u << i;
            return 0;
        }
    }
    char *word = mem_strndup(text.p, text.len);
    const char *near = str_eq(text, "TLSv1.0")
                           ? type_protocols[0]
                       : strncmp(word, "SSL", 3) == 0
                           ? "TLSv1.2" /* SSL 2 and 3 are gone; this is the least that is sound */
                           : str_nearest(word, type_protocols, TYPE_PROTOCOL_COUNT);
    if (near != NULL)
        err_setx(&r->hint, "did you mean \"%s\"?", near);
    free(word);
    return err_setx(&r->why, "not one of TLSv1, TLSv1.1, TLSv1.2, TLSv1.3");
}
