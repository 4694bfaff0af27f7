#include "schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <regex.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_tree.h>

enum { PATH_BYTES = 512, ERROR_BYTES = 256 };

static void check(const char *where, yajl_val schema, yajl_val value);

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t bytes = 0;

	if (!file)
		fail_msg("%s cannot be read", path);
	if (getdelim(&text, &bytes, '\0', file) < 0)
		fail_msg("%s is empty", path);
	fclose(file);
	return text;
}

static yajl_val parse(const char *where, const char *text)
{
	char error[ERROR_BYTES];
	yajl_val tree = yajl_tree_parse(text, error, sizeof(error));

	if (!tree)
		fail_msg("%s: %s", where, error);
	return tree;
}

static const char *text_of(yajl_val value)
{
	if (!YAJL_IS_STRING(value))
		fail_msg("a string is missing in the schema");
	return value->u.string;
}

static yajl_val get(yajl_val object, const char *key)
{
	for (size_t i = 0; YAJL_IS_OBJECT(object) && i < object->u.object.len; i++) {
		if (strcmp(object->u.object.keys[i], key) == 0)
			return object->u.object.values[i];
	}
	return NULL;
}

static bool is_of_type(yajl_val value, const char *type)
{
	if (strcmp(type, "null") == 0)
		return YAJL_IS_NULL(value);
	if (strcmp(type, "boolean") == 0)
		return YAJL_IS_TRUE(value) || YAJL_IS_FALSE(value);
	if (strcmp(type, "string") == 0)
		return YAJL_IS_STRING(value);
	if (strcmp(type, "integer") == 0)
		return YAJL_IS_INTEGER(value);
	if (strcmp(type, "number") == 0)
		return YAJL_IS_NUMBER(value);
	if (strcmp(type, "array") == 0)
		return YAJL_IS_ARRAY(value);
	if (strcmp(type, "object") == 0)
		return YAJL_IS_OBJECT(value);
	fail_msg("the schema has an unknown type %s", type);
	return false;
}

static void check_type(const char *where, yajl_val type, yajl_val value)
{
	bool is_right = false;

	if (!type)
		fail_msg("%s: the schema names no type", where);
	if (YAJL_IS_STRING(type))
		is_right = is_of_type(value, text_of(type));
	for (size_t i = 0; YAJL_IS_ARRAY(type) && i < type->u.array.len; i++)
		is_right = is_right || is_of_type(value, text_of(type->u.array.values[i]));
	if (!is_right)
		fail_msg("%s has the wrong type", where);
}

static bool is_same(yajl_val one, yajl_val other)
{
	if (YAJL_IS_STRING(one) && YAJL_IS_STRING(other))
		return strcmp(text_of(one), text_of(other)) == 0;
	return YAJL_IS_NULL(one) && YAJL_IS_NULL(other);
}

static void check_value(const char *where, yajl_val schema, yajl_val value)
{
	yajl_val constant = get(schema, "const");
	yajl_val list = get(schema, "enum");
	yajl_val minimum = get(schema, "minimum");
	yajl_val maximum = get(schema, "maximum");
	bool is_listed = false;

	if (constant && !is_same(constant, value))
		fail_msg("%s is not the constant", where);
	for (size_t i = 0; list && i < list->u.array.len; i++)
		is_listed = is_listed || is_same(list->u.array.values[i], value);
	if (list && !is_listed)
		fail_msg("%s is not in the enum", where);
	if (minimum && YAJL_IS_NUMBER(value) && YAJL_GET_DOUBLE(value) < YAJL_GET_DOUBLE(minimum))
		fail_msg("%s is below its minimum", where);
	if (maximum && YAJL_IS_NUMBER(value) && YAJL_GET_DOUBLE(value) > YAJL_GET_DOUBLE(maximum))
		fail_msg("%s is above its maximum", where);
}

static void check_pattern(const char *where, yajl_val pattern, yajl_val value)
{
	regex_t regex;
	int result;

	if (!pattern || !YAJL_IS_STRING(value))
		return;
	if (regcomp(&regex, text_of(pattern), REG_EXTENDED | REG_NOSUB) != 0)
		fail_msg("%s: the schema's pattern is wrong", where);
	result = regexec(&regex, text_of(value), 0, NULL, 0);
	regfree(&regex);
	if (result != 0)
		fail_msg("%s does not match its pattern: %s", where, text_of(value));
}

/* All keys of `list` (an array of strings) are those of the object, in the same order. */
static void check_order(const char *where, const char *what, yajl_val list, yajl_val object)
{
	if (!YAJL_IS_ARRAY(list))
		fail_msg("%s: the schema has no %s", where, what);
	for (size_t i = 0; i < list->u.array.len && i < object->u.object.len; i++) {
		const char *wanted = text_of(list->u.array.values[i]);

		if (strcmp(wanted, object->u.object.keys[i]) != 0)
			fail_msg("%s: %s wants %s where %s stands", where, what, wanted,
				object->u.object.keys[i]);
	}
	if (list->u.array.len != object->u.object.len)
		fail_msg("%s: %s has %zu keys, not %zu", where, what, list->u.array.len,
			object->u.object.len);
}

/* Any keys, values of one kind. */
static void check_map(const char *where, yajl_val values, yajl_val value)
{
	for (size_t i = 0; i < value->u.object.len; i++) {
		char inner[PATH_BYTES];

		snprintf(inner, sizeof(inner), "%s/%s", where, value->u.object.keys[i]);
		check(inner, values, value->u.object.values[i]);
	}
}

static void check_object(const char *where, yajl_val schema, yajl_val value)
{
	yajl_val properties = get(schema, "properties");
	yajl_val additional = get(schema, "additionalProperties");

	if (!properties && YAJL_IS_OBJECT(additional)) {
		check_map(where, additional, value);
		return;
	}
	if (!YAJL_IS_OBJECT(properties) || !YAJL_IS_FALSE(additional))
		fail_msg("%s: the schema is open", where);
	check_order(where, "x-order", get(schema, "x-order"), value);
	check_order(where, "required", get(schema, "required"), value);
	check_order(where, "properties", get(schema, "x-order"), properties);
	for (size_t i = 0; i < value->u.object.len; i++) {
		char inner[PATH_BYTES];

		snprintf(inner, sizeof(inner), "%s/%s", where, value->u.object.keys[i]);
		check(inner, properties->u.object.values[i], value->u.object.values[i]);
	}
}

static void check(const char *where, yajl_val schema, yajl_val value)
{
	check_type(where, get(schema, "type"), value);
	check_value(where, schema, value);
	check_pattern(where, get(schema, "pattern"), value);
	if (YAJL_IS_OBJECT(value))
		check_object(where, schema, value);
	for (size_t i = 0; YAJL_IS_ARRAY(value) && i < value->u.array.len; i++) {
		char inner[PATH_BYTES];

		snprintf(inner, sizeof(inner), "%s/%zu", where, i);
		check(inner, get(schema, "items"), value->u.array.values[i]);
	}
}

void schema_check(const char *name, const char *json)
{
	char path[PATH_BYTES];
	char *text;
	yajl_val schema;
	yajl_val value;

	snprintf(path, sizeof(path), "%s/%s.schema.json", SCHEMA_DIRECTORY, name);
	text = read_file(path);
	schema = parse(path, text);
	value = parse("the text", json);
	check(name, schema, value);
	yajl_tree_free(value);
	yajl_tree_free(schema);
	free(text);
}
