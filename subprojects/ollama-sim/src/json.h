/*
 * Reading JSON the way Go does: keys match without regard to case, the last of equal keys counts.
 * The only module that calls yajl's parser; the trees are yajl's.
 */
#ifndef SIM_JSON_H
#define SIM_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <yajl/yajl_tree.h>

#include "mem.h"

/* Room for an error text of json_parse(). */
#define JSON_ERROR_BYTES 128

/* NUL-terminated text to a tree, which the caller frees with yajl_tree_free(). On failure NULL, and
 * error is Go's text. */
MUST_CHECK yajl_val json_parse(const char *text, char error[JSON_ERROR_BYTES]);

/* NULL if node is not an object or has no such key. */
yajl_val json_get(yajl_val node, const char *key);
/* NULL for a missing node or another type. */
const char *json_string(yajl_val node);
const char *json_get_string(yajl_val node, const char *key);
double json_get_number(yajl_val node, const char *key, double otherwise);
bool json_get_bool(yajl_val node, const char *key, bool otherwise);
/* 0 for anything but an array. */
size_t json_count(yajl_val node);
yajl_val json_item(yajl_val node, size_t index);
/* Missing or null. */
bool json_is_absent(yajl_val node);
/* "number", "string", …: Go's word in "cannot unmarshal number into …". */
const char *json_type_name(yajl_val node);

#endif
