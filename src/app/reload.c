#include "app/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "app/askers.h"
#include "app/follow.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

/* A request after this much silence is served at once; those that follow it more
   closely wait until it is quiet again, though never longer than the limit. So a
   storm of a second's length costs two reloads. */
#define QUIET_MS 100u
#define BURST_MAX_MS 2000u

/* What changed files make no sense for so long after the last change is wrong; and so it is
   after this time when the changes do not end. */
#define SENSE_US 1000000u
#define SENSE_MAX_US 10000000u

#define START_AGAIN_MS 250u     /* while the start waits for files */

/* What failed may mend without a file's changing: a certificate whose time comes, a mount, memory.
   From twice the first on, and never more seldom than the second. */
#define RETRY_MIN_MS 1000u
#define RETRY_MAX_MS 60000u

enum kind { FULL, MATERIAL };

struct reload {
    struct loop *loop;
    struct load_plan plan;
    struct reload_events ev;
    struct pool *pool;          /* the master's */
    struct edition *current, *offered;
    struct conf *started;       /* what the process was started with, once it is replaced */
    struct follow *follow;
    enum kind kind;             /* of the load under way, */
    struct diags findings;      /* what it found, */
    struct diags brought;       /* by the last reload that was good */
    struct diags difference;    /* what it changed, */
    struct inventory news;      /* what is new with it, */
    char *files;                /* which files led to that, or NULL, */
    struct load_report report;  /* and what it read */
    struct watch_changes changes;       /* of files, since the edition in force was loaded */
    struct verdict verdict;
    struct loader_job *job;
    struct loop_timer *timer;   /* until a burst of requests is over */
    struct loop_timer *again;   /* until a failed load is tried once more */
    struct askers askers;
    uint64_t last_ask_us, burst_us; /* 0: none */
    uint64_t start_us, held_us; /* when the run began; since when a failure is held back (0) */
    uint64_t retry_ms;          /* after which a material load that failed is tried again, or 0 */
    unsigned asked, causes;     /* of the next full load; of the one under way */
    bool pending;               /* a full one is asked for, not yet begun */
    bool changed;               /* as is a material one */
    bool absorbed;              /* the full one under way was begun in a material one's stead */
    bool due;                   /* the changed one is but a retry, */
    bool silent;                /* and so is the material one under way: nothing else changed */
    bool waited;                /* it was said that files are waited for */
    bool stopped;
};

static void begin(struct reload *r, enum kind kind);

static bool is_busy(const struct reload *r)
{
    return r->job != NULL || r->offered != NULL;
}

static uint64_t generation(const struct reload *r)
{
    return r->current != NULL ? r->current->generation : 0;
}

/* Whatever waits for its turn. */
static void go_on(struct reload *r)
{
    if (r->stopped || is_busy(r))
        return;
    if (r->pending)
        loop_timer_set(r->timer, QUIET_MS);
    else if (r->changed)
        begin(r, MATERIAL);
}

static void forget_report(struct reload *r)
{
    load_report_free(&r->report);
    r->report = (struct load_report){ 0 };
}

static void conclude(struct reload *r, bool ok)
{
    struct diags d = r->findings, shown = { 0 };

    r->findings = (struct diags){ 0 };
    r->held_us = 0;
    verdict_unsaid(&r->verdict, &d, r->kind == FULL, &shown);
    diags_join(&shown, &r->difference);
    if (ok) {
        diags_free(&r->brought);
        diags_join(&r->brought, &r->difference);
    }
    r->ev.outcome(r->ev.arg, &(struct reload_outcome){
        .ok = ok, .causes = r->causes, .files = r->files, .d = &shown,
        .news = r->kind == MATERIAL && r->news.from != NULL ? &r->news : NULL,
        .waited_ms = r->waited && r->current == NULL
                         ? (clock_mono_us() - r->start_us) / 1000u : 0,
    });
    if (r->kind == FULL) {
        diags_join(&r->difference, &d);
        askers_tell(&r->askers, ok, generation(r), &r->difference);
    }
    if (ok) {
        r->retry_ms = 0;
        verdict_good(&r->verdict, &d, generation(r) == 1);
    } else if (r->current != NULL) {
        verdict_bad(&r->verdict, &d);
    }
    inventory_free(&r->news);
    diags_free(&r->difference);
    diags_free(&shown);
    diags_free(&d);
    go_on(r);
}

/* --- failures --- */

/* Half of a change, perhaps. False when it is time to say that it is none. */
static bool hold_back(struct reload *r)
{
    uint64_t now = clock_mono_us(), sense = follow_last_us(r->follow) + SENSE_US;

    if (r->held_us == 0)
        r->held_us = now;
    if (now - r->held_us >= SENSE_MAX_US || (now >= sense && !r->changed))
        return false;
    if (now < sense)
        loop_timer_set(r->again, (sense - now + 999u) / 1000u);
    return true;
}

static void retry_later(struct reload *r)
{
    uint64_t twice = 2 * (r->retry_ms > 0 ? r->retry_ms : RETRY_MIN_MS);

    r->retry_ms = twice < RETRY_MAX_MS ? twice : RETRY_MAX_MS;
    loop_timer_set(r->again, r->retry_ms);
}

static void drop(struct reload *r)
{
    diags_free(&r->findings);
    go_on(r);
}

/* The first load, and what it lacks may yet come. */
static bool wait_for_files(struct reload *r)
{
    uint64_t gone_ms = (clock_mono_us() - r->start_us) / 1000u;

    if (r->current != NULL || r->report.wait_ms <= gone_ms)
        return false;
    if (!r->waited)
        r->ev.waiting(r->ev.arg, r->report.wait_ms, &r->findings);
    r->waited = true;
    loop_timer_set(r->again, START_AGAIN_MS);
    return true;
}

static void give_up(struct reload *r)
{
    bool waits = wait_for_files(r);

    edition_free(r->offered);
    r->offered = NULL;
    follow_loaded(r->follow, &r->report, false);
    forget_report(r);
    r->changed = r->changed || r->absorbed;
    r->absorbed = false;
    bool silent = r->silent && !r->changed;
    if (waits || (r->kind == MATERIAL && !silent && hold_back(r))) {
        drop(r);
    } else if (r->kind == FULL) {
        conclude(r, false);
    } else {
        retry_later(r);
        if (silent || verdict_is_told(&r->verdict, &r->findings)) {
            r->held_us = 0;
            drop(r);
        } else {
            conclude(r, false);
        }
    }
}

/* --- success --- */

/* What the files hold is in force; how they lie there may be worth a warning that was not
   said yet, as that others can read a key. */
static void warn_anew(struct reload *r)
{
    struct diags news = { 0 };

    verdict_unsaid(&r->verdict, &r->findings, false, &news);
    diags_log(&news);
    diags_free(&news);
    verdict_stays(&r->verdict, &r->findings);
}

/* Nothing but what is in force was found. */
static void stay(struct reload *r, int bundle_fd)
{
    close(bundle_fd);
    warn_anew(r);
    watch_changes_free(&r->changes);
    follow_loaded(r->follow, &r->report, true);
    forget_report(r);
    r->held_us = r->retry_ms = 0;
    if (verdict_mended(&r->verdict)) {
        log_info("the files are again those of generation %llu, which stays in force",
                 (unsigned long long)generation(r));
        r->ev.mended(r->ev.arg);
    } else {
        log_debug("files were written, and nothing is new in them");
    }
    drop(r);
}

/* A good load that may have read half of a file: it is not used. */
static void wait_for_the_rest(struct reload *r, int bundle_fd)
{
    close(bundle_fd);
    follow_loaded(r->follow, &r->report, false);
    forget_report(r);
    drop(r);
}

/* Everything of the new edition that can fail, in the order in which it can be
   taken back: nothing has changed until all of it is done. */
static bool prepare(struct reload *r, int bundle_fd)
{
    struct diags *d = &r->findings;
    uint64_t generation = r->current ? r->current->generation + 1 : 1;

    r->offered = edition_new(bundle_fd, generation, d);
    if (r->offered == NULL)
        return false;
    if (r->pool == NULL)
        r->pool = r->ev.first(r->ev.arg, r->offered->conf, d);
    if (r->pool == NULL || edition_bind(r->offered, r->current, pool_size(r->pool), d) != 0)
        return false;
    if (r->current != NULL && r->kind == FULL)
        conf_warn_restart(r->started ? r->started : r->current->conf, r->offered->conf, d);
    return true;
}

static void on_loaded(void *arg, int bundle_fd, struct diags *d, struct load_report *report)
{
    struct reload *r = arg;

    r->job = NULL;
    r->findings = *d;
    *d = (struct diags){ 0 };
    r->report = *report;
    report->read = NULL;
    report->nread = 0;
    free(r->files);
    r->files = follow_changed(r->follow, &r->report, &r->changes);
    if (bundle_fd >= 0 && r->kind == MATERIAL && bundle_same(bundle_fd, r->current->bundle_fd))
        stay(r, bundle_fd);
    else if (bundle_fd >= 0 && r->kind == MATERIAL && r->report.doubtful && hold_back(r))
        wait_for_the_rest(r, bundle_fd);
    else if (bundle_fd < 0 || !prepare(r, bundle_fd))
        give_up(r);
    else
        pool_offer(r->pool, r->offered);
}

void reload_settled(struct reload *r, const char *why)
{
    if (why != NULL) {
        diag_add(&r->findings, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "%s", why);
        give_up(r);
        return;
    }
    /* What it brings is told even when nothing of it fails. */
    if (r->current != NULL)
        edition_compare(r->current, r->offered, &r->news, &r->difference);
    /* The workers have closed what is not in the new edition; now so do we. */
    if (r->current != NULL && r->started == NULL) {
        r->started = r->current->conf;
        r->current->conf = NULL;
    }
    edition_free(r->current);
    r->current = r->offered;
    r->offered = NULL;
    r->plan.again = true;
    r->plan.running = r->current->bundle_fd;
    r->absorbed = false;
    watch_changes_free(&r->changes);
    follow_switch(r->follow, r->current->conf->proxy.reload == RELOAD_WATCH);
    follow_loaded(r->follow, &r->report, true);
    forget_report(r);
    conclude(r, true);
}

/* --- beginnings --- */

static void begin(struct reload *r, enum kind kind)
{
    struct err e = ERR_INIT;

    loop_timer_clear(r->again);
    r->kind = kind;
    r->plan.material = kind == MATERIAL;
    r->silent = kind == MATERIAL && r->due;
    r->due = false;
    r->causes = kind == FULL ? r->asked : r->silent ? RELOAD_RETRY : RELOAD_FILES;
    if (kind == FULL) {
        r->asked = 0;
        r->absorbed = r->changed || r->held_us != 0 || r->retry_ms != 0;
        r->pending = false;
        r->burst_us = 0;
        askers_begin(&r->askers);
    }
    r->changed = false;
    follow_take_changes(r->follow, &r->changes);
    r->plan.changes = kind == MATERIAL ? &r->changes : NULL;
    r->job = loader_start(r->loop, &r->plan, on_loaded, r, &e);
    if (r->job == NULL) {
        diag_add(&r->findings, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "%s", e.text);
        give_up(r);
    }
}

static void on_timer(void *arg)
{
    struct reload *r = arg;

    if (r->pending && !is_busy(r))
        begin(r, FULL);
}

/* What was held back, or failed, is looked at once more. */
static void on_again(void *arg)
{
    struct reload *r = arg;

    if (r->current == NULL) {
        if (!is_busy(r))
            begin(r, FULL);
        return;
    }
    r->due = r->retry_ms != 0 && !r->changed;
    r->changed = true;
    go_on(r);
}

static void on_changed(void *arg)
{
    struct reload *r = arg;

    r->retry_ms = 0;
    r->due = false;
    r->changed = true;
    go_on(r);
}

const char *reload_causes_text(unsigned causes, char out[RELOAD_CAUSES_MAX])
{
    static const char *const words[] = { "hup", "admin", "files", "retry" };
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (causes & (1u << i))
            len += (size_t)snprintf(out + len, RELOAD_CAUSES_MAX - len, "%s%s",
                                    len > 0 ? "+" : "", words[i]);
    return out;
}

void reload_ask(struct reload *r, unsigned cause)
{
    uint64_t now = clock_mono_us();
    bool quiet = r->last_ask_us == 0 || now - r->last_ask_us > QUIET_MS * 1000u;

    if (r->stopped)
        return;
    r->last_ask_us = now;
    r->asked |= cause;
    if (quiet && !r->pending && !is_busy(r)) {
        begin(r, FULL);
        return;
    }
    if (!r->pending)
        r->burst_us = now;
    r->pending = true;

    uint64_t waited = (now - r->burst_us) / 1000u;
    uint64_t left = waited < BURST_MAX_MS ? BURST_MAX_MS - waited : 0;
    loop_timer_set(r->timer, left < QUIET_MS ? left : QUIET_MS);
}

void reload_ask_then(struct reload *r, reload_asked_fn *done, void *arg)
{
    askers_add(&r->askers, done, arg);
    if (r->stopped)
        askers_refuse(&r->askers, generation(r));
    else
        reload_ask(r, RELOAD_ADMIN);
}

bool reload_reaped(struct reload *r, pid_t pid, int wait_status)
{
    return loader_reaped(r->job, pid, wait_status);
}

void reload_stop(struct reload *r)
{
    r->stopped = true;
    r->pending = r->changed = false;
    askers_refuse(&r->askers, generation(r));
    loop_timer_clear(r->timer);
    loop_timer_clear(r->again);
    follow_switch(r->follow, false);
    loader_cancel(r->job);
    r->job = NULL;
    if (r->offered != NULL)
        edition_unbind(r->offered); /* it shares sockets with the one in force */
}

struct edition *reload_current(const struct reload *r)
{
    return r->current;
}

struct reload_status reload_status(const struct reload *r)
{
    struct reload_status s = r->verdict.status;

    s.findings = s.ok ? &r->verdict.said : &r->verdict.failing;
    s.changes = s.ok ? &r->brought : NULL;
    return s;
}

struct reload *reload_new(struct loop *l, const struct load_plan *plan,
                          const struct reload_events *ev, struct err *e)
{
    struct reload *r = mem_zalloc(sizeof(*r));

    r->loop = l;
    r->plan = *plan;
    r->ev = *ev;
    r->start_us = clock_mono_us();
    r->verdict.status.ok = true;
    r->follow = follow_new(l, on_changed, r, e);
    r->timer = loop_timer_new(l, on_timer, r);
    r->again = loop_timer_new(l, on_again, r);
    if (r->follow == NULL || r->timer == NULL || r->again == NULL) {
        err_setx(e, "memory is out");
        follow_free(r->follow);
        loop_timer_free(r->timer);
        loop_timer_free(r->again);
        free(r);
        return NULL;
    }
    return r;
}

void reload_free(struct reload *r)
{
    if (r == NULL)
        return;
    reload_stop(r);
    edition_free(r->offered);
    edition_free(r->current);
    conf_free(r->started);
    diags_free(&r->findings);
    diags_free(&r->difference);
    free(r->files);
    verdict_free(&r->verdict);
    diags_free(&r->brought);
    forget_report(r);
    follow_free(r->follow);
    watch_changes_free(&r->changes);
    loop_timer_free(r->timer);
    loop_timer_free(r->again);
    free(r);
}
