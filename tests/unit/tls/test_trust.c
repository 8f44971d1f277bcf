#include <criterion/criterion.h>
#include <openssl/x509v3.h>

#include "certs.h"
#include "tls/trust.h"

static int verdict(struct trust *t, X509 *leaf, X509 *intermediate)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *sent = sk_X509_new_null();

    if (intermediate != NULL)
        sk_X509_push(sent, intermediate);
    X509_STORE_CTX_init(ctx, t->store, leaf, sent);
    X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT);
    X509_verify_cert(ctx);
    int error = X509_STORE_CTX_get_error(ctx);
    X509_STORE_CTX_free(ctx);
    sk_X509_free(sent);
    return error;
}

Test(trust, any_certificate_is_an_anchor)
{
    struct made root = make_ca("root", NULL), mid = make_ca("mid", &root);
    struct made leaf = make_client("leaf", &mid), other = make_client("other", &mid);
    struct made self = make_cert(&(struct cert_spec){ .cn = "self", .basic = "CA:FALSE" });
    X509 *anchors[] = { root.x, mid.x, leaf.x, self.x };
    struct trust *t;

    t = trust_of(&anchors[0], 1);
    cr_assert_eq(verdict(t, leaf.x, mid.x), X509_V_OK);
    cr_assert_eq(verdict(t, leaf.x, NULL), X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    trust_unref(t);

    t = trust_of(&anchors[1], 1);
    cr_assert_eq(verdict(t, leaf.x, NULL), X509_V_OK, "an intermediate");
    trust_unref(t);

    t = trust_of(&anchors[2], 1);
    cr_assert_eq(verdict(t, leaf.x, NULL), X509_V_OK, "a leaf");
    cr_assert_neq(verdict(t, other.x, NULL), X509_V_OK);
    trust_unref(t);

    t = trust_of(&anchors[3], 1);
    cr_assert_eq(verdict(t, self.x, NULL), X509_V_OK, "a self-signed leaf");
    trust_unref(t);

    made_free(&root);
    made_free(&mid);
    made_free(&leaf);
    made_free(&other);
    made_free(&self);
}

Test(trust, names_for_clients_are_issuers_once_each)
{
    struct made root = make_ca("root", NULL), again = make_ca("root", NULL);
    struct made leaf = make_client("leaf", &root);
    X509 *anchors[] = { root.x, again.x, leaf.x };
    struct trust *t = trust_of(anchors, 3);

    cr_assert_eq(sk_X509_NAME_num(t->names), 1);
    cr_assert_eq(X509_NAME_cmp(sk_X509_NAME_value(t->names, 0), X509_get_subject_name(root.x)), 0);
    trust_unref(t);
    made_free(&root);
    made_free(&again);
    made_free(&leaf);
}

Test(trust, too_many_names_are_none)
{
    enum { N = 200 };
    X509 *anchors[N];
    struct made all[N];
    EVP_PKEY *key = EVP_EC_gen("P-256");
    char cn[65];

    for (int i = 0; i < N; i++) {
        snprintf(cn, sizeof(cn), "certification authority with a long name, number %03d", i);
        all[i] = make_cert(&(struct cert_spec){ .cn = cn, .with_key = key, .basic = "CA:TRUE" });
        anchors[i] = all[i].x;
    }
    struct trust *few = trust_of(anchors, 20), *many = trust_of(anchors, N);
    cr_assert_eq(sk_X509_NAME_num(few->names), 20);
    cr_assert_null(many->names);
    trust_unref(few);
    trust_unref(many);
    for (int i = 0; i < N; i++)
        made_free(&all[i]);
    EVP_PKEY_free(key);
}

Test(trust, damage_is_an_error_with_its_number)
{
    struct made ca = make_ca("ca", NULL);
    struct der d[2] = { der_cert(ca.x), der_cert(ca.x) };
    struct err e = ERR_INIT;

    d[1].p[10] ^= 0xff;
    cr_assert_null(trust_new(d, 2, &e));
    cr_assert_not_null(strstr(e.text, "trust anchor 2"), "%s", e.text);
    cr_assert_null(trust_new(d, 0, &e));
    free(d[0].p);
    free(d[1].p);
    made_free(&ca);
}
