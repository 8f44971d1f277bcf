/*
 * own_passwords: which of the passwords in a file is meant for this keystore.
 *
 * A password file holds one password, or, as scripts that make the keystores of a
 * whole cluster write it, a line `NAME:PASSWORD` per keystore. Where such a line
 * begins with the name of the keystore that is being opened (its path's last part,
 * with or without ".jks"), the password is that line's; the last such line's, for
 * these scripts append. In all other cases the text is the password, colons and all.
 */
#ifndef SALLYPORT_TLS_OWN_PASSWORDS_H
#define SALLYPORT_TLS_OWN_PASSWORDS_H

#include <stdbool.h>

#include "tls/material.h"

struct own_passwords {
    struct passwords pw;
    char *store, *key;          /* what of it is a copy */
};

void own_passwords(const struct passwords *given, const char *path, struct own_passwords *out);
void own_passwords_free(struct own_passwords *p);       /* wipes */

/* Several lines, none of which was for this keystore: the reason why it is wrong. */
bool password_is_list(const char *password);

#endif
