#include "app/watchdog.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define TICK_MS 1000u
#define LATE_US 250000u         /* a tick that is later shows that we did not turn ourselves */
#define SLACK_US 100000u        /* a few ticks add up to a bit less than their number */

struct watchdog {
    struct loop_timer *timer;
    struct list children;       /* of struct watched */
    uint64_t last_us;           /* the last tick */
    uint64_t number;            /* of the last question */
};

/* --- what the kernel says of it --- */

/* A file of /proc/PID; "" when there is none, or it is not ours to read. */
static const char *proc_file(pid_t pid, const char *name, char *buf, size_t size)
{
    char path[64];
    ssize_t n = -1;

    snprintf(path, sizeof(path), "/proc/%ld/%s", (long)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, buf, size - 1);
        close(fd);
    }
    buf[n > 0 ? n : 0] = '\0';
    return buf;
}

/* Microseconds on a CPU, and waiting for one. */
static bool cpu_times(pid_t pid, uint64_t *run_us, uint64_t *starved_us)
{
    unsigned long long run, wait;
    char buf[128];

    if (sscanf(proc_file(pid, "schedstat", buf, sizeof(buf)), "%llu %llu", &run, &wait) != 2)
        return false;
    *run_us = run / 1000u;
    *starved_us = wait / 1000u;
    return true;
}

struct state {
    char letter;                /* R, S, T, …; '?': unknown */
    char word[24];              /* "sleeping" */
    bool traced;
};

static struct state state_of(pid_t pid)
{
    struct state s = { .letter = '?', .word = "state unknown" };
    char buf[2048];
    long tracer = 0;

    (void)proc_file(pid, "status", buf, sizeof(buf));
    const char *state = strstr(buf, "\nState:"), *by = strstr(buf, "\nTracerPid:");
    if (state != NULL)
        (void)sscanf(state, "\nState: %c (%23[^)])", &s.letter, s.word);
    if (by != NULL && sscanf(by, "\nTracerPid: %ld", &tracer) == 1)
        s.traced = tracer != 0;
    return s;
}

/* --- counting --- */

static void begin_anew(struct watched *c)
{
    c->silent_us = 0;
    c->sampled = false;
}

/* How much of the time that went by is the child's own. */
static uint64_t own_share(struct watched *c, uint64_t us, const struct state *s)
{
    uint64_t run = 0, starved = 0;
    bool known = cpu_times(c->pid, &run, &starved), first = !c->sampled;
    uint64_t ran = run - c->run_us, waited = starved - c->starved_us;

    c->run_us = run;
    c->starved_us = starved;
    c->sampled = known;
    if (s->traced)
        return 0;
    if (!known || first)
        return us;
    /* The wait of one that still waits is not in the sum yet. */
    if (s->letter == 'R')
        return ran < us ? ran : us;
    return waited < us ? us - waited : 0;
}

static void count(struct watched *c, uint64_t us)
{
    struct state s = state_of(c->pid);

    c->silent_us += own_share(c, us, &s);
    if (c->silent_us + SLACK_US < c->limit_us || c->reported)
        return;
    c->reported = true;
    c->stuck(c->arg, c->silent_us / 1000u, s.word);
}

/* A child that cannot be told is ending, which is seen elsewhere. */
static void ask(struct watchdog *w, struct watched *c)
{
    struct channel_msg m = { .kind = CHANNEL_PING, .number = ++w->number };

    begin_anew(c);
    if (channel_send(c->ch, &m) == 0)
        c->asked = m.number;
}

static void on_tick(void *arg)
{
    struct watchdog *w = arg;
    uint64_t now = clock_mono_us(), us = now - w->last_us;
    bool late = us > TICK_MS * 1000u + LATE_US;

    w->last_us = now;
    (void)loop_timer_set(w->timer, TICK_MS);
    LIST_EACH(pos, tmp, &w->children) {
        struct watched *c = LIST_OF(struct watched, link, pos);
        if (c->asked == 0)
            ask(w, c);
        else if (late)
            begin_anew(c);
        else
            count(c, us);
    }
}

/* --- for its users --- */

void watchdog_begin(struct watchdog *w, struct watched *c, pid_t pid, struct channel *ch)
{
    watchdog_end(c);
    c->pid = pid;
    c->ch = ch;
    c->asked = 0;
    c->limit_us = WATCHDOG_LIMIT_MS * 1000u;
    c->reported = false;
    begin_anew(c);
    list_append(&w->children, &c->link);
    if (w->last_us == 0) {
        w->last_us = clock_mono_us();
        (void)loop_timer_set(w->timer, TICK_MS);
    }
}

void watchdog_end(struct watched *c)
{
    if (c->ch != NULL)
        list_remove(&c->link);
    c->ch = NULL;
}

void watchdog_limit(struct watched *c, uint64_t ms)
{
    c->limit_us = ms * 1000u;
    begin_anew(c);
}

void watchdog_answer(struct watched *c, uint64_t number)
{
    if (number != c->asked)
        return;
    c->asked = 0;
    begin_anew(c);
}

bool watchdog_all_turn(const struct watchdog *w)
{
    LIST_EACH(pos, tmp, &w->children)
        if (LIST_OF(struct watched, link, pos)->reported)
            return false;
    return true;
}

struct watchdog *watchdog_new(struct loop *l)
{
    struct watchdog *w = mem_zalloc(sizeof(*w));

    list_init(&w->children);
    w->timer = loop_timer_new(l, on_tick, w);
    if (w->timer != NULL)
        return w;
    free(w);
    return NULL;
}

void watchdog_free(struct watchdog *w)
{
    if (w == NULL)
        return;
    loop_timer_free(w->timer);
    free(w);
}
