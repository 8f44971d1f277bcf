/*
 * page_text: the facts of a connection as a web page, as JSON and as text. No I/O.
 *
 * Names that a peer chose are escaped as in the log (the backslash and bytes
 * outside printable ASCII as \xNN), and then as the format demands.
 */
#ifndef SALLYPORT_PROXY_PAGE_TEXT_H
#define SALLYPORT_PROXY_PAGE_TEXT_H

#include <stddef.h>

#include "proxy/page.h"

/* The text, NUL-terminated, the caller's (free()), and its length; NULL when memory is out. */
char *page_html(const struct page_facts *f, size_t *len);
char *page_plain(const struct page_facts *f, size_t *len);
char *page_json(const struct page_facts *f, size_t *len);

#endif
