#include <string.h>

#include "base/names.h"
#include "conf/build.h"

static struct diag_at at_rule(const struct conf_route *r, enum conf_key key,
                              const struct conf_rule *rule)
{
    struct diag_at where = conf_at(&r->head, key, rule->written);

    where.at = rule->at;
    return where;
}

static void refuse_rules(struct builder *b, const struct conf_route *r, enum conf_key key,
                         const struct conf_rules *rules)
{
    for (size_t i = 0; i < rules->n; i++)
        build_error(b, at_rule(r, key, &rules->v[i]),
                    rules->v[i].at.line == 0    /* a flag, or a variable */
                        ? "name a file with the issuers to believe: --ca FILE"
                        : "write trust = NAME, and in [trust NAME] the issuers to believe",
                    "a rule that nothing can match: clients are not asked for a certificate");
}

/* The same rule among those that are in the table, or NULL. */
static const struct conf_rule *find(const struct names *t, const struct conf_rules *among,
                                    const struct conf_rule *rule)
{
    struct span pattern = { rule->pattern, strlen(rule->pattern) };
    const struct names_item *i = names_find(t, pattern);

    while (i != NULL && among->v[i->value].kind != rule->kind)
        i = names_next(t, i);
    return i != NULL ? &among->v[i->value] : NULL;
}

/* " (line 7)", for a rule in a file. */
static const char *line_of(const struct conf_rule *rule, char out[32])
{
    out[0] = '\0';
    if (rule->at.line > 0)
        snprintf(out, 32, " (line %u)", rule->at.line);
    return out;
}

/* The first character that no URI has there (RFC 3986), or NULL. */
static const char *foreign(const char *uri)
{
    const char *path = uri + uri_path(str_span(uri));
    const char *from = *path == ':' ? uri : path;       /* a host may be an IPv6 address */

    for (const char *c = uri; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f || strchr("\"<>\\^`{|}", *c) != NULL
            || (c >= from && (*c == '[' || *c == ']')))
            return c;
    return NULL;
}

/* Who knows other patterns writes [a-z] or {a,b}. It would match nobody: an allow lets nobody
   in by it, which shows, and a deny keeps nobody out, which does not. Certificates are made
   by all kinds of programs, so it is no error. */
static void warn_foreign(struct builder *b, const struct conf_route *r, enum conf_key key,
                         const struct conf_rule *rule)
{
    const char *at = rule->kind == RULE_URI ? foreign(rule->pattern) : NULL;
    char text[8];

    if (at == NULL)
        return;
    build_warn(b, at_rule(r, key, rule), "a rule for each; `*` and `**` are all that is special",
               "it will hardly match: no URI has '%s' there",
               str_escape(text, sizeof(text), (struct span){ at, 1 }));
}

/* All rules into the table, but those that are there: they are warned of. */
static void index_rules(struct builder *b, const struct conf_route *r, enum conf_key key,
                        const struct conf_rules *rules, struct names *t)
{
    char line[32];

    for (size_t i = 0; i < rules->n; i++) {
        const struct conf_rule *rule = &rules->v[i], *other = find(t, rules, rule);
        struct span pattern = { rule->pattern, strlen(rule->pattern) };
        warn_foreign(b, r, key, rule);
        if (other != NULL)
            build_warn(b, at_rule(r, key, rule), NULL, "the same rule as before%s",
                       line_of(other, line));
        else
            names_add(t, pattern, (uint32_t)i);
    }
}

/* There may be thousands. */
static void warn_idle(struct builder *b, const struct conf_route *r)
{
    struct names allow = { 0 }, deny = { 0 };
    char line[32];

    index_rules(b, r, KEY_ROUTE_ALLOW, &r->allow, &allow);
    index_rules(b, r, KEY_ROUTE_DENY, &r->deny, &deny);
    for (size_t i = 0; i < r->allow.n; i++) {
        const struct conf_rule *rule = &r->allow.v[i], *other = find(&deny, &r->deny, rule);
        if (other != NULL)
            build_warn(b, at_rule(r, KEY_ROUTE_ALLOW, rule), NULL,
                       "deny has the same rule%s, and wins", line_of(other, line));
    }
    names_free(&allow);
    names_free(&deny);
}

/* Clients without a certificate cannot match an allow: with one, `request` would demand what
   it says it only asks for. */
void build_admission(struct builder *b, const struct conf_route *r)
{
    if (build_was_refused(b, &r->head, KEY_ROUTE_CLIENT_AUTH))
        return;
    if (r->client_auth == CLIENT_AUTH_NONE) {
        refuse_rules(b, r, KEY_ROUTE_ALLOW, &r->allow);
        refuse_rules(b, r, KEY_ROUTE_DENY, &r->deny);
        return;
    }
    if (r->client_auth == CLIENT_AUTH_REQUEST && r->allow.n > 0)
        build_error(b, conf_at(&r->head, KEY_ROUTE_CLIENT_AUTH, "request"),
                    "write require, or leave allow out",
                    "a client without a certificate would be asked and let in by this, and matches "
                    "no allow");
    warn_idle(b, r);
}
