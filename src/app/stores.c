#include "app/stores.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/folder.h"
#include "base/mem.h"
#include "tls/certs.h"
#include "tls/key_decoder.h"
#include "tls/keypair.h"
#include "tls/load.h"
#include "tls/pairs.h"

struct stores {
    struct inputs *inputs;
    struct bundle *running;
    struct inventory *before;
    const struct watch_changes *changes;        /* NULL: anything may have changed */
    struct bundle *out;
    struct diags *d;
    struct key_decoder *decoder;
    struct digester *digester;
    int64_t now_ns;
    bool notes;
    bool refused;               /* a token */
    bool doubtful;              /* what was read may be half of it */
};

/* An expired pair of a folder, on which is decided when all pairs are known. */
struct late {
    char *sha256;               /* of its certificate */
    struct diags findings;      /* if nothing else is served in its stead */
};

/* One store, as it is being added. */
struct adding {
    struct stores *s;
    const struct conf_store *st;
    struct passwords pw;
    struct inventory *before;   /* what is in force, of all or of the unit that is read */
    struct pack records;
    struct pair *old;           /* of the running bundle's store, in order */
    size_t nold;
    char *noted;                /* keypair_rules */
    bool exposed;               /* of the folder, a key that lies open was warned of */
    struct late *late;
    size_t nlate;
    struct diags strays;        /* of the folder, what is passed over */
    size_t next;                /* of old: where the one looked for most likely is */
};

static const uint8_t no_id[PAIR_ID];

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

static void load(struct adding *a, struct store_input *in, const struct pair_unit *unit)
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
        load(a, &in, &(struct pair_unit){ .name = "", .files = "" });
    }
    free(certs);
    free(keys);
    return ok;
}

/* --- dir --- */

/* From what a unit's records are made; no_id while it is too young to be known again. */
static void identify(const struct adding *a, const struct folder_unit *u, uint8_t id[PAIR_ID])
{
    struct pack k = { 0 };

    memcpy(id, no_id, PAIR_ID);
    pack_str(&k, a->st->head.title);
    pack_str(&k, a->pw.store);
    pack_str(&k, a->pw.key);
    pack_str(&k, a->st->alias);
    for (size_t i = 0; i < u->n; i++) {
        if (!file_stamp_is_settled(&u->v[i].stamp, a->s->now_ns)) {
            pack_free(&k);
            return;
        }
        pack_str(&k, u->v[i].path);
        pack_bytes(&k, &u->v[i].stamp, sizeof(u->v[i].stamp));
    }
    digest_bytes(a->s->digester, k.p, k.len, id);
    pack_free(&k);
}

/* Files that hold nothing of use are passed over; but not where they may be what is missing:
   to a unit of which nothing could be made, and which has been served or is not whole. */
static void judge_strays(struct adding *a, const struct folder_unit *u, const struct diags *strays,
                         bool whole)
{
    if (!whole) {
        diags_join(a->s->d, strays);
        return;
    }
    diags_join(&a->strays, strays);
    for (size_t i = 0; i < u->n && strays->n > 0; i++)
        if (!file_stamp_is_settled(&u->v[i].stamp, a->s->now_ns))
            a->s->doubtful = true;
}

static void report_gone(struct adding *a, const struct folder_unit *u)
{
    diag_add(a->s->d, DIAG_ERROR, conf_at(&a->st->head, KEY_STORE_DIR, u->v[0].path),
             "remove its files if it is not to be served any more",
             "the pair that is served is not in its files any more");
}

/* An empty one needs no reading, and is judged with what lies beside it. */
static bool is_empty(const struct folder_file *f)
{
    return f->stamp.ino != 0 && f->stamp.size == 0;
}

static void read_unit(struct adding *a, const struct folder_unit *u, const struct pair_unit *unit,
                      bool served)
{
    size_t errors = a->s->d->errors, mark = a->records.len;
    struct diags strays = { 0 };
    struct file *files = mem_zalloc(u->n * sizeof(*files));
    struct tls_input *inputs = mem_zalloc(u->n * sizeof(*inputs));
    struct store_input in = { .certs = inputs, .ncerts = u->n, .mixed = true,
                              .exposed = &a->exposed, .strays = &strays };
    bool ok = true;

    for (size_t i = 0; i < u->n; i++) {
        struct diag_at where = conf_at(&a->st->head, KEY_STORE_DIR, u->v[i].path);
        ok &= is_empty(&u->v[i]) || file_read(u->v[i].path, where, &files[i], a->s->d) == 0;
        inputs[i] = (struct tls_input){
            .path = u->v[i].path, .data = files[i].data, .len = files[i].len,
            .time = files[i].time, .mode = files[i].mode, .exposed = files[i].exposed,
            .where = where,
        };
    }
    if (ok)
        load(a, &in, unit);
    bool good = a->s->d->errors == errors, gone = served && a->records.len == mark;
    judge_strays(a, u, &strays, good && !gone);
    if (good && gone && strays.n == 0)
        report_gone(a, u);
    diags_free(&strays);
    for (size_t i = 0; i < u->n; i++)
        file_free(&files[i]);
    free(files);
    free(inputs);
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

static char *unit_name(const char *folder, const struct folder_unit *u)
{
    return mem_printf("%s/%s", folder, u->name);
}

/* The records of a unit in the running bundle; their number. Both are in the order of
   their names: mostly it is the next one. */
static size_t find_old(struct adding *a, const char *name, struct pair **out)
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

/* Whether a chain among the records from `mark` on is shorter than the one of its file among
   the old ones. (A file may have several; then they are seldom of one length only.) */
static void compare_chains(struct adding *a, size_t mark, const struct pair *old, size_t n)
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

/* The records that were added from `mark` on may be, but for the state of their files,
   those that are in force. Then they keep that too: what is the same is to be the same
   bytes, or each touch of a file would make a new edition. */
static void keep_running(struct adding *a, size_t mark, const struct pair *old, size_t n)
{
    struct unpack u = { a->records.p + mark, a->records.len - mark, false };
    struct pair now;

    for (size_t k = 0; k < n && pairs_next(&u, &now); k++)
        if (now.wholelen == old[k].wholelen
            && memcmp(now.whole + PAIR_ID, old[k].whole + PAIR_ID, now.wholelen - PAIR_ID) == 0)
            memcpy(a->records.p + (now.whole - a->records.p), old[k].unit, PAIR_ID);
}

static void read_changed(struct adding *a, const struct folder_unit *u,
                         const struct pair_unit *unit, const struct pair *old, size_t n)
{
    struct inventory before = { 0 };
    size_t mark = a->records.len;

    if (n > 0)
        (void)inventory_read_pairs(a->s->running, old, n, &before);
    a->before = &before;
    read_unit(a, u, unit, n > 0);
    a->before = a->s->before;
    inventory_free(&before);
    if (a->records.len > mark) {
        keep_running(a, mark, old, n);
        compare_chains(a, mark, old, n);
    }
}

/* A unit whose files may have changed: its records are copied if they have not. */
static void add_unit(struct adding *a, const char *folder, const struct folder_unit *u)
{
    char *name = unit_name(folder, u), *endings = folder_unit_endings(folder, u);
    struct pair_unit unit = { .name = name, .files = endings != NULL ? endings : "" };
    struct pair *old = NULL;
    size_t n = find_old(a, name, &old);

    identify(a, u, unit.id);
    if (n > 0 && memcmp(unit.id, no_id, PAIR_ID) != 0
        && memcmp(unit.id, old->unit, PAIR_ID) == 0)
        for (size_t i = 0; i < n; i++)
            pairs_copy(&a->records, &old[i]);
    else
        read_changed(a, u, &unit, old, n);
    free(name);
    free(endings);
}

/* The part of a record's unit name that is within the folder; NULL: it is of another. */
static const char *name_within(const struct pair *p, const char *folder)
{
    size_t n = strlen(folder);
    const char *name = p->unit_name;

    return strncmp(name, folder, n) == 0 && name[n] == '/' && strchr(name + n + 1, '/') == NULL
               ? name + n + 1 : NULL;
}

/* What is in force, but for the units that changed, in the order of the names. */
static void add_changed(struct adding *a, const char *folder, const struct folder *f,
                        const struct folder_part *changed)
{
    size_t i = 0;

    for (size_t k = 0; k < a->nold; k++) {
        const char *name = name_within(&a->old[k], folder);
        if (name == NULL)
            continue;
        while (i < f->n && strcmp(f->v[i].name, name) <= 0)
            add_unit(a, folder, &f->v[i++]);
        if (!folder_has_name(&changed->units, name))
            pairs_copy(&a->records, &a->old[k]);
    }
    while (i < f->n)
        add_unit(a, folder, &f->v[i++]);
}

/* Are all files known that the changed units may have? */
static bool is_known(struct adding *a, const char *folder, struct folder_part *changed)
{
    bool known = true;

    for (size_t i = 0; i < changed->units.n && known; i++) {
        const char *unit = changed->units.v[i];
        char *name = mem_printf("%s/%s", folder, unit);
        struct pair *old = NULL;
        known = find_old(a, name, &old) > 0 && old->unit_files[0] != '\0';
        if (known)
            folder_expect(changed, unit, old->unit_files);
        free(name);
    }
    return known;
}

#define STRAYS_SHOWN 5u

/* One warning for all: they keep nothing from being served. */
static void tell_strays(struct adding *a, struct diag_at where)
{
    struct diags *s = &a->strays;
    char *text = mem_strdup(""), *hint = NULL;

    for (size_t i = 0; i < s->n && i < STRAYS_SHOWN; i++) {
        char *more = mem_printf("%s%s%s", text, i > 0 ? "; " : "", s->v[i].message);
        free(text);
        text = more;
    }
    if (s->n > STRAYS_SHOWN)
        hint = mem_printf("and %zu more; move them out of the folder", s->n - STRAYS_SHOWN);
    if (s->n > 0)
        diag_add(a->s->d, DIAG_WARNING, where,
                 hint != NULL ? hint : "move it out of the folder", "passed over: %s", text);
    free(hint);
    free(text);
    diags_free(s);
}

static void tell_passed(struct adding *a, const struct folder *f, struct diag_at where)
{
    for (size_t i = 0; i < f->npassed && i < STRAYS_SHOWN; i++)
        diag_add(a->s->d, DIAG_NOTE, where, NULL, "not looked at: %s", f->passed[i]);
    if (f->npassed > STRAYS_SHOWN)
        diag_add(a->s->d, DIAG_NOTE, where, NULL, "and %zu more are not looked at",
                 f->npassed - STRAYS_SHOWN);
}

static void add_folder(struct adding *a, const char *path)
{
    struct diag_at where = conf_at(&a->st->head, KEY_STORE_DIR, path);
    const struct watch_changes *c = a->s->changes;
    size_t before = a->records.len, errors = a->s->d->errors;
    struct folder_part changed = { 0 };
    bool sure = c != NULL && a->nold > 0 && folder_changes(path, c->v, c->n, &changed);
    struct folder f;

    inputs_note_dir(a->s->inputs, path);
    changed.known = sure && is_known(a, path, &changed);
    if (folder_read(path, sure ? &changed : NULL, where, &f, a->s->d) == 0) {
        if (sure)
            add_changed(a, path, &f, &changed);
        for (size_t i = 0; i < f.n && !sure; i++)
            add_unit(a, path, &f.v[i]);
        tell_strays(a, where);
        tell_passed(a, &f, where);
        if (a->records.len == before && a->s->d->errors == errors)
            diag_add(a->s->d, DIAG_ERROR, where,
                     "looked at are names that end in .pem .crt .cer .der .key .p12 .pfx .jks "
                     ".jceks .keystore",
                     "there is no certificate with its key in the folder");
        folder_free(&f);
    }
    folder_part_free(&changed);
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
        compare_chains(&a, 0, a.old, a.nold);
    }
    for (size_t i = 0; i < st->dir.n; i++)
        add_folder(&a, st->dir.v[i]);
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
