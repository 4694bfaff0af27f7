/*
 * Reads request heads for the tests of this folder: whole, cut in two at every byte and byte by
 * byte, and requires that all ways give the same. Each piece is a buffer chain of its own size, so
 * that a sanitizer sees a read past its end.
 */
#ifndef SO_TESTS_UNIT_HTTP_HEADS_H
#define SO_TESTS_UNIT_HTTP_HEADS_H

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "http/head.h"

enum { HEADS_CUTS_MOST = 600 };

struct outcome_of_head {
	enum head_status status;
	enum http_error error;
	struct request_head head;
	size_t left; /* bytes that are still in the buffer */
};

static inline void free_piece(const void *bytes, size_t length, void *arg)
{
	free(arg);
}

static inline void add_piece(struct evbuffer *buffer, const char *bytes, size_t length)
{
	char *copy = malloc(length ? length : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	assert_int_equal(evbuffer_add_reference(buffer, copy, length, free_piece, copy), 0);
}

/* The first `first` bytes come at once, the others in pieces of `piece` bytes. What stands behind
 * the head is fed too. */
static inline struct outcome_of_head read_in_pieces(const char *bytes, size_t length, size_t first,
	size_t piece, const struct head_limits *limits)
{
	struct outcome_of_head outcome = {.status = HEAD_MORE};
	struct evbuffer *input = evbuffer_new();
	size_t scanned = 0;

	for (size_t at = 0; at < length;) {
		size_t take = at == 0 && first > 0 ? first : piece;

		if (take > length - at)
			take = length - at;
		add_piece(input, bytes + at, take);
		at += take;
		if (outcome.status == HEAD_MORE)
			outcome.status = request_head_read(
				&outcome.head, input, &scanned, limits, &outcome.error);
	}
	if (outcome.status == HEAD_READY)
		assert_int_equal(scanned, 0);
	outcome.left = evbuffer_get_length(input);
	evbuffer_free(input);
	return outcome;
}

static inline void assert_same_heads(
	const struct outcome_of_head *a, const struct outcome_of_head *b)
{
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->error, b->error);
	if (a->status != HEAD_READY)
		return;
	assert_int_equal(a->left, b->left);
	assert_string_equal(a->head.method, b->head.method);
	assert_string_equal(a->head.target, b->head.target);
	assert_string_equal(a->head.forward, b->head.forward);
	assert_string_equal(a->head.path, b->head.path);
	assert_string_equal(a->head.host, b->head.host);
	assert_int_equal(a->head.framing.kind, b->head.framing.kind);
	assert_int_equal(a->head.framing.length, b->head.framing.length);
	assert_int_equal(a->head.keep_alive, b->head.keep_alive);
	assert_int_equal(a->head.expect_continue, b->head.expect_continue);
	assert_int_equal(a->head.fields.count, b->head.fields.count);
	for (size_t i = 0; i < a->head.fields.count; i++) {
		const struct field *one = &a->head.fields.items[i];
		const struct field *other = &b->head.fields.items[i];

		assert_int_equal(one->name_length, other->name_length);
		assert_memory_equal(one->name, other->name, one->name_length);
		assert_int_equal(one->value_length, other->value_length);
		assert_memory_equal(one->value, other->value, one->value_length);
	}
}

static inline void check_pieces(const struct outcome_of_head *whole, const char *bytes,
	size_t length, size_t first, size_t piece, const struct head_limits *limits)
{
	struct outcome_of_head cut = read_in_pieces(bytes, length, first, piece, limits);

	assert_same_heads(whole, &cut);
	request_head_finish(&cut.head);
}

/* The caller finishes the head. */
static inline struct outcome_of_head read_bytes(
	const char *bytes, size_t length, const struct head_limits *limits)
{
	struct outcome_of_head whole = read_in_pieces(bytes, length, length, length, limits);
	/* long heads are cut at some of their bytes only */
	size_t step = length / HEADS_CUTS_MOST + 1;

	for (size_t cut = 1; cut < length; cut += step)
		check_pieces(&whole, bytes, length, cut, length, limits);
	check_pieces(&whole, bytes, length, 0, step, limits);
	return whole;
}

static inline struct outcome_of_head read_text(const char *text)
{
	static const struct head_limits limits = {
		.head_bytes = 65536, .target_bytes = 8190, .fields = 1000};

	return read_bytes(text, strlen(text), &limits);
}

static inline void assert_refused(const char *text, enum http_error error)
{
	struct outcome_of_head outcome = read_text(text);

	if (outcome.status != HEAD_WRONG || outcome.error != error)
		print_error("status %d, error %s of: %s\n", (int)outcome.status,
			http_error_name(outcome.error), text);
	assert_int_equal(outcome.status, HEAD_WRONG);
	assert_int_equal(outcome.error, error);
	assert_null(outcome.head.bytes);
}

/* The caller finishes the head. */
static inline struct request_head read_ready(const char *text)
{
	struct outcome_of_head outcome = read_text(text);

	if (outcome.status != HEAD_READY)
		print_error("status %d, error %s of: %s\n", (int)outcome.status,
			http_error_name(outcome.error), text);
	assert_int_equal(outcome.status, HEAD_READY);
	assert_int_equal(outcome.error, HTTP_ERROR_NONE);
	return outcome.head;
}

/* "name=value|name=value|", to compare all fields at once; in `text` of `room` bytes. */
static inline const char *fields_text(const struct fields *fields, char *text, size_t room)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->items[i];

		used += (size_t)snprintf(text + used, room - used, "%.*s=%.*s|",
			(int)field->name_length, field->name, (int)field->value_length,
			field->value);
		assert_true(used < room);
	}
	return text;
}

#endif
