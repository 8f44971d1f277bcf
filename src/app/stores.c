#include "app/stores.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/stores_state.h"
#include "base/mem.h"
#include "tls/certs.h"
#include "tls/key_decoder.h"
#include "tls/keypair.h"
#include "tls/load.h"
#include "tls/pairs.h"

/* --- a pair --- */

/* Dates are judged here and nowhere later: a worker that is replaced must come up
   with what is in force, however old that is by then. */
static void judge(struct adding *a, const struct keymat *k)
{
    /* To refuse one that has expired while it was in force would keep it in force,
       and keep all others from being renewed. */
    bool running = k->nchain > 0
                   && inventory_find(a->before, a->st->head.title, k->facts[0].sha256, NULL);
    struct keypair_rules rules = {
        .serve_expired = running || a->st->expired == EXPIRED_SERVE,
        .to_servers = a->st->for_servers,
        .not_to_clients = a->st->for_servers && !a->st->for_clients,
        .now = a->s->now_ns / 1000000000,
        .alias = k->nchain > 0 ? k->facts[0].alias : NULL,
        .noted = a->s->notes ? &a->noted : NULL,
    };

    struct diags *d = a->s->d;
    if (k->pair == NULL) {
        diag_add(d, DIAG_ERROR, k->where, NULL, "memory is out");
        return;
    }
    if (a->st->dir.n > 0 && !rules.serve_expired && k->facts[0].not_after < rules.now) {
        a->late = mem_grow(a->late, a->nlate + 1, sizeof(a->late[0]));
        a->late[a->nlate] = (struct late){ .sha256 = mem_strdup(k->facts[0].sha256) };
        d = &a->late[a->nlate++].findings;
    }
    keypair_check(k->pair, &rules, k->where, k->path, d);
}

static bool is_of(const struct pair *p, const char *sha256)
{
    struct unpack u = { p->facts, p->factslen, false };
    struct inventory_item item;

    return inventory_next(&u, &item) && strcmp(item.fact.sha256, sha256) == 0;
}

/* Has each of its names one that is valid? */
static bool is_replaced(const struct certs *c, const struct late *l, int64_t now)
{
    struct certs_hidden h;

    for (size_t i = 0; certs_next_hidden(c, i, &h); i = h.pair + 1) {
        struct pair p = certs_pair(c, h.pair);
        if (h.wholly && is_of(&p, l->sha256))
            return certs_pair(c, h.by).until >= now;
    }
    return false;
}

/* An old file beside the one that renews it must not keep anything from starting. */
static void judge_late(struct adding *a)
{
    struct err e = ERR_INIT;
    struct pair_cache *cache = a->nlate > 0 ? pair_cache_new(1) : NULL;
    struct certs *c = cache != NULL ? certs_new(a->records.p, a->records.len, cache, &e) : NULL;

    for (size_t i = 0; i < a->nlate; i++) {
        struct late *l = &a->late[i];
        if (c == NULL || !is_replaced(c, l, a->s->now_ns / 1000000000))
            diags_join(a->s->d, &l->findings);
        diags_free(&l->findings);
        free(l->sha256);
    }
    free(a->late);
    certs_free(c);
    pair_cache_unref(cache);
}

static void put(struct adding *a, const struct pair_unit *unit, const struct keymat *k)
{
    struct pack facts = { 0 };

    for (size_t i = 0; i < k->nchain; i++)
        inventory_keep(a->before, a->st->head.title, &k->facts[i], &facts);
    pairs_put(&a->records, unit, k, facts.p, facts.len);
    pack_free(&facts);
}

void stores_load(struct adding *a, struct store_input *in, const struct pair_unit *unit)
{
    struct keymats k = { 0 };

    in->pw = a->pw;
    in->alias = a->st->alias;
    in->alias_at = conf_at(&a->st->head, KEY_STORE_ALIAS, a->st->alias);
    if (load_store(in, &k, a->s->d) == 0) {
        for (size_t i = 0; i < k.n; i++) {
            judge(a, &k.v[i]);
            put(a, unit, &k.v[i]);
        }
    }
    keymats_free(&k);
}

/* --- cert and key --- */

static bool add_files(struct adding *a)
{
    const struct conf_store *st = a->st;
    struct tls_input *certs, *keys;
    bool ok = inputs_files(a->s->inputs, &st->head, KEY_STORE_CERT, &st->cert, &certs);

    ok &= inputs_files(a->s->inputs, &st->head, KEY_STORE_KEY, &st->key, &keys);
    if (ok) {
        struct store_input in = {
            .certs = certs, .keys = keys, .ncerts = st->cert.n, .nkeys = st->key.n,
            .refused = &a->s->refused,
        };
        stores_load(a, &in, &(struct pair_unit){ .name = "", .files = "" });
    }
    free(certs);
    free(keys);
    return ok;
}

static void find_running(struct adding *a)
{
    const char *name = a->st->head.name;
    size_t len = 0, room = 0;
    const uint8_t *p = a->s->running != NULL ? bundle_get(a->s->running, &len, "store/%s", name)
                                             : NULL;
    struct unpack u = { p, p != NULL ? len : 0, false };
    struct pair pair;

    pack_reserve(&a->records, u.left + u.left / 8);
    while (pairs_next(&u, &pair)) {
        if (a->nold == room) {
            room = room ? 2 * room : 64;
            a->old = mem_grow(a->old, room, sizeof(a->old[0]));
        }
        a->old[a->nold++] = pair;
    }
}

/* Both are in the order of their names: mostly it is the next one. */
size_t stores_find_old(struct adding *a, const char *name, struct pair **out)
{
    size_t k = a->next, tried = 0, n = 0;

    for (; tried < a->nold && strcmp(a->old[k].unit_name, name) != 0; tried++)
        k = k + 1 < a->nold ? k + 1 : 0;
    if (tried == a->nold)
        return 0;
    a->next = k;
    while (k + n < a->nold && strcmp(a->old[k + n].unit_name, name) == 0)
        n++;
    *out = &a->old[k];
    return n;
}

static size_t chain_length(const struct pair *p)
{
    struct unpack u = p->chain;
    size_t n = 0, len;

    while (u.left > 0 && unpack_blob(&u, &len) != NULL)
        n++;
    return n;
}

static bool of_one_file(const struct pair *a, const struct pair *b)
{
    struct unpack ua = { a->facts, a->factslen, false }, ub = { b->facts, b->factslen, false };
    struct inventory_item x, y;

    return inventory_next(&ua, &x) && inventory_next(&ub, &y)
           && strcmp(x.fact.path, y.fact.path) == 0;
}

/* (A file may have several; then they are seldom of one length only.) */
void stores_compare_chains(struct adding *a, size_t mark, const struct pair *old, size_t n)
{
    struct unpack u = { a->records.p + mark, a->records.len - mark, false };
    struct pair now;

    for (size_t k = 0; n > 0 && pairs_next(&u, &now); k++) {
        size_t tried = 0;
        while (tried < n && !of_one_file(&old[(k + tried) % n], &now))
            tried++;
        if (tried < n && chain_length(&now) < chain_length(&old[(k + tried) % n]))
            a->s->doubtful = true;
    }
}

/* --- all --- */

bool stores_add(struct stores *s, const struct conf_store *st)
{
    size_t errors = s->d->errors;
    struct adding a = { .s = s, .st = st, .before = s->before, .pw = { .decoder = s->decoder } };
    bool ok = inputs_password(s->inputs, &st->head, KEY_STORE_PASSWORD_FILE, st->password_file,
                              &a.pw.store);

    ok &= inputs_password(s->inputs, &st->head, KEY_STORE_KEY_PASSWORD_FILE,
                          st->key_password_file, &a.pw.key);
    if (!ok)
        return false;
    find_running(&a);
    if (st->dir.n == 0) {
        ok = add_files(&a);
        stores_compare_chains(&a, 0, a.old, a.nold);
    }
    for (size_t i = 0; i < st->dir.n; i++)
        stores_add_folder(&a, st->dir.v[i]);
    judge_late(&a);
    bundle_take(s->out, &a.records, "store/%s", st->head.name);
    free(a.old);
    free(a.noted);
    return ok && s->d->errors == errors;
}

void stores_want_notes(struct stores *s)
{
    s->notes = true;
}

bool stores_doubtful(const struct stores *s)
{
    return s->doubtful;
}

bool stores_refused(const struct stores *s)
{
    return s->refused;
}

struct stores *stores_new(struct inputs *in, struct bundle *running,
                          struct inventory *before, const struct watch_changes *changes,
                          struct bundle *out, struct diags *d)
{
    struct stores *s = mem_zalloc(sizeof(*s));
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    *s = (struct stores){
        .inputs = in, .running = running, .before = before,
        .changes = changes != NULL && !changes->unsure ? changes : NULL, .out = out, .d = d,
        .decoder = key_decoder_new(),
        .digester = digester_new(),
        .now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
    };
    return s;
}

void stores_free(struct stores *s)
{
    key_decoder_free(s->decoder);
    digester_free(s->digester);
    free(s);
}
