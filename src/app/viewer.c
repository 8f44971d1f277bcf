#include "app/viewer.h"

#include <stdlib.h>
#include <string.h>

#include "app/catalog.h"
#include "app/metrics.h"
#include "app/report.h"
#include "app/status.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/mem.h"

#define FRESH_LEAST_US 50000u   /* how long a page is good for, and longer for long ones: */
#define FRESH_FACTOR 10u

struct waiting {
    struct list link;
    struct httpd_call *call;
    enum view what;
};

/* What was written last. */
struct page {
    char *text;
    size_t len;
    unsigned status;
    uint64_t until_us;          /* it is good; monotonic */
};

struct viewer {
    const struct accounts *accounts;
    const struct health *health;
    struct report report;       /* pid 0: none came yet */
    struct catalog catalog;
    uint64_t asked;             /* the generation whose facts are on their way; 0: none */
    struct page pages[VIEW_COUNT];
    struct status_rates rates;
    struct list waiting;        /* for report or facts */
};

/* --- writing --- */

static unsigned write_ready(const struct status *s, FILE *out)
{
    struct conf_strs why;
    bool ready = status_ready(s, &why);

    if (ready)
        fputs("ready\n", out);
    for (size_t i = 0; i < why.n; i++)
        fprintf(out, "%s\n", why.v[i]);
    status_why_free(&why);
    return ready ? 200 : 503;
}

static void write_page(struct viewer *v, enum view what, struct page *p)
{
    uint64_t began = clock_mono_us();
    struct status s = {
        .conf = health_conf(v->health), .report = &v->report, .catalog = &v->catalog,
        .accounts = v->accounts, .health = v->health, .now_us = clock_wall_us()
    };

    free(p->text);
    p->text = NULL;
    FILE *out = open_memstream(&p->text, &p->len);
    if (out == NULL)
        abort();                /* as base/mem.h does when memory is out */
    p->status = 200;
    switch (what) {
    case VIEW_STATUS_JSON: status_json(&s, out); break;
    case VIEW_STATUS_TEXT: status_text(&s, &v->rates, out); break;
    case VIEW_METRICS: metrics_write(&s, out); break;
    default: p->status = write_ready(&s, out); break;
    }
    fclose(out);
    uint64_t now = clock_mono_us(), fresh = FRESH_FACTOR * (now - began);
    p->until_us = now + (fresh > FRESH_LEAST_US ? fresh : FRESH_LEAST_US);
}

static void answer(struct viewer *v, struct httpd_call *call, enum view what)
{
    static const char *const types[VIEW_COUNT] = {
        [VIEW_STATUS_JSON] = "application/json",
        [VIEW_STATUS_TEXT] = "text/plain; charset=utf-8",
        [VIEW_METRICS] = METRICS_TYPE,
        [VIEW_READY] = "text/plain; charset=utf-8",
    };
    struct page *p = &v->pages[what];

    if (clock_mono_us() >= p->until_us)
        write_page(v, what, p);
    httpd_answer(call, &(struct httpd_answer){
        .status = p->status, .type = types[what],
        .body = p->text, .len = p->len });
}

/* --- what it needs --- */

static bool has_all(const struct viewer *v)
{
    return v->report.pid != 0 && health_conf(v->health) != NULL
        && v->catalog.generation >= v->report.generation;
}

static void outdate(struct viewer *v)
{
    for (int i = 0; i < VIEW_COUNT; i++)
        v->pages[i].until_us = 0;
}

static void serve_waiting(struct viewer *v)
{
    if (!has_all(v))
        return;
    LIST_EACH (pos, next, &v->waiting) {
        struct waiting *w = LIST_OF(struct waiting, link, pos);
        list_remove(&w->link);
        answer(v, w->call, w->what);
        free(w);
    }
}

static void take_report(struct viewer *v, const struct channel_msg *m)
{
    struct report r;

    if (m->nfds != 1 || !report_read(m->fds[0], &r)) {
        log_error("the monitor was sent no report that it can read");
        return;
    }
    report_free(&v->report);
    v->report = r;
}

static void take_facts(struct viewer *v, const struct channel_msg *m)
{
    catalog_free(&v->catalog);
    if (m->nfds != 1 || !catalog_read(m->fds[0], m->number, &v->catalog))
        log_error("the monitor was sent no facts of certificates that it can read");
    v->catalog.generation = m->number;
    v->asked = 0;
}

uint64_t viewer_take(struct viewer *v, const struct channel_msg *m)
{
    if (m->kind == CHANNEL_REPORT)
        take_report(v, m);
    else
        take_facts(v, m);
    outdate(v);
    serve_waiting(v);
    return viewer_wants(v);
}

void viewer_changed(struct viewer *v)
{
    outdate(v);
    serve_waiting(v);
}

uint64_t viewer_wants(struct viewer *v)
{
    if (list_empty(&v->waiting) || v->asked != 0 || v->report.pid == 0
        || v->catalog.generation >= v->report.generation)
        return 0;
    return v->asked = v->report.generation;
}

/* --- who looks --- */

void viewer_show(struct viewer *v, struct httpd_call *call, enum view what)
{
    if (has_all(v)) {
        answer(v, call, what);
        return;
    }
    struct waiting *w = mem_zalloc(sizeof(*w));
    *w = (struct waiting){ .call = call, .what = what };
    list_append(&v->waiting, &w->link);
}

/* NULL: all of them. */
void viewer_gone(struct viewer *v, const struct httpd_call *call)
{
    LIST_EACH (pos, next, &v->waiting) {
        struct waiting *w = LIST_OF(struct waiting, link, pos);
        if (call != NULL && w->call != call)
            continue;
        list_remove(&w->link);
        free(w);
    }
}

struct viewer *viewer_new(const struct accounts *accounts, const struct health *h)
{
    struct viewer *v = mem_zalloc(sizeof(*v));

    v->accounts = accounts;
    v->health = h;
    list_init(&v->waiting);
    return v;
}

void viewer_free(struct viewer *v)
{
    if (v == NULL)
        return;
    viewer_gone(v, NULL);
    report_free(&v->report);
    catalog_free(&v->catalog);
    status_rates_free(&v->rates);
    for (int i = 0; i < VIEW_COUNT; i++)
        free(v->pages[i].text);
    free(v);
}
