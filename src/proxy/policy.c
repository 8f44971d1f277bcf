#include "proxy/policy.h"

#include <stdio.h>
#include <string.h>

#include "base/glob.h"
#include "base/names.h"

/* Bytes that no name has, whatever OpenSSL lets pass. */
static bool is_sound(struct span name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.p[i] < 0x20 || name.p[i] == 0x7f)
            return false;
    return name.len > 0;
}

/* Labels of letters, digits, - and _; no wildcard, no dot at either end. */
static bool is_host(struct span name)
{
    char before = '.';

    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '-' && c != '_' && (c != '.' || before == '.'))
            return false;
        before = c;
    }
    return before != '.';
}

static size_t host_of(struct span email)
{
    const char *at = memrchr(email.p, '@', email.len);

    return at != NULL ? (size_t)(at - email.p) : email.len;
}

static bool is_in(const struct cidr *net, struct span ip)
{
    struct err unused = ERR_INIT;
    struct cidr host;
    struct peer p;

    if (cidr_parse(ip, &host, &unused) != 0)
        return false;
    p = (struct peer){ .family = host.family };
    memcpy(p.ip, host.ip, sizeof(p.ip));
    return cidr_has(net, &p);
}

static bool name_matches(const struct conf_rule *r, struct span name)
{
    struct span pattern = { r->pattern, strlen(r->pattern) };

    if (!is_sound(name))
        return false;
    switch (r->kind) {
    case RULE_DNS: return is_host(name) && glob_match(pattern, name, ".", 0, name.len);
    case RULE_URI: return glob_match(pattern, name, "/?#", 0, uri_path(name));
    case RULE_EMAIL: return glob_match(pattern, name, "@", host_of(name), name.len);
    case RULE_IP: return is_in(&r->net, name);
    default: return glob_match(pattern, name, "", 0, 0);
    }
}

/* The kind of names a rule looks at, or -1. */
static int looks_at(const struct conf_rule *r)
{
    static const int kinds[RULE_KIND_COUNT] = {
        [RULE_CN] = ID_CN,   [RULE_OU] = ID_OU, [RULE_O] = ID_O,         [RULE_DNS] = ID_DNS,
        [RULE_URI] = ID_URI, [RULE_IP] = ID_IP, [RULE_EMAIL] = ID_EMAIL, [RULE_SERIAL] = -1,
        [RULE_SHA256] = -1,
    };

    return kinds[r->kind];
}

static bool look_at_names(const struct conf_rules *rules)
{
    for (size_t i = 0; i < rules->n; i++)
        if (looks_at(&rules->v[i]) >= 0)
            return true;
    return false;
}

/* Has it a name that no pattern can stand for, of a kind that a rule looks at? */
static bool has_unsound(const struct conf_rules *rules, const struct identity *id)
{
    for (size_t n = 0; n < id->nnames; n++) {
        const struct identity_name *name = &id->names[n];
        if (name->text.len == 0 || is_sound(name->text))
            continue;
        for (size_t i = 0; i < rules->n; i++)
            if (looks_at(&rules->v[i]) == (int)name->kind)
                return true;
    }
    return false;
}

static bool rule_matches(const struct conf_rule *r, const struct identity *id,
                         const struct identity_name **name)
{
    int kind = looks_at(r);

    *name = NULL;
    if (r->kind == RULE_SERIAL)
        return strcmp(r->pattern, id->serial + strspn(id->serial, "0")) == 0;
    if (r->kind == RULE_SHA256)
        return strcmp(r->pattern, id->pin) == 0;
    for (size_t i = 0; i < id->nnames; i++) {
        if ((int)id->names[i].kind == kind && name_matches(r, id->names[i].text)) {
            *name = &id->names[i];
            return true;
        }
    }
    return false;
}

static bool any_matches(const struct conf_rules *rules, const struct identity *id,
                        enum verdict_why why, struct verdict *out)
{
    const struct identity_name *name;

    for (size_t i = 0; i < rules->n; i++) {
        if (rule_matches(&rules->v[i], id, &name)) {
            *out = (struct verdict){ why, &rules->v[i], name };
            return true;
        }
    }
    return false;
}

static struct verdict judge(const struct conf_rules *allow, const struct conf_rules *deny,
                            const struct identity *id)
{
    struct verdict v = { 0 };

    if (id == NULL) {
        v.why = allow->n > 0 ? VERDICT_NO_CERTIFICATE : VERDICT_ANONYMOUS;
        return v;
    }
    if (any_matches(deny, id, VERDICT_DENIED, &v))
        return v;
    if ((id->incomplete && (look_at_names(deny) || look_at_names(allow))) || has_unsound(deny, id))
        v.why = VERDICT_NAMES_UNKNOWN;
    else if (allow->n == 0)
        v.why = VERDICT_NO_RULES;
    else if (!any_matches(allow, id, VERDICT_ALLOWED, &v))
        v.why = VERDICT_NOT_ALLOWED;
    return v;
}

struct verdict policy_judge(const struct conf_route *r, const struct identity *id)
{
    return judge(&r->allow, &r->deny, id);
}

struct verdict policy_judge_server(const struct conf_upstream *u, const struct identity *id)
{
    return judge(&u->tls_allow, &(struct conf_rules){ 0 }, id);
}

/* Which of its names it was, where a pattern leaves that open. */
static void add_name(const struct identity_name *name, const struct conf_rule *rule,
                     char out[VERDICT_TEXT_MAX])
{
    char text[IDENTITY_TEXT_MAX];
    size_t n = strlen(out);

    if (name != NULL && strcmp(identity_name_text(name, text, sizeof(text)), rule->written) != 0)
        snprintf(out + n, VERDICT_TEXT_MAX - n, ", which %s is", text);
}

static char *with_rule(const char *words, const struct conf_rule *rule, const char *key,
                       const struct identity_name *name, char out[VERDICT_TEXT_MAX])
{
    if (rule->at.line > 0)
        snprintf(out, VERDICT_TEXT_MAX, "%s %s = %s (%s:%u)", words, key, rule->written,
                 rule->at.file, rule->at.line);
    else
        snprintf(out, VERDICT_TEXT_MAX, "%s %s %s (%s)", words, key, rule->written,
                 rule->at.file != NULL ? rule->at.file : "?");
    add_name(name, rule, out);
    return out;
}

static char *text_of(const struct verdict *v, const struct conf_rules *allow, const char *key,
                     bool has_deny, char out[VERDICT_TEXT_MAX])
{
    switch (v->why) {
    case VERDICT_ALLOWED: return with_rule("admitted by", v->rule, key, v->name, out);
    case VERDICT_DENIED: return with_rule("refused by", v->rule, "deny", v->name, out);
    case VERDICT_NOT_ALLOWED:
        if (allow->n == 1)
            return with_rule("refused: it does not match", &allow->v[0], key, NULL, out);
        snprintf(out, VERDICT_TEXT_MAX, "refused: none of %zu %s rules matches", allow->n, key);
        break;
    case VERDICT_ANONYMOUS:
        snprintf(out, VERDICT_TEXT_MAX, "admitted without a certificate");
        break;
    case VERDICT_NO_CERTIFICATE:
        snprintf(out, VERDICT_TEXT_MAX, "refused: no certificate, which an allow rule could match");
        break;
    case VERDICT_NAMES_UNKNOWN:
        snprintf(out, VERDICT_TEXT_MAX,
                 "refused: its certificate has too many names, or unreadable ones, for rules on "
                 "names");
        break;
    case VERDICT_NO_RULES:
        snprintf(out, VERDICT_TEXT_MAX, "admitted: %s",
                 has_deny ? "no deny matches, and there is no allow" : "there is no rule");
        break;
    }
    return out;
}

char *verdict_text(const struct verdict *v, const struct conf_route *r,
                   char out[VERDICT_TEXT_MAX])
{
    return text_of(v, &r->allow, "allow", r->deny.n > 0, out);
}

char *verdict_text_server(const struct verdict *v, const struct conf_upstream *u,
                          char out[VERDICT_TEXT_MAX])
{
    return text_of(v, &u->tls_allow, "tls_allow", false, out);
}
