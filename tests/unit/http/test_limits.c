#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/compiler.h"
#include "heads.h"

enum { HEAD_ROOM = 512 * 1024 };

/* Text that is put together piece by piece; owned by the test, freed by it. */
struct text {
	char *bytes;
	size_t length;
};

static struct text text_new(const char *begin)
{
	struct text text = {.bytes = malloc(HEAD_ROOM)};

	assert_non_null(text.bytes);
	text.length = strlen(begin);
	memcpy(text.bytes, begin, text.length);
	return text;
}

static void text_add(struct text *text, const char *more)
{
	assert_true(text->length + strlen(more) <= HEAD_ROOM);
	memcpy(text->bytes + text->length, more, strlen(more));
	text->length += strlen(more);
}

static void text_fill(struct text *text, char byte, size_t count)
{
	assert_true(text->length + count <= HEAD_ROOM);
	memset(text->bytes + text->length, byte, count);
	text->length += count;
}

static void assert_read(const struct text *text, const struct head_limits *limits,
	enum head_status status, enum http_error error)
{
	struct outcome_of_head outcome = read_bytes(text->bytes, text->length, limits);

	assert_int_equal(outcome.status, status);
	assert_int_equal(outcome.error, error);
	request_head_finish(&outcome.head);
}

static void test_targets_of_all_sizes_come_whole(void **state)
{
	static const size_t sizes[] = {4080, 4090, 4095, 4096, 4097, 8180, 8188, 8189, 8190};
	static const struct head_limits limits = {.target_bytes = 8190};

	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct text text = text_new("GET /");
		struct outcome_of_head outcome;

		text_fill(&text, 'x', sizes[i] - 1);
		text_add(&text, " HTTP/1.1\r\nHost: a\r\n\r\n");
		outcome = read_bytes(text.bytes, text.length, &limits);
		assert_int_equal(outcome.status, HEAD_READY);
		assert_int_equal(strlen(outcome.head.target), sizes[i]);
		assert_memory_equal(outcome.head.target, text.bytes + 4, sizes[i]);
		assert_string_equal(outcome.head.path, outcome.head.target);
		request_head_finish(&outcome.head);
		free(text.bytes);
	}
}

static void test_a_target_may_be_as_long_as_the_limit_and_no_longer(void **state)
{
	static const struct head_limits limits = {.target_bytes = 100, .head_bytes = 1000};

	for (size_t size = 98; size <= 103; size++) {
		struct text text = text_new("GET /");

		text_fill(&text, 'x', size - 1);
		text_add(&text, " HTTP/1.1\r\nHost: a\r\n\r\n");
		assert_read(&text, &limits, size <= 100 ? HEAD_READY : HEAD_WRONG,
			size <= 100 ? HTTP_ERROR_NONE : HTTP_ERROR_TARGET_TOO_LONG);
		free(text.bytes);
	}
}

static void test_a_target_without_end_is_refused_before_it_ends(void **state)
{
	static const struct head_limits small_target = {.target_bytes = 100, .head_bytes = 1000};
	static const struct head_limits small_head = {.target_bytes = 2000, .head_bytes = 1000};
	struct text text = text_new("GET /");

	text_fill(&text, 'x', 900);
	assert_read(&text, &small_target, HEAD_WRONG, HTTP_ERROR_TARGET_TOO_LONG);
	assert_read(&text, &small_head, HEAD_MORE, HTTP_ERROR_NONE);
	text_fill(&text, 'x', 95);
	assert_read(&text, &small_head, HEAD_MORE, HTTP_ERROR_NONE);
	text_fill(&text, 'x', 1);
	assert_read(&text, &small_head, HEAD_WRONG, HTTP_ERROR_HEAD_TOO_LARGE);
	free(text.bytes);
}

static void test_a_head_may_be_as_large_as_the_limit_and_no_larger(void **state)
{
	struct text text = text_new("GET / HTTP/1.1\r\nHost: a\r\nX: ");

	text_fill(&text, 'x', 500);
	text_add(&text, "\r\n\r\n");
	for (size_t more = 0; more <= 2; more++) {
		struct head_limits limits = {.head_bytes = text.length - 1 + more};

		assert_read(&text, &limits, more > 0 ? HEAD_READY : HEAD_WRONG,
			more > 0 ? HTTP_ERROR_NONE : HTTP_ERROR_HEAD_TOO_LARGE);
	}
	free(text.bytes);
}

static void test_what_follows_a_head_does_not_count(void **state)
{
	struct text text = text_new("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	const struct head_limits limits = {.head_bytes = text.length};

	text_fill(&text, 'x', 2000);
	assert_read(&text, &limits, HEAD_READY, HTTP_ERROR_NONE);
	free(text.bytes);
}

static void test_a_head_without_end_is_refused_at_the_limit(void **state)
{
	static const struct head_limits limits = {.head_bytes = 1000, .target_bytes = 100};
	struct text text = text_new("GET / HTTP/1.1\r\nHost: a\r\n");

	text_fill(&text, 'x', 1000 - text.length);
	assert_read(&text, &limits, HEAD_MORE, HTTP_ERROR_NONE);
	text_fill(&text, 'x', 1);
	assert_read(&text, &limits, HEAD_WRONG, HTTP_ERROR_HEAD_TOO_LARGE);
	free(text.bytes);
}

/* Whoever sends slowly is told of the line before the head is too large. */
static void test_a_wrong_line_goes_before_a_head_that_is_too_large(void **state)
{
	static const struct head_limits limits = {.head_bytes = 1000, .target_bytes = 100};
	struct text text = text_new("GET  / HTTP/1.1\r\nHost: a\r\n");

	text_fill(&text, 'x', 1000);
	assert_read(&text, &limits, HEAD_WRONG, HTTP_ERROR_BAD_REQUEST);
	text_add(&text, ": y\r\n\r\n");
	assert_read(&text, &limits, HEAD_WRONG, HTTP_ERROR_BAD_REQUEST);
	free(text.bytes);
}

static void test_there_may_be_as_many_fields_as_the_limit_and_no_more(void **state)
{
	static const struct head_limits limits = {.fields = 10};

	for (int count = 9; count <= 11; count++) {
		struct text text = text_new("GET / HTTP/1.1\r\nHost: a\r\n");

		for (int i = 1; i < count; i++)
			text_add(&text, "X: y\r\n");
		text_add(&text, "\r\n");
		assert_read(&text, &limits, count <= 10 ? HEAD_READY : HEAD_WRONG,
			count <= 10 ? HTTP_ERROR_NONE : HTTP_ERROR_HEAD_TOO_LARGE);
		free(text.bytes);
	}
}

static void test_20000_fields_are_read_where_there_is_no_limit(void **state)
{
	static const struct head_limits no_limits = {0};
	static const struct head_limits limits = {.head_bytes = 65536};
	struct text text = text_new("GET / HTTP/1.1\r\nHost: a\r\n");
	struct outcome_of_head outcome;
	char line[32];

	for (int i = 0; i < 20000; i++) {
		snprintf(line, sizeof(line), "X%d: v%d\r\n", i, i);
		text_add(&text, line);
	}
	text_add(&text, "\r\n");
	outcome = read_in_pieces(text.bytes, text.length, 0, 4096, &no_limits);
	assert_int_equal(outcome.status, HEAD_READY);
	assert_int_equal(outcome.head.fields.count, 20001);
	for (size_t i = 0; i < 20000; i++) {
		const struct field *field = &outcome.head.fields.items[i + 1];

		snprintf(line, sizeof(line), "v%zu", i);
		assert_int_equal(field->value_length, strlen(line));
		assert_memory_equal(field->value, line, strlen(line));
	}
	request_head_finish(&outcome.head);
	outcome = read_in_pieces(text.bytes, text.length, 0, 4096, &limits);
	assert_int_equal(outcome.status, HEAD_WRONG);
	assert_int_equal(outcome.error, HTTP_ERROR_HEAD_TOO_LARGE);
	free(text.bytes);
}

/* htparser's memory ends at 8,192 bytes. */
static void test_fields_are_as_long_as_they_like(void **state)
{
	static const size_t sizes[] = {
		8000, 8186, 8187, 8188, 8189, 8190, 8191, 8192, 8193, 16384, 60000};
	static const struct head_limits limits = {.head_bytes = 65536};

	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct text text = text_new("GET / HTTP/1.1\r\nHost: a\r\nX: ");
		struct outcome_of_head outcome;

		text_fill(&text, 'x', sizes[i]);
		text_add(&text, "\r\n\r\n");
		outcome = read_bytes(text.bytes, text.length, &limits);
		assert_int_equal(outcome.status, HEAD_READY);
		assert_int_equal(fields_find(&outcome.head.fields, "X")->value_length, sizes[i]);
		request_head_finish(&outcome.head);
		free(text.bytes);
	}
}

static void test_names_and_blanks_are_as_long_as_they_like(void **state)
{
	static const size_t sizes[] = {8180, 8191, 8192, 9000};
	static const struct head_limits limits = {.head_bytes = 65536};

	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		struct text text = text_new("GET / HTTP/1.1\r\nHost: a\r\n");
		struct outcome_of_head outcome;

		text_fill(&text, 'n', sizes[i]);
		text_add(&text, ": v\r\nX:");
		text_fill(&text, ' ', sizes[i]);
		text_add(&text, "w");
		text_fill(&text, ' ', sizes[i]);
		text_add(&text, "\r\n\r\n");
		outcome = read_bytes(text.bytes, text.length, &limits);
		assert_int_equal(outcome.status, HEAD_READY);
		assert_int_equal(outcome.head.fields.items[1].name_length, sizes[i]);
		assert_int_equal(outcome.head.fields.items[2].value_length, 1);
		assert_int_equal(outcome.head.fields.items[2].value[0], 'w');
		request_head_finish(&outcome.head);
		free(text.bytes);
	}
}

/* The checks are ours where htparser does not look. */
static void test_long_fields_hide_nothing(void **state)
{
	static const struct head_limits limits = {.head_bytes = 65536};
	static const char *const lines[] = {"Content-Length : 5\r\n",
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", " folded\r\n", "X\r\n",
		"X: y\nZ: z\r\n", "Host: b\r\n"};

	for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
		struct text text = text_new("GET / HTTP/1.1\r\nHost: a\r\nX: ");

		text_fill(&text, 'x', 9000);
		text_add(&text, "\r\n");
		text_add(&text, lines[i]);
		text_add(&text, "\r\n");
		assert_read(&text, &limits, HEAD_WRONG, HTTP_ERROR_BAD_REQUEST);
		free(text.bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets_of_all_sizes_come_whole),
		cmocka_unit_test(test_a_target_may_be_as_long_as_the_limit_and_no_longer),
		cmocka_unit_test(test_a_target_without_end_is_refused_before_it_ends),
		cmocka_unit_test(test_a_head_may_be_as_large_as_the_limit_and_no_larger),
		cmocka_unit_test(test_what_follows_a_head_does_not_count),
		cmocka_unit_test(test_a_head_without_end_is_refused_at_the_limit),
		cmocka_unit_test(test_a_wrong_line_goes_before_a_head_that_is_too_large),
		cmocka_unit_test(test_there_may_be_as_many_fields_as_the_limit_and_no_more),
		cmocka_unit_test(test_20000_fields_are_read_where_there_is_no_limit),
		cmocka_unit_test(test_fields_are_as_long_as_they_like),
		cmocka_unit_test(test_names_and_blanks_are_as_long_as_they_like),
		cmocka_unit_test(test_long_fields_hide_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
