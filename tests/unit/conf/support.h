/* What the tests of conf share. */
#ifndef TESTS_UNIT_CONF_SUPPORT_H
#define TESTS_UNIT_CONF_SUPPORT_H

#include "conf/conf.h"

/* Parses and builds; "t.conf" is the file's name. NULL when there is an error in d. */
struct conf *build_text(const char *ini, size_t len, struct diags *d);

/* All findings, a line each, in memory that lives until the next call. */
const char *findings(const struct diags *d);

/* What one finding has to say; NULL: any, and for key and hint "": none. */
struct expected {
    enum diag_level level;
    unsigned line;
    const char *key, *message, *hint;
};

/* The finding that says it, or NULL. */
const struct diag *find_finding(const struct diags *d, const struct expected *x);

/* The configuration in force as dump prints it; the caller's. */
char *dump_text(const struct conf *c);

#endif
