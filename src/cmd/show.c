/*
 * show: what is in a file of keys and certificates, for people or as JSON.
 *
 * The JSON is a promise (doc/show.md): names, kinds and the case of hexadecimal digits
 * stay as they are; members may be added.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/privs.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "conf/conf.h"
#include "conf/file.h"
#include "tls/certinfo.h"
#include "tls/describe.h"

static const enum conf_key keys[] = { KEY_STORE_PASSWORD_FILE, KEY_STORE_KEY_PASSWORD_FILE };

static const struct option_rules rules = {
    .verb = "show",
    .args = "FILE...",
    .summary = "Says what is in a file of keys and certificates, and what is wrong with it. Exit\n"
               "code 0: it could be read, 1: not, or not all of it. No password is asked for: a\n"
               "key that stays closed is shown as that.",
    .min_args = 1,
    .max_args = UINT_MAX,
    .json = true,
    .only = keys,
    .nonly = sizeof(keys) / sizeof(keys[0]),
};

/* --- for people --- */

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void print_dates(const struct fact *f, int64_t now)
{
    bool crl = f->kind == FACT_CRL;
    char from[DATE_TEXT_MAX], until[DATE_TEXT_MAX], near[DATE_TEXT_MAX];
    int64_t edge = f->not_before > now ? f->not_before : f->not_after;

    printf("      %-10s %s to %s", crl ? "in force" : "valid", date_text(f->not_before, from),
           f->not_after != INT64_MAX ? date_text(f->not_after, until) : "whenever");
    if (edge != INT64_MIN && edge != INT64_MAX)
        printf(", %s %s", edge == f->not_before ? "begins" : edge < now ? "ended" : "ends",
               distance_text(edge, now, near));
    putchar('\n');
}

static void print_line(const char *label, const char *text)
{
    if (text != NULL && text[0] != '\0')
        printf("      %-10s %s\n", label, text);
}

static void print_cert(const struct fact *f, int64_t now)
{
    print_line("subject", f->subject[0] != '\0' ? f->subject : "(empty)");
    print_line("issuer", f->self_signed ? "itself (self-signed)" : f->issuer);
    print_line("names", f->names);
    print_line("key", f->key);
    print_dates(f, now);
    print_line("serial", f->serial);
    printf("      %-10s %d%s\n", "version", f->version, f->ca ? ", a CA" : "");
    print_line("sha256", f->sha256);
    printf("      %-10s sha256:%s\n", "pin", f->spki_sha256);
}

static void print_crl(const struct item *e, int64_t now)
{
    const struct fact *f = &e->facts[0];

    print_line("issuer", f->issuer);
    print_line("number", f->serial);
    print_dates(f, now);
    printf("      %-10s %zu certificate%s\n", "revokes", e->revoked, plural(e->revoked));
    print_line("sha256", f->sha256);
}

static void print_entry(const struct item *e, size_t number, int64_t now)
{
    printf("\n[%zu] %s", number, e->what);
    if (e->kind == ITEM_KEY && e->nfacts > 1)
        printf(" with a chain of %zu certificates", e->nfacts);
    else if (e->kind == ITEM_KEY && e->nfacts == 1)
        printf(" with its certificate");
    putchar('\n');
    print_line("alias", e->alias);
    if (e->kind == ITEM_KEY)
        print_line("key", e->key != NULL ? e->key : "closed: no password was given that opens it");
    if (e->kind == ITEM_REQUEST) {
        print_line("subject", e->subject);
        print_line("key", e->key);
    }
    if (e->kind == ITEM_CRL) {
        print_crl(e, now);
        return;
    }
    for (size_t i = 0; i < e->nfacts; i++) {
        if (e->kind == ITEM_KEY)
            printf("   %zu. %s\n", i + 1, e->facts[i].name);
        print_cert(&e->facts[i], now);
    }
}

static void print_text(const char *path, const struct listing *l, const struct diags *d,
                       int64_t now)
{
    if (l->form != NULL)
        printf("%s: %s, %zu entr%s\n", path, l->form, l->n, l->n == 1 ? "y" : "ies");
    for (size_t i = 0; i < l->n; i++)
        print_entry(&l->v[i], i + 1, now);
    if (l->form != NULL && d->n > 0)
        putchar('\n');
    diags_print(d, stdout);
}

/* --- for programs --- */

static const char *const kinds[] = {
    [ITEM_KEY] = "key", [ITEM_CERTIFICATE] = "certificate", [ITEM_TRUSTED] = "trusted",
    [ITEM_CRL] = "crl", [ITEM_REQUEST] = "request", [ITEM_SECRET] = "secret",
    [ITEM_OTHER] = "other",
};

static void put_time(struct json *j, const char *name, int64_t t)
{
    time_t sec = (time_t)t;
    char text[40];
    struct tm tm;
    bool known = t != INT64_MIN && t != INT64_MAX && gmtime_r(&sec, &tm) != NULL
              && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0;

    json_text(j, name, known ? text : NULL);
}

/* Names and aliases are escaped, for who looks at them; a program is given them as they
   are. */
static void put_text(struct json *j, const char *name, const char *escaped)
{
    char *text = escaped != NULL ? str_unescape(mem_strdup(escaped)) : NULL;

    json_text(j, name, text);
    free(text);
}

static void put_names(struct json *j, const char *names)
{
    struct span rest = { names, names != NULL ? strlen(names) : 0 }, item;

    json_array(j, "names", JSON_LINE);
    while (rest.len > 0 && str_next(&rest, ',', &item)) {
        char *name = mem_strndup(item.p, item.len);
        put_text(j, NULL, name);
        free(name);
    }
    json_end(j);
}

static void put_fact(struct json *j, const struct fact *f)
{
    json_object(j, NULL, JSON_LINES);
    put_text(j, "subject", f->subject);
    put_text(j, "issuer", f->issuer);
    json_text(j, "serial", f->serial);
    put_names(j, f->names);
    put_time(j, "not_before", f->not_before);
    put_time(j, "not_after", f->not_after);
    json_text(j, "key", f->key);
    json_text(j, "sha256", f->sha256);
    json_text(j, "spki_sha256", f->spki_sha256);
    json_bool(j, "ca", f->ca);
    json_bool(j, "self_signed", f->self_signed);
    json_number(j, "version", f->version);
    json_end(j);
}

static const struct {
    const char *words, *name;
} forms[] = {
    { "PEM", "pem" }, { "DER", "der" }, { "PKCS#12", "pkcs12" }, { "JKS", "jks" },
    { "JCEKS", "jceks" },
};

static const char *form_name(const char *words)
{
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (strcmp(forms[i].words, words) == 0)
            return forms[i].name;
    return words;
}

static void put_entry(struct json *j, const struct item *e)
{
    json_object(j, NULL, JSON_LINES);
    put_text(j, "alias", e->alias);
    json_text(j, "kind", kinds[e->kind]);
    json_text(j, "what", e->what);
    json_text(j, "key", e->key);
    json_bool(j, "encrypted", e->encrypted);
    if (e->kind == ITEM_REQUEST)
        put_text(j, "subject", e->subject);
    if (e->kind == ITEM_CRL)
        json_number(j, "revoked", (int64_t)e->revoked);
    json_array(j, "chain", JSON_LINES);
    for (size_t i = 0; i < e->nfacts; i++)
        put_fact(j, &e->facts[i]);
    json_end(j);
    json_end(j);
}

static void print_json(const char *path, const struct listing *l, const struct diags *d)
{
    struct json j = { .out = stdout };

    json_object(&j, NULL, JSON_LINES);
    json_text(&j, "file", path);
    json_text(&j, "form", l->form != NULL ? form_name(l->form) : NULL);
    json_array(&j, "entries", JSON_LINES);
    for (size_t i = 0; i < l->n; i++)
        put_entry(&j, &l->v[i]);
    json_end(&j);
    diags_put_json(d, &j, "findings");
    json_end(&j);
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

    if (file_read(path, (struct diag_at){ 0 }, &f, &d) == 0)
        describe(&(struct tls_input){ .path = path, .data = f.data, .len = f.len,
                                      .time = f.time }, pw, now, &l, &d);
    if (json)
        print_json(path, &l, &d);
    else
        print_text(path, &l, &d, now);
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
