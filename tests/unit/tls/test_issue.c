#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "certs.h"
#include "base/mem.h"
#include "tls/issue.h"

static const char *const dns[] = { "localhost", "dev.example" };
static const char *const nets[] = { "127.0.0.0/8", "::1/128" };
static const struct issue_names permitted = { dns, 2, nets, 2 };

static struct issued new_ca(void)
{
    struct issued ca;
    struct err e = ERR_INIT;

    cr_assert_eq(issue_ca("test CA", &permitted, 86400, &ca, &e), 0, "%s", e.text);
    return ca;
}

/* What OpenSSL, at its strictest, says of leaf under ca. */
static int verdict(const struct issued *ca, const struct issued *leaf, int purpose)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();

    X509_STORE_add_cert(store, ca->cert);
    X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
    X509_STORE_CTX_init(ctx, store, leaf->cert, NULL);
    X509_STORE_CTX_set_purpose(ctx, purpose);
    X509_verify_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return error;
}

static int issue_and_judge(const char *name, const char *ip, int purpose, enum issue_use use)
{
    struct issued ca = new_ca(), leaf;
    struct err e = ERR_INIT;
    struct issue_names names = { &name, name ? 1 : 0, &ip, ip ? 1 : 0 };

    cr_assert_eq(issue_leaf(&ca, "some leaf", &names, use, 3600, &leaf, &e), 0, "%s", e.text);
    int error = verdict(&ca, &leaf, purpose);
    issued_free(&leaf);
    issued_free(&ca);
    return error;
}

Test(issue, leaves_verify_strictly)
{
    cr_assert_eq(issue_and_judge("localhost", "127.0.0.1", X509_PURPOSE_SSL_SERVER, ISSUE_SERVER),
                 X509_V_OK);
    cr_assert_eq(issue_and_judge("a.dev.example", "::1", X509_PURPOSE_SSL_SERVER, ISSUE_SERVER),
                 X509_V_OK);
    cr_assert_eq(issue_and_judge(NULL, NULL, X509_PURPOSE_SSL_CLIENT, ISSUE_CLIENT), X509_V_OK);
}

Test(issue, purposes_are_not_mixed)
{
    cr_assert_eq(issue_and_judge("localhost", NULL, X509_PURPOSE_SSL_CLIENT, ISSUE_SERVER),
                 X509_V_ERR_INVALID_PURPOSE);
    cr_assert_eq(issue_and_judge(NULL, NULL, X509_PURPOSE_SSL_SERVER, ISSUE_CLIENT),
                 X509_V_ERR_INVALID_PURPOSE);
}

Test(issue, the_ca_is_bound_to_its_names)
{
    cr_assert_eq(issue_and_judge("bank.example", NULL, X509_PURPOSE_SSL_SERVER, ISSUE_SERVER),
                 X509_V_ERR_PERMITTED_VIOLATION);
    cr_assert_eq(issue_and_judge(NULL, "10.0.0.1", X509_PURPOSE_SSL_SERVER, ISSUE_SERVER),
                 X509_V_ERR_PERMITTED_VIOLATION);
    cr_assert_eq(issue_and_judge(NULL, "::2", X509_PURPOSE_SSL_SERVER, ISSUE_SERVER),
                 X509_V_ERR_PERMITTED_VIOLATION);
}

Test(issue, a_kind_of_name_that_is_not_permitted_is_excluded)
{
    const struct issue_names only_dns = { dns, 1, NULL, 0 }, only_ip = { NULL, 0, nets, 1 };
    const char *host = "localhost", *ip = "127.0.0.1";
    struct issued ca, leaf;
    struct err e = ERR_INIT;

    cr_assert_eq(issue_ca("dns", &only_dns, 86400, &ca, &e), 0);
    cr_assert_eq(issue_leaf(&ca, "x", &(struct issue_names){ NULL, 0, &ip, 1 }, ISSUE_SERVER, 60,
                            &leaf, &e), 0);
    cr_assert_eq(verdict(&ca, &leaf, X509_PURPOSE_SSL_SERVER), X509_V_ERR_EXCLUDED_VIOLATION);
    issued_free(&leaf);
    issued_free(&ca);

    cr_assert_eq(issue_ca("ip", &only_ip, 86400, &ca, &e), 0);
    cr_assert_eq(issue_leaf(&ca, "x", &(struct issue_names){ &host, 1, NULL, 0 }, ISSUE_SERVER, 60,
                            &leaf, &e), 0);
    cr_assert_eq(verdict(&ca, &leaf, X509_PURPOSE_SSL_SERVER), X509_V_ERR_EXCLUDED_VIOLATION);
    issued_free(&leaf);
    issued_free(&ca);
}

Test(issue, the_ca_signs_no_further_ca_and_constraints_are_critical)
{
    struct issued ca = new_ca();
    int at = X509_get_ext_by_NID(ca.cert, NID_name_constraints, -1);

    cr_assert_geq(at, 0);
    cr_assert(X509_EXTENSION_get_critical(X509_get_ext(ca.cert, at)));
    cr_assert_eq(X509_get_pathlen(ca.cert), 0);
    issued_free(&ca);
}

Test(issue, a_leaf_does_not_outlive_its_ca)
{
    struct issued ca = new_ca(), leaf;
    struct err e = ERR_INIT;

    cr_assert_eq(issue_leaf(&ca, "x", NULL, ISSUE_CLIENT, 10 * 86400, &leaf, &e), 0);
    cr_assert_eq(ASN1_TIME_compare(X509_get0_notAfter(leaf.cert), X509_get0_notAfter(ca.cert)), 0);
    cr_assert_lt(X509_cmp_current_time(X509_get0_notBefore(leaf.cert)), 0);
    issued_free(&leaf);
    issued_free(&ca);
}

Test(issue, serials_differ)
{
    struct issued a = new_ca(), b = new_ca();

    cr_assert_neq(ASN1_INTEGER_cmp(X509_get0_serialNumber(a.cert), X509_get0_serialNumber(b.cert)),
                  0);
    issued_free(&a);
    issued_free(&b);
}

Test(issue, what_cannot_be_is_an_error_with_the_word)
{
    struct issued ca = new_ca(), out;
    struct err e = ERR_INIT;
    const char *ip = "10.0.0.1/8", *bad_ip = "10.0.0", *bad_dns = "two words";
    char cn[70];

    cr_assert_eq(issue_ca("x", &(struct issue_names){ NULL, 0, &ip, 1 }, 60, &out, &e), -1);
    cr_assert_not_null(strstr(e.text, "10.0.0.1/8"));
    cr_assert_eq(issue_ca("x", NULL, 60, &out, &e), -1);
    cr_assert_eq(issue_leaf(&ca, "x", &(struct issue_names){ NULL, 0, &bad_ip, 1 }, ISSUE_SERVER,
                            60, &out, &e), -1);
    cr_assert_not_null(strstr(e.text, "10.0.0"));
    cr_assert_eq(issue_leaf(&ca, "x", &(struct issue_names){ &bad_dns, 1, NULL, 0 }, ISSUE_SERVER,
                            60, &out, &e), -1);
    cr_assert_not_null(strstr(e.text, "two words"));
    memset(cn, 'a', sizeof(cn) - 1);
    cn[sizeof(cn) - 1] = '\0';
    cr_assert_eq(issue_leaf(&ca, cn, NULL, ISSUE_CLIENT, 60, &out, &e), -1);
    cr_assert_eq(issue_leaf(&ca, "x", NULL, ISSUE_CLIENT, 0, &out, &e), -1);
    cr_assert_null(out.key);
    cr_assert_null(out.cert);
    issued_free(&ca);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char *path = mem_printf("%s/%s", dir, name);
    FILE *f = fopen(path, "w");

    cr_assert_not_null(f);
    fputs(text, f);
    fclose(f);
    free(path);
}

/* The tool of that name is its own judge, with its own parser. */
Test(issue, openssl_verify_is_content)
{
    struct issued ca = new_ca(), leaf;
    struct err e = ERR_INIT;
    const char *host = "localhost", *ip = "127.0.0.1";
    char dir[] = "/tmp/unit_tls.XXXXXX";

    cr_assert_eq(issue_leaf(&ca, "localhost", &(struct issue_names){ &host, 1, &ip, 1 },
                            ISSUE_SERVER, 3600, &leaf, &e), 0);
    char *ca_pem = issue_cert_pem(&ca), *pem = issue_cert_pem(&leaf), *key = issue_key_pem(&leaf);
    cr_assert_not_null(mkdtemp(dir));
    write_file(dir, "ca.pem", ca_pem);
    write_file(dir, "leaf.pem", pem);
    char *cmd = mem_printf("cd %s && openssl verify -x509_strict -purpose sslserver "
                           "-verify_hostname localhost -verify_ip 127.0.0.1 -CAfile ca.pem "
                           "leaf.pem > out 2>&1; rc=$?; [ $rc = 0 ] || cat out >&2; rm -rf %s; "
                           "exit $rc", dir, dir);
    cr_assert_eq(system(cmd), 0);
    cr_assert_eq(strncmp(key, "-----BEGIN PRIVATE KEY-----\n", 28), 0);

    free(cmd);
    free(ca_pem);
    free(pem);
    mem_wipe_free(key, strlen(key));
    issued_free(&leaf);
    issued_free(&ca);
}
