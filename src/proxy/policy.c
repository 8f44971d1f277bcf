#include "proxy/policy.h"

#include <stdio.h>
#include <string.h>

#include "base/glob.h"

/* Bytes that no name has, whatever OpenSSL lets pass. */
static bool is_sound(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
            return false;
    return name.len > 0;
}

static size_t find(struct span s, const char *what)
{
    const char *at = memmem(s.p, s.len, what, strlen(what));

    return at != NULL ? (size_t)(at - s.p) : s.len;
}

/* Where a URI's path begins. */
static size_t path_of(struct span uri)
{
    size_t authority = find(uri, "://");

    if (authority == uri.len)
        return find(uri, ":");
    struct span rest = { uri.p + authority + 3, uri.len - authority - 3 };
    return authority + 3 + find(rest, "/");
}

static bool is_in(const char *network, struct span ip)
{
    struct err unused = ERR_INIT;
    struct cidr net, host;
    struct peer p;

    if (cidr_parse((struct span){ network, strlen(network) }, &net, &unused) != 0
        || cidr_parse(ip, &host, &unused) != 0)
        return false;
    p = (struct peer){ .family = host.family };
    memcpy(p.ip, host.ip, sizeof(p.ip));
    return cidr_has(&net, &p);
}

static bool name_matches(const struct conf_rule *r, const struct identity_name *n)
{
    struct span pattern = { r->pattern, strlen(r->pattern) }, s = n->text;

    if (!is_sound(s))
        return false;
    switch (n->kind) {
    case ID_CN: return r->kind == RULE_CN && glob_match(pattern, s, "", 0, 0);
    case ID_OU: return r->kind == RULE_OU && glob_match(pattern, s, "", 0, 0);
    case ID_O: return r->kind == RULE_O && glob_match(pattern, s, "", 0, 0);
    case ID_DNS:
        return r->kind == RULE_DNS && memchr(s.p, '*', s.len) == NULL
            && glob_match(pattern, s, ".", 0, s.len);
    case ID_URI: return r->kind == RULE_URI && glob_match(pattern, s, "/", 0, path_of(s));
    case ID_EMAIL: return r->kind == RULE_EMAIL && glob_match(pattern, s, "@", find(s, "@"), s.len);
    case ID_IP: return r->kind == RULE_IP && is_in(r->pattern, s);
    }
    return false;
}

static bool rule_matches(const struct conf_rule *r, const struct identity *id)
{
    if (r->kind == RULE_SERIAL)
        return strcmp(r->pattern, id->serial + strspn(id->serial, "0")) == 0
            || strcmp(r->pattern, id->serial) == 0;
    if (r->kind == RULE_SHA256)
        return strcmp(r->pattern, id->pin) == 0;
    for (size_t i = 0; i < id->nnames; i++)
        if (name_matches(r, &id->names[i]))
            return true;
    return false;
}

static const struct conf_rule *first_match(const struct conf_rules *rules,
                                           const struct identity *id)
{
    for (size_t i = 0; i < rules->n; i++)
        if (rule_matches(&rules->v[i], id))
            return &rules->v[i];
    return NULL;
}

struct verdict policy_judge(const struct conf_route *r, const struct identity *id)
{
    const struct conf_rule *rule;

    if (id == NULL)
        return (struct verdict){ VERDICT_ANONYMOUS, NULL };
    if ((rule = first_match(&r->deny, id)) != NULL)
        return (struct verdict){ VERDICT_DENIED, rule };
    if (r->allow.n == 0)
        return (struct verdict){ VERDICT_NO_RULES, NULL };
    rule = first_match(&r->allow, id);
    return (struct verdict){ rule != NULL ? VERDICT_ALLOWED : VERDICT_NOT_ALLOWED, rule };
}

static char *with_rule(const char *words, const struct conf_rule *rule, const char *key,
                       char out[VERDICT_TEXT_MAX])
{
    if (rule->at.line > 0)
        snprintf(out, VERDICT_TEXT_MAX, "%s %s = %s (%s:%u)", words, key, rule->written,
                 rule->at.file, rule->at.line);
    else
        snprintf(out, VERDICT_TEXT_MAX, "%s %s %s (%s)", words, key, rule->written,
                 rule->at.file != NULL ? rule->at.file : "?");
    return out;
}

char *verdict_text(const struct verdict *v, const struct conf_route *r,
                   char out[VERDICT_TEXT_MAX])
{
    switch (v->why) {
    case VERDICT_ALLOWED: return with_rule("admitted by", v->rule, "allow", out);
    case VERDICT_DENIED: return with_rule("refused by", v->rule, "deny", out);
    case VERDICT_NOT_ALLOWED:
        if (r->allow.n == 1)
            return with_rule("refused: it does not match", &r->allow.v[0], "allow", out);
        snprintf(out, VERDICT_TEXT_MAX, "refused: none of %zu allow rules matches", r->allow.n);
        break;
    case VERDICT_ANONYMOUS:
        snprintf(out, VERDICT_TEXT_MAX, "admitted without a certificate");
        break;
    case VERDICT_NO_RULES:
        snprintf(out, VERDICT_TEXT_MAX, "admitted: %s",
                 r->deny.n > 0 ? "no deny matches, and there is no allow" : "there is no rule");
        break;
    }
    return out;
}
