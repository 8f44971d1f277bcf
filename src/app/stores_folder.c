#include "app/stores_state.h"

#include <stdlib.h>
#include <string.h>

#include "app/folder.h"
#include "base/mem.h"

/* --- a unit --- */

/* From what a unit's records are made; zeros while it is too young to be known again. */
static void identify(const struct adding *a, const struct folder_unit *u, uint8_t id[PAIR_ID])
{
    struct pack k = { 0 };

    memset(id, 0, PAIR_ID);
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
        stores_load(a, &in, unit);
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

static char *unit_name(const char *folder, const char *unit)
{
    return mem_printf("%s/%s", folder, unit);
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
        stores_compare_chains(a, mark, old, n);
    }
}

/* A unit whose files may have changed: its records are copied if they have not. */
static void add_unit(struct adding *a, const char *folder, const struct folder_unit *u)
{
    char *name = unit_name(folder, u->name), *endings = folder_unit_endings(folder, u);
    struct pair_unit unit = { .name = name, .files = endings != NULL ? endings : "" };
    struct pair *old = NULL;
    size_t n = stores_find_old(a, name, &old);

    identify(a, u, unit.id);
    if (n > 0 && pair_unit_known(unit.id) && memcmp(unit.id, old->unit, PAIR_ID) == 0)
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
        char *name = unit_name(folder, unit);
        struct pair *old = NULL;
        known = stores_find_old(a, name, &old) > 0 && old->unit_files[0] != '\0';
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

    for (size_t i = 0; i < s->n && i < STRAYS_SHOWN; i++)
        text = mem_join(text, "; ", s->v[i].message);
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

void stores_add_folder(struct adding *a, const char *path)
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
