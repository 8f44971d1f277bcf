/*
 * readable: escaped names as their characters, for a terminal that shows them.
 *
 * Names in certificates and keystores are bytes that somebody else chose, and are
 * escaped wherever they are told of. Where the user's locale is UTF-8, what is a
 * character that can be seen is put back; controls, what turns the direction of a line
 * and what has no width of its own stay escaped, so that no name can look like another
 * text.
 */
#ifndef SALLYPORT_CMD_READABLE_H
#define SALLYPORT_CMD_READABLE_H

#include <locale.h>

/* The user's, for freelocale(); or 0 when it is not one of UTF-8. */
locale_t readable_locale(void);

/* `escaped`: text that str_escape() wrote, amid others. The caller's to free(). */
char *readable(const char *escaped, locale_t utf8);

#endif
