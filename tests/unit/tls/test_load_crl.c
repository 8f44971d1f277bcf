#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/mem.h"
#include "certs.h"
#include "tls/load.h"

#define DAY 86400

struct crl_spec {
    int nid;                    /* an extension, in openssl.cnf form; 0: none */
    const char *value;
    long from, until;           /* days from now; both 0: -1 to 1; until 0: no next update */
};

/* PEM; the caller's. */
static char *make_crl(const struct made *ca, const struct crl_spec *spec)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *t = ASN1_TIME_new();
    BIO *b = BIO_new(BIO_s_mem());
    bool usual = spec->from == 0 && spec->until == 0;
    char *p;

    X509_CRL_set_version(crl, X509_CRL_VERSION_2);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->x));
    X509_gmtime_adj(t, (usual ? -1 : spec->from) * DAY);
    X509_CRL_set1_lastUpdate(crl, t);
    X509_gmtime_adj(t, (usual ? 1 : spec->until) * DAY + 60);
    if (usual || spec->until != 0)
        X509_CRL_set1_nextUpdate(crl, t);
    if (spec->nid == NID_delta_crl) {       /* which has no form in openssl.cnf */
        ASN1_INTEGER *base = ASN1_INTEGER_new();
        ASN1_INTEGER_set(base, 1);
        cr_assert_eq(X509_CRL_add1_ext_i2d(crl, NID_delta_crl, base, 1, 0), 1);
        ASN1_INTEGER_free(base);
    } else if (spec->nid != 0) {
        X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, spec->nid, spec->value);
        cr_assert_not_null(ext);
        X509_CRL_add_ext(crl, ext, -1);
        X509_EXTENSION_free(ext);
    }
    cr_assert_gt(X509_CRL_sign(crl, ca->key, EVP_sha256()), 0);
    cr_assert(PEM_write_bio_X509_CRL(b, crl));
    long len = BIO_get_mem_data(b, &p);
    char *text = mem_strndup(p, (size_t)len);
    BIO_free(b);
    ASN1_TIME_free(t);
    X509_CRL_free(crl);
    return text;
}

/* The trust's one file and the list's; frees both texts. `list` may be NULL. */
static int load(char *ca, char *list, size_t *n, struct diags *d)
{
    struct tls_input trust = input_text("/t/ca.pem", ca), crl = { .path = "/t/ca.crl" };
    struct ders anchors, lists;
    struct diags other = { 0 };

    if (list != NULL)
        crl = input_text("/t/ca.crl", list);
    crl.where = (struct diag_at){ .section = "trust t", .key = "crl" };
    cr_assert_eq(load_trust(&trust, &(struct passwords){ 0 }, &anchors, &other), 0);
    int rc = load_crls(&crl, list != NULL ? 1 : 0, &anchors, 1,
                       (struct diag_at){ .section = "trust t", .key = "crl" }, &lists, d);
    *n = lists.n;
    for (size_t i = 0; i < lists.n; i++)
        cr_assert_eq(lists.facts[i].kind, FACT_CRL);
    ders_free(&anchors);
    ders_free(&lists);
    diags_free(&other);
    free(ca);
    free(list);
    return rc;
}

static void refuses(const struct made *ca, char *list, const char *error)
{
    struct diags d = { 0 };
    size_t n;

    cr_assert_eq(load(pem_cert(ca->x), list, &n, &d), -1);
    cr_assert_eq(d.errors, 1);
    cr_assert(found(&d, DIAG_ERROR, error), "%s", error);
    diags_free(&d);
}

static void takes(char *cas, char *list, size_t n, enum diag_level level, const char *text)
{
    struct diags d = { 0 };
    size_t have;

    cr_assert_eq(load(cas, list, &have, &d), 0);
    cr_assert_eq(have, n);
    cr_assert_eq(d.n, text != NULL ? 1 : 0);
    if (text != NULL)
        cr_assert(found(&d, level, text), "%s", text);
    diags_free(&d);
}

Test(load_crl, of_the_ca)
{
    struct made ca = make_ca("ca", NULL);
    char *list = make_crl(&ca, &(struct crl_spec){ 0 });

    takes(pem_cert(ca.x), join(mem_strdup(list), mem_strdup(list)), 2, DIAG_NOTE, NULL);
    takes(pem_cert(ca.x), make_crl(&ca, &(struct crl_spec){ .from = -900 }), 1, DIAG_NOTE, NULL);
    takes(join(pem_cert(ca.x), list), NULL, 0, DIAG_NOTE, NULL);
    takes(pem_cert(ca.x), NULL, 0, DIAG_NOTE, NULL);
    made_free(&ca);
}

Test(load_crl, kinds_that_would_be_passed_over)
{
    struct made ca = make_ca("ca", NULL);

    refuses(&ca, make_crl(&ca, &(struct crl_spec){ .nid = NID_delta_crl }),
            "the CRL of CN=ca is a delta CRL, which is not supported (name a full CRL");
    refuses(&ca, make_crl(&ca, &(struct crl_spec){ .nid = NID_issuing_distribution_point,
                                                   .value = "critical,indirectCRL:TRUE" }),
            "is an indirect CRL");
    refuses(&ca, make_crl(&ca, &(struct crl_spec){ .nid = NID_issuing_distribution_point,
                                                   .value = "critical,onlysomereasons:"
                                                            "keyCompromise" }),
            "is a CRL for some reasons only");
    made_free(&ca);
}

Test(load_crl, by_somebody_else)
{
    struct made ca = make_ca("ca", NULL), twin = make_ca("ca", NULL), other = make_ca("b", NULL);
    struct made dumb = make_cert(&(struct cert_spec){ .cn = "dumb", .basic = "critical,CA:TRUE",
                                                      .usage = "critical,keyCertSign" });

    refuses(&ca, make_crl(&twin, &(struct crl_spec){ 0 }),
            "/t/ca.crl: the CRL of CN=ca is not signed by the CN=ca in `ca`");
    refuses(&ca, make_crl(&other, &(struct crl_spec){ 0 }),
            "there are CRLs, and none of CN=ca; clients that this CA issued are refused (add the "
            "CRL of CN=ca)");
    refuses(&dumb, make_crl(&dumb, &(struct crl_spec){ 0 }),
            "CN=dumb may not sign CRLs: its key usage lacks cRLSign");
    made_free(&ca);
    made_free(&twin);
    made_free(&other);
    made_free(&dumb);
}

Test(load_crl, not_of_all)
{
    struct made root = make_ca("root", NULL), mid = make_ca("mid", &root);
    struct made other = make_ca("other", NULL);
    const struct crl_spec usual = { 0 };

    takes(join(pem_cert(root.x), pem_cert(other.x)), make_crl(&root, &usual), 1, DIAG_WARNING,
          "there are CRLs, and none of CN=other");
    takes(join(pem_cert(root.x), pem_cert(mid.x)), make_crl(&mid, &usual), 1, DIAG_NOTE, NULL);
    takes(pem_cert(root.x), join(make_crl(&root, &usual), make_crl(&mid, &usual)), 2, DIAG_NOTE,
          "the CRL of CN=mid counts for clients that send that CA's certificate along");
    made_free(&root);
    made_free(&mid);
    made_free(&other);
}

Test(load_crl, dates)
{
    struct made ca = make_ca("ca", NULL);

    takes(pem_cert(ca.x), make_crl(&ca, &(struct crl_spec){ .from = -9, .until = -3 }), 1,
          DIAG_WARNING, "the CRL of CN=ca expired 2 days ago (20");
    takes(pem_cert(ca.x), make_crl(&ca, &(struct crl_spec){ .from = 3, .until = 9 }), 1,
          DIAG_WARNING, "until then clients that this CA issued are refused");
    made_free(&ca);
}
