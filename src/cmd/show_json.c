/* show, for programs. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cmd/show_print.h"

static const char *const kinds[] = {
    [ITEM_KEY] = "key", [ITEM_CERTIFICATE] = "certificate", [ITEM_TRUSTED] = "trusted",
    [ITEM_CRL] = "crl", [ITEM_REQUEST] = "request", [ITEM_SECRET] = "secret",
    [ITEM_OTHER] = "other",
};

static void put_names(struct json *j, const char *names)
{
    struct span rest = { names, names != NULL ? strlen(names) : 0 }, item;

    json_array(j, "names", JSON_LINE);
    while (rest.len > 0 && str_next(&rest, ',', &item)) {
        char *name = mem_strndup(item.p, item.len);
        json_escaped(j, NULL, name);
        free(name);
    }
    json_end(j);
}

static void put_fact(struct json *j, const struct fact *f)
{
    json_object(j, NULL, JSON_LINES);
    json_escaped(j, "subject", f->subject);
    json_escaped(j, "issuer", f->issuer);
    json_text(j, "serial", f->serial);
    put_names(j, f->names);
    json_time(j, "not_before", f->not_before);
    json_time(j, "not_after", f->not_after);
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
    json_escaped(j, "alias", e->alias);
    json_text(j, "kind", kinds[e->kind]);
    json_text(j, "what", e->what);
    json_text(j, "key", e->key);
    json_bool(j, "encrypted", e->encrypted);
    if (e->kind == ITEM_REQUEST)
        json_escaped(j, "subject", e->subject);
    if (e->kind == ITEM_CRL)
        json_number(j, "revoked", (int64_t)e->revoked);
    json_array(j, "chain", JSON_LINES);
    for (size_t i = 0; i < e->nfacts; i++)
        put_fact(j, &e->facts[i]);
    json_end(j);
    json_end(j);
}

void show_json(const char *file, const struct listing *l, struct diags *d)
{
    struct json j = { .out = stdout };

    for (size_t i = 0; i < d->n; i++)
        if (d->v[i].file == NULL)
            d->v[i].file = mem_strdup(file);

    json_object(&j, NULL, JSON_LINES);
    json_text(&j, "file", file);
    json_text(&j, "form", l->form != NULL ? form_name(l->form) : NULL);
    json_array(&j, "entries", JSON_LINES);
    for (size_t i = 0; i < l->n; i++)
        put_entry(&j, &l->v[i]);
    json_end(&j);
    diags_put_json(d, &j, "findings");
    json_end(&j);
}
