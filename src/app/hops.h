/*
 * hops: where a configuration lets bytes travel in clear text between hosts.
 *
 * That is never so by accident: somebody wrote plaintext_to or plaintext_from (an error says so
 * otherwise). Whoever reads the log is to know it all the same, once for each such hop.
 */
#ifndef SALLYPORT_APP_HOPS_H
#define SALLYPORT_APP_HOPS_H

#include "base/names.h"
#include "conf/conf.h"

/* What has been said of an edition: one text for each hop. Zeroed to begin with. */
struct hops {
    char **v;
    size_t n;
    struct names by_text;
};

/* Log the hops of c that are not among *told, which becomes those of c. */
void hops_log(struct hops *told, const struct conf *c);
/* Its hops, in words, for who shows them: "clear text may leave this host: upstream db, server
   10.0.0.5:9042, plaintext_to 10.0.0.0/8". A zeroed *out, to be freed. */
void hops_find(struct hops *out, const struct conf *c);

void hops_free(struct hops *h);

#endif
