#include "app/edition.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/bundle.h"
#include "conf/settings.h"

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

void edition_changes(const struct edition *before, const struct edition *after,
                     struct inventory *was, struct inventory *is)
{
    struct err e = ERR_INIT;
    struct bundle *b = bundle_map(before->bundle_fd, &e), *a = bundle_map(after->bundle_fd, &e);

    *was = *is = (struct inventory){ 0 };
    if (b != NULL && a != NULL)
        (void)inventory_changes(b, a, was, is);
    bundle_free(b);
    bundle_free(a);
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
