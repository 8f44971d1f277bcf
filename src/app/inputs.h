/*
 * inputs: the bytes behind what a configuration names, each read once per load.
 *
 * However many keys name a file, it is read once and complained of once, so one load
 * cannot see two contents of it; fd:N could not be read a second time at all. What
 * was read is kept until the load is over, and wiped then.
 */
#ifndef SALLYPORT_APP_INPUTS_H
#define SALLYPORT_APP_INPUTS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/plan.h"
#include "base/diag.h"
#include "conf/conf.h"
#include "tls/material.h"

struct inputs;

/* `report` may be NULL: there is no next time. All three must outlive it. */
struct inputs *inputs_new(const struct load_plan *plan, struct load_report *report,
                          struct diags *d);
void inputs_free(struct inputs *l);

/* A file or a directory is about to be looked at: it belongs to what is followed. Files and
   passwords that are read through here are noted already. */
void inputs_note(struct inputs *l, const char *path);

/* The same for a directory, of which everything matters: at a reload it is not looked
   at, since it has been watched. */
void inputs_note_dir(struct inputs *l, const char *path);

/* A file; false when there is none (the finding was added). The bytes are ours. */
bool inputs_file(struct inputs *l, const char *path, struct diag_at where, struct tls_input *out);

/* All files of a list (of keys also URIs, which are only passed on), into an array that is
   the caller's to free(); false when any is missing (the others were looked at too). */
bool inputs_files(struct inputs *l, const struct conf_head *head, enum conf_key key,
                  const struct conf_strs *paths, struct tls_input **out);

/* A password: *out is NULL where spec is. False when it cannot be had. */
bool inputs_password(struct inputs *l, const struct conf_head *head, enum conf_key key,
                     const char *spec, const char **out);

#endif
