/*
 * tunnel_certs: a CA that lives as long as the tunnel, and what it signed.
 *
 * The CA's own key is forgotten as soon as it has signed. The server's key never
 * leaves memory; what a client needs is written to files in a directory of their
 * own that only this user can enter.
 */
#ifndef SALLYPORT_CMD_TUNNEL_CERTS_H
#define SALLYPORT_CMD_TUNNEL_CERTS_H

#include "base/err.h"
#include "cmd/tunnel_names.h"

struct tunnel_certs {
    char *ca_pem;
    char *server_pem;           /* certificate and key */
    char *client_pem;           /* the same */
    char *dir, *ca_path, *client_path;  /* NULL: not written */
};

/* 0, or -1 and e. */
int tunnel_certs_make(const struct tunnel_names *names, struct tunnel_certs *out, struct err *e);

/* Under $XDG_RUNTIME_DIR, $TMPDIR or /tmp, the first that works. 0, or -1 and e. */
int tunnel_certs_write(struct tunnel_certs *c, struct err *e);

/* Removes the files, wipes the keys. Safe on zeroed and half-made ones. */
void tunnel_certs_free(struct tunnel_certs *c);

#endif
