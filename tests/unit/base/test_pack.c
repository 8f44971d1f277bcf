/* pack: what goes in comes out, and nothing is believed. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"

Test(pack, gives_back_what_it_took)
{
    struct pack k = { 0 };
    size_t n;

    pack_u32(&k, 7);
    pack_u64(&k, UINT64_MAX - 1);
    pack_blob(&k, "a\0b", 3);
    pack_str(&k, "text");
    pack_str(&k, "");
    pack_str(&k, NULL);
    pack_bytes(&k, "raw", 3);
    pack_text(&k, "in place");
    pack_text(&k, NULL);

    struct unpack u = { k.p, k.len, false };
    cr_assert_eq(unpack_u32(&u), 7);
    cr_assert_eq(unpack_u64(&u), UINT64_MAX - 1);
    const uint8_t *blob = unpack_blob(&u, &n);
    cr_assert(n == 3 && memcmp(blob, "a\0b", 3) == 0);
    char *text = unpack_str(&u), *empty = unpack_str(&u), *none = unpack_str(&u);
    cr_assert_str_eq(text, "text");
    cr_assert_str_eq(empty, "");
    cr_assert_null(none);
    cr_assert_eq(memcmp(unpack_bytes(&u, 3), "raw", 3), 0);
    cr_assert_str_eq(unpack_text(&u), "in place");
    cr_assert_null(unpack_text(&u));
    cr_assert(!u.bad && u.left == 0);
    free(text);
    free(empty);
    pack_free(&k);
    cr_assert_null(k.p);
}

Test(pack, grows_past_any_first_size)
{
    struct pack k = { 0 };

    for (uint32_t i = 0; i < 10000; i++)
        pack_u32(&k, i);
    struct unpack u = { k.p, k.len, false };
    for (uint32_t i = 0; i < 10000; i++)
        cr_assert_eq(unpack_u32(&u), i);
    cr_assert_eq(u.left, 0);
    pack_free(&k);
}

Test(pack, every_cut_makes_it_bad_and_it_stays_bad)
{
    struct pack k = { 0 };
    size_t n;

    pack_u32(&k, 1);
    pack_blob(&k, "abc", 3);
    pack_str(&k, "text");
    for (size_t cut = 0; cut < k.len; cut++) {
        struct unpack u = { k.p, cut, false };
        (void)unpack_u32(&u);
        (void)unpack_blob(&u, &n);
        struct span s = unpack_span(&u);
        cr_assert(u.bad, "cut at %zu", cut);
        cr_assert_null(s.p);
        cr_assert_eq(unpack_u32(&u), 0);
        cr_assert_null(unpack_str(&u));
    }
    pack_free(&k);
}

Test(pack, a_text_with_a_nul_is_bad)
{
    struct pack k = { 0 };

    pack_blob(&k, "a\0b", 3);
    struct unpack u = { k.p, k.len, false };
    cr_assert_null(unpack_str(&u));
    cr_assert(u.bad);
    pack_free(&k);
}

Test(pack, a_text_in_place_needs_its_end)
{
    static const struct { const char *p; size_t n; } bad[] = {
        { "", 0 }, { "abc", 3 }, { "a\0b\0", 4 }, { "\0\0", 2 },
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pack k = { 0 };
        pack_blob(&k, bad[i].p, bad[i].n);
        struct unpack u = { k.p, k.len, false };
        cr_expect_null(unpack_text(&u), "%zu", i);
        cr_expect(u.bad, "%zu", i);
        pack_free(&k);
    }
}
