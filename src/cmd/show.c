/*
 * show: what is in a file of keys and certificates, for people or as JSON.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/expiry.h"
#include "app/privs.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/show_print.h"
#include "conf/conf.h"
#include "conf/file.h"
#include "conf/types.h"
#include "conf/wording.h"
#include "tls/certinfo.h"
#include "tls/describe.h"

static const enum conf_key keys[] = { KEY_STORE_PASSWORD_FILE, KEY_STORE_KEY_PASSWORD_FILE };

static const struct option_rules rules = {
    .verb = "show",
    .args = "FILE...",
    .summary = "Says what is in a file of keys and certificates, and what is wrong with it; - is\n"
               "standard input. Exit code 0: it could be read, 1: not, or not all of it. No\n"
               "password is asked for: a key that stays closed is shown as that.",
    .min_args = 1,
    .max_args = UINT_MAX,
    .json = true,
    .only = keys,
    .nonly = sizeof(keys) / sizeof(keys[0]),
};

/* --- what ends soon --- */

static int64_t default_warn_before_s(void)
{
    const struct key_row *row = &conf_keys[KEY_STORE_WARN_BEFORE];
    struct refusal unused = { ERR_INIT, ERR_INIT, false };
    uint64_t ms = 0;

    type_parse(row, str_span(row->def), NULL, &ms, &unused);
    return (int64_t)(ms / 1000u);
}

/* A certificate may be in the chains of several keys. */
static bool is_first(const struct listing *l, const struct fact *f)
{
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->v[i].nfacts; k++)
            if (strcmp(l->v[i].facts[k].sha256, f->sha256) == 0)
                return &l->v[i].facts[k] == f;
    return true;
}

static void warn_of_end(const char *path, const struct listing *l, const struct fact *f,
                        int64_t warn_before_s, int64_t now, struct diags *d)
{
    char date[DATE_TEXT_MAX], when[DATE_TEXT_MAX];
    bool list = f->kind == FACT_CRL;

    if (expiry_state(f, warn_before_s, now) != EXPIRY_DUE || !is_first(l, f))
        return;
    diag_add(d, DIAG_WARNING, (struct diag_at){ 0 }, list ? "get the CA's newest CRL" : "renew it",
             "%s: %s%s %s %s (%s)", path, list ? "the CRL of " : "", f->name,
             list ? "has to be replaced" : "expires", distance_text(f->not_after, now, when),
             date_text(f->not_after, date));
}

/* As the log does while it is served, by the default of warn_before; what has ended already
   was told by who read it. */
static void warn_of_ends(const char *path, const struct listing *l, int64_t now, struct diags *d)
{
    int64_t warn_before_s = default_warn_before_s();

    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < l->v[i].nfacts; k++)
            warn_of_end(path, l, &l->v[i].facts[k], warn_before_s, now, d);
}

/* --- the verb --- */

/* What was given for one of `keys`; NULL: nothing. */
static const char *given(const struct invocation *inv, const char *key)
{
    for (size_t i = 0; i < inv->overrides.n; i++) {
        const struct setting *s = &inv->overrides.v[i];
        if (s->key != NULL && strcmp(s->key, key) == 0)
            return s->value;
    }
    return NULL;
}

static bool read_password(const char *spec, struct file *out, const char **password)
{
    struct diag_at where = { { ORIGIN_COMMAND_LINE, 0 }, NULL, NULL, NULL };
    struct diags d = { 0 };
    bool ok = spec == NULL || file_password(spec, where, out, &d) == 0;

    diags_print(&d, stderr);
    diags_free(&d);
    *password = (const char *)out->data;
    return ok;
}

static bool show(const char *path, const struct passwords *pw, bool json)
{
    struct diags d = { 0 };
    struct listing l = { 0 };
    struct file f = { 0 };
    int64_t now = (int64_t)time(NULL);

    int rc = strcmp(path, "-") == 0 ? file_read_stdin((struct diag_at){ 0 }, &f, &d)
                                    : file_read(path, (struct diag_at){ 0 }, &f, &d);
    if (rc == 0) {
        describe(&(struct tls_input){ .path = f.path, .data = f.data, .len = f.len,
                                      .time = f.time }, pw, now, &l, &d);
        warn_of_ends(f.path, &l, now, &d);
    }
    wording_flags(&d, keys, rules.nonly);
    if (json)
        show_json(path, &l, &d);
    else
        show_text(rc == 0 ? f.path : path, &l, &d, now);
    bool ok = d.errors == 0;
    listing_free(&l);
    file_free(&f);
    diags_free(&d);
    return ok;
}

int cmd_show(int argc, char **argv)
{
    struct invocation inv;
    struct file store = { 0 }, key = { 0 };
    struct passwords pw = { 0 };
    int rc = options_parse(argc, argv, &rules, &inv);
    bool ok;

    if (rc >= 0)
        return rc;
    privs_harden();             /* keys and passwords are about to be read */
    ok = read_password(given(&inv, "password_file"), &store, &pw.store);
    ok &= read_password(given(&inv, "key_password_file"), &key, &pw.key);
    for (size_t i = 0; i < inv.nargs && ok; i++) {
        if (i > 0 && !inv.json)
            putchar('\n');
        if (!show(inv.args[i], &pw, inv.json))
            rc = EXIT_FAILED;
    }
    file_free(&store);
    file_free(&key);
    invocation_free(&inv);
    return ok && rc < 0 ? EXIT_OK : EXIT_FAILED;
}
