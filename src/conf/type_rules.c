#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "base/names.h"
#include "conf/type_parts.h"

static const char *const words[RULE_KIND_COUNT] = {
    [RULE_CN] = "cn",       [RULE_OU] = "ou",         [RULE_O] = "o",
    [RULE_DNS] = "dns",     [RULE_URI] = "uri",       [RULE_IP] = "ip",
    [RULE_EMAIL] = "email", [RULE_SERIAL] = "serial", [RULE_SHA256] = "sha256",
};

const char *conf_rule_word(int kind)
{
    return words[kind];
}

/* --- patterns, from as they are written to as they are compared --- */

static void lower(char *from, const char *end)
{
    for (; from < end; from++)
        *from = (char)tolower((unsigned char)*from);
}

static char *dns_pattern(const char *text, struct refusal *r)
{
    char name[DNS_NAME_MAX + 1];

    if (dns_fold((struct span){ text, strlen(text) }, name) == 0
        || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.*")] != '\0') {
        err_setx(&r->why, "a DNS name has letters, digits, '-', '_' and '.', and a pattern '*'");
        return NULL;
    }
    return mem_strdup(name);
}

/* Scheme and host do not know case (RFC 3986 6.2.2.1), the path does. */
static char *uri_pattern(const char *text, struct refusal *r)
{
    const char *authority = strstr(text, "://");
    const char *path = authority != NULL ? strchr(authority + 3, '/') : strchr(text, ':');
    char *out;

    if (strchr(text, ':') == NULL) {
        err_setx(&r->hint, "write it whole, as in uri:spiffe://example.org/ns/prod/sa/*");
        err_setx(&r->why, "a URI has a scheme");
        return NULL;
    }
    out = mem_strdup(text);
    lower(out, out + (path != NULL ? (size_t)(path - text) : strlen(text)));
    return out;
}

static char *email_pattern(const char *text, struct refusal *r)
{
    char *out = mem_strdup(text), *at = strrchr(out, '@');

    if (at != NULL) {
        lower(at, out + strlen(out));
        return out;
    }
    err_setx(&r->hint, "*@example.com is everybody there");
    err_setx(&r->why, "an address has an @");
    free(out);
    return NULL;
}

static char *ip_pattern(const char *text, struct refusal *r)
{
    struct cidr net;

    if (cidr_parse((struct span){ text, strlen(text) }, &net, &r->why) == 0)
        return mem_strdup(text);
    if (strchr(text, '*') != NULL)
        err_setx(&r->hint, "write a network, as in ip:10.1.0.0/16");
    return NULL;
}

/* Hex digits without the colons between; NULL for anything else. */
static char *hex_digits(const char *text)
{
    char *out = mem_strdup(text), *to = out;

    for (const char *c = text; *c != '\0'; c++) {
        if (isxdigit((unsigned char)*c))
            *to++ = (char)tolower((unsigned char)*c);
        else if (*c != ':') {
            free(out);
            return NULL;
        }
    }
    *to = '\0';
    return out;
}

/* As OpenSSL prints one: whole bytes, no zeros before the first. */
static char *serial_pattern(const char *text, struct refusal *r)
{
    const char *digits = strncasecmp(text, "0x", 2) == 0 ? text + 2 : text;
    char *hex = hex_digits(digits), *out;

    if (hex == NULL || hex[0] == '\0') {
        free(hex);
        err_setx(&r->hint, "openssl x509 -noout -serial prints it");
        err_setx(&r->why, "a serial number is written in hex digits");
        return NULL;
    }
    const char *first = hex + strspn(hex, "0");
    out = mem_printf("%s%s", strlen(first) % 2 ? "0" : "", first);
    free(hex);
    return out;
}

static int base64_value(char c)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(letters, c) : NULL;

    return at != NULL ? (int)(at - letters) : -1;
}

/* 32 bytes in base64, as pins are written (RFC 7469 2.1.1), to hex; NULL for anything else. */
static char *pin_of_base64(const char *text)
{
    char *out;
    unsigned bits = 0;
    size_t held = 0, len = 0;

    if (strlen(text) != 44 || text[43] != '=')
        return NULL;
    out = mem_zalloc(65);
    for (size_t i = 0; i < 43; i++) {
        int v = base64_value(text[i]);
        if (v < 0) {
            free(out);
            return NULL;
        }
        bits = bits << 6 | (unsigned)v;
        held += 6;
        while (held >= 4 && len < 64) {
            held -= 4;
            out[len++] = "0123456789abcdef"[bits >> held & 15];
        }
    }
    return out;
}

static char *sha256_pattern(const char *text, struct refusal *r)
{
    const char *bare = strncmp(text, "//", 2) == 0 ? text + 2 : text;  /* curl's sha256//… */
    char *out = pin_of_base64(bare);

    if (out == NULL)
        out = hex_digits(bare);
    if (out != NULL && strlen(out) == 64)
        return out;
    free(out);
    err_setx(&r->hint, "openssl x509 -in FILE -noout -pubkey | openssl pkey -pubin -outform DER | "
                       "openssl dgst -sha256");
    err_setx(&r->why, "a pin is the SHA-256 of a public key, 64 hex digits or 44 of base64");
    return NULL;
}

static char *pattern_of(int kind, const char *text, struct refusal *r)
{
    switch (kind) {
    case RULE_DNS: return dns_pattern(text, r);
    case RULE_URI: return uri_pattern(text, r);
    case RULE_IP: return ip_pattern(text, r);
    case RULE_EMAIL: return email_pattern(text, r);
    case RULE_SERIAL: return serial_pattern(text, r);
    case RULE_SHA256: return sha256_pattern(text, r);
    default: return mem_strdup(text);
    }
}

/* --- the rule --- */

/* What somebody may have meant who wrote a name alone. */
static const char *kind_of_bare(const char *text)
{
    if (strstr(text, "://") != NULL)
        return "uri";
    if (strchr(text, '@') != NULL)
        return "email";
    return "cn";
}

static int find_kind(const char *text, struct refusal *r)
{
    const char *colon = strchr(text, ':');
    size_t n = colon != NULL ? (size_t)(colon - text) : 0;

    for (int kind = 0; kind < RULE_KIND_COUNT; kind++)
        if (n > 0 && strncasecmp(text, words[kind], n) == 0 && words[kind][n] == '\0')
            return kind;
    char *word = mem_strndup(text, n);
    const char *near = n > 0 ? str_nearest(word, words, RULE_KIND_COUNT) : NULL;
    free(word);
    if (near != NULL)
        err_setx(&r->hint, "did you mean \"%s%s\"?", near, colon);
    else
        err_setx(&r->hint, "did you mean \"%s:%s\"?", kind_of_bare(text), text);
    return err_setx(&r->why, "a rule begins with what it looks at: cn, ou, o, dns, uri, ip, email, "
                             "serial or sha256, and a colon");
}

int type_parse_rule(struct span text, struct conf_rules *out, struct refusal *r)
{
    char *written = mem_strndup(text.p, text.len), *pattern = NULL;
    int kind = find_kind(written, r);

    if (kind >= 0) {
        const char *rest = strchr(written, ':') + 1;
        if (rest[0] == '\0')
            err_setx(&r->why, "there is nothing behind the colon");
        else
            pattern = pattern_of(kind, rest, r);
    }
    for (size_t i = 0; pattern != NULL && i < out->n; i++) {
        if (out->v[i].kind == kind && strcmp(out->v[i].pattern, pattern) == 0) {
            err_setx(&r->why, "listed twice");
            free(pattern);
            pattern = NULL;
        }
    }
    if (pattern == NULL) {
        free(written);
        return -1;
    }
    out->v = mem_grow(out->v, out->n + 1, sizeof(out->v[0]));
    out->v[out->n++] = (struct conf_rule){ kind, written, pattern, { 0 } };
    return 0;
}
