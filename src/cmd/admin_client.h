/*
 * admin_client: one request to a running sallyport, over its admin address.
 */
#ifndef SALLYPORT_CMD_ADMIN_CLIENT_H
#define SALLYPORT_CMD_ADMIN_CLIENT_H

#include <stddef.h>

#include "base/addr.h"
#include "base/diag.h"
#include "base/err.h"
#include "cmd/options.h"

struct admin_answer {
    unsigned status;
    char *body;                 /* with a NUL behind it; the caller's to free() */
    size_t len;
};

/*
 * The admin address of the instance that an invocation means: --admin, else
 * SALLYPORT_ADMIN, else [proxy] admin in its configuration file, of which nothing else
 * has to be right. A Unix socket, if there is one; who only looks takes another as well.
 * 0, or -1 with findings.
 */
int admin_client_find(const struct invocation *inv, bool looks, struct addr *out,
                      struct diags *d);

/* Ask, and wait for the whole answer, but no longer than that for a part of it (0: as long as
   it takes). 0, or -1 and a finding. */
#define ADMIN_PATIENCE_S 300u   /* a reload that runs, one that is asked for, their own limits */
int admin_client_ask(const struct addr *to, const char *method, const char *path,
                     unsigned patience_s, struct admin_answer *out, struct diags *d);

/* POST to the instance that an invocation means, and show the answer: what it found on stderr;
   the last line, what became of it, on stdout if it is good. What stood in the way goes to stderr.
   The exit code. */
int admin_client_post(const struct invocation *inv, const char *path, unsigned patience_s);

#endif
