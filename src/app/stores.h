/*
 * stores: from a [store] to the records of its key pairs (tls/pairs.h).
 *
 * Of a folder, only the pairs whose files have changed are read: a record says from
 * which files, as they were then, it was made, and those of the bundle in force are
 * copied while that still holds.
 */
#ifndef SALLYPORT_APP_STORES_H
#define SALLYPORT_APP_STORES_H

#include <stdbool.h>

#include "app/inputs.h"
#include "app/inventory.h"
#include "app/plan.h"
#include "base/diag.h"
#include "conf/bundle.h"
#include "conf/conf.h"

struct stores;

/* `running` is the bundle in force, or NULL, and `before` what it holds; `changes` as in
   struct load_plan. All must outlive it. */
struct stores *stores_new(struct inputs *in, struct bundle *running,
                          struct inventory *before, const struct watch_changes *changes,
                          struct bundle *out, struct diags *d);
void stores_free(struct stores *s);

/* Put the records of one store into the bundle; what is wrong goes to the findings. False
   when its files are not all good; they may have been complained of before. */
bool stores_add(struct stores *s, const struct conf_store *st);

/* Say also what is right as it is, most likely (keypair_rules). */
void stores_want_notes(struct stores *s);

/* May half of a file have been read (load_report.doubtful)? */
bool stores_doubtful(const struct stores *s);

/* Was a key in a token not to be had? */
bool stores_refused(const struct stores *s);

#endif
