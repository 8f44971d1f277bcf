#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/names.h"

static struct span span(const char *s)
{
    return (struct span){ s, strlen(s) };
}

Test(names, finds_what_was_added_and_nothing_else)
{
    static char texts[5000][16];
    struct names t = { 0 };

    cr_assert_null(names_find(&t, span("n1")));
    for (uint32_t i = 0; i < 5000; i++) {
        snprintf(texts[i], sizeof(texts[i]), "n%u", i);
        names_add(&t, span(texts[i]), i);
    }
    for (uint32_t i = 0; i < 5000; i++) {
        const struct names_item *found = names_find(&t, span(texts[i]));
        cr_assert_not_null(found);
        cr_assert_eq(found->value, i);
        cr_assert_null(names_next(&t, found));
    }
    cr_assert_null(names_find(&t, span("n5000")));
    cr_assert_null(names_find(&t, (struct span){ "n1\0", 3 }));
    names_free(&t);
}

Test(names, one_text_keeps_its_numbers_in_order_while_the_table_grows)
{
    static char texts[1000][16];
    struct names t = { 0 };
    uint32_t at = 0;

    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(texts[i], sizeof(texts[i]), "other%u", i);
        names_add(&t, span("same"), i);
        names_add(&t, span(texts[i]), i);
    }
    for (const struct names_item *i = names_find(&t, span("same")); i; i = names_next(&t, i))
        cr_assert_eq(i->value, at++);
    cr_assert_eq(at, 1000);
    names_free(&t);
}

Test(names, dns_names_are_folded)
{
    char out[DNS_NAME_MAX + 1], longest[DNS_NAME_MAX + 2];

    cr_assert_eq(dns_fold(span("A.Example.COM."), out), 13);
    cr_assert_str_eq(out, "a.example.com");
    cr_assert_eq(dns_fold(span("."), out), 0);
    cr_assert_eq(dns_fold(span(""), out), 0);
    cr_assert_eq(dns_fold((struct span){ "a\0.com", 6 }, out), 0);
    cr_assert_str_eq(out, "");
    memset(longest, 'a', sizeof(longest));
    cr_assert_eq(dns_fold((struct span){ longest, DNS_NAME_MAX }, out), DNS_NAME_MAX);
    cr_assert_eq(dns_fold((struct span){ longest, DNS_NAME_MAX + 1 }, out), 0);
}

Test(names, a_wildcard_stands_for_one_label)
{
    char name[] = "host.example.com", short_one[] = "a.b", single[] = "localhost", odd[] = ".x";

    cr_assert_str_eq(dns_wildcard(name), "*.example.com");
    cr_assert_str_eq(dns_wildcard(short_one), "*.b");
    cr_assert_null(dns_wildcard(single));
    cr_assert_null(dns_wildcard(odd));
}
