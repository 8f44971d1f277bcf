/* PKCS#12 as keytool and openssl make it, in stores and in trust. */
#include <criterion/criterion.h>
#include <openssl/pkcs12.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "certs.h"
#include "keystores.h"

Test(load_p12, a_key_its_chain_and_the_ca)
{
    serves("one.p12", (struct how){ .store = PASS }, "CN=node1/node1 CN=ca/CN=ca");
    serves("v1.p12", (struct how){ .store = PASS }, "CN=old/v1");
}

Test(load_p12, encrypted_as_java_8_and_openssl_1_did)
{
    serves("java8.p12", (struct how){ .store = PASS }, "CN=node1/node1 CN=ca/CN=ca");
    serves("legacy.p12", (struct how){ .store = PASS }, "CN=node1/Node1 CN=ca/-");
    believes("java8.p12", PASS, "CN=node1/node1 CN=ca/ca", NULL);
}

Test(load_p12, without_the_legacy_provider)
{
    setenv("OPENSSL_MODULES", "/nonexistent", 1);
    refuses_store("legacy.p12", (struct how){ .store = PASS },
                  "/k/legacy.p12 is encrypted with pbeWithSHA1And40BitRC2-CBC, and OpenSSL's "
                  "legacy provider, which knows it, cannot be loaded (install");
}

Test(load_p12, a_wrong_password_and_none)
{
    static const char *const files[] = { "one.p12", "java8.p12", "legacy.p12" };

    for (size_t i = 0; i < 3; i++) {
        refuses_store(files[i], (struct how){ .store = "changeIt" }, "the password does not open");
        refuses_store(files[i], (struct how){ .store = "" }, "the password does not open");
        refuses_store(files[i], (struct how){ 0 }, "is a PKCS#12 keystore, and needs a password");
        refuses_trust(files[i], NULL, "is a PKCS#12 keystore, and needs a password");
    }
    refuses_store("nomac.p12", (struct how){ .store = "x" }, "the password does not open");
    refuses_store("nomac.p12", (struct how){ 0 },
                  "the private key \"nomac\" in /k/nomac.p12 is encrypted, and no password");
}

/* keytool says so itself when it makes one: the key's is the keystore's. */
Test(load_p12, a_password_of_the_key_is_not_needed)
{
    serves("one.p12", (struct how){ .store = PASS, .key = "ignored" },
           "CN=node1/node1 CN=ca/CN=ca");
}

Test(load_p12, no_password_and_an_empty_one)
{
    serves("plain.p12", (struct how){ 0 }, "CN=node1/plain");
    serves("plain.p12", (struct how){ .store = "given anyway" }, "CN=node1/plain");
    serves("empty.p12", (struct how){ 0 }, "CN=node1/empty");
    serves("empty.p12", (struct how){ .store = "" }, "CN=node1/empty");
    serves("nomac.p12", (struct how){ .store = PASS }, "CN=node1/nomac");
}

Test(load_p12, several_keys)
{
    refuses_store("several.p12", (struct how){ .store = PASS },
                  "/k/several.p12 holds 2 private keys: \"alpha\", \"beta\" (say which one is "
                  "meant: alias = ALIAS)");
    serves("several.p12", (struct how){ .store = PASS, .alias = "ALPHA" },
           "CN=node1/alpha CN=ca/CN=ca");
    serves("several.p12", (struct how){ .store = PASS, .alias = "beta" },
           "CN=node2/beta CN=ca/CN=ca");
    refuses_store("several.p12", (struct how){ .store = PASS, .alias = "gamma" },
                  "no private key entry \"gamma\" in /k/several.p12; there is \"alpha\", \"beta\"");
}

Test(load_p12, aliases)
{
    serves("names.p12", (struct how){ .store = PASS, .alias = "knötchen😀" },
           "CN=node1/kn\\xc3\\xb6tchen\\xf0\\x9f\\x98\\x80 CN=ca/CN=ca");
    serves("names.p12", (struct how){ .store = PASS, .alias = "KNÖTCHEN😀" },
           "CN=node1/kn\\xc3\\xb6tchen\\xf0\\x9f\\x98\\x80 CN=ca/CN=ca");
    refuses_store("names.p12", (struct how){ .store = PASS, .alias = "KNÜTCHEN😀" },
                  "no private key entry");
    /* Java's name of what has none. */
    serves("noname.p12", (struct how){ .store = PASS, .alias = "1" }, "CN=node1/1");
    refuses_store("trusted.p12", (struct how){ .store = PASS },
                  "no private key entry in /k/trusted.p12 (2 trusted certificates)");
}

Test(load_p12, truststores)
{
    believes("trusted.p12", PASS, "CN=ca/ca CN=leaf/Leaf", NULL);
    believes("open.p12", NULL, "CN=ca/ca", NULL);
    believes("open.p12", PASS, "CN=ca/ca", NULL);
    /* Without Java's mark of an entry, as openssl has it. */
    believes("cas.p12", PASS, "CN=ca/-", NULL);
    believes("clear.p12", NULL, "CN=ca/-", "is used without its password");
    refuses_trust("trusted.p12", "nonsense", "the password does not open /k/trusted.p12");
}

Test(load_p12, a_keystore_as_a_truststore)
{
    believes("one.p12", PASS, "CN=node1/node1 CN=ca/ca", NULL);
    believes("legacy.p12", PASS, "CN=node1/Node1", "as in Java, the certificate of its key");
}

/* --- forms that neither program writes --- */

static struct loaded load_bytes(const uint8_t *p, size_t len, struct how how)
{
    void *copy = mem_dup(p, len);
    struct tls_input in = { .path = "/k/made.p12", .data = copy, .len = len };
    struct loaded l = load_as_store(&in, how);

    free(copy);
    return l;
}

Test(load_p12, lengths_that_are_not_said)
{
    struct tls_input in = keystore("one.p12");
    uint8_t *ber = mem_zalloc(in.len + 2);

    cr_assert_eq(in.data[1], 0x82);
    memcpy(ber, "\x30\x80", 2);
    memcpy(ber + 2, in.data + 4, in.len - 4);
    struct loaded l = load_bytes(ber, in.len, (struct how){ .store = PASS });
    cr_expect_eq(l.rc, 0);
    cr_expect_eq(l.k.n, 1);
    loaded_free(&l);
    l = load_bytes(ber, in.len + 1, (struct how){ .store = PASS });
    cr_expect(found(&l.d, DIAG_ERROR, "but damaged: there are other bytes behind it"));
    loaded_free(&l);
    free(ber);
    keystore_free(&in);
}

static void add_safe(STACK_OF(PKCS7) *safes, PKCS12_SAFEBAG *bag)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = sk_PKCS12_SAFEBAG_new_null();

    sk_PKCS12_SAFEBAG_push(bags, bag);
    sk_PKCS7_push(safes, PKCS12_pack_p7data(bags));
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
}

/* `head`, the length of two bytes, what was there. */
static void wrap(uint8_t **der, size_t *len, const void *head, size_t nhead)
{
    uint8_t *out = mem_zalloc(nhead + 3 + *len);

    memcpy(out, head, nhead);
    out[nhead] = 0x82;
    out[nhead + 1] = (uint8_t)(*len >> 8);
    out[nhead + 2] = (uint8_t)*len;
    memcpy(out + nhead + 3, *der, *len);
    free(*der);
    *der = out;
    *len += nhead + 3;
}

/* The bag as the only one of a bag, so often. */
static PKCS12_SAFEBAG *nested(PKCS12_SAFEBAG *bag, unsigned depth)
{
    /* pkcs-12-safeContentsBag, and the [0] that begins its value */
    static const uint8_t oid[] = "\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x06\xa0";
    unsigned char *p = NULL;
    const unsigned char *q;
    size_t len = (size_t)i2d_PKCS12_SAFEBAG(bag, &p);
    uint8_t *der = mem_dup(p, len);

    OPENSSL_free(p);
    PKCS12_SAFEBAG_free(bag);
    for (; depth > 0; depth--) {
        wrap(&der, &len, "\x30", 1);
        wrap(&der, &len, oid, sizeof(oid) - 1);
        wrap(&der, &len, "\x30", 1);
    }
    q = der;
    bag = d2i_PKCS12_SAFEBAG(NULL, &q, (long)len);
    cr_assert_not_null(bag);
    free(der);
    return bag;
}

/* A key and its certificate, in bags in bags. */
static uint8_t *make_p12(const struct made *m, unsigned depth, const char *mac_password,
                         int64_t mac_rounds, size_t *len)
{
    STACK_OF(PKCS7) *safes = sk_PKCS7_new_null();
    const ASN1_INTEGER *rounds;
    unsigned char *p = NULL;

    add_safe(safes, nested(PKCS12_SAFEBAG_create_cert(m->x), depth));
    add_safe(safes, nested(PKCS12_SAFEBAG_create0_p8inf(EVP_PKEY2PKCS8(m->key)), depth));
    PKCS12 *p12 = PKCS12_add_safes(safes, 0);
    if (mac_password != NULL) {
        PKCS12_set_mac(p12, mac_password, -1, NULL, 0, 2, EVP_sha256());
        PKCS12_get0_mac(NULL, NULL, NULL, &rounds, p12);
        if (mac_rounds != 0)
            ASN1_INTEGER_set_int64((ASN1_INTEGER *)(uintptr_t)rounds, mac_rounds);
    }
    *len = (size_t)i2d_PKCS12(p12, &p);
    uint8_t *out = mem_dup(p, *len);
    OPENSSL_free(p);
    PKCS12_free(p12);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    return out;
}

Test(load_p12, bags_in_bags)
{
    struct made m = make_server("x", NULL, "EC");

    for (unsigned depth = 0; depth <= 9; depth++) {
        size_t len;
        uint8_t *p = make_p12(&m, depth, NULL, 0, &len);
        struct loaded l = load_bytes(p, len, (struct how){ 0 });
        cr_expect_eq(l.rc, depth <= 8 ? 0 : -1, "%u", depth);
        cr_expect_eq(l.k.n, depth <= 8);
        cr_expect(depth <= 8 || found(&l.d, DIAG_ERROR, "its bags are nested too deep"));
        loaded_free(&l);
        free(p);
    }
    made_free(&m);
}

Test(load_p12, rounds_without_end)
{
    struct made m = make_server("x", NULL, "EC");
    static const int64_t rounds[] = { 5000001, INT64_MAX, -1 };
    size_t len;

    for (size_t i = 0; i < 3; i++) {
        uint8_t *p = make_p12(&m, 0, PASS, rounds[i], &len);
        struct loaded l = load_bytes(p, len, (struct how){ .store = PASS });
        diags_print(&l.d, stderr);
        cr_expect_eq(l.d.errors, 1, "%lld", (long long)rounds[i]);
        cr_expect(found(&l.d, DIAG_ERROR, rounds[i] > 0 ? "more rounds than are allowed"
                                                        : "its integrity check (sha256)"));
        loaded_free(&l);
        free(p);
    }
    uint8_t *p = make_p12(&m, 0, PASS, 0, &len);
    struct loaded l = load_bytes(p, len, (struct how){ .store = PASS });
    cr_expect_eq(l.rc, 0);
    loaded_free(&l);
    free(p);
    made_free(&m);
}

/* --- damage --- */

static size_t survive(const char *name, const char *password)
{
    struct tls_input whole = keystore(name), in = whole;
    size_t refused = 0;

    for (unsigned n = 0; n < 200; n++) {
        in.len = whole.len;
        uint8_t *copy = damaged_copy(whole.data, &in.len, n);
        in.data = copy;
        struct loaded l = load_as_store(&in, (struct how){ .store = password });
        refused += l.rc != 0;
        loaded_free(&l);
        l = load_as_trust(&in, NULL);
        loaded_free(&l);
        free(copy);
    }
    keystore_free(&whole);
    return refused;
}

Test(load_p12, damage_is_found_by_the_mac)
{
    cr_expect_geq(survive("one.p12", PASS), 180);
    cr_expect_geq(survive("legacy.p12", PASS), 180);
}

Test(load_p12, damage_that_nothing_guards)
{
    cr_expect_geq(survive("plain.p12", NULL), 60);
    cr_expect_geq(survive("nomac.p12", PASS), 60);
}

Test(load_p12, a_secret_key_is_no_key_for_tls)
{
    struct tls_input in = keystore("secret.p12");
    struct loaded l = load_as_store(&in, (struct how){ .store = PASS });

    cr_assert_eq(l.d.n, 1);
    cr_expect_not_null(strstr(l.d.v[0].message, "without a certificate"));
    cr_expect(l.d.v[0].hint != NULL && strstr(l.d.v[0].hint, "a secret key is for other uses"));
    loaded_free(&l);
    keystore_free(&in);
}
