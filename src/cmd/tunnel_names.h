/*
 * tunnel_names: by which names a client may reach an address of this host.
 *
 * They go into the throw-away certificate, and its CA is confined to them.
 */
#ifndef SALLYPORT_CMD_TUNNEL_NAMES_H
#define SALLYPORT_CMD_TUNNEL_NAMES_H

#include "base/addr.h"
#include "tls/issue.h"

#define TUNNEL_NAMES_MAX 64

struct tunnel_names {
    char *dns[2];               /* localhost, and the host's name on a wildcard address */
    char *ip[TUNNEL_NAMES_MAX];
    size_t ndns, nip;
};

void tunnel_names_for(const struct addr *listen, struct tunnel_names *out);
void tunnel_names_free(struct tunnel_names *n);

/* For the leaf: the names as they are. */
struct issue_names tunnel_leaf_names(const struct tunnel_names *n);

/* For the CA: the same, and the whole of 127.0.0.0/8. `ip` has room for
   TUNNEL_NAMES_MAX + 1; the result points into it. */
struct issue_names tunnel_ca_names(const struct tunnel_names *n,
                                   const char *ip[TUNNEL_NAMES_MAX + 1]);

/* What a client on this host calls it: "localhost:8443", "[::1]:8443", "10.0.0.5:8443". */
#define TUNNEL_TARGET_MAX 80
char *tunnel_target(const struct addr *bound, char out[TUNNEL_TARGET_MAX]);

#endif
