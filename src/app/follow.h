/*
 * follow: the files behind the edition in force, and those of a load that failed since,
 * are watched; a change is passed on when it has come to rest.
 *
 * At rest: 100 ms without another, or 2 s after the first when they do not end: a file that
 * somebody writes without pause is looked at every other second.
 */
#ifndef SALLYPORT_APP_FOLLOW_H
#define SALLYPORT_APP_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "app/plan.h"
#include "base/err.h"
#include "net/loop.h"

struct follow;

typedef void follow_fn(void *arg);

struct follow *follow_new(struct loop *l, follow_fn *changed, void *arg, struct err *e);
void follow_free(struct follow *f);         /* NULL is fine */

/* A load is over, and this is what it read (taken from the report). good: that is what is
   in force now. Otherwise it is followed beside that: a missing file may yet come. */
void follow_loaded(struct follow *f, struct load_report *report, bool good);

/* Which files look otherwise than to the last good load: those of `now` (it is sorted), and
   those in folders that were heard of. A few names, the caller's; NULL when none is known. */
char *follow_changed(const struct follow *f, struct load_report *now,
                     const struct watch_changes *heard);

/* Off: nothing is watched until it is on again. */
void follow_switch(struct follow *f, bool on);

/* Add what is known of changes since the last call to *to (watch_changes_free()). */
void follow_take_changes(struct follow *f, struct watch_changes *to);

/* When something last changed, by clock_mono_us(); 0: never. */
uint64_t follow_last_us(const struct follow *f);

#endif
