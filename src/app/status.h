/*
 * status: how sallyport is, at one moment, for people and programs.
 *
 * The monitor puts together what the master reports, what the workers count, what its own checks
 * found and what the certificates say; these functions write it down: as JSON (/status.json,
 * which the status page draws), as lines for a terminal (`sallyport status`), and as one word
 * with its reasons (/readyz). Metrics are in metrics.h.
 */
#ifndef SALLYPORT_APP_STATUS_H
#define SALLYPORT_APP_STATUS_H

#include <stdio.h>

#include "app/catalog.h"
#include "app/expiry.h"
#include "app/health.h"
#include "app/report.h"
#include "conf/conf.h"
#include "proxy/account.h"

struct status {
    const struct conf *conf;
    const struct report *report;
    const struct catalog *catalog;
    const struct accounts *accounts;
    const struct health *health;
    uint64_t now_us;            /* since 1970 */
};

void status_json(const struct status *s, FILE *out);

/* What bytes and connections there were, for rates: kept from one call to the next, by who
   calls. Zeroed: none yet. */
struct status_rates {
    uint64_t at_us;
    uint64_t *bytes, *conns;    /* of each row of the ledger */
    uint32_t n;
};

void status_text(const struct status *s, struct status_rates *rates, FILE *out);
void status_rates_free(struct status_rates *r);

/*
 * Ready: what is in force is served (its listeners are bound, or it would not be in force), each
 * of its routes has a certificate that is valid now, and it is not draining. Otherwise why not,
 * as lines: "route cql: no certificate of store node is valid". Returns whether it is.
 */
bool status_ready(const struct status *s, struct conf_strs *why);
void status_why_free(struct conf_strs *why);

/* --- what the writers share --- */

/* Where a fact stands, by what its owner warns of. */
enum expiry_state status_expiry(const struct status *s, const struct fact *f,
                                uint64_t warn_before_ms);
const char *status_expiry_word(enum expiry_state e);    /* fine, stale, due, expired */
/* Whole days until then; negative: since. */
int64_t status_days(const struct status *s, int64_t until);

/* Certificates and lists of a section: "store", "trust". */
const struct inventory_item *status_facts(const struct status *s, const struct conf_head *h,
                                          size_t *n);

/* The sums for a route, zeros if there are none. */
struct route_count status_route(const struct status *s, const char *name);
uint64_t status_connections(const struct route_count *r);       /* that have ended */
uint64_t status_refused(const struct route_count *r);           /* of those, in error */

/* What is known of the servers of an upstream: each server it has, with each address. */
enum status_server { SERVER_UNCHECKED, SERVER_UNRESOLVED, SERVER_UP, SERVER_DOWN };
enum status_server status_server_state(const struct health_seen *seen);
const char *status_server_word(enum status_server state);
void status_servers(const struct status *s, const struct conf_upstream *u, health_seen_fn *fn,
                    void *arg);

#endif
