/* The container of a Java keystore, built here byte by byte. */
#include <criterion/criterion.h>
#include <string.h>

#include "proto/jks.h"

struct made {
    uint8_t p[65536 + 256];
    size_t len;
};

static void put(struct made *m, const void *p, size_t n)
{
    cr_assert_leq(m->len + n, sizeof(m->p));
    memcpy(m->p + m->len, p, n);
    m->len += n;
}

static void put_number(struct made *m, uint64_t v, size_t n)
{
    while (n-- > 0)
        put(m, &(uint8_t){ (uint8_t)(v >> (8 * n)) }, 1);
}

static void put_bytes(struct made *m, size_t nlen, const void *p, size_t n)
{
    put_number(m, n, nlen);
    put(m, p, n);
}

static void head(struct made *m, uint32_t magic, uint32_t version, uint32_t entries)
{
    m->len = 0;
    put_number(m, magic, 4);
    put_number(m, version, 4);
    put_number(m, entries, 4);
}

static void entry(struct made *m, uint32_t tag, const char *alias)
{
    put_number(m, tag, 4);
    put_bytes(m, 2, alias, strlen(alias));
    put_number(m, 1234567890123, 8);
}

static void cert(struct made *m, uint32_t version, const char *der)
{
    if (version == 2)
        put_bytes(m, 2, "X.509", 5);
    put_bytes(m, 4, der, strlen(der));
}

static void end(struct made *m)
{
    static const uint8_t digest[JKS_DIGEST_LEN] = { 1, 2, 3 };

    put(m, digest, sizeof(digest));
}

#define JKS   0xfeedfeed
#define JCEKS 0xcececece

static bool is(struct jks_bytes b, const char *text)
{
    return b.len == strlen(text) && memcmp(b.p, text, b.len) == 0;
}

/* A key with a chain of two, and a trusted certificate. */
static void two_entries(struct made *m, uint32_t magic, uint32_t version)
{
    head(m, magic, version, 2);
    entry(m, 1, "server");
    put_bytes(m, 4, "sealed", 6);
    put_number(m, 2, 4);
    cert(m, version, "leaf");
    cert(m, version, "issuer");
    entry(m, 2, "ca");
    cert(m, version, "anchor");
    end(m);
}

static void reads_two(const struct made *m)
{
    struct err e = ERR_INIT;
    struct jks_entry t;
    struct jks_bytes der;
    struct jks k;

    cr_assert_eq(jks_open(&k, m->p, m->len, &e), 0, "%s", e.text);
    cr_assert_eq(jks_next(&k, &t, &e), 1, "%s", e.text);
    cr_expect_eq(t.kind, JKS_KEY);
    cr_expect(is(t.alias, "server"));
    cr_expect_eq(t.created, 1234567890123);
    cr_expect(is(t.key, "sealed"));
    cr_expect_eq(t.ncerts, 2);
    cr_expect(jks_cert(&k, &t, &der) && is(der, "leaf"));
    cr_expect(jks_cert(&k, &t, &der) && is(der, "issuer"));
    cr_expect_not(jks_cert(&k, &t, &der));
    cr_assert_eq(jks_next(&k, &t, &e), 1, "%s", e.text);
    cr_expect_eq(t.kind, JKS_TRUSTED);
    cr_expect(is(t.alias, "ca"));
    cr_expect_eq(t.key.len, 0);
    cr_expect_eq(t.ncerts, 1);
    cr_expect(jks_cert(&k, &t, &der) && is(der, "anchor"));
    cr_expect_eq(jks_next(&k, &t, &e), 0);
    cr_expect_eq(jks_digested(&k).len, m->len - JKS_DIGEST_LEN);
    cr_expect_eq(memcmp(jks_digest(&k), "\1\2\3", 4), 0);
}

Test(jks, entries)
{
    static const uint32_t magics[] = { JKS, JCEKS };
    struct made m;

    for (size_t i = 0; i < 2; i++) {
        for (uint32_t version = 1; version <= 2; version++) {
            two_entries(&m, magics[i], version);
            cr_expect_eq(jks_form(m.p, m.len), i == 0 ? JKS_JKS : JKS_JCEKS);
            reads_two(&m);
        }
    }
    cr_expect_eq(jks_form(m.p, 3), JKS_NOT);
}

/* The first error of the whole, or "". */
static const char *error_of(const uint8_t *p, size_t len)
{
    static struct err e;
    struct jks_entry t;
    struct jks k;
    int rc;

    e = (struct err)ERR_INIT;
    if (jks_open(&k, p, len, &e) != 0)
        return e.text;
    while ((rc = jks_next(&k, &t, &e)) > 0)
        if (t.kind == JKS_SECRET)
            return "secret";
    return rc < 0 ? e.text : "";
}

static void refuses(struct made *m, const char *text)
{
    end(m);
    cr_expect_str_eq(error_of(m->p, m->len), text);
}

Test(jks, heads_that_are_none)
{
    struct made m;

    head(&m, 0xfeedfeee, 2, 0);
    refuses(&m, "it does not begin as a Java keystore does");
    head(&m, JKS, 3, 0);
    refuses(&m, "its version is 3, not 1 or 2");
    head(&m, JKS, 2, JKS_ENTRIES_MAX + 1);
    refuses(&m, "it says that it has 10001 entries; at most 10000 are read");
    head(&m, JKS, 2, 0);
    cr_expect_str_eq(error_of(m.p, m.len), "it is cut short after 12 bytes");
    refuses(&m, "");
}

Test(jks, entries_that_are_none)
{
    struct made m;

    head(&m, JKS, 2, 1);
    entry(&m, 4, "x");
    refuses(&m, "entry 1 of 1: the entry at byte 12 is of no known kind (4)");
    head(&m, JKS, 2, 1);
    entry(&m, 3, "x");
    refuses(&m, "entry 1 of 1: the entry at byte 12 is of no known kind (3)");
    head(&m, JCEKS, 2, 1);
    entry(&m, 3, "x");
    refuses(&m, "secret");
    head(&m, JKS, 2, 1);
    refuses(&m, "entry 1 of 1: the entry at byte 12 ends behind the end of the file");
    head(&m, JKS, 2, 0);
    put(&m, "???", 3);
    refuses(&m, "there are 3 bytes too many behind its 0 entries");
    head(&m, JKS, 2, 1);
    entry(&m, 2, "x");
    put_bytes(&m, 2, "X.508", 5);
    refuses(&m, "entry 1 of 1: the certificate at byte 27 is not of the type X.509");
}

Test(jks, lengths_that_lie)
{
    struct made m;

    head(&m, JKS, 2, 1);
    entry(&m, 1, "x");
    put_number(&m, 0xffffffff, 4);
    refuses(&m, "entry 1 of 1: the private key at byte 31 ends behind the end of the file");
    head(&m, JKS, 2, 1);
    entry(&m, 1, "x");
    put_bytes(&m, 4, "k", 1);
    put_number(&m, 0xffffffff, 4);
    refuses(&m, "entry 1 of 1: the chain before byte 36 says that it has 4294967295 certificates");
    /* A chain without end of certificates without bytes. */
    head(&m, JKS, 1, 2);
    for (int i = 0; i < 2; i++) {
        entry(&m, 1, "x");
        put_bytes(&m, 4, "k", 1);
        put_number(&m, 6000, 4);
        for (int n = 0; n < 6000; n++)
            put_number(&m, 0, 4);
    }
    refuses(&m, "entry 2 of 2: the chain before byte 24060 says that it has 6000 certificates");
}

Test(jks, cut_anywhere)
{
    struct made m;

    two_entries(&m, JKS, 2);
    for (size_t n = 0; n < m.len; n++)
        cr_expect_str_neq(error_of(m.p, n), "", "%zu", n);
    cr_expect_str_eq(error_of(m.p, m.len), "");
}

/* --- text --- */

static void text_is(const char *in, size_t len, const char *out, ptrdiff_t outlen)
{
    char text[64];
    ptrdiff_t n = jks_text((struct jks_bytes){ (const uint8_t *)in, len }, text);

    cr_expect_eq(n, outlen);
    if (n == outlen && n > 0)
        cr_expect_eq(memcmp(text, out, (size_t)n), 0);
}

Test(jks, modified_utf8)
{
    text_is("", 0, "", 0);
    text_is("abc", 3, "abc", 3);
    text_is("kn\xc3\xb6", 4, "kn\xc3\xb6", 4);
    text_is("\xe2\x82\xac", 3, "\xe2\x82\xac", 3);
    text_is("a\xc0\x80" "b", 4, "a\0b", 3);
    /* U+1F600 and the last of all, as surrogates */
    text_is("\xed\xa0\xbd\xed\xb8\x80", 6, "\xf0\x9f\x98\x80", 4);
    text_is("\xed\xaf\xbf\xed\xbf\xbf!", 7, "\xf4\x8f\xbf\xbf!", 5);
    /* lone ones */
    text_is("\xed\xa0\xbd", 3, "\xed\xa0\xbd", 3);
    text_is("\xed\xa0\xbdx", 4, "\xed\xa0\xbdx", 4);
    text_is("\xed\xb8\x80\xed\xa0\xbd", 6, "\xed\xb8\x80\xed\xa0\xbd", 6);
}

Test(jks, what_is_no_modified_utf8)
{
    text_is("\x80", 1, NULL, -1);
    text_is("a\xc3", 2, NULL, -1);
    text_is("\xc3x", 2, NULL, -1);
    text_is("\xe2\x82", 2, NULL, -1);
    text_is("\xe2x\x82", 3, NULL, -1);
    text_is("\xf0\x9f\x98\x80", 4, NULL, -1);
    text_is("\xff", 1, NULL, -1);
}
