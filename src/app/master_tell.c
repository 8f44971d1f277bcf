/* What the master tells of itself: in the log, to the monitor, to systemd. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/edition.h"
#include "app/master_state.h"
#include "base/clock.h"
#include "base/log.h"
#include "tls/ctx.h"

/* --- the log --- */

/* What is in force: "generation=2 pairs=3 names=5". */
static void put_edition(struct logline *l, const struct edition *ed)
{
    struct roster r = edition_roster(ed);

    logline_u64(l, "generation", ed->generation);
    logline_u64(l, "pairs", r.pairs);
    logline_u64(l, "names", r.names);
}

void master_log_started(const struct master *m)
{
    struct logline l;

    logline_begin(&l, LOG_LEVEL_INFO, "sallyport " SALLYPORT_VERSION " started");
    logline_u64(&l, "pid", (uint64_t)getpid());
    logline_u64(&l, "workers", pool_is_foreground(m->pool) ? 0 : pool_size(m->pool));
    put_edition(&l, reload_current(m->reload));
    logline_str(&l, "library", tls_library());
    logline_end(&l);
}

/* The names of reasons and causes, as keys, which have no dashes: "plain-http" is plain_http. */
static void put_count(struct logline *l, const char *prefix, const char *name, uint64_t n)
{
    char key[48];

    if (n == 0)
        return;
    snprintf(key, sizeof(key), "%s%s", prefix, name);
    for (char *p = key; *p != '\0'; p++)
        if (*p == '-')
            *p = '_';
    logline_u64(l, key, n);
}

/* What all workers together have done: one line, zeros left out. */
void master_log_totals(const struct master *m, const char *message, uint64_t cut)
{
    struct counters sum;
    struct logline l;

    if (m->pool == NULL)
        return;
    pool_counters(m->pool, &sum);
    logline_begin(&l, LOG_LEVEL_INFO, message);
    logline_u64(&l, "uptime_s", (clock_mono_us() - m->started_us) / 1000000u);
    logline_u64(&l, "cut", cut);
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        if (sum.value[i] != 0 && i != COUNTER_OPEN)
            logline_u64(&l, counter_name((enum counter)i), sum.value[i]);
    for (size_t i = 0; i < REASON_COUNT; i++)
        put_count(&l, "", reason_name((enum reason)i), sum.reason[i]);
    for (size_t i = 0; i < TLS_CAUSE_COUNT; i++)
        put_count(&l, "cause_", failure_name((enum tls_cause)i), sum.cause[i]);
    logline_end(&l);
}

static void put_cause(struct logline *l, const struct reload_outcome *o)
{
    char text[RELOAD_CAUSES_MAX];

    logline_str(l, "cause", reload_causes_text(o->causes, text));
    logline_str(l, "files", o->files);
}

void master_log_failed(const struct master *m, const struct reload_outcome *o)
{
    char message[80];
    struct logline l;

    snprintf(message, sizeof(message), "reload failed: generation %llu stays in force",
             (unsigned long long)reload_current(m->reload)->generation);
    logline_begin(&l, LOG_LEVEL_ERROR, message);
    put_cause(&l, o);
    logline_end(&l);
}

void master_log_done(const struct master *m, const struct reload_outcome *o)
{
    struct counters sum;
    struct logline l;
    logline_begin(&l, LOG_LEVEL_INFO, "reload done");
    put_edition(&l, reload_current(m->reload));
    put_cause(&l, o);
    pool_counters(m->pool, &sum);
    if (sum.value[COUNTER_ON_OLDER] > 0)
        logline_u64(&l, counter_name(COUNTER_ON_OLDER), sum.value[COUNTER_ON_OLDER]);
    logline_end(&l);
}

/* --- the monitor --- */

void master_tell(void *arg)
{
    struct master *m = arg;
    const struct edition *ed = reload_current(m->reload);
    struct reload_status s = reload_status(m->reload);

    if (m->admin == NULL || ed == NULL || m->phase == ENDED)
        return;
    struct report r = {
        .pid = (uint64_t)getpid(),
        .started_us = m->wall_us,
        .draining = m->phase == DRAINING,
        .generation = ed->generation,
        .since_us = m->since_us,
        .done = s.done,
        .failed = s.failed,
        .ok = s.ok,
        .mended = m->mended,
        .last_us = s.at_us,
        .last_ok_us = m->last_ok_us,
        .cause = m->cause,
        .files = m->files,
        .workers = pool_workers(m->pool),
        .n = pool_size(m->pool),
    };
    if (s.findings != NULL)
        r.findings = *s.findings;
    if (s.changes != NULL && !m->mended)
        r.changes = *s.changes;
    admin_report(m->admin, &r);
    free(r.workers);
}

/* Whatever has changed in this turn of the loop, it is told once. */
void master_tell_later(void *arg)
{
    struct master *m = arg;

    loop_later(m->loop, &m->tell);
}

/* --- systemd --- */

void master_put_status(void *arg, char out[NOTIFY_STATUS_MAX])
{
    const struct master *m = arg;
    struct reload_status last = reload_status(m->reload);
    struct counters sum;

    if (m->pool == NULL || reload_current(m->reload) == NULL) {
        snprintf(out, NOTIFY_STATUS_MAX, "starting");
        return;
    }
    pool_counters(m->pool, &sum);
    unsigned long long open = sum.value[COUNTER_OPEN];
    int len = snprintf(out, NOTIFY_STATUS_MAX, "%sgeneration %llu, workers: %zu, connections: %llu",
                       m->phase == DRAINING ? "draining: " : "",
                       (unsigned long long)reload_current(m->reload)->generation,
                       pool_size(m->pool), open);
    if (!last.ok && last.why != NULL)
        snprintf(out + len, NOTIFY_STATUS_MAX - (size_t)len, "; the last reload failed: %.*s",
                 (int)strcspn(last.why, "\n"), last.why);
}
