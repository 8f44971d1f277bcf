/*
 * verdict: what was said of reloads so far, so that nothing is said twice.
 *
 * A failure that was told is told again only when somebody asks, or when something else
 * is wrong; the warnings about what is in force are not repeated by every file that
 * changes.
 */
#ifndef SALLYPORT_APP_VERDICT_H
#define SALLYPORT_APP_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

/* Reloads so far, of those whose outcome was told; the start is none. */
struct reload_status {
    uint64_t done, failed;
    bool ok;                    /* the last one; true when there was none */
    uint64_t at_us;             /* when (clock_wall_us()); 0: there was none */
    const char *why;            /* what was wrong with it, a line each; NULL when ok */
    const struct diags *findings;       /* the same; when ok, what is to be said of what is in
                                           force */
    const struct diags *changes;        /* a note for each certificate that it changed; when ok */
};

struct verdict {
    struct diags said;          /* about the edition in force */
    struct diags failing;       /* the findings of the last failure, while it lasts */
    char *told;                 /* the errors of the last failure; NULL: all is well since */
    struct reload_status status;
};

/* A load succeeded (its findings are taken), the first of the run or a reload. */
void verdict_good(struct verdict *v, struct diags *d, bool first);
void verdict_bad(struct verdict *v, const struct diags *d);

/* What is in force was found again, and these findings (taken) are about it now. */
void verdict_stays(struct verdict *v, struct diags *d);

/* What was wrong is wrong no more, without a reload: true when anything was. */
bool verdict_mended(struct verdict *v);

/* Whether just these errors were told last. */
bool verdict_is_told(const struct verdict *v, const struct diags *d);

/* Without what was said of the edition in force already: the notes, and the warnings, unless
   somebody `asked`. */
void verdict_unsaid(const struct verdict *v, const struct diags *d, bool asked,
                    struct diags *out);

void verdict_free(struct verdict *v);

#endif
