/*
 * watchdog: whether the loops of the master's children turn.
 *
 * Once a second each child is asked (PING), and its loop answers (PONG). The master asks,
 * rather than that each child tells of itself by a timer of its own: an idle machine then
 * wakes once for all of them, and a master that was stopped has asked nothing, so that it
 * blames nobody. A child that leaves it unanswered for as long as it may is reported.
 *
 * What is no fault of the child does not count:
 *   - time in which the master did not turn either (the machine was stopped, the whole group,
 *     or both were starved): the counting begins anew;
 *   - time in which it wanted to run and got no CPU (/proc/PID/schedstat): what counts for
 *     a child that is runnable is the CPU time that it had;
 *   - time in which somebody traces it (a debugger).
 */
#ifndef SALLYPORT_APP_WATCHDOG_H
#define SALLYPORT_APP_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/channel.h"
#include "base/list.h"
#include "net/loop.h"

#define WATCHDOG_LIMIT_MS 2000u

struct watchdog;

/* A process, and what is known of it. `stuck` is called once for each watchdog_begin();
   `how` is what it does, as "stopped" or "sleeping". */
struct watched {
    void (*stuck)(void *arg, uint64_t ms, const char *how);
    void *arg;

    struct list link;
    pid_t pid;
    struct channel *ch;
    uint64_t limit_us;
    uint64_t asked;             /* the number of the question that is open; 0: none */
    uint64_t silent_us;         /* since then, as far as it counts */
    uint64_t run_us;            /* CPU time it had when that was added to last, … */
    uint64_t starved_us;        /* … and time it had to wait for a CPU */
    bool sampled;               /* … are known */
    bool reported;
};

/* NULL when memory is out. */
struct watchdog *watchdog_new(struct loop *l);
void watchdog_free(struct watchdog *w);     /* NULL is fine */

/* From now on, until watchdog_end(), which has to come before `ch` is freed. */
void watchdog_begin(struct watchdog *w, struct watched *c, pid_t pid, struct channel *ch);
void watchdog_end(struct watched *c);       /* twice, or without a beginning, is fine */

/* It was given, or has done, what takes its time: how long it may be silent from here. */
void watchdog_limit(struct watched *c, uint64_t ms);

/* It answered. */
void watchdog_answer(struct watched *c, uint64_t number);

/* Nobody is silent for longer than it may. */
bool watchdog_all_turn(const struct watchdog *w);

#endif
