/*
 * wording: findings in the words of who gave a value by a flag or a variable.
 *
 * Hints speak of keys as a file has them, in two forms: "alias = NAME" and `alias`. Who
 * started it without a file has never seen those. So once all findings are there, those
 * about flags and variables are put into their words by the key table, here and nowhere
 * else: "--alias NAME" and --alias, or "SALLYPORT_ALIAS=NAME".
 */
#ifndef SALLYPORT_CONF_WORDING_H
#define SALLYPORT_CONF_WORDING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "conf/conf.h"

/* `no_file`: there is no configuration file, so what has no origin is about flags too. */
void wording_fit(struct diags *d, bool no_file);

/* Of findings about what stands in no configuration: the keys `only`, as flags. */
void wording_flags(struct diags *d, const enum conf_key *only, size_t n);

#endif
