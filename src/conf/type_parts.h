/*
 * type_parts: what the files of types share among themselves.
 */
#ifndef SALLYPORT_CONF_TYPE_PARTS_H
#define SALLYPORT_CONF_TYPE_PARTS_H

#include "conf/types.h"

/* The words of a type that is one of several, NULL behind the last. */
const char *const *type_words(enum conf_type t);

/* TLS versions by their names; the bit of word i is 1u << i. */
#define TYPE_PROTOCOL_COUNT 4
extern const char *const type_protocols[TYPE_PROTOCOL_COUNT];

#define TYPE_BUILTIN_PAGE "builtin:page"
#define TYPE_ORIGINAL     "original"

/* The types that take several values: one value each call. 0 or -1. */
int type_parse_file(struct span text, const char *file, struct conf_strs *out);
int type_parse_key(struct span text, const char *file, struct conf_strs *out, struct refusal *r);
int type_parse_colons(struct span text, char **out, struct refusal *r);
int type_parse_alpn(struct span text, struct conf_strs *out, struct refusal *r);
/* A name (no wildcard), or an address without a port. */
int type_parse_host(struct span text, char **out, struct refusal *r);
int type_parse_dns_name(struct span text, struct conf_strs *out, struct refusal *r);
int type_parse_rule(struct span text, struct conf_rules *out, struct refusal *r);
int type_parse_network(struct span text, struct conf_strs *out, struct refusal *r);
int type_parse_protocol(struct span text, unsigned *out, struct refusal *r);
/* `bare`: whose a port without an address is likely to be. */
int type_parse_address(struct span text, const char *bare, struct conf_addrs *out,
                       struct refusal *r);
int type_parse_server(struct span text, struct conf_servers *out, struct refusal *r);

/* Why a folded name (base/names.h), perhaps *.example.com, is none; NULL: it is one. */
const char *type_bad_dns_name(const char *name, struct refusal *r);

#endif
