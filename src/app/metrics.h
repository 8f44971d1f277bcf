/*
 * metrics: what Prometheus scrapes, in its text format 0.0.4.
 *
 * https://prometheus.io/docs/instrumenting/exposition_formats/ : a family is a HELP and a TYPE
 * line and its series; counters end in _total; labels escape backslash, quote and line feed. A
 * series of a reason or a cause that never happened is left out: there are some hundred for each
 * route. Labels have the names of a configuration and of its certificates for values, and
 * nothing that a peer chooses. doc/metrics.md has all of them.
 */
#ifndef SALLYPORT_APP_METRICS_H
#define SALLYPORT_APP_METRICS_H

#include <stdio.h>

#include "app/status.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

void metrics_write(const struct status *s, FILE *out);

#endif
