/* certs: which certificate for which server name. */
#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "handshake.h"
#include "tls/certs.h"

#define MANY 8

struct store {
    struct made made[MANY];
    struct pack records;
    struct pair_cache *cache;
    struct certs *certs;
};

/* One certificate a row: "name san key", san "-" for none; how many days each lives. */
static struct store store_living(const char *const rows[][3], const long *days, size_t n)
{
    static const struct pair_unit unit = { .name = "", .files = "" };
    struct store s = { .cache = pair_cache_new(CERTS_TYPES) };
    struct err e = ERR_INIT;

    for (size_t i = 0; i < n; i++) {
        struct cert_spec spec = { .cn = rows[i][0], .san = rows[i][1], .key = rows[i][2],
                                  .from = -3600, .until = days[i] * 86400 };
        struct diags d = { 0 };
        struct keymats mats;
        s.made[i] = make_cert(&spec);
        char *pem = join(pem_cert(s.made[i].x), pem_key(s.made[i].key));
        struct tls_input in = input_text("pair.pem", pem);
        cr_assert_eq(load_files(&in, 1, NULL, 0, NULL, &mats, &d), 0);
        pairs_put(&s.records, &unit, &mats.v[0], "facts", 5);
        keymats_free(&mats);
        diags_free(&d);
        free(pem);
    }
    s.certs = certs_new(s.records.p, s.records.len, s.cache, &e);
    cr_assert_not_null(s.certs, "%s", e.text);
    cr_assert_eq(certs_count(s.certs), n);
    return s;
}

/* Each a little shorter than the one before. */
static struct store store_of(const char *const rows[][3], size_t n)
{
    static const long days[MANY] = { 18, 17, 16, 15, 14, 13, 12, 11 };

    return store_living(rows, days, n);
}

static void store_free(struct store *s)
{
    certs_free(s->certs);
    pair_cache_unref(s->cache);
    pack_free(&s->records);
    for (size_t i = 0; i < MANY; i++)
        made_free(&s->made[i]);
}

/* The rows that a name gets, as digits: "02". */
static const char *rows_for(struct store *s, const char *name, char out[MANY + 1])
{
    struct keypair *found[CERTS_TYPES];
    struct err e = ERR_INIT;
    size_t n = certs_find(s->certs, name, found, &e), len = 0;

    cr_assert_gt(n, 0, "%s", e.text);
    for (size_t i = 0; i < MANY; i++)
        for (size_t k = 0; k < n; k++)
            if (s->made[i].x != NULL && X509_cmp(found[k]->leaf, s->made[i].x) == 0)
                out[len++] = (char)('0' + i);
    out[len] = '\0';
    return out;
}

static const char *const shop[][3] = {
    { "first", "DNS:first.example, DNS:www.first.example", "EC" },
    { "second", "DNS:second.example", "EC" },
    { "second rsa", "DNS:second.example", "RSA" },
    { "wild", "DNS:*.example.com, DNS:example.com", "EC" },
    { "exact", "DNS:a.example.com", "EC" },
    { "deep", "DNS:*.b.example.com", "EC" },
    { "cn.example", NULL, "EC" },
    { "second again", "DNS:second.example", "EC" },
};

Test(certs, exact_then_wildcard_then_default)
{
    static const char *const expected[][2] = {
        { "first.example", "0" },       { "www.first.example", "0" },
        { "FIRST.Example", "0" },       { "first.example.", "0" },
        { "second.example", "12" },     /* one of each key type, the first of two */
        { "example.com", "3" },         { "x.example.com", "3" },
        { "a.example.com", "4" },       /* exact wins over the wildcard */
        { "x.y.example.com", "0" },     /* a wildcard stands for one label */
        { "x.b.example.com", "5" },     { "b.example.com", "3" },
        { "cn.example", "6" },          /* no alternative name: the common name */
        { "nobody.example", "0" },      { "", "0" },
        { ".example.com", "0" },        { "*.example.com", "3" },
    };
    struct store s = store_of(shop, 8);
    char rows[MANY + 1];

    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        cr_expect_str_eq(rows_for(&s, expected[i][0], rows), expected[i][1], "%s: %s",
                         expected[i][0], rows);
    cr_expect_str_eq(rows_for(&s, NULL, rows), "0");
    char endless[400];
    memset(endless, 'a', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    cr_expect_str_eq(rows_for(&s, endless, rows), "0");
    store_free(&s);
}

Test(certs, the_default_serves_every_key_type_of_its_name)
{
    static const char *const both[][3] = {
        { "a", "DNS:a.example, DNS:b.example", "EC" },
        { "other", "DNS:other.example", "RSA" },
        { "a rsa", "DNS:a.example", "RSA" },
    };
    static const char *const bare[][3] = {
        { "no name", NULL, "EC" }, { "none either", NULL, "RSA" },
    };
    struct store s = store_of(both, 3), t = store_of(bare, 2);
    uint8_t id[PAIR_ID], other[PAIR_ID];
    char rows[MANY + 1];

    cr_expect_str_eq(rows_for(&s, NULL, rows), "02");
    cr_expect_str_eq(rows_for(&s, "b.example", rows), "0");
    cr_expect_str_eq(rows_for(&t, NULL, rows), "01");
    certs_default_id(s.certs, id);
    certs_default_id(t.certs, other);
    cr_expect_neq(memcmp(id, other, sizeof(id)), 0);
    store_free(&s);
    store_free(&t);
}

Test(certs, of_two_for_one_name_the_one_that_is_valid_longer)
{
    static const char *const rows[][3] = {
        { "old", "DNS:a.example, DNS:b.example, DNS:c.example", "EC" },
        { "renewed", "DNS:a.example, DNS:b.example", "EC" },
        { "rsa", "DNS:a.example", "RSA" },
        { "older", "DNS:b.example", "EC" },
        { "longest of another key", "DNS:c.example", "RSA" },
    };
    static const long days[] = { 5, 50, 7, 2, 90 };
    struct store s = store_living(rows, days, 5);
    char found[MANY + 1];
    struct certs_hidden h;

    cr_expect_str_eq(rows_for(&s, "a.example", found), "12");
    cr_expect_str_eq(rows_for(&s, "b.example", found), "1");
    cr_expect_str_eq(rows_for(&s, "c.example", found), "04");
    cr_expect_str_eq(rows_for(&s, NULL, found), "12", "the first name of the first: %s", found);
    cr_expect_eq(certs_names(s.certs), 3u);
    cr_expect_eq(certs_default(s.certs), 1u);

    cr_assert(certs_next_hidden(s.certs, 0, &h));
    cr_expect(h.pair == 0 && h.by == 1 && h.n == 2 && !h.wholly);
    cr_expect(h.name.len == 9 && memcmp(h.name.p, "a.example", 9) == 0);
    cr_assert(certs_next_hidden(s.certs, 1, &h));
    cr_expect(h.pair == 3 && h.by == 1 && h.n == 1 && h.wholly);
    cr_expect_not(certs_next_hidden(s.certs, 4, &h));
    store_free(&s);
}

Test(certs, of_two_that_live_equally_long_the_first)
{
    struct store s = store_of(shop, 1);
    struct unpack u = { s.records.p, s.records.len, false };
    struct pack twice = { 0 };
    struct pair p;
    struct err e = ERR_INIT;
    struct certs_hidden h;

    cr_assert(pairs_next(&u, &p));
    pairs_copy(&twice, &p);
    pairs_copy(&twice, &p);
    struct certs *c = certs_new(twice.p, twice.len, s.cache, &e);
    cr_expect(certs_next_hidden(c, 0, &h) && h.pair == 1 && h.by == 0 && h.wholly);
    cr_expect_eq(certs_default(c), 0u);
    certs_free(c);
    pack_free(&twice);
    store_free(&s);
}

Test(certs, nothing_is_hidden_where_each_has_its_name)
{
    struct store s = store_of(shop, 7);
    struct certs_hidden h;

    cr_expect_not(certs_next_hidden(s.certs, 0, &h));
    store_free(&s);
}

/* What a client that asks for `name` is shown. */
static int shown(struct store *s, const char *name, const char *sigalgs)
{
    struct keypair *standard[CERTS_TYPES];
    struct err e = ERR_INIT;
    size_t n = certs_find(s->certs, NULL, standard, &e);
    struct tls_policy p = policy();
    struct tls_ctx *ctx = server_ctx(&p, standard, n);
    SSL_CTX *client = client_ctx(0, 0);
    struct meeting m;
    int row = -1;

    /* These are macros that cast a const away. */
    char *list = mem_strdup(sigalgs != NULL ? sigalgs : ""), *host = mem_strdup(name ? name : "");
    if (sigalgs != NULL)
        cr_assert_eq(SSL_CTX_set1_sigalgs_list(client, list), 1);
    meet(&m, ctx, client);
    SSL_set_cert_cb(m.server, certs_choose, s->certs);
    if (name != NULL)
        SSL_set_tlsext_host_name(m.client, host);
    if (meet_run(&m) && m.secured)
        for (int i = 0; i < MANY; i++)
            if (s->made[i].x != NULL
                && X509_cmp(SSL_get0_peer_certificate(m.client), s->made[i].x) == 0)
                row = i;
    meet_free(&m);
    SSL_CTX_free(client);
    tls_ctx_unref(ctx);
    free(list);
    free(host);
    return row;
}

Test(certs, a_handshake_shows_what_was_asked_for)
{
    struct store s = store_of(shop, 8);

    cr_expect_eq(shown(&s, NULL, NULL), 0);
    cr_expect_eq(shown(&s, "first.example", NULL), 0);
    cr_expect_eq(shown(&s, "a.example.com", NULL), 4);
    cr_expect_eq(shown(&s, "x.example.com", NULL), 3);
    cr_expect_eq(shown(&s, "second.example", "ECDSA+SHA256"), 1);
    cr_expect_eq(shown(&s, "second.example", "RSA-PSS+SHA256:RSA+SHA256"), 2);
    cr_expect_eq(shown(&s, "first.example", "RSA-PSS+SHA256"), -1);
    store_free(&s);
}

Test(certs, the_cache_is_bounded_and_forgets_what_a_reload_left_behind)
{
    struct store s = store_of(shop, 8);
    struct keypair *out[CERTS_TYPES], *again[CERTS_TYPES];
    struct err e = ERR_INIT;

    /* more names than it has room for, twice round */
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 8; i++) {
            const char *name = round == 0 ? "a.example.com" : "x.example.com";
            char other[32];
            snprintf(other, sizeof(other), "%s", i % 2 ? "first.example" : name);
            cr_assert_eq(certs_find(s.certs, other, out, &e), 1);
        }
    cr_assert_eq(certs_find(s.certs, "a.example.com", out, &e), 1);
    cr_assert_eq(certs_find(s.certs, "a.example.com", again, &e), 1);
    cr_expect_eq(out[0], again[0]);
    pair_cache_age(s.cache);
    cr_assert_eq(certs_find(s.certs, "a.example.com", again, &e), 1);
    cr_expect_eq(out[0], again[0]);     /* in use: it stays */
    store_free(&s);
}

Test(certs, damaged_records_are_refused)
{
    struct store s = store_of(shop, 3);
    struct err e = ERR_INIT;

    cr_expect_null(certs_new(NULL, 0, s.cache, &e));
    for (size_t cut = 1; cut < s.records.len; cut += 7) {
        struct certs *c = certs_new(s.records.p, cut, s.cache, &e);
        if (c != NULL) {        /* cut between two records */
            cr_expect_lt(certs_count(c), 3);
            certs_free(c);
        }
    }
    store_free(&s);
}

/* Nobody asks for the second before a client does, and then it is too late to say so. */
Test(certs, each_pair_is_proved_for_the_context)
{
    static const char *const rows[][3] = {
        { "strong", "DNS:strong.example", "EC" }, { "weak", "DNS:weak.example", "RSA1024" },
    };
    struct store s = store_of(rows, 2);
    struct tls_policy p = policy();
    struct keypair *standard[CERTS_TYPES];
    struct err e = ERR_INIT;
    struct diags d = { 0 };

    for (int lax = 0; lax < 2; lax++) {
        p.ciphers = lax ? "DEFAULT@SECLEVEL=0" : "DEFAULT@SECLEVEL=2";
        size_t n = certs_find(s.certs, NULL, standard, &e);
        struct tls_ctx *ctx = server_ctx(&p, standard, n);
        cr_expect_eq(certs_check(s.certs, &p, ctx, &d), lax ? 0 : -1);
        tls_ctx_unref(ctx);
    }
    cr_assert_eq(d.n, 1u);
    cr_expect_not_null(strstr(d.v[0].message, "CN=weak"), "%s", d.v[0].message);
    diags_free(&d);
    store_free(&s);
}
