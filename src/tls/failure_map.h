/*
 * failure_map: OpenSSL's numbers to rows of failures.tbl, for the files that find a cause.
 */
#ifndef SALLYPORT_TLS_FAILURE_MAP_H
#define SALLYPORT_TLS_FAILURE_MAP_H

#include <stddef.h>

#include "tls/failure.h"

struct mapped {
    int from;
    enum tls_cause cause;
};

#define LOOK_UP(table, key, otherwise) \
    look_up(table, sizeof(table) / sizeof((table)[0]), key, otherwise)

static inline enum tls_cause look_up(const struct mapped *table, size_t n, int key,
                                     enum tls_cause otherwise)
{
    for (size_t i = 0; i < n; i++)
        if (table[i].from == key)
            return table[i].cause;
    return otherwise;
}

#endif
