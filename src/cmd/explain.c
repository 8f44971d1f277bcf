#include "cmd/explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/loader.h"
#include "app/privs.h"
#include "base/mem.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "conf/file.h"
#include "conf/schema.h"
#include "conf/wording.h"

enum { OWN_LISTEN, OWN_SNI, OWN_ALPN, OWN_FROM, OWN_CERT, OWN_PASSWORD };

static const struct option_own own[] = {
    [OWN_LISTEN] = { "--listen", "ADDRESS",
                     "where the client connects to; not needed where there is one address only" },
    [OWN_SNI] = { "--sni", "NAME", "the server name that it asks for (default none)" },
    [OWN_ALPN] = { "--alpn", "LIST", "the protocols that it offers, with commas (default none)" },
    [OWN_FROM] = { "--from", "IP", "where it comes from" },
    [OWN_CERT] = { "--cert", "FILE",
                   "its certificate with the chain that it sends, as PEM, DER, PKCS#12 or JKS" },
    [OWN_PASSWORD] = { "--password-file", "FILE", "the password of that file" },
};

static const struct option_rules rules = {
    .verb = "explain",
    .args = "",
    .summary = "Says what becomes of a client: which route it comes to and why, which certificate\n"
               "it is shown, whether it is admitted, and where it is taken. Reads the\n"
               "configuration and every file it names exactly as serve would; opens no socket.\n"
               "Exit code 0: admitted, 1: refused, or the configuration is bad.",
    .configuration = true,
    .json = true,
    .own = own,
    .nown = sizeof(own) / sizeof(own[0]),
};

/* What was asked, in memory of its own. */
struct question {
    struct trial_ask ask;
    struct addr listen;         /* len 0: the only one */
    uint8_t alpn[512];          /* as long as what a route is chosen by (proto/hello.h) */
    struct peer from;
    struct peer_file client;
};

static struct diag_at at_flag(const struct invocation *inv, size_t i)
{
    return (struct diag_at){ { ORIGIN_COMMAND_LINE, 0 }, NULL, own[i].flag, inv->own[i] };
}

static struct span text_of(const struct invocation *inv, size_t i)
{
    const char *s = inv->own[i] != NULL ? inv->own[i] : "";

    return str_span(s);
}

static void read_alpn(struct question *q, const struct invocation *inv, struct diags *d)
{
    struct span rest = text_of(inv, OWN_ALPN), item;
    size_t n = 0;

    while (rest.len > 0 && str_next(&rest, ',', &item)) {
        if (item.len == 0 || item.len > 255 || n + item.len + 1 > sizeof(q->alpn)) {
            diag_add(d, DIAG_ERROR, at_flag(inv, OWN_ALPN), NULL,
                     "names of 1 to 255 bytes, all together at most %zu", sizeof(q->alpn));
            return;
        }
        q->alpn[n] = (uint8_t)item.len;
        memcpy(q->alpn + n + 1, item.p, item.len);
        n += 1 + item.len;
    }
    q->ask.alpn = q->alpn;
    q->ask.alpn_len = n;
}

static void read_from(struct question *q, const struct invocation *inv, struct diags *d)
{
    struct err unused = ERR_INIT;
    struct cidr c;

    if (inv->own[OWN_FROM] == NULL)
        return;
    if (cidr_parse(text_of(inv, OWN_FROM), &c, &unused) != 0) {
        diag_add(d, DIAG_ERROR, at_flag(inv, OWN_FROM), NULL, "not a numeric address");
    } else if (c.bits != (c.family == AF_INET ? 32 : 128)) {
        diag_add(d, DIAG_ERROR, at_flag(inv, OWN_FROM), NULL, "one address, not a network");
    } else {
        q->from = (struct peer){ .family = c.family };
        memcpy(q->from.ip, c.ip, sizeof(c.ip));
        q->ask.from = &q->from;
    }
}

static void read_client(struct question *q, const struct invocation *inv, struct diags *d)
{
    const char *path = inv->own[OWN_CERT], *spec = inv->own[OWN_PASSWORD];
    struct file f = { 0 }, password = { 0 };
    int rc = spec != NULL ? file_password(spec, at_flag(inv, OWN_PASSWORD), &password, d) : 0;

    if (rc == 0 && path != NULL && file_read(path, at_flag(inv, OWN_CERT), &f, d) == 0) {
        struct tls_input in = { .path = path, .data = f.data, .len = f.len, .time = f.time,
                                .where = at_flag(inv, OWN_CERT) };
        if (peer_file_read(&in, (const char *)password.data, &q->client, d) == 0)
            q->ask.client = &q->client;
    }
    file_free(&password);
    file_free(&f);
}

static void read_question(struct question *q, const struct invocation *inv, struct diags *d)
{
    struct err e = ERR_INIT;
    struct span name = text_of(inv, OWN_SNI);

    if (inv->own[OWN_LISTEN] != NULL && addr_parse(text_of(inv, OWN_LISTEN), &q->listen, &e) != 0)
        diag_add(d, DIAG_ERROR, at_flag(inv, OWN_LISTEN), NULL, "%s", e.text);
    if (name.len > DNS_NAME_MAX)
        diag_add(d, DIAG_ERROR, at_flag(inv, OWN_SNI), NULL, "a name has at most %d bytes",
                 DNS_NAME_MAX);
    q->ask.name = name.len > 0 ? name.p : NULL;
    read_alpn(q, inv, d);
    read_from(q, inv, d);
    read_client(q, inv, d);
}

/* The one that is meant, or NULL and a finding. */
static const struct snap_listener *find_listener(const struct snapshot *s,
                                                 const struct question *q,
                                                 const struct invocation *inv, struct diags *d)
{
    const struct conf *c = s->conf;
    const struct conf_listener *l = NULL;

    if (q->listen.len > 0)
        l = conf_listener_reached(c, &q->listen);
    else if (c->nlisteners == 1)
        l = c->listeners[0];
    if (l != NULL)
        return &s->listeners[l->head.index];
    const char **names = mem_zalloc(c->nlisteners * sizeof(names[0]));
    for (size_t i = 0; i < c->nlisteners; i++)
        names[i] = c->listeners[i]->head.name;
    char *hint = inv->own[OWN_LISTEN] != NULL
                     ? schema_hint(inv->own[OWN_LISTEN], names, c->nlisteners) : NULL;
    diag_add(d, DIAG_ERROR, at_flag(inv, OWN_LISTEN), hint,
             q->listen.len > 0 ? "no route listens there"
                               : "which one? routes listen on several addresses");
    free(hint);
    free(names);
    return NULL;
}

/* The exit code. Findings about the configuration go to `bad`, about the flags to d. */
static int judge(const struct invocation *inv, const struct question *q, struct diags *d,
                 struct diags *bad)
{
    struct load_plan plan = { .config_path = inv->config_path, .overrides = &inv->overrides };
    struct bundle *b = loader_build(&plan, bad);
    struct snapshot *s = b != NULL ? snapshot_build(b, NULL, bad) : NULL;
    const struct snap_listener *l = s != NULL ? find_listener(s, q, inv, d) : NULL;
    struct err e = ERR_INIT;
    struct trial t;
    int rc = EXIT_FAILED;

    if (s != NULL && l == NULL) {
        rc = EXIT_USAGE;
    } else if (l != NULL && trial_run(s, l, &q->ask, &t, &e) != 0) {
        diag_add(bad, DIAG_ERROR, (struct diag_at){ 0 }, NULL, "%s", e.text);
    } else if (l != NULL) {
        struct explanation x = { l, &q->ask, &t };
        (inv->json ? explain_json : explain_text)(&x);
        rc = t.refused ? EXIT_FAILED : EXIT_OK;
    }
    snapshot_retire(s);
    bundle_free(b);
    return rc;
}

int cmd_explain(int argc, char **argv)
{
    struct invocation inv;
    struct question q = { .listen.len = 0 };
    struct diags d = { 0 }, bad = { 0 };
    const enum conf_key password[] = { KEY_STORE_PASSWORD_FILE };
    int rc = options_parse(argc, argv, &rules, &inv);

    if (rc >= 0)
        return rc;
    privs_harden();             /* keys and passwords are about to be read */
    read_question(&q, &inv, &d);
    rc = d.errors > 0 ? EXIT_USAGE : judge(&inv, &q, &d, &bad);
    wording_flags(&d, password, 1);
    diags_print(&d, stderr);
    if (bad.errors > 0)         /* else there are warnings at most, and `check` tells them */
        diags_print(&bad, stderr);
    peer_file_free(&q.client);
    diags_free(&d);
    diags_free(&bad);
    invocation_free(&inv);
    return rc;
}
