/*
 * environment: flags as SALLYPORT_… variables.
 *
 * A variable that is set but empty counts as not set. Those of list keys hold
 * several values separated by commas. A name that is no flag is warned of, unless
 * Kubernetes put it there: for a Service called `sallyport` it gives every pod of
 * the namespace SALLYPORT_SERVICE_HOST, SALLYPORT_PORT, SALLYPORT_PORT_443_TCP and
 * more. A flag whose variable looks like one of these could be set by accident, so
 * none may be added to the key table (a unit test holds that).
 */
#ifndef SALLYPORT_CMD_ENVIRONMENT_H
#define SALLYPORT_CMD_ENVIRONMENT_H

#include <stdbool.h>

#include "cmd/given.h"

#define ENVIRONMENT_CONFIG "SALLYPORT_CONFIG"

/*
 * Adds what is set; only keys of [proxy] unless `configuration`. Warnings go to d.
 * Returns the value of SALLYPORT_CONFIG, or NULL.
 */
const char *environment_read(bool configuration, struct givens *out, struct diags *d);

/* Whether Kubernetes makes variables of this name (with this value) for a Service. */
bool environment_is_service(const char *name, const char *value);

#endif
