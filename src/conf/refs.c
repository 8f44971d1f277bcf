#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uri.h"
#include "conf/build.h"
#include "conf/presets.h"
#include "conf/types.h"

bool build_is_from(const struct conf_head *h, const char *origin)
{
    return h->at.file != NULL && strcmp(h->at.file, origin) == 0;
}

static bool is_from_flags(const struct conf_head *h)
{
    return build_is_from(h, ORIGIN_COMMAND_LINE) || build_is_from(h, ORIGIN_ENVIRONMENT);
}

/* References. */

static char *missing_hint(const struct conf *c, enum conf_section s, const char *name)
{
    const char **names = NULL;
    struct conf_head *h;
    size_t n = 0;

    for (; (h = build_nth(c, s, n)) != NULL; n++) {
        names = mem_grow(names, n + 1, sizeof(names[0]));
        names[n] = h->name;
    }
    char *hint = schema_hint(name, names, n);
    if (hint == NULL && s == SECTION_UPSTREAM && name[0] == '/')
        hint = mem_printf("the path of a Unix socket stands behind unix:, unix:%s", name);
    if (hint == NULL)
        hint = mem_printf("add a section [%s %s]%s", conf_sections[s], name,
                          s == SECTION_UPSTREAM ? ", or write an address with its port" : "");
    free(names);
    return hint;
}

static struct conf_head *find_section(struct builder *b, const struct conf_ref *ref,
                                      enum conf_section s)
{
    struct conf_head *h = build_find(b, s, ref->value);

    if (h == NULL) {
        char *hint = missing_hint(b->c, s, ref->value);
        build_error(b, conf_at(ref->head, ref->row->id, ref->value), hint,
                    "there is no [%s %s]", conf_sections[s], ref->value);
        free(hint);
        build_refuse(b, ref->head, ref->row->id);
    }
    return h;
}

/* `upstream = 127.0.0.1:9042`: an [upstream] without a section. */
static struct conf_head *upstream_by_address(struct builder *b, const struct conf_ref *ref)
{
    struct conf_head *h = build_find(b, SECTION_UPSTREAM, ref->value);
    struct span text = { ref->value, strlen(ref->value) };
    struct refusal r = { ERR_INIT, ERR_INIT, false };

    if (h != NULL)
        return h;
    struct origin at = ref->head->set[KEY_ROUTE_UPSTREAM];
    h = build_section(b, SECTION_UPSTREAM, ref->value, at);
    h->set[KEY_UPSTREAM_SERVER] = at;
    build_defaults(SECTION_UPSTREAM, h);

    const struct key_row *row = &conf_keys[KEY_UPSTREAM_SERVER];
    if (type_parse(row, text, NULL, type_field(row, h), &r) < 0) {
        build_error(b, conf_at(ref->head, KEY_ROUTE_UPSTREAM, ref->value),
                    r.hint.text[0] ? r.hint.text : NULL, "%s", r.why.text);
        build_refuse(b, h, KEY_UPSTREAM_SERVER);
    }
    return h;
}

static void resolve(struct builder *b, const struct conf_ref *ref)
{
    void *field = type_field(ref->row, ref->head);
    struct conf_head *h;

    switch (ref->row->type) {
    case TYPE_REF_STORE:
        h = find_section(b, ref, SECTION_STORE);
        *(struct conf_store **)field = (struct conf_store *)(void *)h;
        break;
    case TYPE_REF_TRUST:
        h = find_section(b, ref, SECTION_TRUST);
        *(struct conf_trust **)field = (struct conf_trust *)(void *)h;
        break;
    default:
        h = strchr(ref->value, ':') != NULL ? upstream_by_address(b, ref)
                                            : find_section(b, ref, SECTION_UPSTREAM);
        *(struct conf_upstream **)field = (struct conf_upstream *)(void *)h;
        break;
    }
}

/* What a route asks of its clients. */

/* How to let clients be checked, or not; the caller's. */
static char *client_auth_hint(const struct conf_route *r)
{
    const char *preset = preset_of(r->head.set[KEY_ROUTE_CLIENT_AUTH]);
    const char *issuers = is_from_flags(&r->head)
                              ? "name a file with the issuers to believe: --ca FILE"
                              : "write trust = NAME, and in [trust NAME] the issuers to believe";

    return preset == NULL ? mem_strdup(issuers)
                          : mem_printf("preset %s asks for them: %s", preset, issuers);
}

static void settle_client_auth(struct builder *b, struct conf_route *r)
{
    bool trusts = r->head.set[KEY_ROUTE_TRUST].file != NULL;
    bool written = r->head.set[KEY_ROUTE_CLIENT_AUTH].file != NULL;

    if (build_was_refused(b, &r->head, KEY_ROUTE_CLIENT_AUTH) || !conf_takes_tls(r))
        return;
    if (!written) {
        r->client_auth = trusts ? CLIENT_AUTH_REQUIRE : CLIENT_AUTH_NONE;
    } else if (r->client_auth == CLIENT_AUTH_NONE && trusts) {
        /* Refused, not warned of: who wrote both may well believe that clients are checked. */
        build_error(b, conf_at(&r->head, KEY_ROUTE_CLIENT_AUTH, "none"),
                    preset_of(r->head.set[KEY_ROUTE_CLIENT_AUTH]) != NULL
                        ? "clients of this preset have none: leave out trust, or write client_auth "
                          "= require if yours do"
                        : "choose request or require, or leave out the issuers to believe",
                    "%s says whom to believe, but no client would be asked for a certificate",
                    conf_at(&r->head, KEY_ROUTE_TRUST, NULL).key);
    } else if (r->client_auth != CLIENT_AUTH_NONE && !trusts) {
        char *hint = client_auth_hint(r);
        build_error(b, conf_at(&r->head, KEY_ROUTE_CLIENT_AUTH,
                               r->client_auth == CLIENT_AUTH_REQUEST ? "request" : "require"),
                    hint, "clients' certificates cannot be checked without trust");
        free(hint);
    }
}

/* Who we are is either written out, or what a folder holds. */
static void check_store(struct builder *b, const struct conf_store *st)
{
    const struct conf_head *h = &st->head;

    if (build_was_refused(b, h, KEY_STORE_CERT) || build_was_refused(b, h, KEY_STORE_DIR))
        return;
    if (st->cert.n == 0 && st->dir.n == 0)
        build_error(b, conf_at(h, KEY_STORE_CERT, NULL), conf_keys[KEY_STORE_CERT].help,
                    "required, and not set");
    else if (st->dir.n > 0 && st->cert.n + st->key.n > 0)
        build_error(b, conf_at(h, KEY_STORE_DIR, st->dir.v[0]),
                    "move the others into the folder, or make a second [store]",
                    "the folder's pairs cannot be mixed with %s",
                    conf_at(h, st->cert.n > 0 ? KEY_STORE_CERT : KEY_STORE_KEY, NULL).key);
}

/* OpenSSL takes one PKCS#11 module into a process. */
static void check_modules(struct builder *b)
{
    struct span first = { NULL, 0 }, module;

    for (size_t i = 0; i < b->c->nstores; i++) {
        const struct conf_store *st = b->c->stores[i];
        for (size_t k = 0; k < st->key.n; k++) {
            struct span uri = { st->key.v[k], strlen(st->key.v[k]) };
            if (!uri_attribute(uri, "module-path", &module))
                continue;
            if (first.p == NULL)
                first = module;
            else if (module.len != first.len || memcmp(module.p, first.p, first.len) != 0)
                build_error(b, conf_at(&st->head, KEY_STORE_KEY, uri.p),
                            "leave module-path out: p11-kit combines all modules it is told of",
                            "another PKCS#11 module than before (%.*s): there can be one only",
                            (int)first.len, first.p);
        }
    }
}

/* A handshake names its highest version; OpenSSL offers all between two. */
static void check_protocols(struct builder *b, const struct conf_head *h, enum conf_key key,
                            unsigned set)
{
    unsigned low = set & (~set + 1u);

    /* Without a gap, the lowest bit carries through all of them. */
    if (set == 0 || build_was_refused(b, h, key) || ((set + low) & set) == 0)
        return;
    build_error(b, conf_at(h, key, NULL),
                "list the versions between the lowest and the highest too",
                "TLS cannot skip a version");
}

/* What nobody uses. */

/* Of each section the first route that refers to it. */
struct users {
    const struct conf_route **v[SECTION_COUNT];
};

static void note_user(struct users *u, enum conf_section s, const struct conf_head *h,
                      const struct conf_route *r)
{
    if (h != NULL)
        u->v[s][h->index] = r;
}

static void find_users(const struct conf *c, struct users *u)
{
    u->v[SECTION_STORE] = mem_zalloc(c->nstores * sizeof(u->v[0][0]));
    u->v[SECTION_TRUST] = mem_zalloc(c->ntrusts * sizeof(u->v[0][0]));
    u->v[SECTION_UPSTREAM] = mem_zalloc(c->nupstreams * sizeof(u->v[0][0]));
    for (size_t i = c->nroutes; i-- > 0;) {
        const struct conf_route *r = c->routes[i];
        note_user(u, SECTION_STORE, r->store != NULL ? &r->store->head : NULL, r);
        note_user(u, SECTION_TRUST, r->trust != NULL ? &r->trust->head : NULL, r);
        note_user(u, SECTION_UPSTREAM, r->upstream != NULL ? &r->upstream->head : NULL, r);
        if (r->upstream == NULL || !r->upstream->tls)
            continue;
        const struct conf_upstream *up = r->upstream;
        note_user(u, SECTION_STORE, up->tls_store != NULL ? &up->tls_store->head : NULL, r);
        note_user(u, SECTION_TRUST, up->tls_trust != NULL ? &up->tls_trust->head : NULL, r);
    }
}

static void check_used(struct builder *b, enum conf_section s, const struct users *u)
{
    struct conf_head *h;

    for (size_t i = 0; (h = build_nth(b->c, s, i)) != NULL; i++)
        if (u->v[s][i] == NULL)
            build_warn(b, (struct diag_at){ h->at, h->title, NULL, NULL }, NULL,
                       "no route uses it");
}

/* Where bytes go, and what nobody needs. */
static void check_uses(struct builder *b)
{
    static const enum conf_section kinds[] = { SECTION_STORE, SECTION_TRUST, SECTION_UPSTREAM };
    struct users u = { { NULL } };

    find_users(b->c, &u);
    for (size_t i = 0; i < b->c->nupstreams; i++) {
        build_upstream(b, b->c->upstreams[i], u.v[SECTION_UPSTREAM][i]);
    }
    build_resolver(b);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        check_used(b, kinds[i], &u);
        free(u.v[kinds[i]]);
    }
}

void build_refs(struct builder *b)
{
    const struct conf *c = b->c;

    for (size_t i = 0; i < b->nrefs; i++)
        if (b->refs[i].origin == b->refs[i].head->set[b->refs[i].row->id].file)
            resolve(b, &b->refs[i]);
    build_presets(b);
    build_modes(b);
    build_transparent(b);
    for (size_t i = 0; i < c->nroutes; i++) {
        settle_client_auth(b, c->routes[i]);
        build_admission(b, c->routes[i]);
        check_protocols(b, &c->routes[i]->head, KEY_ROUTE_PROTOCOLS, c->routes[i]->protocols);
    }
    for (size_t i = 0; i < c->nupstreams; i++)
        check_protocols(b, &c->upstreams[i]->head, KEY_UPSTREAM_TLS_PROTOCOLS,
                        c->upstreams[i]->tls_protocols);
    for (size_t i = 0; i < c->nstores; i++)
        check_store(b, c->stores[i]);
    check_modules(b);
    build_listeners(b);
    build_plain_listeners(b);
    check_uses(b);
    struct diag_at whole = { { c->norigins ? c->origins[0] : NULL, 0 }, NULL, NULL, NULL };
    if (c->nroutes == 0 && b->d->errors == 0)
        build_error(b, whole, "write a section [route NAME] with listen, store and upstream",
                    "there is no route, so nothing would be done");
}
