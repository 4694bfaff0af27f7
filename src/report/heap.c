#include "report/heap.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

void heap_init(struct heap *heap, size_t most)
{
	heap->count = 0;
	heap->most = most;
	heap->items = mem_zalloc_array(most, sizeof(*heap->items));
}

void heap_finish(struct heap *heap)
{
	free(heap->items);
	heap->items = NULL;
	heap->count = 0;
}

bool heap_is_full(const struct heap *heap)
{
	return heap->count == heap->most;
}

void heap_push(struct heap *heap, struct heap_item item)
{
	size_t at = heap->count;

	assert(heap->count < heap->most);
	heap->count++;
	while (at > 0 && heap->items[(at - 1) / 2].key > item.key) {
		heap->items[at] = heap->items[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->items[at] = item;
}

struct heap_item *heap_first(struct heap *heap)
{
	assert(heap->count > 0);
	return &heap->items[0];
}

struct heap_item heap_pop(struct heap *heap)
{
	struct heap_item first, last;
	size_t at = 0, child = 1;

	assert(heap->count > 0);
	first = heap->items[0];
	last = heap->items[--heap->count];
	while (child < heap->count) {
		if (child + 1 < heap->count && heap->items[child + 1].key < heap->items[child].key)
			child++;
		if (heap->items[child].key >= last.key)
			break;
		heap->items[at] = heap->items[child];
		at = child;
		child = 2 * at + 1;
	}
	heap->items[at] = last;
	return first;
}
