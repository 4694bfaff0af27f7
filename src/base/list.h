/*
 * Intrusive doubly linked list with a head node. A node that is not in a list points at itself, so
 * that removing twice is harmless. Used by every folder.
 */
#ifndef SO_BASE_LIST_H
#define SO_BASE_LIST_H

#include <stdbool.h>

#include "base/compiler.h"

struct list {
	struct list *next;
	struct list *previous;
};

static inline void list_init(struct list *list)
{
	list->next = list;
	list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_append(struct list *head, struct list *node)
{
	node->previous = head->previous;
	node->next = head;
	head->previous->next = node;
	head->previous = node;
}

static inline void list_remove(struct list *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	list_init(node);
}

/* The first node's object or NULL. */
#define LIST_FIRST(head, type, member) \
	(list_is_empty(head) ? NULL : CONTAINER_OF((head)->next, type, member))

/* `node` must not be removed inside the loop but by LIST_EACH_SAFE. */
#define LIST_EACH(head, node) for ((node) = (head)->next; (node) != (head); (node) = (node)->next)
#define LIST_EACH_SAFE(head, node, following)                                     \
	for ((node) = (head)->next, (following) = (node)->next; (node) != (head); \
		(node) = (following), (following) = (node)->next)

#endif
