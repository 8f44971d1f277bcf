/*
 * entry: which entry of a keystore a store means.
 *
 * A keystore may hold several keys. Which one is served is said by `alias`, and needs
 * no saying where there is one alone. What cannot be decided is a finding that lists
 * what there is.
 */
#ifndef SALLYPORT_TLS_ENTRY_H
#define SALLYPORT_TLS_ENTRY_H

#include "tls/material.h"
#include "tls/parts.h"

/* Looks at all files of a store, certificate files first; adds errors. */
void entry_check(const struct store_input *in, const struct parts *files, struct diags *d);

/* The alias of the entry that a certificate of this file stands in, or NULL. */
const char *entry_alias(const struct parts *p, const X509 *x);

#endif
