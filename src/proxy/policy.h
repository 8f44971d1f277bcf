/*
 * policy: may this client come in, and will this server do? A pure function of rules and the
 * identity in a verified certificate; connections, sessions that resume, live connections after
 * a reload, and `explain` ask the same one.
 *
 * deny wins; an empty allow admits everybody who was verified. Who showed no certificate
 * (client_auth = request) matches no rule. Names are compared with their length: one with
 * a NUL or another control character in it is no name and matches nothing.
 *
 *   cn ou o        `*` is any run; by case
 *   dns            one label, or a part of one, for each `*`; not by case. What is no host
 *                  name matches nothing: so does a certificate's own wildcard
 *   uri            `*` within a segment of the path, `**` beyond; scheme and host not by case
 *   email          `*` within the name or the host; the host not by case
 *   ip             a network
 *   serial         of the certificate
 *   sha256         of its public key (SubjectPublicKeyInfo): outlives renewals of one key
 *
 * Of a certificate whose names are not all known (tls/identity.h), a rule on names could say
 * neither yes nor no: where there is one, it is refused. So it is where a deny looks at names
 * of a kind of which one has a control character: that would be a way around the deny.
 */
#ifndef SALLYPORT_PROXY_POLICY_H
#define SALLYPORT_PROXY_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "tls/identity.h"

enum verdict_why {
    VERDICT_NO_RULES,           /* admitted: there is nothing to match */
    VERDICT_ALLOWED,            /* admitted by `rule` */
    VERDICT_DENIED,             /* refused by `rule` */
    VERDICT_NOT_ALLOWED,        /* refused: no allow matches */
    VERDICT_NAMES_UNKNOWN,      /* refused: too many names, or unreadable ones */
    VERDICT_ANONYMOUS,          /* admitted without a certificate */
    VERDICT_NO_CERTIFICATE,     /* refused: none that an allow could match */
};

struct verdict {
    enum verdict_why why;
    const struct conf_rule *rule;       /* of the route; NULL: none decided */
    const struct identity_name *name;   /* that matches; NULL: a serial or a key does, or none */
};

/* `id` NULL: it showed no certificate. */
struct verdict policy_judge(const struct conf_route *r, const struct identity *id);

/* The same of a server that we dial, by tls_allow; it has been verified. */
struct verdict policy_judge_server(const struct conf_upstream *u, const struct identity *id);

static inline bool verdict_admits(const struct verdict *v)
{
    return v->why == VERDICT_NO_RULES || v->why == VERDICT_ALLOWED || v->why == VERDICT_ANONYMOUS;
}

#define VERDICT_TEXT_MAX 1024
/* "refused by deny = cn:retired-* (/etc/sallyport/sallyport.conf:31), which cn:retired-7 is".
   The name's text is as identity_text() has it. */
char *verdict_text(const struct verdict *v, const struct conf_route *r,
                   char out[VERDICT_TEXT_MAX]);
char *verdict_text_server(const struct verdict *v, const struct conf_upstream *u,
                          char out[VERDICT_TEXT_MAX]);

#endif
