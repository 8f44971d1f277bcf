/*
 * status_html: the status page, as it is in src/app/status.html.
 *
 * It never changes while we run: what it shows, its script fetches from status.json
 * beside it. It has a NUL at the end that is not counted.
 */
#ifndef SALLYPORT_APP_STATUS_HTML_H
#define SALLYPORT_APP_STATUS_HTML_H

#include <stddef.h>

extern const char status_html[];
extern const size_t status_html_len;

#endif
