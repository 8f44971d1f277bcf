#include <criterion/criterion.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

Test(mem, zalloc_is_zeroed_and_never_null)
{
    unsigned char *p = mem_zalloc(64);

    for (size_t i = 0; i < 64; i++)
        cr_assert_eq(p[i], 0);
    free(p);
    p = mem_zalloc(0);
    cr_assert_not_null(p);
    free(p);
}

Test(mem, grow_keeps_what_is_there)
{
    uint32_t *v = NULL;

    for (uint32_t i = 0; i < 100; i++) {
        v = mem_grow(v, i + 1, sizeof(*v));
        v[i] = i;
    }
    for (uint32_t i = 0; i < 100; i++)
        cr_assert_eq(v[i], i);
    v = mem_grow(v, 0, sizeof(*v));
    cr_assert_not_null(v);
    free(v);
}

Test(mem, grow_dies_of_an_overflow, .signal = SIGABRT)
{
    free(mem_grow(NULL, SIZE_MAX / 2, 4));
}

Test(mem, copies)
{
    char *s = mem_strdup("node");
    cr_assert_str_eq(s, "node");
    free(s);

    s = mem_strndup("node.crt", 4);
    cr_assert_str_eq(s, "node");
    free(s);

    s = mem_strndup(NULL, 0); /* a span without bytes */
    cr_assert_str_eq(s, "");
    free(s);

    s = mem_dup("a\0b", 3);
    cr_assert_arr_eq(s, "a\0b", 3);
    free(s);

    void *none = mem_dup(NULL, 0);
    cr_assert_not_null(none);
    free(none);

    s = mem_printf("%s:%u", "127.0.0.1", 9042u);
    cr_assert_str_eq(s, "127.0.0.1:9042");
    free(s);
}

Test(mem, wipe_free_takes_null)
{
    mem_wipe_free(NULL, 0);
    mem_wipe_free(mem_strdup("secret"), 6);
}

Test(mem, a_list_grows_by_doubling)
{
    uint64_t *v = NULL;
    size_t moves = 0;

    for (size_t n = 0; n < 1000; n++) {
        uint64_t *p = mem_append(v, n, sizeof(*v));
        moves += p != v;
        v = p;
        v[n] = n;
    }
    cr_expect_leq(moves, 11);
    for (size_t n = 0; n < 1000; n++)
        cr_assert_eq(v[n], n);
    free(v);
}

Test(mem, items_are_joined)
{
    char *list = mem_join(mem_strdup(""), ", ", "one");

    cr_assert_str_eq(list, "one");
    list = mem_join(mem_join(list, ", ", "two"), ", ", "three");
    cr_assert_str_eq(list, "one, two, three");
    free(list);
}
