/*
 * own_passwords: which of the passwords in a file is meant for this keystore.
 *
 * A password file holds one password, or, as scripts that make the keystores of a
 * whole cluster write it, a line `NAME:PASSWORD` per keystore. Where such a line
 * begins with the name of the keystore that is being opened (its path's last part, or
 * that without ".jks", ".p12" and the like where no line has the whole of it), the
 * password is that line's; the last such line's, for these scripts append. In all other
 * cases the text is the password, colons and all.
 */
#ifndef SALLYPORT_TLS_OWN_PASSWORDS_H
#define SALLYPORT_TLS_OWN_PASSWORDS_H

#include "tls/material.h"

struct own_passwords {
    struct passwords pw;
    char *store, *key;          /* what of it is a copy */
};

void own_passwords(const struct passwords *given, const char *path, struct own_passwords *out);
void own_passwords_free(struct own_passwords *p);       /* wipes */

/* What about a password that turned out to be wrong may be the reason: several lines, none of
   which was for this keystore, an editor's byte order mark, a blank at the end. Tells nothing
   else of it. The caller's to free(), or NULL; so is `keystore`, of what is none. */
char *password_hint(const char *password, const char *keystore);

#endif
