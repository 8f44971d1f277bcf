/*
 * page: the built-in origin, `server = builtin:page`.
 *
 * For trying things out (`sallyport tunnel` without an upstream): it shows what the
 * proxy knows of the very connection the request came through. To the rest of the
 * proxy it is an upstream like any other, one end of a socket pair; the other end
 * is served here, on the same loop, until the peer closes.
 *
 * GET and HEAD of / (HTML or JSON where Accept names it, else text) and /json; keep-alive;
 * 30 seconds for each request to arrive and for each answer to be taken.
 */
#ifndef SALLYPORT_PROXY_PAGE_H
#define SALLYPORT_PROXY_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "net/loop.h"

/* Copied by page_open(). Any string may be NULL: not known, or there is none. */
struct page_facts {
    uint64_t connection;        /* its id in the log, shown in hex as there */
    const char *route;
    const char *listener;
    const char *client;         /* address */
    const char *version, *suite, *group;
    const char *sni, *alpn;
    const char *identity;       /* what the log calls the client; NULL: it sent no certificate */
    const char *subject;
    int64_t not_after;          /* of the client's certificate, seconds since 1970; 0: none */
    bool resumed;
};

/*
 * A connected, non-blocking descriptor, the caller's; or -1 with errno. What serves
 * the other end links itself into `pages` (a list head of the owner of the loop).
 */
int page_open(struct loop *l, struct list *pages, const struct page_facts *facts);

/* End all that are left, when their loop is about to go. */
void pages_close(struct list *pages);

#endif
