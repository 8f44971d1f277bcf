/*
 * list: a doubly linked list whose links live in the objects.
 *
 * An object that is in no list has links that point at themselves, so that
 * list_remove() may be called twice. The list owns nothing.
 */
#ifndef SALLYPORT_BASE_LIST_H
#define SALLYPORT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define LIST_OF(type, member, link) ((type *)(void *)((char *)(link) - offsetof(type, member)))

/* Walks `pos` over the links of `head`; the object under `pos` may be removed. */
#define LIST_EACH(pos, tmp, head) \
    for (struct list *pos = (head)->next, *tmp = pos->next; pos != (head); \
         pos = tmp, tmp = pos->next)

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_append(struct list *head, struct list *l)
{
    l->prev = head->prev;
    l->next = head;
    head->prev->next = l;
    head->prev = l;
}

static inline void list_prepend(struct list *head, struct list *l)
{
    list_append(head->next, l);
}

static inline void list_remove(struct list *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
    list_init(l);
}

#endif
