/*
 * A binary heap of bounded size, least key first. Called by report/order and report/bound.
 */
#ifndef SO_REPORT_HEAP_H
#define SO_REPORT_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_item {
	int64_t key;
	int64_t value;
	double left;
};

struct heap {
	size_t count;
	size_t most;
	struct heap_item *items;
};

void heap_init(struct heap *heap, size_t most);
void heap_finish(struct heap *heap);
bool heap_is_full(const struct heap *heap);
/* The heap is not full. */
void heap_push(struct heap *heap, struct heap_item item);
/* The least; the heap is not empty. Its `left` may be changed, its key not. */
struct heap_item *heap_first(struct heap *heap);
struct heap_item heap_pop(struct heap *heap);

#endif
