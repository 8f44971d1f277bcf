/* facts: what is told of a certificate, and its way through a bundle. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "certs.h"
#include "tls/facts.h"

Test(facts, tell_what_a_certificate_says)
{
    struct made ca = make_ca("root", NULL), leaf = make_server("leaf", &ca, "EC");
    struct fact f = { 0 };

    fact_of_cert(leaf.x, &f);
    cr_assert_str_eq(f.name, "CN=leaf");
    cr_assert_not_null(strstr(f.subject, "CN=leaf"));
    cr_assert_not_null(strstr(f.issuer, "CN=root"));
    cr_assert_str_eq(f.key, "EC P-256");
    cr_assert_eq(strlen(f.sha256), 64);
    cr_assert_lt(f.not_before, f.not_after);
    cr_assert(!f.ca && !f.self_signed);
    cr_assert_eq(f.version, 3);
    fact_free(&f);

    fact_of_cert(ca.x, &f);
    cr_assert(f.ca && f.self_signed);
    fact_free(&f);
    made_free(&ca);
    made_free(&leaf);
}

Test(facts, survive_packing)
{
    struct made ca = make_ca("root", NULL);
    struct fact f = { .kind = FACT_ANCHOR, .file_time = 12345 }, back;
    struct pack k = { 0 };

    f.path = mem_strdup("/etc/ca.crt");
    fact_of_cert(ca.x, &f);
    fact_pack(&f, &k);

    struct unpack u = { k.p, k.len, false };
    cr_assert(fact_view(&u, &back));
    cr_assert_eq(u.left, 0);
    cr_assert_eq(back.kind, FACT_ANCHOR);
    cr_assert_str_eq(back.path, "/etc/ca.crt");
    cr_assert_null(back.alias);
    cr_assert_str_eq(back.sha256, f.sha256);
    cr_assert_eq(back.not_after, f.not_after);
    cr_assert_eq(back.file_time, 12345);
    cr_assert(back.ca && back.self_signed && back.version == 3);

    for (size_t cut = 0; cut < k.len; cut++) {
        struct unpack short_of = { k.p, cut, false };
        struct fact none;
        cr_assert(!fact_view(&short_of, &none), "cut at %zu", cut);
        cr_assert_null(none.name);
    }
    fact_free(&f);
    pack_free(&k);
    made_free(&ca);
}
