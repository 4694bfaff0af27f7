#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "base/compiler.h"
#include "http/chunked.h"

enum { BODY_ROOM = 64 * 1024, LINE_LIMIT = 4096, TRAILER_LIMIT = 16 * 1024 };

/* What came of a body. */
struct decoded {
	enum chunked_status status;
	size_t chunks;
	size_t length;
	size_t left;
	char bytes[BODY_ROOM];
};

static void count_chunk(void *arg)
{
	struct decoded *decoded = arg;

	decoded->chunks++;
}

static void free_piece(const void *bytes, size_t length, void *arg)
{
	free(arg);
}

/* A chain of its own size for each piece, so that a sanitizer sees a read past its end. */
static void add_piece(struct evbuffer *buffer, const char *bytes, size_t length)
{
	char *copy = malloc(length);

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	assert_int_equal(evbuffer_add_reference(buffer, copy, length, free_piece, copy), 0);
}

/* `first` bytes at once, then pieces of `piece` bytes; at most `most` decoded bytes a call. */
static void decode_pieces(const char *bytes, size_t length, size_t first, size_t piece, size_t most,
	struct decoded *decoded)
{
	struct evbuffer *input = evbuffer_new();
	struct evbuffer *output = evbuffer_new();
	struct chunked chunked = {0};

	memset(decoded, 0, sizeof(*decoded));
	for (size_t at = 0; at < length;) {
		size_t take = at == 0 && first > 0 ? first : piece;
		size_t before;

		if (take > length - at)
			take = length - at;
		add_piece(input, bytes + at, take);
		at += take;
		if (decoded->status != CHUNKED_MORE)
			continue;
		do {
			before = evbuffer_get_length(output);
			decoded->status =
				chunked_decode(&chunked, input, output, most, count_chunk, decoded);
			assert_true(evbuffer_get_length(output) - before <= most);
		} while (decoded->status == CHUNKED_MORE &&
			 evbuffer_get_length(output) - before == most);
	}
	decoded->left = evbuffer_get_length(input);
	decoded->length = evbuffer_get_length(output);
	assert_true(decoded->length <= sizeof(decoded->bytes));
	evbuffer_remove(output, decoded->bytes, sizeof(decoded->bytes));
	evbuffer_free(input);
	evbuffer_free(output);
}

/* Whole, cut at every byte, byte by byte and with a small `most`: always the same. */
static void decode(const char *bytes, size_t length, struct decoded *decoded)
{
	static struct decoded other;

	decode_pieces(bytes, length, length, length, SIZE_MAX, decoded);
	for (size_t cut = 0; cut <= length + 2; cut++) {
		if (cut <= length)
			decode_pieces(bytes, length, cut, cut == 0 ? 1 : length, SIZE_MAX, &other);
		else
			decode_pieces(bytes, length, length, length, cut - length, &other);
		assert_int_equal(other.status, decoded->status);
		if (decoded->status == CHUNKED_WRONG)
			continue;
		assert_int_equal(other.chunks, decoded->chunks);
		assert_int_equal(other.length, decoded->length);
		assert_memory_equal(other.bytes, decoded->bytes, decoded->length);
		if (decoded->status == CHUNKED_DONE)
			assert_int_equal(other.left, decoded->left);
	}
}

static struct decoded got;

static void assert_body(const char *text, const char *body, size_t chunks, size_t left)
{
	decode(text, strlen(text), &got);
	assert_int_equal(got.status, CHUNKED_DONE);
	assert_int_equal(got.length, strlen(body));
	assert_memory_equal(got.bytes, body, got.length);
	assert_int_equal(got.chunks, chunks);
	assert_int_equal(got.left, left);
}

static void assert_wrong(const char *text)
{
	decode(text, strlen(text), &got);
	if (got.status != CHUNKED_WRONG)
		print_error("status %d of: %s\n", (int)got.status, text);
	assert_int_equal(got.status, CHUNKED_WRONG);
}

static void test_chunks_are_joined_and_told(void **state)
{
	assert_body("0\r\n\r\n", "", 0, 0);
	assert_body("5\r\nhello\r\n0\r\n\r\n", "hello", 1, 0);
	assert_body("5\r\nhello\r\n1\r\n \r\n00005\r\nworld\r\n000\r\n\r\n", "hello world", 3, 0);
	assert_body(
		"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", 2, 0);
	assert_body("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 1, 0);
	assert_body("000000000000000a\r\n0123456789\r\n0\r\n\r\n", "0123456789", 1, 0);
}

static void test_what_follows_is_left(void **state)
{
	assert_body("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "a", 1, 16);
	assert_body("0\r\nX: y\r\n\r\n0\r\n\r\n", "", 0, 5);
}

static void test_extensions_are_dropped(void **state)
{
	assert_body("1;a\r\nx\r\n0;b=c\r\n\r\n", "x", 1, 0);
	assert_body("1 ;a=\"b\"\r\nx\r\n0 \t; b=\"c;\\\"\\\\d\"\r\n\r\n", "x", 1, 0);
	assert_body("1;\xff\r\nx\r\n0\r\n\r\n", "x", 1, 0);
}

static void test_quoted_extensions_end_in_their_line(void **state)
{
	assert_wrong("1 \r\nx\r\n0\r\n\r\n");
	assert_wrong("1\t\r\nx\r\n0\r\n\r\n");
	assert_wrong("1\r\nx\r\n0 \r\n\r\n");
	assert_wrong("1;a=\"\r\nx\r\n0\r\n\r\n");
	assert_wrong("1;a=\"\r\n\"\r\nx\r\n0\r\n\r\n");
	assert_wrong("1;a=\"\n\"\r\nx\r\n0\r\n\r\n");
	assert_wrong("1;a=\"\r\"\r\nx\r\n0\r\n\r\n");
	assert_wrong("1;a=\"\\\"\r\nx\r\n0\r\n\r\n");
	assert_wrong("1;a\x01\r\nx\r\n0\r\n\r\n");
	assert_wrong("1;a\x7f\r\nx\r\n0\r\n\r\n");
}

static void test_trailers_are_dropped(void **state)
{
	assert_body("1\r\na\r\n0\r\nX: y\r\nZ:\r\nContent-Length: 5\r\n\r\n", "a", 1, 0);
	assert_wrong("0\r\nX\r\n\r\n");
	assert_wrong("0\r\n: x\r\n\r\n");
	assert_wrong("0\r\nX : y\r\n\r\n");
	assert_wrong("0\r\n X: y\r\n\r\n");
	assert_wrong("0\r\nX: y\r\n z\r\n\r\n");
	assert_wrong("0\r\nX(: y\r\n\r\n");
	assert_wrong("0\r\nX: a\x01\r\n\r\n");
	assert_wrong("0\r\nX: a\rb\r\n\r\n");
	assert_wrong("0\r\nX: y\n\r\n");
	assert_wrong("0\r\nX: y\r\n\n");
	assert_wrong("0\r\nGET / HTTP/1.1\r\n\r\n");
}

static void test_sizes_that_two_readers_could_read_in_two_ways(void **state)
{
	static const char *const sizes[] = {"", " 1", "+1", "-1", "0x1", "1x", "g", "1 1", "1,1",
		"\t1", "1\x0b", "\xb1", "1\xff", "\xef\xbc\x91", "1=a", "\"1\"",
		"00000000000000001", "10000000000000000", "10000000000000001", "ffffffffffffffff",
		"8000000000000000", ";a", "1\r", "fffffffffffffffffffffffffffff"};
	char text[128];

	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		snprintf(text, sizeof(text), "%s\r\nx\r\n0\r\n\r\n", sizes[i]);
		assert_wrong(text);
	}
}

static void test_a_nul_is_no_part_of_a_size(void **state)
{
	static const char bytes[] = "1\0;\r\nx\r\n0\r\n\r\n";

	decode(bytes, sizeof(bytes) - 1, &got);
	assert_int_equal(got.status, CHUNKED_WRONG);
}

static void test_the_largest_size_is_accepted(void **state)
{
	static const char text[] = "7fffffffffffffff\r\nabc";

	decode(text, strlen(text), &got);
	assert_int_equal(got.status, CHUNKED_MORE);
	assert_int_equal(got.length, 3);
	assert_int_equal(got.left, 0);
}

static void test_line_ends_are_crlf(void **state)
{
	assert_wrong("1\nx\r\n0\r\n\r\n");
	assert_wrong("1\r\nx\n0\r\n\r\n");
	assert_wrong("1\r\nxy\r\n0\r\n\r\n");
	assert_wrong("1\r\nx0\r\n\r\n");
	assert_wrong("1\r\nx\r0\r\n\r\n");
	assert_wrong("1\r\nx\r\r\n0\r\n\r\n");
	assert_wrong("1\r\nx\r\n0\n\r\n");
	assert_wrong("1\r\nx\r\n0\r\n\n");
	assert_wrong("1\r\nx\r\n\r\n0\r\n\r\n");
	assert_wrong("\r\n0\r\n\r\n");
	assert_wrong("\n");
}

static void test_a_part_waits_for_the_rest(void **state)
{
	static const char *const parts[] = {"", "5", "5\r", "5\r\n", "5\r\nhel", "5\r\nhello",
		"5\r\nhello\r", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n", "5\r\nhello\r\n0\r\n\r",
		"5\r\nhello\r\n0\r\nX: y\r\n"};

	for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
		size_t chunk = strlen("5\r\nhello\r\n");

		decode(parts[i], strlen(parts[i]), &got);
		assert_int_equal(got.status, CHUNKED_MORE);
		assert_int_equal(got.chunks, strlen(parts[i]) >= chunk ? 1 : 0);
	}
}

/* `count` bytes `byte` between two texts, decoded whole and byte by byte. */
static enum chunked_status decode_filled(
	const char *before, char byte, size_t count, const char *behind)
{
	size_t length = strlen(before) + count + strlen(behind);
	char *bytes = malloc(length);
	enum chunked_status whole;

	assert_non_null(bytes);
	memcpy(bytes, before, strlen(before));
	memset(bytes + strlen(before), byte, count);
	memcpy(bytes + strlen(before) + count, behind, strlen(behind));
	decode_pieces(bytes, length, length, length, SIZE_MAX, &got);
	whole = got.status;
	decode_pieces(bytes, length, 0, 1, SIZE_MAX, &got);
	assert_int_equal(got.status, whole);
	free(bytes);
	return whole;
}

static void test_lines_are_bounded(void **state)
{
	/* the limit counts the CR */
	assert_int_equal(decode_filled("0;", 'a', LINE_LIMIT - 3, "\r\n\r\n"), CHUNKED_DONE);
	assert_int_equal(decode_filled("0;", 'a', LINE_LIMIT - 2, "\r\n\r\n"), CHUNKED_WRONG);
	assert_int_equal(decode_filled("0;", 'a', LINE_LIMIT - 2, ""), CHUNKED_MORE);
	assert_int_equal(decode_filled("0;", 'a', LINE_LIMIT - 1, ""), CHUNKED_WRONG);
	assert_int_equal(decode_filled("0\r\nX:", 'a', LINE_LIMIT - 3, "\r\n\r\n"), CHUNKED_DONE);
	assert_int_equal(decode_filled("0\r\nX:", 'a', LINE_LIMIT - 2, "\r\n\r\n"), CHUNKED_WRONG);
}

static void test_trailers_are_bounded_together(void **state)
{
	static const char line[] = "X: 345\r\n";
	static char text[TRAILER_LIMIT + 64];

	for (size_t more = 0; more <= 1; more++) {
		size_t count = TRAILER_LIMIT / strlen(line) + more;
		size_t used = 3;

		memcpy(text, "0\r\n", used);
		for (size_t i = 0; i < count; i++, used += strlen(line))
			memcpy(text + used, line, strlen(line));
		memcpy(text + used, "\r\n", 2);
		used += 2;
		decode_pieces(text, used, used, used, SIZE_MAX, &got);
		assert_int_equal(got.status, more ? CHUNKED_WRONG : CHUNKED_DONE);
		decode_pieces(text, used, 0, 7, SIZE_MAX, &got);
		assert_int_equal(got.status, more ? CHUNKED_WRONG : CHUNKED_DONE);
	}
}

static void test_what_was_written_is_read_back(void **state)
{
	static const size_t sizes[] = {1, 2, 15, 16, 17, 255, 256, 4095, 4096, 4097, 20000};
	struct evbuffer *wire = evbuffer_new();
	char *body = malloc(BODY_ROOM);
	size_t used = 0;
	size_t length;
	char *bytes;

	assert_non_null(body);
	for (size_t i = 0; i < BODY_ROOM; i++)
		body[i] = (char)(i * 7 + i / 256);
	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		chunked_write_begin(wire, sizes[i]);
		evbuffer_add(wire, body + used, sizes[i]);
		chunked_write_end(wire);
		used += sizes[i];
	}
	chunked_write_last(wire);
	length = evbuffer_get_length(wire);
	bytes = malloc(length);
	assert_non_null(bytes);
	evbuffer_remove(wire, bytes, length);
	for (size_t piece = 1; piece < length; piece = piece * 3 + 1) {
		decode_pieces(bytes, length, 0, piece, 1000, &got);
		assert_int_equal(got.status, CHUNKED_DONE);
		assert_int_equal(got.chunks, ARRAY_LENGTH(sizes));
		assert_int_equal(got.length, used);
		assert_memory_equal(got.bytes, body, used);
	}
	free(bytes);
	free(body);
	evbuffer_free(wire);
}

static void test_a_size_is_written_in_hexadecimal(void **state)
{
	static const struct {
		size_t size;
		const char *line;
	} rows[] = {{1, "1\r\n"}, {15, "f\r\n"}, {16, "10\r\n"}, {0xabcdef, "abcdef\r\n"},
		{SIZE_MAX, "ffffffffffffffff\r\n"}};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct evbuffer *out = evbuffer_new();

		chunked_write_begin(out, rows[i].size);
		assert_int_equal(evbuffer_get_length(out), strlen(rows[i].line));
		assert_memory_equal(evbuffer_pullup(out, -1), rows[i].line, strlen(rows[i].line));
		evbuffer_free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunks_are_joined_and_told),
		cmocka_unit_test(test_what_follows_is_left),
		cmocka_unit_test(test_extensions_are_dropped),
		cmocka_unit_test(test_quoted_extensions_end_in_their_line),
		cmocka_unit_test(test_trailers_are_dropped),
		cmocka_unit_test(test_sizes_that_two_readers_could_read_in_two_ways),
		cmocka_unit_test(test_a_nul_is_no_part_of_a_size),
		cmocka_unit_test(test_the_largest_size_is_accepted),
		cmocka_unit_test(test_line_ends_are_crlf),
		cmocka_unit_test(test_a_part_waits_for_the_rest),
		cmocka_unit_test(test_lines_are_bounded),
		cmocka_unit_test(test_trailers_are_bounded_together),
		cmocka_unit_test(test_what_was_written_is_read_back),
		cmocka_unit_test(test_a_size_is_written_in_hexadecimal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
