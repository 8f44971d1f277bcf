#include "app/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define QUIET_US 100000u
#define WAIT_MAX_US 2000000u
#define NAMES_SHOWN 5u

struct follow {
    follow_fn *changed;
    void *arg;
    struct watch *watch;
    struct loop_timer *timer;
    struct load_report good, failed;    /* only what they read; sorted by path */
    uint64_t first_us, last_us;         /* of the changes that wait; first 0: none do */
    bool on;
    char *polls;                        /* what was last said of it */
};

static void on_rest(void *arg)
{
    struct follow *f = arg;

    f->first_us = 0;
    f->changed(f->arg);
}

static void on_change(void *arg)
{
    struct follow *f = arg;
    uint64_t now = clock_mono_us();

    if (!f->on)
        return;
    f->last_us = now;
    if (f->first_us == 0)
        f->first_us = now;

    uint64_t end = f->first_us + WAIT_MAX_US, rest = now + QUIET_US;
    if (end < rest)
        rest = end;
    loop_timer_set(f->timer, rest > now ? (rest - now + 999u) / 1000u : 0);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct watch_path *)a)->path, ((const struct watch_path *)b)->path);
}

/* Both lists as one; of a path in both, as the failed load saw it, which was later. */
static struct watch_path *all_paths(const struct follow *f, size_t *n)
{
    const struct load_report *a = &f->failed, *b = &f->good;
    struct watch_path *v = mem_zalloc((a->nread + b->nread) * sizeof(*v));
    size_t i = 0, k = 0;

    *n = 0;
    while (i < a->nread || k < b->nread) {
        int c = i == a->nread ? 1 : k == b->nread ? -1 : by_path(&a->read[i], &b->read[k]);
        v[(*n)++] = c <= 0 ? a->read[i] : b->read[k];
        i += c <= 0;
        k += c >= 0;
    }
    return v;
}

static void watch_all(struct follow *f)
{
    size_t n = 0;
    struct watch_path *v = f->on ? all_paths(f, &n) : NULL;

    watch_set(f->watch, v, n);
    free(v);
    const char *polls = watch_polls(f->watch);
    if (polls != NULL && (f->polls == NULL || strcmp(polls, f->polls) != 0))
        log_info("files are looked at every 2 s: %s", polls);
    free(f->polls);
    f->polls = polls != NULL ? mem_strdup(polls) : NULL;
}

static void take(struct load_report *to, struct load_report *from)
{
    load_report_free(to);
    to->read = from->read;
    to->nread = from->nread;
    from->read = NULL;
    from->nread = 0;
    if (to->nread > 0)
        qsort(to->read, to->nread, sizeof(to->read[0]), by_path);
}

static bool is_other(const struct watch_path *then, const struct watch_path *now)
{
    return then->mark != now->mark && then->mark != WATCH_UNKNOWN && now->mark != WATCH_UNKNOWN;
}

struct shown {
    char text[1000];
    size_t len, n;
};

static void show(struct shown *s, const char *path)
{
    size_t room = sizeof(s->text) - s->len;
    int n = s->n < NAMES_SHOWN
                ? snprintf(s->text + s->len, room, "%s%s", s->n > 0 ? ", " : "", path) : 0;

    s->len += (size_t)n < room ? (size_t)n : room - 1;
    s->n++;
}

char *follow_changed(const struct follow *f, struct load_report *now,
                     const struct watch_changes *heard)
{
    const struct load_report *then = &f->good;
    struct shown s = { .n = 0 };

    if (now->nread > 0)
        qsort(now->read, now->nread, sizeof(now->read[0]), by_path);
    for (size_t i = 0, k = 0; i < now->nread && k < then->nread;) {
        int c = by_path(&now->read[i], &then->read[k]);
        if (c == 0 && is_other(&then->read[k], &now->read[i]))
            show(&s, now->read[i].path);
        i += c <= 0;
        k += c >= 0;
    }
    for (size_t i = 0; i < heard->n; i++)
        show(&s, heard->v[i]);
    if (s.n == 0)
        return NULL;
    return s.n <= NAMES_SHOWN ? mem_strdup(s.text)
                              : mem_printf("%s and %zu more", s.text, s.n - NAMES_SHOWN);
}

void follow_loaded(struct follow *f, struct load_report *report, bool good)
{
    if (!good && report->nread == 0)
        return;                 /* it did not get as far as the files */
    take(good ? &f->good : &f->failed, report);
    if (good)
        load_report_free(&f->failed);
    watch_all(f);
}

void follow_switch(struct follow *f, bool on)
{
    if (f->on == on)
        return;
    f->on = on;
    f->first_us = 0;
    loop_timer_clear(f->timer);
    watch_all(f);
}

void follow_take_changes(struct follow *f, struct watch_changes *to)
{
    watch_take_changes(f->watch, to);
    to->unsure = to->unsure || !f->on;
}

uint64_t follow_last_us(const struct follow *f)
{
    return f->last_us;
}

struct follow *follow_new(struct loop *l, follow_fn *changed, void *arg, struct err *e)
{
    struct follow *f = mem_zalloc(sizeof(*f));

    f->changed = changed;
    f->arg = arg;
    f->timer = loop_timer_new(l, on_rest, f);
    f->watch = watch_new(l, on_change, f, e);
    if (f->timer == NULL || f->watch == NULL) {
        err_setx(e, "memory is out");
        follow_free(f);
        return NULL;
    }
    return f;
}

void follow_free(struct follow *f)
{
    if (f == NULL)
        return;
    watch_free(f->watch);
    loop_timer_free(f->timer);
    load_report_free(&f->good);
    load_report_free(&f->failed);
    free(f->polls);
    free(f);
}
