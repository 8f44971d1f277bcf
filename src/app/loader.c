#include "app/loader.h"

#include <stdlib.h>
#include <string.h>

#include "app/inputs.h"
#include "app/inventory.h"
#include "app/logsink.h"
#include "app/privs.h"
#include "app/stores.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/source.h"
#include "proxy/snapshot.h"
#include "tls/load.h"

struct loading {
    const struct load_plan *plan;
    struct inputs *inputs;
    struct diags *d;
    struct bundle *bundle;
    struct pack facts;
};

static void add_trust(struct loading *l, const struct conf_trust *t)
{
    struct passwords pw = { 0 };
    struct tls_input *files;
    size_t n = 0;
    bool ok = inputs_files(l->inputs, &t->head, KEY_TRUST_CA, &t->ca, &files);

    ok &= inputs_password(l->inputs, &t->head, KEY_TRUST_PASSWORD_FILE, t->password_file,
                          &pw.store);
    if (ok) {
        for (size_t i = 0; i < t->ca.n; i++) {
            struct ders s = { 0 };
            if (load_trust(&files[i], &pw, &s, l->d) == 0)
                for (size_t k = 0; k < s.n; k++) {
                    bundle_put(l->bundle, s.v[k].p, s.v[k].len, "trust/%s/%zu", t->head.name, n++);
                    inventory_pack(t->head.title, &s.facts[k], &l->facts);
                }
            ders_free(&s);
        }
    }
    free(files);
}

static void gather_settings(const struct load_plan *plan, struct settings *s, struct diags *d)
{
    if (plan->config_path != NULL)
        source_read(plan->config_path, s, d);
    for (size_t i = 0; plan->overrides != NULL && i < plan->overrides->n; i++) {
        const struct setting *o = &plan->overrides->v[i];
        settings_add(s, o->section, o->name, o->key, o->value, (struct origin){ o->file, o->line });
    }
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool is_known(const struct diags *d, const struct diag *g)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct diag *o = &d->v[i];
        if (o->level == g->level && o->line == g->line && same_text(o->file, g->file)
            && same_text(o->section, g->section) && same_text(o->key, g->key)
            && same_text(o->value, g->value) && same_text(o->message, g->message))
            return true;
    }
    return false;
}

/* The proof reads the settings again, so it finds again what the reading found. */
static void prove(struct bundle *b, struct diags *d)
{
    struct diags more = { 0 };

    snapshot_retire(snapshot_build(b, NULL, &more));
    for (size_t i = 0; i < more.n; i++) {
        const struct diag *g = &more.v[i];
        struct diag_at where = { { g->file, g->line }, g->section, g->key, g->value };
        if (!is_known(d, g))
            diag_add(d, g->level, where, g->hint, "%s", g->message);
    }
    diags_free(&more);
}

static void add_files(struct loading *l, const struct conf *c)
{
    struct err e = ERR_INIT;
    /* One that cannot be mapped only costs the time to read all of it anew. */
    struct bundle *running = l->plan->again ? bundle_map(l->plan->running, &e) : NULL;
    struct stores *stores = stores_new(l->inputs, running, l->bundle, l->d);

    for (size_t i = 0; i < c->nstores; i++)
        stores_add(stores, c->stores[i]);
    stores_free(stores);
    bundle_free(running);
    for (size_t i = 0; i < c->ntrusts; i++)
        add_trust(l, c->trusts[i]);
}

/* What the process needs of this host beside the files: a user, and a log. */
static void judge_process(const struct load_plan *plan, const struct conf_proxy *p,
                          struct diags *d)
{
    struct err e = ERR_INIT;
    struct diags said = { 0 };
    struct privs who = privs_plan(p, &said);
    bool written = p->head.set[KEY_PROXY_USER].file != NULL;

    privs_free(&who);
    for (size_t i = 0; i < said.n; i++) {
        const struct diag *g = &said.v[i];
        struct diag_at where = { { g->file, g->line }, g->section, g->key, g->value };
        /* What comes of the default user was said at the start. */
        if (g->level == DIAG_ERROR || written || !plan->again)
            diag_add(d, g->level, where, g->hint, "%s", g->message);
    }
    diags_free(&said);
    if (logsink_check(p->log, &e) != 0)
        diag_add(d, DIAG_ERROR, conf_at(&p->head, KEY_PROXY_LOG, p->log), NULL, "%s", e.text);
}

struct bundle *loader_build_again(const struct load_plan *plan, struct loader_pipes *pipes,
                                  struct diags *d)
{
    struct loading l = { .plan = plan, .d = d };
    struct settings s = { 0 };
    struct conf *c = NULL;

    gather_settings(plan, &s, d);
    /* Of a file that gave nothing at all there is nothing more to say. */
    if (s.n > 0 || d->errors == 0)
        c = conf_build(&s, d);
    if (c != NULL && d->errors == 0) {
        uint8_t *packed;
        size_t len;

        l.bundle = bundle_new();
        settings_pack(&s, &packed, &len);
        bundle_put(l.bundle, packed, len, "settings");
        free(packed);
        judge_process(plan, &c->proxy, d);
        l.inputs = inputs_new(plan, pipes, d);
        add_files(&l, c);
        inputs_free(l.inputs);
        bundle_put(l.bundle, l.facts.p, l.facts.len, INVENTORY_ENTRY);
        pack_free(&l.facts);
        if (d->errors == 0)
            prove(l.bundle, d);
    }
    conf_free(c);
    settings_free(&s);
    if (d->errors > 0) {
        bundle_free(l.bundle);
        return NULL;
    }
    return l.bundle;
}

struct bundle *loader_build(const struct load_plan *plan, struct diags *d)
{
    return loader_build_again(plan, NULL, d);
}
