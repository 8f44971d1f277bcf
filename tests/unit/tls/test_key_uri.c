/*
 * key_uri: keys that are opened where they are. OpenSSL's own store of files stands for a
 * token here; tests/flow/test_77_key_uris.py has a real one.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "certs.h"
#include "tls/key_uri.h"
#include "tls/keypair.h"
#include "tls/load.h"

struct kept {
    char path[32], uri[40];
};

static struct kept keep(const char *text)
{
    struct kept k = { "/tmp/key-uri-XXXXXX", "" };
    int fd = mkstemp(k.path);

    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    snprintf(k.uri, sizeof(k.uri), "file:%s", k.path);
    return k;
}

static void open_fails(const char *uri, const char *pin, const char *why, const char *hint)
{
    struct key_uri_refusal r;

    cr_assert_null(key_uri_open(uri, pin, &r), "%s", uri);
    cr_assert_not_null(strstr(r.why.text, why), "%s: %s", uri, r.why.text);
    cr_assert_not_null(strstr(r.hint.text, hint), "%s: %s", uri, r.hint.text);
}

Test(key_uri, a_key_is_opened_with_its_pin)
{
    struct made m = make_server("x", NULL, "EC"), other = make_server("y", NULL, "EC");
    struct made rsa = make_server("z", NULL, "RSA");
    char *pem = pem_key_encrypted(m.key, "1234");
    struct kept k = keep(pem);
    struct key_uri_refusal r;
    EVP_PKEY *key = key_uri_open(k.uri, "1234", &r);

    cr_assert_not_null(key, "%s", r.why.text);
    cr_assert(key_uri_works(key));
    cr_assert(key_uri_matches(key, X509_get0_pubkey(m.x)));
    cr_assert_not(key_uri_matches(key, X509_get0_pubkey(other.x)));
    cr_assert_not(key_uri_matches(key, X509_get0_pubkey(rsa.x)));
    open_fails(k.uri, "4321", "the PIN is wrong", "password_file");
    open_fails(k.uri, NULL, "a PIN is needed", "password_file");
    unlink(k.path);
    EVP_PKEY_free(key);
    free(pem);
    made_free(&rsa);
    made_free(&other);
    made_free(&m);
}

Test(key_uri, what_is_not_one_key_is_refused)
{
    struct made m = make_server("x", NULL, "EC"), other = make_server("y", NULL, "RSA");
    char *pem = join(pem_key(m.key), pem_key(other.key)), *cert = pem_cert(m.x);
    struct kept two = keep(pem), none = keep(cert);

    open_fails(two.uri, NULL, "several keys", "object=");
    open_fails(none.uri, NULL, "no such private key", "p11tool");
    open_fails("no-such-scheme:x", NULL, "the scheme no-such-scheme:", "./no-such-scheme:x");
    unlink(two.path);
    unlink(none.path);
    free(cert);
    free(pem);
    made_free(&other);
    made_free(&m);
}

Test(key_uri, a_record_opens_the_key_again)
{
    struct made m = make_server("x", NULL, "EC");
    char *pem = pem_key_encrypted(m.key, "1234");
    struct kept k = keep(pem);
    struct der cert = der_cert(m.x), der = der_key(m.key), record = key_uri_record(k.uri, "1234");
    struct der no_pin = key_uri_record(k.uri, NULL);
    struct err e = ERR_INIT;

    cr_assert(key_uri_is_record(record.p, record.len));
    cr_assert(key_uri_is_record(no_pin.p, no_pin.len));
    cr_assert_not(key_uri_is_record(record.p, record.len - 1), "it does not end");
    cr_assert_not(key_uri_is_record(record.p, 4));
    cr_assert_not(key_uri_is_record(der.p, der.len));

    struct keypair *pair = keypair_new(NULL, record.p, record.len, &cert, 1, &e);
    cr_assert_not_null(pair, "%s", e.text);
    cr_assert_eq(EVP_PKEY_eq(pair->key, m.key), 1);
    keypair_free(pair);
    cr_assert_null(keypair_new(NULL, no_pin.p, no_pin.len, &cert, 1, &e));
    cr_assert_not_null(strstr(e.text, "a PIN is needed"), "%s", e.text);
    unlink(k.path);
    mem_wipe_free(record.p, record.len);
    mem_wipe_free(no_pin.p, no_pin.len);
    free(der.p);
    free(cert.p);
    free(pem);
    made_free(&m);
}

Test(key_uri, a_store_has_the_way_to_the_key_and_not_the_key)
{
    struct made m = make_server("x", NULL, "EC"), other = make_server("y", NULL, "EC");
    char *pem = pem_key_encrypted(m.key, "1234"), *cert = pem_cert(m.x), *alien = pem_cert(other.x);
    struct kept k = keep(pem);
    struct der record = key_uri_record(k.uri, "1234");
    struct tls_input certs = input_text("x.crt", cert), wrong = input_text("y.crt", alien);
    struct tls_input key = { .path = k.uri, .uri = true };
    struct keymats out;
    struct diags d = { 0 };

    cr_assert_eq(load_files(&certs, 1, &key, 1, "1234", &out, &d), 0);
    cr_assert_eq(out.n, 1);
    cr_assert_eq(out.v[0].key.len, record.len);
    cr_assert_arr_eq(out.v[0].key.p, record.p, record.len);
    cr_assert_eq(out.v[0].type, EVP_PKEY_EC);
    cr_assert(out.v[0].pair->proven);
    keymats_free(&out);
    cr_assert_eq(load_files(&wrong, 1, &key, 1, "1234", &out, &d), -1);
    cr_assert(found(&d, DIAG_ERROR, "does not belong to the certificate"));
    keymats_free(&out);
    diags_free(&d);
    unlink(k.path);
    mem_wipe_free(record.p, record.len);
    free(alien);
    free(cert);
    free(pem);
    made_free(&other);
    made_free(&m);
}

/* A token locks itself after a few wrong PINs. */
Test(key_uri, after_an_error_no_other_key_is_tried)
{
    struct made m = make_server("x", NULL, "EC");
    char *pem = pem_key_encrypted(m.key, "1234"), *cert = pem_cert(m.x);
    struct kept k = keep(pem);
    struct tls_input certs = input_text("x.crt", cert), key = { .path = k.uri, .uri = true };
    struct tls_input keys[] = { key, key, key };
    bool refused = false;
    struct store_input in = { .certs = &certs, .ncerts = 1, .keys = keys, .nkeys = 3,
                              .pw = { .store = "4321" }, .refused = &refused };
    struct keymats out;
    struct diags d = { 0 };

    cr_assert_eq(load_store(&in, &out, &d), -1);
    cr_assert_eq(d.n, 1);
    cr_assert(refused);
    keymats_free(&out);
    refused = false;
    in.pw.store = "1234";
    cr_assert_eq(load_store(&in, &out, &d), -1, "the error of before counts");
    cr_assert_eq(d.n, 1);
    cr_assert_not(refused);
    keymats_free(&out);
    diags_free(&d);
    unlink(k.path);
    free(cert);
    free(pem);
    made_free(&m);
}
