/*
 * explain: what becomes of a client, for people or as JSON.
 *
 * The JSON is a promise (doc/explain.md): names and values stay as they are; members may
 * be added.
 */
#ifndef SALLYPORT_CMD_EXPLAIN_H
#define SALLYPORT_CMD_EXPLAIN_H

#include "proxy/trial.h"

struct explanation {
    const struct snap_listener *listener;
    const struct trial_ask *ask;
    const struct trial *trial;
};

void explain_text(const struct explanation *x);         /* to stdout */
void explain_json(const struct explanation *x);

#endif
