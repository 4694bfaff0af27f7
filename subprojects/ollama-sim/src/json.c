#include "json.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mem.h"

/* yajl's words for a text that ends too early (yajl_parser.c). */
#define YAJL_EARLY_END "premature EOF"
#define YAJL_ERROR_BYTES 512
/* Go's maxNestingDepth. yajl frees its trees by recursion: a deeper one would use up the stack. */
#define MAX_DEPTH 10000

static bool is_too_deep(const char *text)
{
	size_t depth = 0;

	for (text += strcspn(text, "[{}]\""); *text != '\0'; text += strcspn(text, "[{}]\"")) {
		char byte = *text++;

		if (byte == '[' || byte == '{') {
			if (++depth > MAX_DEPTH)
				return true;
		} else if (byte == '"') {
			for (text += strcspn(text, "\"\\"); *text == '\\';
				text += strcspn(text, "\"\\"))
				text += text[1] == '\0' ? 1 : 2;
			text += *text == '"' ? 1 : 0;
		} else if (depth > 0) {
			depth--;
		}
	}
	return false;
}

yajl_val json_parse(const char *text, char error[JSON_ERROR_BYTES])
{
	char yajl_error[YAJL_ERROR_BYTES] = "";

	if (is_too_deep(text)) {
		snprintf(error, JSON_ERROR_BYTES, "exceeded max depth");
		return NULL;
	}
	yajl_val tree = yajl_tree_parse(text, yajl_error, sizeof(yajl_error));
	if (tree != NULL)
		return tree;
	while (isspace((unsigned char)*text))
		text++;
	if (*text == '\0' || strstr(yajl_error, YAJL_EARLY_END) != NULL)
		snprintf(error, JSON_ERROR_BYTES, "unexpected EOF");
	else
		snprintf(error, JSON_ERROR_BYTES,
			"invalid character '%c' looking for beginning of value", *text);
	return NULL;
}

yajl_val json_get(yajl_val node, const char *key)
{
	if (!YAJL_IS_OBJECT(node))
		return NULL;
	for (size_t i = node->u.object.len; i > 0; i--) {
		if (strcasecmp(node->u.object.keys[i - 1], key) == 0)
			return node->u.object.values[i - 1];
	}
	return NULL;
}

const char *json_string(yajl_val node)
{
	return node == NULL ? NULL : YAJL_GET_STRING(node);
}

const char *json_get_string(yajl_val node, const char *key)
{
	return json_string(json_get(node, key));
}

double json_get_number(yajl_val node, const char *key, double otherwise)
{
	yajl_val value = json_get(node, key);

	if (!YAJL_IS_NUMBER(value))
		return otherwise;
	return YAJL_IS_INTEGER(value) ? (double)YAJL_GET_INTEGER(value) : YAJL_GET_DOUBLE(value);
}

bool json_get_bool(yajl_val node, const char *key, bool otherwise)
{
	yajl_val value = json_get(node, key);

	return YAJL_IS_TRUE(value) ? true : YAJL_IS_FALSE(value) ? false : otherwise;
}

size_t json_count(yajl_val node)
{
	return YAJL_IS_ARRAY(node) ? node->u.array.len : 0;
}

yajl_val json_item(yajl_val node, size_t index)
{
	return node->u.array.values[index];
}

bool json_is_absent(yajl_val node)
{
	return node == NULL || YAJL_IS_NULL(node);
}

const char *json_type_name(yajl_val node)
{
	switch (node->type) {
	case yajl_t_string:
		return "string";
	case yajl_t_number:
		return "number";
	case yajl_t_object:
		return "object";
	case yajl_t_array:
		return "array";
	case yajl_t_true:
	case yajl_t_false:
		return "bool";
	case yajl_t_null:
	case yajl_t_any:
		break;
	}
	return "null";
}
