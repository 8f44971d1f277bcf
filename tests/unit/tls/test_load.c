/* load_store: who belongs to whom. */
#include <criterion/criterion.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "base/mem.h"
#include "certs.h"
#include "tls/load.h"

static X509 *cert_in(const struct keymat *m, size_t i)
{
    const unsigned char *p = m->chain[i].p;

    cr_assert_lt(i, m->nchain);
    return d2i_X509(NULL, &p, (long)m->chain[i].len);
}

static bool is_cert(const struct keymat *m, size_t i, const struct made *want)
{
    X509 *x = cert_in(m, i);
    bool same = x != NULL && X509_cmp(x, want->x) == 0;

    X509_free(x);
    return same;
}

static bool is_key(const struct keymat *m, const struct made *want)
{
    struct der d = der_key(want->key);
    bool same = d.len == m->key.len && memcmp(d.p, m->key.p, d.len) == 0;

    free(d.p);
    return same;
}

struct fixture {
    struct made root, mid, leaf, rsa, other;
    struct keymats out;
    struct diags d;
};

static struct fixture fixture(void)
{
    struct fixture f = { 0 };

    f.root = make_ca("root", NULL);
    f.mid = make_ca("mid", &f.root);
    f.leaf = make_server("leaf", &f.mid, "EC");
    f.rsa = make_server("rsa", &f.root, "RSA");
    f.other = make_server("other", &f.root, "EC");
    return f;
}

static void done(struct fixture *f)
{
    made_free(&f->root);
    made_free(&f->mid);
    made_free(&f->leaf);
    made_free(&f->rsa);
    made_free(&f->other);
    keymats_free(&f->out);
    diags_free(&f->d);
}

Test(load, chain_is_put_in_order_and_the_key_found)
{
    struct fixture f = fixture();
    char *text = join(join(pem_cert(f.leaf.x), pem_cert(f.root.x)), pem_cert(f.mid.x));
    char *key = pem_key(f.leaf.key);
    struct tls_input cert = input_text("tls.crt", text), k = input_text("tls.key", key);

    cr_assert_eq(load_files(&cert, 1, &k, 1, NULL, &f.out, &f.d), 0);
    cr_assert_eq(f.d.n, 0);
    cr_assert_eq(f.out.n, 1);
    cr_assert_eq(f.out.v[0].nchain, 3);
    cr_assert(is_cert(&f.out.v[0], 0, &f.leaf));
    cr_assert(is_cert(&f.out.v[0], 1, &f.mid));
    cr_assert(is_cert(&f.out.v[0], 2, &f.root));
    cr_assert(is_key(&f.out.v[0], &f.leaf));
    cr_assert_eq(f.out.v[0].path, cert.path);
    cr_assert_eq(f.out.v[0].where.section, cert.where.section);
    free(text);
    free(key);
    done(&f);
}

Test(load, key_in_front_of_or_behind_its_certificate)
{
    for (int front = 0; front < 2; front++) {
        struct fixture f = fixture();
        char *text = front ? join(pem_key(f.leaf.key), pem_cert(f.leaf.x))
                           : join(pem_cert(f.leaf.x), pem_key(f.leaf.key));
        struct tls_input in = input_text("all.pem", text);

        cr_assert_eq(load_files(&in, 1, NULL, 0, NULL, &f.out, &f.d), 0);
        cr_assert_eq(f.out.n, 1);
        cr_assert(is_key(&f.out.v[0], &f.leaf));
        free(text);
        done(&f);
    }
}

Test(load, one_file_named_as_both_cert_and_key)
{
    struct fixture f = fixture();
    char *text = join(pem_cert(f.leaf.x), pem_key(f.leaf.key));
    struct tls_input in = input_text("all.pem", text);

    cr_assert_eq(load_files(&in, 1, &in, 1, NULL, &f.out, &f.d), 0);
    cr_assert_eq(f.d.n, 0);
    cr_assert_eq(f.out.n, 1);
    free(text);
    done(&f);
}

Test(load, an_rsa_and_an_ec_pair_in_four_files_in_any_order)
{
    struct fixture f = fixture();
    char *t[4] = { pem_cert(f.leaf.x), pem_cert(f.rsa.x), pem_key(f.rsa.key), pem_key(f.leaf.key) };
    struct tls_input certs[2] = { input_text("ec.crt", t[0]), input_text("rsa.crt", t[1]) };
    struct tls_input keys[2] = { input_text("rsa.key", t[2]), input_text("ec.key", t[3]) };

    cr_assert_eq(load_files(certs, 2, keys, 2, NULL, &f.out, &f.d), 0);
    cr_assert_eq(f.d.n, 0);
    cr_assert_eq(f.out.n, 2);
    cr_assert(is_cert(&f.out.v[0], 0, &f.leaf) && is_key(&f.out.v[0], &f.leaf));
    cr_assert(is_cert(&f.out.v[1], 0, &f.rsa) && is_key(&f.out.v[1], &f.rsa));
    for (int i = 0; i < 4; i++)
        free(t[i]);
    done(&f);
}

Test(load, a_pair_of_pairs_in_one_file)
{
    struct fixture f = fixture();
    char *text = join(join(pem_cert(f.leaf.x), pem_key(f.leaf.key)),
                      join(pem_cert(f.rsa.x), pem_key(f.rsa.key)));
    struct tls_input in;

    text = join(text, join(pem_cert(f.mid.x), pem_cert(f.root.x)));
    in = input_text("all.pem", text);
    cr_assert_eq(load_files(&in, 1, NULL, 0, NULL, &f.out, &f.d), 0);
    cr_assert_eq(f.d.n, 0);
    cr_assert_eq(f.out.n, 2);
    cr_assert_eq(f.out.v[0].nchain, 3);
    cr_assert_eq(f.out.v[1].nchain, 2);
    cr_assert(is_cert(&f.out.v[1], 1, &f.root));
    free(text);
    done(&f);
}

Test(load, strays_are_kept_out_with_a_warning)
{
    struct fixture f = fixture();
    char *text = join(join(pem_cert(f.leaf.x), pem_cert(f.other.x)),
                      join(pem_cert(f.mid.x), pem_key(f.leaf.key)));
    struct tls_input in = input_text("tls.pem", text);

    cr_assert_eq(load_files(&in, 1, NULL, 0, NULL, &f.out, &f.d), 0);
    cr_assert_eq(f.d.n, 1);
    cr_assert(found(&f.d, DIAG_WARNING, "the certificate CN=other is in no chain"));
    cr_assert_eq(f.out.v[0].nchain, 2);
    free(text);
    done(&f);
}

Test(load, without_its_key_a_certificate_leaves_no_strays)
{
    struct fixture f = fixture();
    char *text = join(pem_cert(f.leaf.x), pem_cert(f.mid.x)), *wrong = pem_key(f.other.key);
    struct tls_input cert = input_text("tls.crt", text), key = input_text("tls.key", wrong);
    struct diags none = { 0 };
    struct keymats out;

    cr_assert_eq(load_files(&cert, 1, &key, 1, NULL, &f.out, &f.d), -1);
    cr_assert_eq(f.d.n, 1);
    cr_assert(found(&f.d, DIAG_ERROR, "does not belong to the certificate CN=leaf"));
    cr_assert_eq(load_files(&cert, 1, NULL, 0, NULL, &out, &none), -1);
    cr_assert_eq(none.n, 1);
    cr_assert(found(&none, DIAG_ERROR, "no private key for the certificate CN=leaf"));
    keymats_free(&out);
    diags_free(&none);
    free(text);
    free(wrong);
    done(&f);
}

/* cert.pem and fullchain.pem, as ACME clients write them, in either order; and one twice. */
Test(load, of_two_files_with_one_leaf_the_longer_chain_is_sent)
{
    for (int i = 0; i < 3; i++) {
        struct fixture f = fixture();
        char *one = pem_cert(f.leaf.x), *both = join(pem_cert(f.leaf.x), pem_cert(f.mid.x));
        char *key = pem_key(f.leaf.key);
        struct tls_input certs[2] = { input_text("a.pem", i == 0 ? one : both),
                                      input_text("b.pem", i == 1 ? one : both) };
        struct tls_input k = input_text("tls.key", key);

        cr_assert_eq(load_files(certs, 2, &k, 1, NULL, &f.out, &f.d), 0);
        cr_assert_eq(f.d.n, 0, "%d: %s", i, f.d.n > 0 ? f.d.v[0].message : "");
        cr_assert_eq(f.out.n, 1);
        cr_assert_eq(f.out.v[0].nchain, 2);
        cr_assert(is_cert(&f.out.v[0], 1, &f.mid));
        free(one);
        free(both);
        free(key);
        done(&f);
    }
}

Test(load, issuer_first_is_a_warning_and_sent_right)
{
    struct fixture f = fixture();
    char *text = join(join(pem_cert(f.mid.x), pem_cert(f.leaf.x)), pem_key(f.leaf.key));
    struct tls_input in = input_text("tls.pem", text);

    cr_assert_eq(load_files(&in, 1, NULL, 0, NULL, &f.out, &f.d), 0);
    cr_assert_eq(f.d.n, 1);
    cr_assert(found(&f.d, DIAG_WARNING, "tls.pem begins with CN=mid, an issuer"));
    cr_assert(is_cert(&f.out.v[0], 0, &f.leaf));
    free(text);
    done(&f);
}

/* A CA made anew under its old name: the file may hold both. */
Test(load, the_issuer_is_found_by_signature_not_by_name)
{
    struct made old = make_cert(&(struct cert_spec){ .cn = "CA", .basic = "CA:TRUE",
                                                     .no_key_ids = true });
    struct made new = make_cert(&(struct cert_spec){ .cn = "CA", .basic = "CA:TRUE",
                                                     .no_key_ids = true });
    struct made leaf = make_cert(&(struct cert_spec){ .cn = "x", .issuer = &new,
                                                      .no_key_ids = true });
    char *text = join(join(pem_cert(leaf.x), pem_key(leaf.key)),
                      join(pem_cert(old.x), pem_cert(new.x)));
    struct tls_input in = input_text("tls.pem", text);
    struct keymats out;
    struct diags d = { 0 };

    cr_assert_eq(load_files(&in, 1, NULL, 0, NULL, &out, &d), 0);
    cr_assert_eq(out.v[0].nchain, 2);
    cr_assert(is_cert(&out.v[0], 1, &new));
    cr_assert(found(&d, DIAG_WARNING, "CN=CA is in no chain"));
    free(text);
    keymats_free(&out);
    diags_free(&d);
    made_free(&old);
    made_free(&new);
    made_free(&leaf);
}

static void refuses(struct fixture *f, const struct tls_input *certs, size_t nc,
                    const struct tls_input *keys, size_t nk, const char *text)
{
    cr_assert_eq(load_files(certs, nc, keys, nk, NULL, &f->out, &f->d), -1);
    cr_assert(found(&f->d, DIAG_ERROR, text), "%s", text);
    cr_assert_eq(f->d.errors, 1, "one precise error");
    cr_assert_eq(f->out.n, 0);
}

Test(load, a_key_of_another_certificate_names_both_files)
{
    struct fixture f = fixture();
    char *text = pem_cert(f.leaf.x), *key = pem_key(f.rsa.key);
    struct tls_input cert = input_text("/e/tls.crt", text), k = input_text("/e/tls.key", key);

    refuses(&f, &cert, 1, &k, 1,
            "the private key in it (RSA 2048) does not belong to the certificate CN=leaf "
            "in /e/tls.crt (EC P-256)");
    free(text);
    free(key);
    done(&f);
}

Test(load, a_certificate_without_key)
{
    struct fixture f = fixture();
    char *text = pem_cert(f.leaf.x);
    struct tls_input cert = input_text("tls.crt", text);

    refuses(&f, &cert, 1, NULL, 0, "no private key for the certificate CN=leaf in tls.crt");
    free(text);
    done(&f);
}

Test(load, a_second_certificate_file_without_key)
{
    struct fixture f = fixture();
    char *one = join(pem_cert(f.leaf.x), pem_key(f.leaf.key)), *two = pem_cert(f.rsa.x);
    struct tls_input certs[2] = { input_text("a.pem", one), input_text("b.crt", two) };

    refuses(&f, certs, 2, NULL, 0, "no private key for the certificate CN=rsa in b.crt");
    free(one);
    free(two);
    done(&f);
}

Test(load, a_first_certificate_without_key_in_a_file_with_another_pair)
{
    struct fixture f = fixture();
    char *text = join(pem_cert(f.rsa.x), join(pem_cert(f.leaf.x), pem_key(f.leaf.key)));
    struct tls_input cert = input_text("tls.pem", text);

    refuses(&f, &cert, 1, NULL, 0,
            "no private key for the certificate CN=rsa in tls.pem, the first of that file");
    free(text);
    done(&f);
}

Test(load, a_chain_in_a_file_of_its_own_is_told_where_it_belongs)
{
    struct fixture f = fixture();
    char *one = join(pem_cert(f.leaf.x), pem_key(f.leaf.key)), *two = pem_cert(f.mid.x);
    struct tls_input certs[2] = { input_text("tls.pem", one), input_text("chain.pem", two) };

    refuses(&f, certs, 2, NULL, 0, "it is the issuer of the certificate in tls.pem: append it");
    free(one);
    free(two);
    done(&f);
}

Test(load, two_leaves_of_one_key_type_for_one_name)
{
    struct fixture f = fixture();
    struct made again = make_cert(&(struct cert_spec){ .cn = "other", .san = "DNS:leaf.example" });
    struct made leaf = make_cert(&(struct cert_spec){
        .cn = "leaf", .san = "DNS:www.leaf.example, DNS:LEAF.example" });
    char *one = join(pem_cert(leaf.x), pem_key(leaf.key));
    char *two = join(pem_cert(again.x), pem_key(again.key));
    struct tls_input certs[2] = { input_text("a.pem", one), input_text("b.pem", two) };

    refuses(&f, certs, 2, NULL, 0,
            "two certificates for the same names with a key of one type (EC P-256): CN=leaf in "
            "a.pem and CN=other in b.pem");
    free(one);
    free(two);
    made_free(&leaf);
    made_free(&again);
    done(&f);
}

Test(load, two_leaves_of_one_key_type_for_two_names)
{
    struct fixture f = fixture();
    struct made leaf = make_cert(&(struct cert_spec){ .cn = "a", .san = "DNS:a.example" });
    struct made more = make_cert(&(struct cert_spec){
        .cn = "b", .san = "DNS:a.example, DNS:B.example" });
    char *one = join(pem_cert(leaf.x), pem_key(leaf.key));
    char *two = join(pem_cert(more.x), pem_key(more.key));
    struct tls_input certs[2] = { input_text("a.pem", one), input_text("b.pem", two) };

    cr_assert_eq(load_files(certs, 2, NULL, 0, NULL, &f.out, &f.d), 0);
    cr_assert_eq(f.d.n, 0);
    cr_assert_eq(f.out.n, 2);
    cr_expect_eq(f.out.v[1].nnames, 2);
    cr_expect_str_eq(f.out.v[1].names[1], "b.example");
    free(one);
    free(two);
    made_free(&leaf);
    made_free(&more);
    done(&f);
}

Test(load, the_same_certificate_twice_is_one)
{
    struct fixture f = fixture();
    char *text = join(join(pem_cert(f.leaf.x), pem_cert(f.leaf.x)), pem_key(f.leaf.key));
    struct tls_input in[2] = { input_text("a.pem", text), input_text("a.pem", text) };

    cr_assert_eq(load_files(in, 2, NULL, 0, NULL, &f.out, &f.d), 0);
    cr_assert_eq(f.out.n, 1);
    cr_assert_eq(f.out.v[0].nchain, 1);
    free(text);
    done(&f);
}

Test(load, key_and_certificate_swapped)
{
    struct fixture f = fixture();
    char *text = pem_cert(f.leaf.x), *key = pem_key(f.leaf.key);
    struct tls_input cert = input_text("tls.key", key), k = input_text("tls.crt", text);

    cr_assert_eq(load_files(&cert, 1, &k, 1, NULL, &f.out, &f.d), -1);
    cr_assert(found(&f.d, DIAG_ERROR, "tls.key holds a private key and no certificate"));
    cr_assert(found(&f.d, DIAG_ERROR, "tls.crt holds a certificate and no private key"));
    cr_assert_eq(f.d.errors, 2);
    free(text);
    free(key);
    done(&f);
}
