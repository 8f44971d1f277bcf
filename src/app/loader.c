#include "app/loader.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/coverage.h"
#include "app/expiry.h"
#include "app/inputs.h"
#include "app/inventory.h"
#include "app/logsink.h"
#include "app/privs.h"
#include "app/reach.h"
#include "app/roster.h"
#include "app/sandbox.h"
#include "app/stores.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/source.h"
#include "conf/wording.h"
#include "proxy/snapshot.h"
#include "tls/rehearsal.h"
#include "tls/load.h"
#include "tls/ticket_file.h"

struct loading {
    const struct load_plan *plan;
    struct inputs *inputs;
    struct diags *d;
    struct bundle *bundle;
    struct pack facts;
    struct bundle *running;     /* what is in force at a reload; NULL at the start */
    struct inventory before;    /* in it */
    struct load_report *report;
};

static void put_trust(struct loading *l, const struct conf_trust *t, const struct ders *s,
                      size_t *n)
{
    for (size_t k = 0; k < s->n; k++) {
        bundle_put(l->bundle, s->v[k].p, s->v[k].len, "trust/%s/%zu", t->head.name, (*n)++);
        inventory_keep(&l->before, t->head.title, &s->facts[k], &l->facts);
    }
}

static void add_trust(struct loading *l, const struct conf_trust *t)
{
    struct passwords pw = { 0 };
    struct tls_input *files, *lists;
    struct ders *sets = mem_zalloc(sizeof(*sets) * (t->ca.n + 1)), *crls = &sets[t->ca.n];
    size_t n = 0;
    bool there = inputs_files(l->inputs, &t->head, KEY_TRUST_CA, &t->ca, &files);

    there &= inputs_files(l->inputs, &t->head, KEY_TRUST_CRL, &t->crl, &lists);
    there &= inputs_password(l->inputs, &t->head, KEY_TRUST_PASSWORD_FILE, t->password_file,
                             &pw.store);
    bool ok = there;
    for (size_t i = 0; there && i < t->ca.n; i++)
        ok &= load_trust(&files[i], &pw, &sets[i], l->d) == 0;
    ok = ok && load_crls(lists, t->crl.n, sets, t->ca.n, conf_at(&t->head, KEY_TRUST_CRL, NULL),
                         crls, l->d) == 0;
    for (size_t i = 0; i <= t->ca.n; i++) {
        if (ok)
            put_trust(l, t, &sets[i], &n);
        ders_free(&sets[i]);
    }
    free(sets);
    free(files);
    free(lists);
}

static void add_tickets(struct loading *l, const struct conf_proxy *p)
{
    struct ticket_secrets s = { .n = 0 };
    struct tls_input *file;

    if (inputs_files(l->inputs, &p->head, KEY_PROXY_TICKET_KEYS, &p->ticket_keys, &file)
        && p->ticket_keys.n > 0 && ticket_file_read(file, &s, l->d) == 0)
        bundle_put(l->bundle, s.v, s.n * TICKET_SECRET_LEN, "tickets");
    explicit_bzero(&s, sizeof(s));
    free(file);
}

static void open_running(struct loading *l)
{
    struct err e = ERR_INIT;

    if (!l->plan->again)
        return;
    l->running = bundle_map(l->plan->running, &e);
    if (l->running != NULL)
        l->before = inventory_later(l->running);
    else
        diag_add(l->d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "what is in force: %s", e.text);
}

/* With the flags and variables in them. */
static void running_settings(const struct loading *l, struct settings *s)
{
    size_t len = 0;
    const uint8_t *p = l->running ? bundle_get(l->running, &len, "settings") : NULL;

    if (p == NULL || settings_unpack(p, len, s) != 0)
        diag_add(l->d, DIAG_ERROR, (struct diag_at){ 0 }, NULL,
                 "the settings in force cannot be read");
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

static void add_new(struct diags *d, const struct diags *more)
{
    struct diags_index said = diags_index(d);
    bool *old = mem_zalloc(more->n);

    for (size_t i = 0; i < more->n; i++)
        old[i] = diags_index_has(&said, &more->v[i]);
    diags_index_free(&said);
    for (size_t i = 0; i < more->n; i++) {
        if (!old[i])
            diags_put(d, &more->v[i]);
    }
    free(old);
}

static void call_roll(const struct loading *l, const struct snapshot *s, const struct conf *c)
{
    struct roster r = { 0 };

    for (size_t i = 0; i < s->ncerts; i++)
        roster_add(&r, c->stores[i], s->certs[i], l->d);
    roster_put(&r, l->bundle);
}

/* The proof reads the settings again, so it finds again what the reading found. */
static void prove(const struct loading *l, const struct conf *c)
{
    struct diags *d = l->d, more = { 0 };
    struct snapshot *s = snapshot_build(l->bundle, NULL, &more);

    for (size_t i = 0, done = 0; s != NULL && i < s->nroutes; i++) {
        const struct conf_head *h = &s->routes[i].conf->head;
        if (done == s->nctxs || s->routes[i].tls != s->ctxs[done])
            continue;           /* an earlier route's */
        done++;
        struct err e = ERR_INIT;
        if (rehearse(s->routes[i].tls, &e) != 0)
            diag_add(&more, DIAG_ERROR, (struct diag_at){ h->at, h->title, NULL, NULL }, NULL,
                     "%s", e.text);
    }
    if (s != NULL) {
        call_roll(l, s, c);
        coverage_check(s, &more);
    }
    snapshot_retire(s);
    add_new(d, &more);
    diags_free(&more);
}

/* Something of these files is wrong: the start may wait for them as long as the least
   patient of those allows. */
static void allow_wait(uint64_t *wait_ms, uint64_t patience_ms)
{
    if (patience_ms < *wait_ms)
        *wait_ms = patience_ms;
}

static void add_files(struct loading *l, const struct conf *c)
{
    struct stores *stores = stores_new(l->inputs, l->running, &l->before, l->plan->changes,
                                       l->bundle, l->d);
    size_t before = l->d->errors, errors;
    uint64_t most_ms = 0, wait_ms = UINT64_MAX;

    if (l->plan->check)
        stores_want_notes(stores);
    for (size_t i = 0; i < c->nstores; i++) {
        if (!stores_add(stores, c->stores[i]))
            allow_wait(&wait_ms, c->stores[i]->wait_files_ms);
        if (c->stores[i]->wait_files_ms > most_ms)
            most_ms = c->stores[i]->wait_files_ms;
    }
    /* A PIN that is wrong is not going to arrive. */
    if (stores_refused(stores))
        allow_wait(&wait_ms, 0);
    if (l->report != NULL)
        l->report->doubtful = stores_doubtful(stores);
    stores_free(stores);
    errors = l->d->errors;
    for (size_t i = 0; i < c->ntrusts; i++)
        add_trust(l, c->trusts[i]);
    add_tickets(l, &c->proxy);
    if (l->d->errors > errors)
        allow_wait(&wait_ms, most_ms);
    if (l->report != NULL && before == 0 && l->d->errors > 0)
        l->report->wait_ms = wait_ms;
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
    if (!plan->again)
        sandbox_judge(p, d);
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

/* One process for everything becomes its user after this load: can it do the next one? */
static void judge_reach(const struct loading *l, const struct conf_proxy *p)
{
    struct diags told = { 0 };
    struct privs who = privs_plan(p, &told);

    if (p->workers == 0 && who.change && l->report != NULL) {
        struct watch_path *v = mem_zalloc((l->report->nread + 1) * sizeof(*v));
        size_t n = 0;
        for (; n < l->report->nread; n++)
            v[n] = l->report->read[n];
        if (l->plan->config_path != NULL)
            v[n++].path = (char *)(uintptr_t)l->plan->config_path;
        reach_warn(&who, p, v, n, l->d);
        free(v);
    }
    privs_free(&who);
    diags_free(&told);
}

static void warn_of_expiry(const struct loading *l, const struct conf *c)
{
    struct expiry *x = expiry_new();
    struct inventory inv;

    if (inventory_read(l->bundle, &inv))
        expiry_check(x, c, &inv, (int64_t)time(NULL), true, l->d);
    inventory_free(&inv);
    expiry_free(x);
}

/* From here on files are read, which anybody may have made. */
static void confine(const struct loading *l, const struct conf *c)
{
    struct sandbox s = sandbox_plan(c);
    struct err e = ERR_INIT;

    if (sandbox_enter(&s, SANDBOX_LOADER, &e) != 0)
        diag_add(l->d, DIAG_ERROR, conf_at(&c->proxy.head, KEY_PROXY_SANDBOX, "require"), NULL,
                 "%s", e.text);
    sandbox_free(&s);
}

/* Everything that goes into the bundle, and the proof of it. */
static void fill(struct loading *l, const struct settings *s, const struct conf *c)
{
    uint8_t *packed;
    size_t len;

    l->bundle = bundle_new();
    settings_pack(s, &packed, &len);
    bundle_put(l->bundle, packed, len, "settings");
    free(packed);
    if (!l->plan->material)
        judge_process(l->plan, &c->proxy, l->d);
    if (l->plan->confine)
        confine(l, c);
    l->inputs = inputs_new(l->plan, l->report, l->d);
    add_files(l, c);
    if (!l->plan->again)
        judge_reach(l, &c->proxy);
    inputs_free(l->inputs);
    bundle_put(l->bundle, l->facts.p, l->facts.len, INVENTORY_ENTRY);
    pack_free(&l->facts);
    if (l->d->errors == 0)
        prove(l, c);
    if (l->plan->check)
        warn_of_expiry(l, c);
}

struct bundle *loader_build_again(const struct load_plan *plan, struct load_report *report,
                                  struct diags *d)
{
    struct loading l = { .plan = plan, .report = report, .d = d };
    struct settings s = { 0 };
    struct conf *c = NULL;

    open_running(&l);
    if (plan->material)
        running_settings(&l, &s);
    else
        gather_settings(plan, &s, d);
    /* Of a file that gave nothing at all there is nothing more to say. */
    if (s.n > 0 || d->errors == 0)
        c = conf_build(&s, d);
    if (c != NULL && d->errors == 0)
        fill(&l, &s, c);
    conf_free(c);
    settings_free(&s);
    inventory_free(&l.before);
    bundle_free(l.running);
    wording_fit(d, plan->config_path == NULL);
    if (d->errors > 0) {
        bundle_free(l.bundle);
        return NULL;
    }
    return l.bundle;
}

struct bundle *loader_build(const struct load_plan *plan, struct diags *d)
{
    struct load_report report = { 0 };
    struct bundle *b = loader_build_again(plan, &report, d);

    for (size_t i = 0; i < report.pipes.n; i++)
        close(report.pipes.copy[i]);
    load_report_free(&report);
    return b;
}
