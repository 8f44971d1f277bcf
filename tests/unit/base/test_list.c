#include <criterion/criterion.h>

#include "base/list.h"

struct item {
    int n;
    struct list link;
};

static int sum(const struct list *head)
{
    int total = 0;

    LIST_EACH(pos, tmp, head)
        total = total * 10 + LIST_OF(struct item, link, pos)->n;
    return total;
}

Test(list, keeps_the_order_of_appending)
{
    struct list head;
    struct item a = { .n = 1 }, b = { .n = 2 }, c = { .n = 3 };

    list_init(&head);
    cr_assert(list_empty(&head));
    cr_assert_eq(sum(&head), 0);
    list_append(&head, &a.link);
    list_append(&head, &b.link);
    list_append(&head, &c.link);
    cr_assert_not(list_empty(&head));
    cr_assert_eq(sum(&head), 123);
}

Test(list, remove_twice_is_remove_once)
{
    struct list head;
    struct item a = { .n = 1 }, b = { .n = 2 };

    list_init(&head);
    list_append(&head, &a.link);
    list_append(&head, &b.link);
    list_remove(&a.link);
    cr_assert_eq(sum(&head), 2);
    list_remove(&a.link);
    cr_assert_eq(sum(&head), 2);
    cr_assert(list_empty(&a.link));
    list_append(&head, &a.link);
    cr_assert_eq(sum(&head), 21);
}

Test(list, each_may_remove_what_it_stands_on)
{
    struct list head;
    struct item items[5];
    int seen = 0;

    list_init(&head);
    for (int i = 0; i < 5; i++) {
        items[i].n = i;
        list_append(&head, &items[i].link);
    }
    LIST_EACH(pos, tmp, &head) {
        seen++;
        list_remove(pos);
    }
    cr_assert_eq(seen, 5);
    cr_assert(list_empty(&head));
}
