#include "app/edition.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/inventory_diff.h"
#include "app/memfile.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/bundle.h"
#include "conf/settings.h"
#include "tls/ticket.h"

/* The workers' copy of the bundle is mapped only for as long as this takes: the
   master has no use for the keys in it. */
static struct conf *conf_in(int fd, struct diags *d)
{
    struct err e = ERR_INIT;
    struct settings s = { 0 };
    struct conf *c = NULL;
    size_t len = 0;

    struct bundle *b = bundle_map(fd, &e);
    const uint8_t *bytes = b ? bundle_get(b, &len, "settings") : NULL;
    if (b == NULL)
        diag_add(d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "the loader's bundle: %s", e.text);
    else if (bytes == NULL || settings_unpack(bytes, len, &s) != 0)
        diag_add(d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "the loader's bundle is damaged");
    else
        c = conf_build(&s, d);
    settings_free(&s);
    bundle_free(b);
    return c;
}

struct edition *edition_new(int bundle_fd, uint64_t generation, struct diags *d)
{
    struct diags known = { 0 }; /* warnings the loader has told already */
    struct conf *c = conf_in(bundle_fd, &known);

    if (c == NULL) {
        for (size_t i = 0; i < known.n; i++)
            if (known.v[i].level == DIAG_ERROR)
                diag_add(d, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "%s", known.v[i].message);
        diags_free(&known);
        close(bundle_fd);
        return NULL;
    }
    diags_free(&known);

    struct edition *ed = mem_zalloc(sizeof(*ed));
    ed->generation = generation;
    ed->bundle_fd = bundle_fd;
    ed->conf = c;
    return ed;
}

void edition_free(struct edition *ed)
{
    if (ed == NULL)
        return;
    edition_unbind(ed);
    conf_free(ed->conf);
    close(ed->bundle_fd);
    free(ed);
}

int edition_bind(struct edition *ed, const struct edition *running, size_t nworkers,
                 struct diags *d)
{
    ed->sockets = listen_set_open(running ? running->sockets : NULL, ed->conf, nworkers, d);
    return ed->sockets != NULL ? 0 : -1;
}

void edition_unbind(struct edition *ed)
{
    listen_set_free(ed->sockets);
    ed->sockets = NULL;
}

void edition_inventory(const struct edition *ed, struct inventory *out)
{
    struct err e = ERR_INIT;
    struct bundle *b = bundle_map(ed->bundle_fd, &e);

    *out = (struct inventory){ 0 };
    if (b != NULL)
        (void)inventory_read(b, out);
    bundle_free(b);
}

/* One behind the other, newest first; their number. */
static size_t ticket_keys(const struct bundle *b, const uint8_t **keys)
{
    size_t len = 0;

    *keys = bundle_get(b, &len, "tickets");
    return *keys != NULL ? len / TICKET_SECRET_LEN : 0;
}

static bool has_key(const uint8_t *keys, size_t n, const uint8_t *key)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(keys + i * TICKET_SECRET_LEN, key, TICKET_SECRET_LEN) == 0)
            return true;
    return false;
}

/* Of a ticket key file: how many are new, and whether tickets are sealed with another one. */
static void compare_tickets(const struct bundle *before, const struct bundle *after,
                            const struct conf *c, struct diags *d)
{
    const uint8_t *was, *is;
    size_t nwas = ticket_keys(before, &was), n = ticket_keys(after, &is), new = 0;
    struct diag_at where = { .section = "proxy" };

    if (c->proxy.ticket_keys.n > 0)
        where = conf_at(&c->proxy.head, KEY_PROXY_TICKET_KEYS, c->proxy.ticket_keys.v[0]);
    for (size_t i = 0; i < n; i++)
        new += !has_key(was, nwas, is + i * TICKET_SECRET_LEN);
    if (n == 0 && nwas > 0)
        diag_add(d, DIAG_NOTE, where, NULL, "session ticket keys come from no file any more");
    else if (n > 0 && (n != nwas || memcmp(was, is, n * TICKET_SECRET_LEN) != 0))
        diag_add(d, DIAG_NOTE, where, NULL,
                 "session ticket keys: %zu (before: %zu), %zu new; tickets are sealed with %s", n,
                 nwas, new, has_key(was, nwas > 0 ? 1 : 0, is) ? "the same key" : "another key");
}

void edition_compare(const struct edition *before, const struct edition *after,
                     struct inventory *news, struct diags *d)
{
    struct err e = ERR_INIT;
    struct bundle *b = bundle_map(before->bundle_fd, &e), *a = bundle_map(after->bundle_fd, &e);
    struct inventory was = { 0 };

    *news = (struct inventory){ 0 };
    if (b != NULL && a != NULL) {
        if (inventory_changes(b, a, &was, news))
            inventory_diff(&was, news, d);
        compare_tickets(b, a, after->conf, d);
        inventory_free(&was);
    }
    bundle_free(b);
    bundle_free(a);
}

int edition_settings(const struct edition *ed)
{
    struct err e = ERR_INIT;
    size_t len = 0;
    struct bundle *b = bundle_map(ed->bundle_fd, &e);
    const uint8_t *bytes = b != NULL ? bundle_get(b, &len, "settings") : NULL;
    int fd = bytes != NULL ? memfile_write("settings", bytes, len) : -1;

    bundle_free(b);
    return fd;
}

int edition_facts(const struct edition *ed)
{
    struct inventory inv;
    struct pack k = { 0 };

    edition_inventory(ed, &inv);
    for (size_t i = 0; i < inv.n; i++)
        inventory_pack(inv.v[i].owner, &inv.v[i].fact, &k);
    int fd = memfile_write("facts", k.p, k.len);
    inventory_free(&inv);
    pack_free(&k);
    return fd;
}

struct roster edition_roster(const struct edition *ed)
{
    struct err e = ERR_INIT;
    struct bundle *b = bundle_map(ed->bundle_fd, &e);
    struct roster r = b != NULL ? roster_of(b) : (struct roster){ 0 };

    bundle_free(b);
    return r;
}

void edition_log_listeners(const struct edition *ed)
{
    for (size_t i = 0; i < listen_set_count(ed->sockets); i++) {
        char text[ADDR_TEXT_MAX], message[ADDR_TEXT_MAX + 32];
        struct logline l;

        if (!listen_set_is_new(ed->sockets, i))
            continue;
        addr_text(listen_set_addr(ed->sockets, i), text);
        snprintf(message, sizeof(message), "listening on %s", text);
        logline_begin(&l, LOG_LEVEL_INFO, message);
        if (ed->conf->listeners[i]->nroutes == 1)
            logline_str(&l, "route", ed->conf->listeners[i]->routes[0]->head.name);
        else
            logline_u64(&l, "routes", ed->conf->listeners[i]->nroutes);
        logline_end(&l);
    }
}
