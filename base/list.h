/*
 * list - an intrusive doubly linked ring. The head is a link too; an unlinked link points to
 * itself. Not thread-safe; owns nothing.
 */
#ifndef LARDER_BASE_LIST_H
#define LARDER_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *prev;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define list_entry(link, type, member) container_of(link, type, member)

/* The macros declare `cursor`: a name in parentheses would be none.
 * NOLINTBEGIN(bugprone-macro-parentheses) */

/* `cursor` must not be removed inside the loop; list_each_safe allows it. */
#define list_each(cursor, head)                                                                    \
    for (struct list *cursor = (head)->next; cursor != (head); cursor = cursor->next)

#define list_each_safe(cursor, head)                                                               \
    for (struct list *cursor = (head)->next, *cursor##_next = cursor->next; cursor != (head);      \
         cursor = cursor##_next, cursor##_next = cursor->next)

/* NOLINTEND(bugprone-macro-parentheses) */

static inline void list_init(struct list *link)
{
    link->next = link;
    link->prev = link;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

static inline void list_insert(struct list *after, struct list *link)
{
    link->next = after->next;
    link->prev = after;
    after->next->prev = link;
    after->next = link;
}

static inline void list_push_front(struct list *head, struct list *link)
{
    list_insert(head, link);
}

static inline void list_push_back(struct list *head, struct list *link)
{
    list_insert(head->prev, link);
}

/* Does nothing for a link that is in no list. */
static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* Removes and returns the first link; NULL: the list is empty. */
static inline struct list *list_pop_front(struct list *head)
{
    struct list *link = head->next;

    if (link == head) {
        return NULL;
    }
    list_remove(link);
    return link;
}

/* Makes `to` a list of all links of `from`, which is empty then. */
static inline void list_move_all(struct list *from, struct list *to)
{
    list_init(to);
    if (!list_empty(from)) {
        list_insert(from, to);
        list_remove(from);
    }
}

/* Moves the first link to the end and returns it, so that all are looked at in turn; NULL: the list
 * is empty. */
static inline struct list *list_rotate(struct list *head)
{
    struct list *link = list_pop_front(head);

    if (link) {
        list_push_back(head, link);
    }
    return link;
}

#endif
