/*
 * build: what the parts of conf_build() share. build.c reads sections and keys,
 * refs.c and listeners.c tie the sections together and judge the whole, admission.c
 * the rules of a route, sections.c keeps the objects.
 */
#ifndef SALLYPORT_CONF_BUILD_H
#define SALLYPORT_CONF_BUILD_H

#include "base/names.h"
#include "conf/schema.h"

/* A key that names another section, until all sections are known. */
struct conf_ref {
    struct conf_head *head;     /* whose key it is */
    const struct key_row *row;
    char *value;
    const char *origin;         /* an earlier one than the key's, in the end: overruled */
};

/* A key whose value was refused: what depends on it is not judged. */
struct conf_refused {
    const struct conf_head *head;
    enum conf_key key;
};

struct builder {
    struct conf *c;
    struct diags *d;
    /* Where an object stands in the list of its kind, for there may be thousands. */
    struct names by_name[SECTION_COUNT];
    struct names by_addr;       /* of listeners */
    struct conf_ref *refs;
    size_t nrefs;
    struct conf_refused *refused;
    size_t nrefused;
};

void build_error(struct builder *b, struct diag_at where, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void build_warn(struct builder *b, struct diag_at where, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

void build_refuse(struct builder *b, const struct conf_head *h, enum conf_key key);
bool build_was_refused(const struct builder *b, const struct conf_head *h, enum conf_key key);

/* A new object, all its fields unset; all but [proxy] are appended to the conf's list. */
struct conf_head *build_section(struct builder *b, enum conf_section s, const char *name,
                                struct origin at);
void build_section_free(enum conf_section s, struct conf_head *h);

/* The i-th object of a kind, NULL behind the last; and the one of that name, or NULL. */
struct conf_head *build_nth(const struct conf *c, enum conf_section s, size_t i);
struct conf_head *build_find(const struct builder *b, enum conf_section s, const char *name);

/* The same for listeners, by their address: by what addr_equal() compares, as a text. */
struct span build_addr_key(const struct addr *a);
void build_place_listener(struct builder *b, const struct conf_listener *l);
struct conf_listener *build_listener_at(const struct builder *b, const struct addr *a);

/* An origin outlives the settings, so its text is the conf's own. One text, one pointer. */
struct origin build_origin(struct builder *b, const char *text, unsigned line);

/* Instead of what the field has; a value that is known to be good. */
void build_value(const struct key_row *row, struct conf_head *h, const char *value);

/* Defaults for the keys that are not set. */
void build_defaults(enum conf_section s, struct conf_head *h);

/* References, and what must hold between sections. Adds the listeners and
   upstreams that were only mentioned. */
void build_refs(struct builder *b);

/* What the presets of routes say of keys that nobody wrote. Part of build_refs(), behind the
   references and before all that judges. */
void build_presets(struct builder *b);

/* What must hold of routes to which connections are redirected. Part of build_refs(). */
void build_transparent(struct builder *b);

/* Who listens where: conf->listeners becomes one for each address, in the order in
   which routes name them. Part of build_refs(). */
void build_listeners(struct builder *b);

/* What is wrong with an upstream; `user` is the first route that uses it, or NULL. Part of
   build_refs(). */
void build_upstream(struct builder *b, const struct conf_upstream *u,
                    const struct conf_route *user);

/* Who is asked for names. Part of build_refs(). */
void build_resolver(struct builder *b);

/* The section was begun there (ORIGIN_COMMAND_LINE …). */
bool build_is_from(const struct conf_head *h, const char *origin);

/* A route names it by its address, and it has no section. */
bool build_is_unnamed(const struct conf_upstream *u);

/* What a mode wants of its route and of the upstream, and what it makes no sense with. Part of
   build_refs(), before the listeners: `tls` of upstreams and whom stores are for are known
   afterwards. */
void build_modes(struct builder *b);
/* Whether a key means anything there, by the mode. A default that does not is not in force. */
bool build_applies(const struct conf_head *h, enum conf_key key);
/* Of an originating route: the addresses are its own, and it says who may reach them. Behind
   build_listeners(). */
void build_plain_listeners(struct builder *b);

/* What is wrong with the rules of a route, taken together. Part of build_refs(). */
void build_admission(struct builder *b, const struct conf_route *r);

#endif
