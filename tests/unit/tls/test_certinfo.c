#include <criterion/criterion.h>
#include <limits.h>
#include <stdint.h>

#include "certs.h"
#include "tls/certinfo.h"

static void distance_is(int64_t t, int64_t now, const char *want)
{
    char out[DATE_TEXT_MAX];

    cr_assert_str_eq(distance_text(t, now, out), want);
}

Test(certinfo, distances_in_words)
{
    distance_is(1000, 1000, "now");
    distance_is(999, 1000, "1 second ago");
    distance_is(1059, 1000, "in 59 seconds");
    distance_is(0, 60, "1 minute ago");
    distance_is(7200, 0, "in 2 hours");
    distance_is(0, 2 * 86400 - 1, "47 hours ago");
    distance_is(0, 3 * 86400 + 5, "3 days ago");
    distance_is(INT64_MAX, INT64_MIN, "in 213503982334601 days");
}

Test(certinfo, dates)
{
    char out[DATE_TEXT_MAX];

    cr_assert_str_eq(date_text(0, out), "1970-01-01 00:00 UTC");
    cr_assert_str_eq(date_text(INT64_MIN, out), "an unreadable date");
}

Test(certinfo, a_name_is_its_cn_escaped)
{
    struct made m = make_cert(&(struct cert_spec){ .cn = "b\xc3\xa4r\nx" });
    char out[CERT_TEXT_MAX];

    cr_assert_str_eq(cert_subject(m.x, out), "CN=b\\xc3\\xa4r\\x0ax");
    made_free(&m);
}

Test(certinfo, an_empty_subject_is_told_by_its_first_alternative_name)
{
    struct made m = make_cert(&(struct cert_spec){ .san = "URI:spiffe://prod/x,DNS:a" });
    struct made none = make_cert(&(struct cert_spec){ .cn = NULL });
    char out[CERT_TEXT_MAX];

    cr_assert_str_eq(cert_subject(m.x, out), "URI:spiffe://prod/x");
    cr_assert_str_eq(cert_subject(none.x, out), "an empty name");
    made_free(&m);
    made_free(&none);
}

Test(certinfo, without_cn_the_whole_name)
{
    X509_NAME *n = X509_NAME_new();
    char out[CERT_TEXT_MAX];

    X509_NAME_add_entry_by_txt(n, "C", MBSTRING_ASC, (const unsigned char *)"US", -1, -1, 0);
    X509_NAME_add_entry_by_txt(n, "O", MBSTRING_ASC, (const unsigned char *)"Acme", -1, -1, 0);
    cr_assert_str_eq(name_text(n, out), "O=Acme,C=US");
    X509_NAME_free(n);
}

Test(certinfo, dialled_names_are_cut_with_dots)
{
    char san[2048] = "DNS:name0.example", out[CERT_TEXT_MAX];

    for (int i = 1; i < 40; i++)
        snprintf(san + strlen(san), sizeof(san) - strlen(san), ",DNS:name%d.example", i);
    struct made m = make_cert(&(struct cert_spec){ .cn = "x", .san = san });
    cert_dialled_names(m.x, out);
    cr_assert_not_null(strstr(out, "DNS:name0.example, DNS:name1.example"));
    cr_assert_not_null(strstr(out, ", ..."));
    made_free(&m);
}

Test(certinfo, key_types)
{
    static const struct { const char *type, *want; } keys[] = {
        { "EC", "EC P-256" }, { "P-384", "EC P-384" }, { "RSA", "RSA 2048" },
        { "ED25519", "ED25519" },
    };
    char out[KEY_TEXT_MAX];

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct made m = make_cert(&(struct cert_spec){ .cn = "x", .key = keys[i].type });
        cr_assert_str_eq(key_text(m.key, out), keys[i].want);
        made_free(&m);
    }
}

Test(certinfo, signed_by_needs_the_signature_not_just_the_name)
{
    struct made ca = make_cert(&(struct cert_spec){ .cn = "CA", .basic = "CA:TRUE",
                                                    .no_key_ids = true });
    struct made other = make_cert(&(struct cert_spec){ .cn = "CA", .basic = "CA:TRUE",
                                                       .no_key_ids = true });
    struct made leaf = make_cert(&(struct cert_spec){ .cn = "x", .issuer = &ca,
                                                      .no_key_ids = true });

    cr_assert(cert_signed_by(leaf.x, ca.x));
    cr_assert_not(cert_signed_by(leaf.x, other.x));
    cr_assert(cert_self_signed(ca.x));
    cr_assert_not(cert_self_signed(leaf.x));
    made_free(&ca);
    made_free(&other);
    made_free(&leaf);
}
