/*
 * uri: is it a URI or a path, and what is in it (RFC 3986, RFC 7512).
 *
 * A key may stand in a token rather than in a file, and is named by a URI then. What
 * the scheme means is not known here.
 */
#ifndef SALLYPORT_BASE_URI_H
#define SALLYPORT_BASE_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* How long the scheme before the colon is ("pkcs11:…": 6); 0: no URI but a path. One
   letter is none, and neither is what has a slash before the colon. */
size_t uri_scheme(struct span uri);
bool uri_has_scheme(struct span uri, const char *scheme);       /* in any case */

/* The value of `NAME=…` among the parts of a URI of attributes, as pkcs11: has them, written
   as it is there. In its path or its query: programs differ in what they take where. */
bool uri_attribute(struct span uri, const char *name, struct span *value);

/* Without its %XX; the caller's to free(). NULL when one is broken, or stands for NUL. */
char *uri_decode(struct span text);

/* The path in a file: URI; the caller's to free(). NULL and e when it has none, or one on
   another machine. */
char *uri_file_path(struct span uri, struct err *e);

#endif
