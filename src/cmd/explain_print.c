#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/mem.h"
#include "cmd/explain.h"
#include "cmd/readable.h"
#include "tls/certinfo.h"

static const char *const auth_words[] = {
    [CLIENT_AUTH_NONE] = "none", [CLIENT_AUTH_REQUEST] = "request",
    [CLIENT_AUTH_REQUIRE] = "require",
};

static const char *const modes[] = {
    [MODE_TERMINATE] = "terminate", [MODE_ORIGINATE] = "originate", [MODE_BRIDGE] = "bridge",
};

#define OTHERS_SHOWN 8

/* --- for people --- */

__attribute__((format(printf, 2, 3)))
static void line(const char *label, const char *fmt, ...)
{
    va_list ap;

    printf("%-12s ", label);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

/* "127.0.0.1:9042, db.example:9042", the caller's. */
static char *upstream_text(const struct conf_upstream *u)
{
    if (u->servers.original && u->servers.original_port != 0)
        return mem_printf("where the client wanted to go, but to port %u",
                          u->servers.original_port);
    char *text = mem_strdup(u->servers.builtin_page ? "builtin:page"
                            : u->servers.original   ? "where the client wanted to go"
                                                    : "");

    for (size_t i = 0; i < u->servers.n; i++)
        text = mem_join(text, ", ", u->servers.v[i].written);
    return text;
}

/* The names that its servers must have, or are asked for; the caller's. "": none. */
static char *names_text(const struct conf_upstream *u, bool asked)
{
    if (u->servers.original && asked) {
        const char *name = snap_upstream_sni(u, "0.0.0.0");
        return name != NULL ? mem_printf(", asked for %s", name) : mem_strdup("");
    }
    if (u->servers.original)
        return mem_printf(" as %s", snap_upstream_name(u, "the address that it went to"));

    char *text = mem_strdup("");
    for (size_t i = 0; i < u->servers.n; i++) {
        char room[DIAL_NAME_MAX];
        const char *host = snap_upstream_host(u->servers.v[i].written, room);
        const char *name = asked ? snap_upstream_sni(u, host) : snap_upstream_name(u, host);
        if (name == NULL || strstr(text, name) != NULL)
            continue;
        char *longer = mem_printf("%s%s%s", text, text[0] ? ", " : asked ? ", asked for " : " as ",
                                  name);
        free(text);
        text = longer;
    }
    return text;
}

/* How it is held to TLS; the caller's. NULL: it is not. */
static char *upstream_tls_text(const struct conf_upstream *u)
{
    if (!u->tls)
        return NULL;
    bool off = u->tls_verify == VERIFY_OFF, full = u->tls_verify == VERIFY_FULL;
    char *verified = off ? mem_strdup(u->tls_pin.n > 0 ? "not verified but for its key"
                                                       : "not verified")
                         : mem_printf("verified by [%s]", u->tls_trust->head.title);
    char *names = full ? names_text(u, false) : mem_strdup(off ? "" : ", by no name");
    char *asked = names_text(u, true);
    char *out = mem_printf("%s%s%s, showing %s%s%s", verified, names, asked,
                           u->tls_store != NULL ? "[" : "no certificate",
                           u->tls_store != NULL ? u->tls_store->head.title : "",
                           u->tls_store != NULL ? "]" : "");

    free(verified);
    free(names);
    free(asked);
    return out;
}

static void print_source(const struct explanation *x)
{
    char from[INET6_ADDRSTRLEN] = "";
    const struct trial *t = x->trial;

    if (x->ask->from != NULL)
        inet_ntop(x->ask->from->family, x->ask->from->ip, from, sizeof(from));
    if (t->awaits_header)
        line("source", "%s has to send a PROXY header first, and is then who that says", from);
    if (t->plaintext != NULL) {
        char *upstream = upstream_text(t->plaintext->conf->upstream);
        line("source", "%s may speak plaintext too, and is then taken to %s by [%s]", from,
             upstream, t->plaintext->conf->head.title);
        free(upstream);
    }
}

static void print_route(const struct explanation *x)
{
    const struct conf_head *h = &x->trial->route->conf->head;
    char name[256], at[32] = "";

    str_escape(name, sizeof(name), (struct span){ x->ask->name ? x->ask->name : "",
                                                  x->ask->name ? strlen(x->ask->name) : 0 });
    if (h->at.line > 0)
        snprintf(at, sizeof(at), ":%u", h->at.line);
    switch (x->trial->by) {
    case ROUTE_BY_NAME:
        line("route", "%s (%s%s), which has the name %s", h->name, h->at.file, at, name);
        break;
    case ROUTE_BY_WILDCARD:
        line("route", "%s (%s%s), which has a wildcard for %s", h->name, h->at.file, at, name);
        break;
    default:
        line("route", "%s (%s%s), the default: %s%s", h->name, h->at.file, at,
             x->ask->name ? "no route here has the name " : "no name was asked for", name);
    }
}

/* Whoever leaves out --alpn is told of what another client would have come to. */
static void print_others(const struct explanation *x)
{
    const struct conf_listener *l = x->listener->conf;
    const struct names_item *item = NULL;
    size_t i, shown = 0;

    while ((i = route_candidate(&x->listener->table, x->ask->name, &item)) != SIZE_MAX) {
        const struct conf_route *r = l->routes[i];
        if (r == x->trial->route->conf)
            continue;
        if (shown++ == OTHERS_SHOWN) {
            line("", "and others");
            break;
        }
        printf("%-12s beside [%s] (%s:%u), which is for clients that offer ", "", r->head.title,
               r->head.at.file, r->head.at.line);
        for (size_t k = 0; k < r->alpn.n; k++)
            printf("%s%s", k > 0 ? " or " : "", r->alpn.v[k]);
        puts(r->alpn.n > 0 ? "" : "no protocol of these");
    }
}

static void print_certificates(const struct trial *t)
{
    char subject[CERT_TEXT_MAX], names[CERT_TEXT_MAX], type[KEY_TEXT_MAX], when[DATE_TEXT_MAX];

    for (size_t i = 0; i < t->npairs; i++) {
        const struct keypair *k = t->pairs[i];
        struct identity *id = identity_of(k->leaf);
        line("certificate", "%s (%s), for %s, ends %s", cert_subject(k->leaf, subject),
             keypair_type(k, type), cert_dialled_names(k->leaf, names),
             id != NULL ? distance_text(id->not_after, (int64_t)time(NULL), when) : "?");
        identity_free(id);
    }
}

/* As a terminal may show it: of a name's text, only characters beyond ASCII are not escaped yet.
   The caller's to free(). */
static char *shown(const char *text)
{
    char *escaped = mem_zalloc(4 * strlen(text) + 1), *to = escaped, *out;
    locale_t user = readable_locale();

    for (const char *c = text; *c != '\0'; c++)
        to += sprintf(to, *c & 0x80 ? "\\x%02x" : "%c", (unsigned char)*c);
    if (user == (locale_t)0)
        return escaped;
    out = readable(escaped, user);
    freelocale(user);
    free(escaped);
    return out;
}

static void print_client(const struct explanation *x)
{
    const struct conf_route *r = x->trial->route->conf;
    const struct peer_file *c = x->ask->client;
    char text[IDENTITY_TEXT_MAX];
    char *identity = c != NULL ? shown(identity_text(c->identity, text, sizeof(text))) : NULL;

    if (!x->trial->asked)
        line("client", "not asked for a certificate");
    else if (c == NULL)
        line("client", "without a certificate; client_auth is %s", auth_words[r->client_auth]);
    else
        line("client", "%s; client_auth is %s, by [%s]", identity, auth_words[r->client_auth],
             r->trust->head.title);
    free(identity);
}

static void print_rules(const struct trial *t)
{
    char text[VERDICT_TEXT_MAX], *out = shown(verdict_text(&t->verdict, t->route->conf, text));

    line("rules", "%s", out);
    free(out);
}

void explain_text(const struct explanation *x)
{
    const struct trial *t = x->trial;

    line("listener", "%s", x->listener->conf->head.name);
    print_source(x);
    print_route(x);
    print_others(x);
    print_certificates(t);
    if (t->alpn.p != NULL)
        line("protocol", "%.*s", (int)t->alpn.len, t->alpn.p);
    if (t->plain)
        line("client", "speaks plaintext: the route has mode = originate");
    if (t->npairs > 0)
        print_client(x);
    if (t->judged && t->asked)
        print_rules(t);
    if (t->refused) {
        line("refused", "%s", t->why.text);
        line("", "(%s: %s)", t->why.name, t->why.fix != NULL ? t->why.fix : "");
        return;
    }
    char *upstream = upstream_text(t->route->conf->upstream);
    line("upstream", "%s", upstream);
    free(upstream);
    char *tls = upstream_tls_text(t->route->conf->upstream);
    if (tls != NULL)
        line("with TLS", "%s", tls);
    free(tls);
    puts("admitted");
}

/* --- for programs --- */

static void put_certificates(struct json *j, const struct trial *t)
{
    char type[KEY_TEXT_MAX];

    json_array(j, "certificates", JSON_LINES);
    for (size_t i = 0; i < t->npairs; i++) {
        struct identity *id = identity_of(t->pairs[i]->leaf);
        if (id == NULL)
            continue;
        json_object(j, NULL, JSON_LINE);
        json_text(j, "subject", id->subject);
        json_text(j, "key", keypair_type(t->pairs[i], type));
        json_text(j, "sha256", id->sha256);
        json_end(j);
        identity_free(id);
    }
    json_end(j);
}

static void put_route(struct json *j, const struct trial *t)
{
    static const char *const by[] = {
        [ROUTE_BY_NAME] = "name", [ROUTE_BY_WILDCARD] = "wildcard", [ROUTE_BY_DEFAULT] = "default",
    };
    const struct conf_head *h = &t->route->conf->head;

    json_object(j, "route", JSON_LINE);
    json_text(j, "name", h->name);
    json_text(j, "file", h->at.file);
    json_number(j, "line", h->at.line);
    json_text(j, "by", by[t->by]);
    json_end(j);
}

static void put_rule(struct json *j, const struct trial *t)
{
    const struct conf_rule *rule = t->verdict.rule;
    char text[VERDICT_TEXT_MAX];

    if (!t->judged || !t->asked) {
        json_text(j, "rule", NULL);
        return;
    }
    json_object(j, "rule", JSON_LINE);
    json_text(j, "text", verdict_text(&t->verdict, t->route->conf, text));
    json_text(j, "file", rule != NULL ? rule->at.file : NULL);
    json_number(j, "line", rule != NULL ? rule->at.line : 0);
    json_end(j);
}

static void put_why(struct json *j, const struct trial *t)
{
    json_text(j, "cause", t->refused ? t->why.name : NULL);
    json_text(j, "side", t->refused ? failure_side_text(t->why.side) : NULL);
    json_text(j, "what", t->refused ? t->why.text : NULL);
    json_text(j, "fix", t->refused ? t->why.fix : NULL);
}

void explain_json(const struct explanation *x)
{
    const struct trial *t = x->trial;
    const struct conf_route *r = t->route->conf;
    struct json j = { .out = stdout };
    char alpn[256], identity[IDENTITY_TEXT_MAX];
    bool known = t->asked && x->ask->client != NULL;

    snprintf(alpn, sizeof(alpn), "%.*s", (int)t->alpn.len, t->alpn.p != NULL ? t->alpn.p : "");
    json_object(&j, NULL, JSON_LINES);
    json_text(&j, "verdict", t->refused ? "refused" : "admitted");
    json_text(&j, "listener", x->listener->conf->head.name);
    json_bool(&j, "proxy_header", t->awaits_header);
    json_text(&j, "plaintext", t->plaintext != NULL ? t->plaintext->conf->head.name : NULL);
    put_route(&j, t);
    put_certificates(&j, t);
    json_text(&j, "alpn", t->alpn.p != NULL ? alpn : NULL);
    json_text(&j, "client_auth", auth_words[r->client_auth]);
    json_text(&j, "trust", r->trust != NULL ? r->trust->head.name : NULL);
    json_text(&j, "identity",
              known ? identity_text(x->ask->client->identity, identity, sizeof(identity)) : NULL);
    char *upstream = upstream_text(r->upstream);
    json_text(&j, "upstream", upstream);
    free(upstream);
    char *tls = upstream_tls_text(r->upstream);
    json_text(&j, "upstream_tls", tls);
    free(tls);
    json_text(&j, "mode", modes[r->mode]);
    put_rule(&j, t);
    put_why(&j, t);
    json_end(&j);
}
