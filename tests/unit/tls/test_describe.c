/* What `show` sees in keystores; PEM and DER are shown by the flow tests. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keystores.h"
#include "tls/describe.h"

/* "key one EC P-256 CN=node1/CN=ca; trusted ca - CN=ca": kind, alias, key, chain. */
static void text_of(const struct listing *l, char *out, size_t cap)
{
    static const char *const kinds[] = {
        [ITEM_KEY] = "key", [ITEM_CERTIFICATE] = "certificate", [ITEM_TRUSTED] = "trusted",
        [ITEM_SECRET] = "secret",
    };
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < l->n; i++) {
        const struct item *e = &l->v[i];
        len += (size_t)snprintf(out + len, cap - len, "%s%s %s %s ", i > 0 ? "; " : "",
                                kinds[e->kind], e->alias != NULL ? e->alias : "-",
                                e->kind != ITEM_KEY ? "-" : e->key != NULL ? e->key : "closed");
        for (size_t k = 0; k < e->nfacts; k++)
            len += (size_t)snprintf(out + len, cap - len, "%s%s", k > 0 ? "/" : "",
                                    e->facts[k].name);
    }
}

/* `error`: what the one error says, NULL: there is none. */
static void shows(const char *name, struct how how, const char *expected, const char *error)
{
    struct tls_input in = keystore(name);
    struct listing l;
    struct diags d = { 0 };
    char text[1024];
    int rc = describe(&in, &(struct passwords){ .store = how.store, .key = how.key }, time(NULL),
                      &l, &d);

    text_of(&l, text, sizeof(text));
    cr_expect_str_eq(text, expected, "%s: %s", name, text);
    cr_expect_eq(rc, error != NULL ? -1 : 0, "%s", name);
    cr_expect_eq(d.errors, error != NULL ? 1 : 0, "%s", name);
    for (size_t i = 0; i < d.n && error != NULL; i++)
        if (d.v[i].level == DIAG_ERROR)
            cr_expect_not_null(strstr(d.v[i].message, error), "%s: %s", name, d.v[i].message);
    listing_free(&l);
    diags_free(&d);
    keystore_free(&in);
}

static const struct how right = { .store = PASS };

Test(describe, a_chain_as_its_entry_has_it)
{
    static const char one[] = "trusted ca - CN=ca; key node1 EC P-256 CN=node1/CN=ca";

    shows("one.jks", right, one, NULL);
    shows("one.jceks", right, one, NULL);
    shows("one.p12", right, "key node1 EC P-256 CN=node1/CN=ca; trusted ca - CN=ca", NULL);
    shows("legacy.p12", right, "key Node1 EC P-256 CN=node1/CN=ca", NULL);
    shows("nomac.p12", right, "key nomac EC P-256 CN=node1", NULL);
}

Test(describe, a_key_whose_chain_was_not_imported)
{
    struct tls_input in = keystore("nomac.p12");
    struct listing l;
    struct diags d = { 0 };

    describe(&in, &(struct passwords){ .store = PASS }, time(NULL), &l, &d);
    bool said = false;
    for (size_t i = 0; i < d.n; i++)
        said |= d.v[i].level == DIAG_NOTE
             && strstr(d.v[i].message, "the file holds no issuer of CN=node1") != NULL
             && strstr(d.v[i].hint, "keytool -importcert -keystore /k/nomac.p12 "
                                    "-alias \"nomac\" -file CHAIN") != NULL;
    cr_assert(said);
    listing_free(&l);
    diags_free(&d);
    keystore_free(&in);
}

Test(describe, trusted_entries)
{
    shows("cas.p12", right, "certificate - - CN=ca", NULL);
    shows("clear.p12", (struct how){ 0 }, "certificate - - CN=ca", NULL);
}

Test(describe, what_is_in_clear_needs_no_password)
{
    static const char one[] = "trusted ca - CN=ca; key node1 closed CN=node1/CN=ca";

    shows("one.jks", (struct how){ 0 }, one, NULL);
    shows("one.jceks", (struct how){ 0 }, one, NULL);
    shows("one.p12", (struct how){ 0 }, "key node1 closed ", "needs a password");
}

Test(describe, keys_with_passwords_of_their_own)
{
    shows("keypass.jks", right, "key node1 closed CN=node1/CN=ca", NULL);
    shows("keypass.jks", (struct how){ .store = PASS, .key = OTHER },
          "key node1 EC P-256 CN=node1/CN=ca", NULL);
    shows("keypass.jks", (struct how){ .key = OTHER }, "key node1 EC P-256 CN=node1/CN=ca", NULL);
    shows("keypass.jks", (struct how){ .store = PASS, .key = "wrong" },
          "key node1 closed CN=node1/CN=ca", "does not open the private key");
    shows("keypass.jceks", right, "key node1 closed CN=node1/CN=ca", NULL);
}

/* What needs no password is there with a wrong one, too; and that it is wrong is told once. */
Test(describe, wrong_passwords)
{
    static const struct how wrong = { .store = "wrong" };
    static const char one[] = "trusted ca - CN=ca; key node1 closed CN=node1/CN=ca";

    shows("one.jks", wrong, one, "does not open");
    shows("one.jceks", wrong, one, "does not open");
    shows("one.p12", wrong, "key node1 closed ", "does not open");
    shows("clear.p12", wrong, "certificate - - CN=ca", "does not open");
    shows("cas.p12", wrong, "", "does not open");
    shows("nomac.p12", wrong, "key nomac closed CN=node1", "does not open");
    shows("keypass.jks", (struct how){ .store = "wrong", .key = OTHER },
          "key node1 EC P-256 CN=node1/CN=ca", "does not open");
}

/* The keystore's own opens the key, which is no reason to be silent. */
Test(describe, a_wrong_password_for_the_key)
{
    static const struct how wrong = { .store = PASS, .key = "wrong" };

    shows("one.p12", wrong, "key node1 EC P-256 CN=node1/CN=ca; trusted ca - CN=ca",
          "of key_password_file does not open the private key \"node1\"");
    shows("one.jks", wrong, "trusted ca - CN=ca; key node1 EC P-256 CN=node1/CN=ca",
          "of key_password_file does not open the private key \"node1\"");
    shows("one.p12", (struct how){ .store = PASS, .key = PASS },
          "key node1 EC P-256 CN=node1/CN=ca; trusted ca - CN=ca", NULL);
}

Test(describe, secret_keys)
{
    shows("secret.p12", right, "secret hush - ", NULL);
    shows("secret.jceks", right, "secret hush - ", NULL);
    shows("secret.jceks", (struct how){ 0 }, "secret hush - ", NULL);
    shows("behind.jceks", right,
          "trusted ca - CN=ca; key node1 EC P-256 CN=node1/CN=ca; secret z - ", NULL);
    shows("between.jceks", right, "trusted ca - CN=ca; secret a - ",
          "holds a secret key (entry 2, \"a\"); what comes after one cannot be read");
}

/* `at`: bytes of it that are there. */
static void cut_short(const char *name, size_t at, const char *expected)
{
    struct tls_input in = keystore(name), cut = in;
    struct listing l;
    struct diags d = { 0 };

    cut.len = at;
    cr_expect_eq(describe(&cut, &(struct passwords){ .store = PASS }, time(NULL), &l, &d), -1);
    cr_assert_eq(d.n, 1);
    cr_expect_not_null(strstr(d.v[0].message, expected), "%s", d.v[0].message);
    listing_free(&l);
    diags_free(&d);
    keystore_free(&in);
}

Test(describe, a_file_that_is_cut_short)
{
    struct tls_input in = keystore("one.p12");
    char expected[64];

    snprintf(expected, sizeof(expected), "cut short: 1000 of %zu bytes are there", in.len);
    cut_short("one.p12", 1000, expected);
    snprintf(expected, sizeof(expected), "cut short: %zu of %zu bytes are there", in.len - 1,
             in.len);
    cut_short("one.p12", in.len - 1, expected);
    keystore_free(&in);
}

/* With which nothing can be served; but it can be looked at. */
Test(describe, a_dsa_key)
{
    shows("dsa.jks", right, "key d DSA CN=dsa", NULL);
}
