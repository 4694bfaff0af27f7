#include "json/yajl_memory.h"

#include <stdlib.h>

#include "base/memory.h"

static void *allocate(void *context, size_t bytes)
{
	return mem_alloc(bytes);
}

static void *reallocate(void *context, void *old, size_t bytes)
{
	return mem_grow_array(old, bytes, 1);
}

static void release(void *context, void *old)
{
	free(old);
}

yajl_alloc_funcs yajl_memory = {
	.malloc = allocate,
	.realloc = reallocate,
	.free = release,
};
