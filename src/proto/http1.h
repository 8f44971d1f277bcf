/*
 * http1: the head of an HTTP/1.x request (RFC 9112), from bytes to fields.
 *
 * Two steps. http1_head_end() finds where a head ends while bytes arrive;
 * http1_request() reads the whole head at once. Nothing is copied: every span of
 * the result lies in the caller's bytes, which must outlive it.
 *
 * Where the RFC leaves a choice the strict one is taken, for a lenient reader in
 * front of another reader is how requests are smuggled: no bare CR or LF, no
 * folded lines, no blank before a colon, one Host, one Content-Length and never
 * beside a Transfer-Encoding.
 */
#ifndef SALLYPORT_PROTO_HTTP1_H
#define SALLYPORT_PROTO_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/str.h"

/*
 * The length of the head at p, its closing empty line and empty lines before the
 * request line included; 0 while it is not complete. *seen is 0 for a new head and
 * remembers what was searched, so that a head arriving byte by byte is searched once.
 */
size_t http1_head_end(const char *p, size_t len, size_t *seen);

enum http1_body { HTTP1_BODY_NONE, HTTP1_BODY_LENGTH, HTTP1_BODY_CHUNKED };

struct http1_request {
    struct span method;
    struct span target;         /* as it was sent */
    struct span path;           /* of the target: "/a/b", without host and query; "*" as it is;
                                   empty for CONNECT */
    unsigned minor;             /* HTTP/1.minor */
    struct span fields;         /* the header section, for http1_field() and http1_field_next() */
    enum http1_body body;
    uint64_t body_length;       /* with HTTP1_BODY_LENGTH; may be 0 */
    bool keep_alive;            /* what version and Connection ask for */
    bool expect_continue;
};

/*
 * Read a complete head. 0, or the status to refuse it with (400, 501, 505) and,
 * in *why, the reason in words.
 */
unsigned http1_request(struct span head, struct http1_request *out, const char **why);

/* Take the next field off the front of *rest; false when there is none. The value is trimmed. */
bool http1_field_next(struct span *rest, struct span *name, struct span *value);

/* The first field of that name, in any case; false when there is none. */
bool http1_field(const struct http1_request *r, const char *name, struct span *value);

/* Whether a comma-separated list has this word, in any case; parameters (";…") are passed over. */
bool http1_list_has(struct span list, const char *word);

/* The value of a Date field; empty for a time that has none. */
#define HTTP1_DATE_MAX 40
void http1_date(time_t at, char out[HTTP1_DATE_MAX]);

#endif
