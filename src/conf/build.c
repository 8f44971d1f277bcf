#include "conf/build.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/types.h"

/* The section that the settings at hand belong to. */
struct place {
    const char *section, *name; /* as they stand in the settings */
    enum conf_section kind;
    struct conf_head *head;     /* NULL: refused, with all that is in it */
};

struct origin build_origin(struct builder *b, const char *text, unsigned line)
{
    struct conf *c = b->c;

    for (size_t i = 0; i < c->norigins; i++)
        if (strcmp(c->origins[i], text) == 0)
            return (struct origin){ c->origins[i], line };
    c->origins = mem_grow(c->origins, c->norigins + 1, sizeof(c->origins[0]));
    c->origins[c->norigins] = mem_strdup(text);
    return (struct origin){ c->origins[c->norigins++], line };
}

static struct origin keep_origin(struct builder *b, const struct setting *t)
{
    return t->file != NULL ? build_origin(b, t->file, t->line) : (struct origin){ 0 };
}

/* "[route cql]", for findings about a head that is not (yet) an object. */
static void head_error(struct builder *b, const struct setting *t, char *hint, const char *message)
{
    char *title = mem_printf("%s%s%s", t->section, t->name[0] ? " " : "", t->name);
    struct diag_at where = { { t->file, t->line }, title, NULL, NULL };

    build_error(b, where, hint, "%s", message);
    free(title);
    free(hint);
}

static bool is_name(const char *s)
{
    size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    return len == strlen(s) && len <= NAME_MAX_LEN && strchr("._-", s[0]) == NULL;
}

/* A [listener]'s name is its address. */
static void name_listener(struct builder *b, const struct setting *t, struct conf_listener *l)
{
    struct conf_addrs list = { 0 };
    struct refusal r = { ERR_INIT, ERR_INIT, false };
    struct span text = { t->name, strlen(t->name) };

    if (type_parse(&conf_keys[KEY_ROUTE_LISTEN], text, t->file, &list, &r) < 0) {
        head_error(b, t, r.hint.text[0] ? mem_strdup(r.hint.text) : NULL, r.why.text);
        return;
    }
    const struct conf_listener *other = build_listener_at(b, &list.v[0]);
    l->addr = list.v[0];
    free(list.v);
    if (other != NULL) {
        char message[64];
        snprintf(message, sizeof(message), "this address has a section already, on line %u",
                 other->head.at.line);
        head_error(b, t, NULL, message);
        l->addr = (struct addr){ 0 };
    } else {
        build_place_listener(b, l);
    }
}

/* A new object for a section of the file, if its name will do. */
static struct conf_head *first_head(struct builder *b, const struct setting *t,
                                    enum conf_section s)
{
    if (t->name[0] == '\0') {
        bool address = s == SECTION_LISTENER;
        head_error(b, t, mem_printf("[%s %s]", t->section, address ? "ADDRESS" : "NAME"),
                   address ? "the section needs an address" : "the section needs a name");
        return NULL;
    }
    struct conf_head *h = build_section(b, s, t->name, keep_origin(b, t));
    if (s == SECTION_LISTENER)
        name_listener(b, t, (struct conf_listener *)(void *)h);
    else if (!is_name(t->name))
        head_error(b, t, NULL,
                   "a name has letters, digits, '.', '_' and '-', begins with a letter or a digit, "
                   "and has at most 40 characters");
    return h;
}

/* A head, or a key of another section than the last: finds or makes the object. */
static struct conf_head *enter(struct builder *b, const struct setting *t, enum conf_section s)
{
    struct origin at = keep_origin(b, t);
    struct conf_head *h = s == SECTION_PROXY ? &b->c->proxy.head : build_find(b, s, t->name);

    if (s == SECTION_PROXY && t->name[0] != '\0') {
        head_error(b, t, mem_strdup("[proxy]"), "the section takes no name");
        return NULL;
    }
    if (h == NULL)
        return first_head(b, t, s);
    if (t->key != NULL)
        return h;
    if (h->at.file != NULL && h->at.file == at.file) {
        char message[64];
        snprintf(message, sizeof(message), "the section stands on line %u already", h->at.line);
        head_error(b, t, NULL, message);
        return NULL;
    }
    h->at = at;
    return h;
}

static void go_to(struct builder *b, const struct setting *t, struct place *p)
{
    bool same = p->section != NULL && strcmp(p->section, t->section) == 0
             && strcmp(p->name, t->name) == 0;

    if (t->key != NULL && same)
        return;
    int s = schema_section(t->section);
    *p = (struct place){ t->section, t->name, (enum conf_section)s, NULL };
    if (s < 0)
        head_error(b, t, schema_section_hint(t->section), "unknown section");
    else
        p->head = enter(b, t, (enum conf_section)s);
}

static void add_ref(struct builder *b, struct conf_head *h, const struct key_row *row,
                    const char *value)
{
    b->refs = mem_append(b->refs, b->nrefs, sizeof(b->refs[0]));
    b->refs[b->nrefs++] =
        (struct conf_ref){ h, row, mem_strdup(value), h->set[row->id].file };
}

static bool is_path(enum conf_type t)
{
    return t == TYPE_FILE || t == TYPE_KEY || t == TYPE_SECRET || t == TYPE_LOG;
}

/* What a shell would have taken away or replaced. */
static bool is_shell(const struct key_row *row, struct span text, struct refusal *r)
{
    char first = text.p[0], last = text.p[text.len - 1];

    if (text.len > 1 && (first == '"' || first == '\'') && first == last) {
        r->secret = memmem(text.p, text.len, "pin-value", strlen("pin-value")) != NULL;
        err_setx(&r->hint, "write it without them");
        err_setx(&r->why, "the value stands in quotes, which would be a part of it");
    } else if (is_path(row->type) && first == '~') {
        err_setx(&r->hint, "write the whole path; a file of that name is ./~…");
        err_setx(&r->why, "~ does not stand for a home directory here");
    } else {
        return false;
    }
    return true;
}

/* Of some lists each item stands on a line of its own, and findings name it. */
static void place_item(const struct key_row *row, void *field, struct origin at)
{
    struct conf_rules *rules = field;
    struct conf_servers *servers = field;

    if (row->type == TYPE_RULE)
        rules->v[rules->n - 1].at = at;
    else if (row->type == TYPE_SERVER && servers->n > 0)
        servers->v[servers->n - 1].at = at;
}

static void parse_one(struct builder *b, struct conf_head *h, const struct key_row *row,
                      struct span text, struct origin at)
{
    struct refusal r = { ERR_INIT, ERR_INIT, false };

    if (text.len == 0)
        err_setx(&r.why, "%s", row->flags & ROW_COMMA ? "an empty item in the list"
                                                       : "the value is missing");
    else if (!is_shell(row, text, &r)
             && type_parse(row, text, at.file, type_field(row, h), &r) == 0) {
        place_item(row, type_field(row, h), at);
        return;
    }

    char *value = r.secret ? NULL : mem_strndup(text.p, text.len);
    struct diag_at where = conf_at(h, row->id, value);
    where.at = at;              /* the line at hand, where a list has several */
    build_error(b, where, r.hint.text[0] ? r.hint.text : NULL, "%s", r.why.text);
    build_refuse(b, h, row->id);
    free(value);
}

/* Whether this value is the first of its origin; a second one must be a list's. */
static bool may_set(struct builder *b, struct conf_head *h, const struct key_row *row,
                    const struct setting *t, struct origin at)
{
    struct origin *set = &h->set[row->id];

    if (set->file == NULL) {
        *set = at;
    } else if (set->file != at.file) {  /* the later origin wins */
        type_clear(row, type_field(row, h));
        *set = at;
    } else if (!(row->flags & ROW_LIST)) {
        struct diag_at where = conf_at(h, row->id, t->value);
        where.at = at;
        if (set->line > 0)
            build_error(b, where, NULL, "set on line %u already", set->line);
        else
            build_error(b, where, NULL, "given twice");
        return false;
    }
    return true;
}

static void set_key(struct builder *b, const struct place *p, const struct setting *t)
{
    const struct key_row *row = schema_key(p->kind, t->key);
    struct origin at = keep_origin(b, t);

    if (row == NULL) {
        char *hint = schema_key_hint(p->kind, t->key);
        /* Whatever it is, it may be a secret. */
        struct diag_at where = { at, p->head->title, t->key, NULL };
        build_error(b, where, hint, "unknown key");
        free(hint);
        return;
    }
    if (!may_set(b, p->head, row, t, at))
        return;

    struct span text = str_trim(str_span(t->value)), item;
    if (text.len > 0 && (row->type == TYPE_REF_STORE || row->type == TYPE_REF_TRUST
                         || row->type == TYPE_REF_UPSTREAM))
        add_ref(b, p->head, row, t->value);
    else if (row->flags & ROW_COMMA)
        while (str_next(&text, ',', &item))
            parse_one(b, p->head, row, item, at);
    else
        parse_one(b, p->head, row, text, at);
}

void build_value(const struct key_row *row, struct conf_head *h, const char *value)
{
    struct refusal unused = { ERR_INIT, ERR_INIT, false };
    struct span text = { value, strlen(value) }, item;

    type_clear(row, type_field(row, h));
    while (str_next(&text, row->flags & ROW_COMMA ? ',' : '\0', &item))
        type_parse(row, item, NULL, type_field(row, h), &unused);
}

void build_defaults(enum conf_section s, struct conf_head *h)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (conf_keys[i].section == s && conf_keys[i].def != NULL && h->set[i].file == NULL)
            build_value(&conf_keys[i], h, conf_keys[i].def);
}

static void check_required(struct builder *b, enum conf_section s, const struct conf_head *h)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (conf_keys[i].section == s && conf_keys[i].flags & ROW_REQUIRED
            && h->set[i].file == NULL)
            build_error(b, conf_at(h, (enum conf_key)i, NULL), conf_keys[i].help,
                        "required, and not set");
}

static void complete_sections(struct builder *b)
{
    struct conf_head *h;

    build_defaults(SECTION_PROXY, &b->c->proxy.head);
    for (int s = SECTION_PROXY + 1; s < SECTION_COUNT; s++) {
        for (size_t i = 0; (h = build_nth(b->c, (enum conf_section)s, i)) != NULL; i++) {
            build_defaults((enum conf_section)s, h);
            check_required(b, (enum conf_section)s, h);
        }
    }
}

struct conf *conf_build(const struct settings *s, struct diags *d)
{
    struct builder b = { .c = mem_zalloc(sizeof(struct conf)), .d = d };
    struct place p = { 0 };

    build_section(&b, SECTION_PROXY, "", (struct origin){ 0 });
    for (size_t i = 0; i < s->n; i++) {
        go_to(&b, &s->v[i], &p);
        if (s->v[i].key != NULL && p.head != NULL)
            set_key(&b, &p, &s->v[i]);
    }
    complete_sections(&b);
    build_refs(&b);

    for (size_t i = 0; i < b.nrefs; i++)
        free(b.refs[i].value);
    free(b.refs);
    free(b.refused);
    names_free(&b.by_addr);
    for (int i = 0; i < SECTION_COUNT; i++)
        names_free(&b.by_name[i]);
    if (d->errors == 0)
        return b.c;
    conf_free(b.c);
    return NULL;
}
