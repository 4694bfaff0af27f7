/*
 * The allocator that every yajl handle of this folder gets: yajl does not check what malloc()
 * returns, so ours ends the program (STYLE B6.9). What yajl allocates is bounded by json/filter
 * when it parses and by our own texts when it writes. Called by writer, peek, answer and walk.
 */
#ifndef SO_JSON_YAJL_MEMORY_H
#define SO_JSON_YAJL_MEMORY_H

#include <yajl/yajl_common.h>

/* yajl takes a pointer to a non-const struct and copies it. */
extern yajl_alloc_funcs yajl_memory;

#endif
