#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/glob.h"
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

/* Labels of 1 to 63 characters (RFC 1035 2.3.4). */
static bool are_labels(const char *name)
{
    for (;;) {
        size_t len = strcspn(name, ".");
        if (len == 0 || len > 63)
            return false;
        if (name[len] == '\0')
            return true;
        name += len + 1;
    }
}

static char *dns_pattern(const char *text, struct refusal *r)
{
    char name[DNS_NAME_MAX + 1];

    if (dns_fold(str_span(text), name) == 0
        || name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.*")] != '\0') {
        for (const char *c = text; *c != '\0'; c++)
            if (*c & 0x80)
                err_setx(&r->hint, "certificates have such names in ASCII: xn--...");
        err_setx(&r->why, "a DNS name has letters, digits, '-', '_' and '.', and a pattern '*'");
    } else if (!are_labels(name)) {
        err_setx(&r->why, "no DNS name looks like this: between the dots are 1 to 63 characters");
    } else if (strstr(name, "**") != NULL) {
        err_setx(&r->hint, "one for each label, as in *.*.example.com");
        err_setx(&r->why, "in a DNS name a '*' never goes beyond a dot, and two are no more");
    } else {
        return mem_strdup(name);
    }
    return NULL;
}

/* Scheme and host do not know case (RFC 3986 6.2.2.1), the path does. */
static char *uri_pattern(const char *text, struct refusal *r)
{
    const char *path = text + uri_path(str_span(text));
    const char *wide = strstr(text, "**");
    char *out;

    if (strchr(text, ':') == NULL) {
        err_setx(&r->hint, "write it whole, as in uri:spiffe://example.org/ns/prod/sa/*");
        err_setx(&r->why, "a URI has a scheme");
        return NULL;
    }
    /* Behind it would be host or path, and so without regard to case or with it. */
    if (wide != NULL && wide < path && wide[strspn(wide, "*")] != '\0') {
        err_setx(&r->hint, "scheme and host take '*'");
        err_setx(&r->why, "'**' can stand in the path, and at the end");
        return NULL;
    }
    out = mem_strdup(text);
    lower(out, out + (path - text));
    return out;
}

static char *email_pattern(const char *text, struct refusal *r)
{
    char *out = mem_strdup(text), *at = strrchr(out, '@');

    if (at == NULL || at == out || at[1] == '\0') {
        err_setx(&r->hint, "*@example.com is everybody there");
        err_setx(&r->why, "an address has an @, and something on both sides");
    } else if (strstr(out, "**") != NULL) {
        err_setx(&r->hint, "*@* is every address");
        err_setx(&r->why, "in an address a '*' never goes beyond the @, and two are no more");
    } else {
        lower(at, out + strlen(out));
        return out;
    }
    free(out);
    return NULL;
}

/* One spelling for each network. */
static char *ip_pattern(const char *text, struct cidr *net, struct refusal *r)
{
    char ip[INET6_ADDRSTRLEN];

    if (cidr_parse(str_span(text), net, &r->why) == 0) {
        inet_ntop(net->family, net->ip, ip, sizeof(ip));
        return mem_printf("%s/%u", ip, (unsigned)net->bits);
    }
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

/* Without the zeros before the first digit; of 0 nothing is left. */
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
    out = mem_strdup(hex + strspn(hex, "0"));
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

/* curl writes sha256//BASE64. */
static const char *bare_pin(const char *text)
{
    if (strncmp(text, "sha256//", 8) == 0)
        return text + 8;
    return strncmp(text, "//", 2) == 0 ? text + 2 : text;
}

static char *pin_of(const char *text)
{
    const char *bare = bare_pin(text);
    char *out = pin_of_base64(bare);

    if (out == NULL)
        out = hex_digits(bare);
    if (out != NULL && strlen(out) == 64)
        return out;
    free(out);
    return NULL;
}

static char *sha256_pattern(const char *text, struct refusal *r)
{
    char *out = pin_of(text);

    if (out != NULL)
        return out;
    err_setx(&r->hint, "openssl x509 -in FILE -noout -pubkey | openssl pkey -pubin -outform DER | "
                       "openssl dgst -sha256");
    err_setx(&r->why, "a pin is the SHA-256 of a public key, 64 hex digits or 44 of base64");
    return NULL;
}

/* Several rules behind each other would be one name, which nobody has. */
static bool has_several(const char *text)
{
    for (const char *comma = text; (comma = strchr(comma, ',')) != NULL;) {
        comma += 1 + strspn(comma + 1, " \t");
        for (int kind = 0; kind < RULE_KIND_COUNT; kind++) {
            size_t n = strlen(words[kind]);
            if (strncasecmp(comma, words[kind], n) == 0 && comma[n] == ':')
                return true;
        }
    }
    return false;
}

static int check_pattern(const char *text, struct refusal *r)
{
    const char *star = strchr(text, '*');

    if (text[0] == '\0')
        return err_setx(&r->why, "there is nothing behind the colon");
    if (has_several(text)) {
        err_setx(&r->hint, "give each its own line or flag");
        return err_setx(&r->why, "several rules in one value");
    }
    if (star != NULL && strlen(star) > GLOB_MAX)
        return err_setx(&r->why, "a pattern has at most %d characters", GLOB_MAX);
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return err_setx(&r->why, "a control character is in it, and no such name matches");
    return 0;
}

static char *pattern_of(int kind, const char *text, struct cidr *net, struct refusal *r)
{
    if (check_pattern(text, r) != 0)
        return NULL;
    switch (kind) {
    case RULE_DNS: return dns_pattern(text, r);
    case RULE_URI: return uri_pattern(text, r);
    case RULE_IP: return ip_pattern(text, net, r);
    case RULE_EMAIL: return email_pattern(text, r);
    case RULE_SERIAL: return serial_pattern(text, r);
    case RULE_SHA256: return sha256_pattern(text, r);
    default: return mem_strdup(text);
    }
}

/* --- the rule --- */

static bool is_ip(const char *text)
{
    struct err unused = ERR_INIT;
    struct cidr net;

    return cidr_parse(str_span(text), &net, &unused) == 0;
}

/* What somebody may have meant who wrote a name alone; NULL: anything. */
static const char *kind_of_bare(const char *text)
{
    char *pin = pin_of(text);
    const char *dot = strchr(text, '.');

    free(pin);
    if (pin != NULL)
        return "sha256";
    if (is_ip(text))
        return "ip";
    if (strstr(text, "://") != NULL)
        return "uri";
    if (strchr(text, ':') != NULL)
        return NULL;
    if (strchr(text, '@') != NULL)
        return "email";
    return strncmp(text, "*.", 2) == 0 || (dot != NULL && strchr(dot + 1, '.') != NULL) ? "dns"
                                                                                         : "cn";
}

static char *trimmed(const char *text, size_t len)
{
    struct span s = str_trim((struct span){ text, len });

    return mem_strndup(s.p, s.len);
}

/* What was meant by what has no kind, for the hint: "cn:alice" for alice and CN=alice. */
static void suggest(const char *text, struct refusal *r)
{
    size_t n = strcspn(text, ":=");
    const char *kind = kind_of_bare(text), *near = NULL;
    char *word = trimmed(text, n);

    if (text[n] != '\0' && (kind == NULL || text[n] == '='))
        near = str_nearest(word, words, RULE_KIND_COUNT);
    free(word);
    if (near != NULL) {
        const char *value = text + n + 1;
        char *rest = trimmed(value, strcspn(value, text[n] == '=' ? "," : ""));
        err_setx(&r->hint, "did you mean \"%s:%s\"?", near, rest);
        free(rest);
    } else if (kind != NULL) {
        err_setx(&r->hint, "did you mean \"%s:%s\"?", kind, text);
    }
}

/* The kind, and what stands behind it. */
static int find_kind(const char *text, const char **rest, struct refusal *r)
{
    const char *colon = strchr(text, ':');
    size_t n = colon != NULL ? (size_t)(colon - text) : 0;

    for (int kind = 0; kind < RULE_KIND_COUNT && n > 0; kind++) {
        if (strncasecmp(text, words[kind], n) == 0 && words[kind][n] == '\0') {
            *rest = colon + 1 + strspn(colon + 1, " \t");
            return kind;
        }
    }
    suggest(text, r);
    return err_setx(&r->why, "a rule begins with what it looks at: cn, ou, o, dns, uri, ip, email, "
                             "serial or sha256, and a colon");
}

int type_parse_rule(struct span text, struct conf_rules *out, struct refusal *r)
{
    char *written = mem_strndup(text.p, text.len);
    struct conf_rule rule = { .written = written };
    const char *rest = "";

    rule.kind = find_kind(written, &rest, r);
    if (rule.kind >= 0)
        rule.pattern = pattern_of(rule.kind, rest, &rule.net, r);
    if (rule.pattern == NULL) {
        free(written);
        return -1;
    }
    out->v = mem_grow(out->v, out->n + 1, sizeof(out->v[0]));
    out->v[out->n++] = rule;
    return 0;
}
