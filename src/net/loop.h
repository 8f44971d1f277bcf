/*
 * loop: the one loop of a process: descriptors, timers, signals, and work to be
 * done when the events of a turn are through.
 *
 * A thin door over libevent (its core only): the data path needs level-triggered
 * readiness, a timer heap and signals, and nothing else. Interest is set, not
 * toggled: loop_fd_want() with what is wanted now, as often as one likes; what
 * did not change costs nothing, and changes of one turn reach the kernel together.
 */
#ifndef SALLYPORT_NET_LOOP_H
#define SALLYPORT_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"

struct loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop *loop_new(struct err *e);
void loop_free(struct loop *l);

/* In a child after fork(): drop the parent's loop without touching the kernel's
   side of it, which the parent still uses. Everything made from it is void. */
void loop_abandon(struct loop *l);

/* Run until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Monotonic microseconds at the beginning of this turn. */
uint64_t loop_now_us(const struct loop *l);

/* --- descriptors --- */
struct loop_fd;
typedef void loop_fd_fn(void *arg, unsigned ready);   /* set of LOOP_READ, LOOP_WRITE */

/* Watches nothing until loop_fd_want(). NULL when memory is out. The descriptor
   stays the caller's and must stay open until loop_fd_free(). */
struct loop_fd *loop_fd_new(struct loop *l, int fd, loop_fd_fn *fn, void *arg);
int loop_fd_want(struct loop_fd *f, unsigned want);   /* 0, or -1 when it cannot be watched */
void loop_fd_free(struct loop_fd *f);                 /* NULL is fine */

/* --- timers: one shot --- */
struct loop_timer;
typedef void loop_timer_fn(void *arg);

struct loop_timer *loop_timer_new(struct loop *l, loop_timer_fn *fn, void *arg);
int loop_timer_set(struct loop_timer *t, uint64_t ms);   /* from now; replaces what was set */
void loop_timer_clear(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);

/* --- signals --- */
struct loop_signal;
typedef void loop_signal_fn(void *arg, int signo);

struct loop_signal *loop_signal_new(struct loop *l, int signo, loop_signal_fn *fn, void *arg);
void loop_signal_free(struct loop_signal *s);

/* --- end of the turn --- */
/* A task embedded in its object. Run once after the events of this turn; one that
   is added while tasks run, runs in the next turn, which then does not wait. */
struct loop_task {
    struct list link;
    void (*fn)(void *arg);
    void *arg;
};

void loop_task_init(struct loop_task *t, void (*fn)(void *arg), void *arg);
void loop_later(struct loop *l, struct loop_task *t);    /* twice is once */
void loop_task_cancel(struct loop_task *t);

#endif
