/*
 * outcome: how a reload ended, from the master to the monitor and on to who asked.
 */
#ifndef SALLYPORT_APP_OUTCOME_H
#define SALLYPORT_APP_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

struct outcome {
    bool ok;
    uint64_t generation;        /* in force now */
    struct diags findings;
};

/* As a memory file, -1 when there is none to be had; and back, false when damaged
   (there is nothing to free then). */
int outcome_write(const struct outcome *o);
bool outcome_read(int fd, struct outcome *out);
void outcome_free(struct outcome *o);

/* {"ok": true, "generation": 3, "findings": [as check --json]}; and as lines, the last
   of which says "generation 3 is in force" or that it stays so. The caller's to free(). */
char *outcome_json(const struct outcome *o, size_t *len);
char *outcome_text(const struct outcome *o, size_t *len);

#endif
