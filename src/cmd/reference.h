/*
 * reference: the tables of the configuration for who reads, by `help keys` and `help presets`.
 *
 * man/tables reads the same lines when the manual pages and the completions are made: a key is
 * two columns in, what is said of it eight.
 */
#ifndef SALLYPORT_CMD_REFERENCE_H
#define SALLYPORT_CMD_REFERENCE_H

#include <stdbool.h>

/* Prints the topic of that name to stdout; false: there is none. */
bool reference_print(const char *topic);

#endif
