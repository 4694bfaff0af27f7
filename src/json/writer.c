#include "json/writer.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_gen.h>

#include "base/memory.h"
#include "json/utf8.h"
#include "json/yajl_memory.h"

/* More digits after the point than a double has mean nothing. */
#define DECIMALS_MAX 17
/* DBL_MAX has 309 digits before the point. */
#define FIXED_SIZE (310 + DECIMALS_MAX + 3)
/* Cleaned text up to this size is made on the stack. */
#define CLEAN_SIZE 512

struct json_writer {
	yajl_gen gen;
};

/* A status other than ok is a call out of order: our bug. */
static void expect_ok(yajl_gen_status status)
{
	assert(status == yajl_gen_status_ok);
	(void)status;
}

struct json_writer *json_writer_create(void)
{
	struct json_writer *writer = mem_zalloc(sizeof(*writer));

	writer->gen = yajl_gen_alloc(&yajl_memory);
	return writer;
}

void json_writer_destroy(struct json_writer *writer)
{
	if (!writer)
		return;
	yajl_gen_free(writer->gen);
	free(writer);
}

void json_writer_reset(struct json_writer *writer)
{
	yajl_gen_reset(writer->gen, NULL);
	yajl_gen_clear(writer->gen);
}

/* Copies text with U+FFFD for each byte that is not UTF-8; `ret_clean` has room for three bytes for
 * each byte of text. */
static size_t clean(const char *text, size_t length, char *ret_clean)
{
	char *out = ret_clean;
	size_t at = 0;

	while (at < length) {
		size_t valid = utf8_valid_length(text + at, length - at);

		memcpy(out, text + at, valid);
		out += valid;
		at += valid;
		if (at == length)
			break;
		out += utf8_encode_bmp(UTF8_REPLACEMENT, out);
		at++;
	}
	return (size_t)(out - ret_clean);
}

static void write_string(struct json_writer *writer, const char *text, size_t length)
{
	char small[CLEAN_SIZE];
	char *cleaned = small;

	if (utf8_valid_length(text, length) == length) {
		expect_ok(yajl_gen_string(writer->gen, (const unsigned char *)text, length));
		return;
	}
	if (length > sizeof(small) / UTF8_REPLACEMENT_LENGTH)
		cleaned = mem_grow_array(NULL, length, UTF8_REPLACEMENT_LENGTH);
	length = clean(text, length, cleaned);
	expect_ok(yajl_gen_string(writer->gen, (const unsigned char *)cleaned, length));
	if (cleaned != small)
		free(cleaned);
}

static void write_key(struct json_writer *writer, const char *key)
{
	if (key)
		write_string(writer, key, strlen(key));
}

void json_begin_object(struct json_writer *writer, const char *key)
{
	write_key(writer, key);
	expect_ok(yajl_gen_map_open(writer->gen));
}

void json_end_object(struct json_writer *writer)
{
	expect_ok(yajl_gen_map_close(writer->gen));
}

void json_begin_array(struct json_writer *writer, const char *key)
{
	write_key(writer, key);
	expect_ok(yajl_gen_array_open(writer->gen));
}

void json_end_array(struct json_writer *writer)
{
	expect_ok(yajl_gen_array_close(writer->gen));
}

void json_put_string(struct json_writer *writer, const char *key, const char *value)
{
	json_put_string_n(writer, key, value, value ? strlen(value) : 0);
}

void json_put_string_n(
	struct json_writer *writer, const char *key, const char *value, size_t length)
{
	if (!value) {
		json_put_null(writer, key);
		return;
	}
	write_key(writer, key);
	write_string(writer, value, length);
}

void json_put_int(struct json_writer *writer, const char *key, int64_t value)
{
	write_key(writer, key);
	expect_ok(yajl_gen_integer(writer->gen, value));
}

/* "-0.000" says no more than "0.000" and looks like a mistake. */
static bool is_negative_zero(const char *text)
{
	return text[0] == '-' && strspn(text + 1, "0.") == strlen(text + 1);
}

void json_put_fixed(struct json_writer *writer, const char *key, double value, int decimals)
{
	char text[FIXED_SIZE];
	const char *begin = text;

	if (!isfinite(value)) {
		json_put_null(writer, key);
		return;
	}
	if (decimals < 0)
		decimals = 0;
	if (decimals > DECIMALS_MAX)
		decimals = DECIMALS_MAX;
	/* The program never calls setlocale(): the point is a point. */
	snprintf(text, sizeof(text), "%.*f", decimals, value);
	if (is_negative_zero(text))
		begin++;
	write_key(writer, key);
	expect_ok(yajl_gen_number(writer->gen, begin, strlen(begin)));
}

void json_put_bool(struct json_writer *writer, const char *key, bool value)
{
	write_key(writer, key);
	expect_ok(yajl_gen_bool(writer->gen, value));
}

void json_put_null(struct json_writer *writer, const char *key)
{
	write_key(writer, key);
	expect_ok(yajl_gen_null(writer->gen));
}

const char *json_writer_get(const struct json_writer *writer, size_t *ret_length)
{
	const unsigned char *text;
	size_t length;

	expect_ok(yajl_gen_get_buf(writer->gen, &text, &length));
	if (ret_length)
		*ret_length = length;
	/* yajl has no buffer before the first byte */
	return text ? (const char *)text : "";
}
