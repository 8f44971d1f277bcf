/* Java keystores as keytool makes them: JKS and JCEKS, in stores and in trust. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "certs.h"
#include "keystores.h"

Test(load_jks, a_key_its_chain_and_the_ca)
{
    /* The CA is there twice: in the key's chain, which wins, and as an entry. */
    serves("one.jks", (struct how){ .store = PASS }, "CN=node1/node1 CN=ca/node1");
    serves("one.jceks", (struct how){ .store = PASS }, "CN=node1/node1 CN=ca/node1");
    serves("rsa.jks", (struct how){ .store = PASS }, "CN=rsa/rsa CN=ca/rsa");
}

Test(load_jks, a_wrong_password_and_none)
{
    refuses_store("one.jks", (struct how){ .store = "changeIt" },
                  "the password does not open /k/one.jks (a Java keystore (JKS))");
    refuses_store("one.jceks", (struct how){ .store = "" },
                  "the password does not open /k/one.jceks (a Java keystore (JCEKS))");
    refuses_store("one.jks", (struct how){ 0 },
                  "/k/one.jks is a Java keystore (JKS), and needs a password (name a file that "
                  "holds its password: password_file = FILE)");
    refuses_store("one.jks", (struct how){ .store = "a\nb" },
                  "several lines, and none that begins with one.jks:");
}

Test(load_jks, the_key_has_a_password_of_its_own)
{
    static const char *const files[] = { "keypass.jks", "keypass.jceks" };

    for (size_t i = 0; i < 2; i++) {
        serves(files[i], (struct how){ .store = PASS, .key = OTHER },
               "CN=node1/node1 CN=ca/node1");
        refuses_store(files[i], (struct how){ .store = PASS },
                      "the password does not open the private key \"node1\" in /k/keypass.j");
        refuses_store(files[i], (struct how){ .store = PASS }, "key_password_file = FILE");
        refuses_store(files[i], (struct how){ .store = PASS, .key = "nonsense" },
                      "(it is the key's own that belongs into `key_password_file`)");
    }
    /* It was given, and is not needed. */
    serves("one.jks", (struct how){ .store = PASS, .key = OTHER }, "CN=node1/node1 CN=ca/node1");
}

Test(load_jks, several_keys)
{
    static const char *const files[] = { "several.jks", "several.jceks" };

    for (size_t i = 0; i < 2; i++) {
        refuses_store(files[i], (struct how){ .store = PASS }, "holds 2 private keys: \"");
        refuses_store(files[i], (struct how){ .store = PASS }, "\"alpha\"");
        serves(files[i], (struct how){ .store = PASS, .alias = "Alpha" },
               "CN=node1/alpha CN=ca/alpha");
        /* Only what is meant is opened. */
        refuses_store(files[i], (struct how){ .store = PASS, .alias = "beta" },
                      "does not open the private key \"beta\"");
        refuses_store(files[i], (struct how){ .store = PASS, .alias = "betta" },
                      "alias = \"betta\": no private key entry \"betta\" in /k/several.j");
        refuses_store(files[i], (struct how){ .store = PASS, .alias = "betta" },
                      "(did you mean \"beta\"?)");
    }
}

Test(load_jks, an_alias_that_is_no_key)
{
    refuses_store("one.jks", (struct how){ .store = PASS, .alias = "CA" },
                  "the entry \"CA\" of /k/one.jks is a trusted certificate, without a private key; "
                  "there is a key in \"node1\"");
    refuses_store("trusted.jks", (struct how){ .store = PASS },
                  "no private key entry in /k/trusted.jks (2 trusted certificates)");
    refuses_store("one.jks", (struct how){ .store = PASS, .alias = "x\n" },
                  "no private key entry \"x\\x0a\"");
}

Test(load_jks, names_of_any_language)
{
    static const char *const files[] = { "names.jks", "names.jceks" };
    static const char *const chain =
        "CN=node1/kn\\xc3\\xb6tchen\\xf0\\x9f\\x98\\x80 "
        "CN=ca/kn\\xc3\\xb6tchen\\xf0\\x9f\\x98\\x80";

    for (size_t i = 0; i < 2; i++) {
        serves(files[i], (struct how){ .store = PASS, .alias = "knötchen😀" }, chain);
        serves(files[i], (struct how){ .store = PASS,
                                       .alias = "KN\\xc3\\xb6tchen\\xf0\\x9f\\x98\\x80" }, chain);
        serves(files[i], (struct how){ .store = PASS, .alias = "KNÖTCHEN😀" }, chain);
    }
}

Test(load_jks, keys_that_do_not_serve)
{
    refuses_store("dsa.jks", (struct how){ .store = PASS },
                  "is a DSA key, with which TLS cannot be served");
    refuses_store("secret.jceks", (struct how){ .store = PASS },
                  "/k/secret.jceks holds a secret key (entry 1, \"hush\")");
    refuses_trust("secret.jceks", PASS, "holds a secret key");
}

Test(load_jks, an_alias_without_a_keystore)
{
    struct made m = make_server("x", NULL, "EC");
    char *pem = join(pem_cert(m.x), pem_key(m.key));
    struct tls_input in = input_text("/k/x.pem", pem);
    struct loaded l = load_as_store(&in, (struct how){ .alias = "node1" });

    cr_expect_eq(l.d.errors, 1);
    cr_expect(found(&l.d, DIAG_ERROR, "alias = \"node1\": an alias chooses an entry of a keystore, "
                                      "and /k/x.pem is none"));
    loaded_free(&l);
    free(pem);
    made_free(&m);
}

/* A folder: what has aliases lies beside what has none, and a truststore beside the pairs. */
Test(load_jks, in_a_folder)
{
    struct made m = make_server("x", NULL, "EC");
    char *pem = join(pem_cert(m.x), pem_key(m.key));
    struct tls_input files[] = {
        input_text("/k/x.pem", pem), keystore("several.jks"), keystore("trusted.jks")
    };
    static const size_t keys[] = { 1, 1, 0 };

    for (size_t i = 0; i < 3; i++) {
        struct store_input s = { .certs = &files[i], .ncerts = 1, .mixed = true, .alias = "alpha",
                                 .pw = { .store = PASS } };
        struct keymats out;
        struct diags d = { 0 };
        int rc = load_store(&s, &out, &d);
        diags_print(&d, stderr);
        cr_expect_eq(rc, 0, "%s", files[i].path);
        cr_expect_eq(out.n, keys[i], "%s", files[i].path);
        keymats_free(&out);
        diags_free(&d);
    }
    keystore_free(&files[1]);
    keystore_free(&files[2]);
    free(pem);
    made_free(&m);
}

Test(load_jks, the_password_among_those_of_a_cluster)
{
    serves("one.jks", (struct how){ .store = "other.jks:x\none.jks:" PASS "\nmore.jks:y" },
           "CN=node1/node1 CN=ca/node1");
}

Test(load_jks, truststores)
{
    static const char *const unchecked = "is used without its password";

    believes("trusted.jks", PASS, "CN=leaf/leaf CN=ca/ca", NULL);
    believes("trusted.jceks", PASS, "CN=leaf/leaf CN=ca/ca", NULL);
    believes("trusted.jks", NULL, "CN=leaf/leaf CN=ca/ca", unchecked);
    refuses_trust("trusted.jks", "nonsense", "the password does not open /k/trusted.jks");
}

/* What Java's trust manager takes of it: trusted entries and the key's own certificate. */
Test(load_jks, a_keystore_as_a_truststore)
{
    believes("one.jks", PASS, "CN=ca/ca CN=node1/node1", NULL);
    believes("rsa.jks", PASS, "CN=rsa/rsa",
             "/k/rsa.jks has no trusted certificates; as in Java, the certificate of its key is "
             "believed, and what issued that one is not");
}

/* --- damage --- */

static void loads_or_refuses(struct tls_input *in, const char *password)
{
    struct loaded l = load_as_store(in, (struct how){ .store = password });

    loaded_free(&l);
    l = load_as_trust(in, password);
    loaded_free(&l);
}

static size_t survive(const char *name, bool mend)
{
    struct tls_input whole = keystore(name), in = whole;
    size_t refused = 0;

    for (unsigned n = 0; n < 200; n++) {
        in.len = whole.len;
        uint8_t *copy = damaged_copy(whole.data, &in.len, n);
        if (mend && in.len > 20)
            put_digest(copy, in.len, PASS);
        in.data = copy;
        struct loaded l = load_as_trust(&in, PASS);
        refused += l.rc != 0;
        loaded_free(&l);
        loads_or_refuses(&in, PASS);
        loads_or_refuses(&in, NULL);
        free(copy);
    }
    keystore_free(&whole);
    return refused;
}

Test(load_jks, damage_is_found_by_the_digest)
{
    /* The one or other is none: the byte was that already. */
    cr_expect_geq(survive("one.jks", false), 190);
    cr_expect_geq(survive("one.jceks", false), 190);
}

Test(load_jks, damage_under_a_digest_that_fits)
{
    cr_expect_geq(survive("several.jks", true), 100);
    cr_expect_geq(survive("one.jks", true), 80);
}

Test(load_jks, cut_anywhere)
{
    struct tls_input whole = keystore("one.jks"), in = whole;

    for (size_t n = 0; n < whole.len; n++) {
        uint8_t *copy = n > 0 ? mem_dup(whole.data, n) : mem_zalloc(1);
        in.data = copy;
        in.len = n;
        struct loaded l = load_as_store(&in, (struct how){ .store = PASS });
        cr_expect_eq(l.rc, -1);
        cr_expect(n < 4 || found(&l.d, DIAG_ERROR, "is a Java keystore (JKS), but damaged: "));
        loaded_free(&l);
        free(copy);
    }
    keystore_free(&whole);
}

Test(load_jks, rounds_without_end)
{
    static const uint8_t rounds[] = { 0x02, 0x03, 0x03, 0x0d, 0x40 };  /* 200 000 */
    struct tls_input in = keystore("names.jceks");
    uint8_t *copy = mem_dup(in.data, in.len), *at = memmem(copy, in.len, rounds, sizeof(rounds));
    struct tls_input changed = in;

    cr_assert_not_null(at);
    memcpy(at + 2, "\x7f\xff\xff", 3);
    put_digest(copy, in.len, PASS);
    changed.data = copy;
    struct loaded l = load_as_store(&changed, (struct how){ .store = PASS });
    cr_expect(found(&l.d, DIAG_ERROR, "takes more than the 5000000 rounds that a file may take"));
    loaded_free(&l);
    free(copy);
    keystore_free(&in);
}
