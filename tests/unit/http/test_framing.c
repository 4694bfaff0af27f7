#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/compiler.h"
#include "heads.h"
#include "http/framing.h"

#define TEXT_BYTES 512

static void assert_framing(const char *lines, enum framing_kind kind, uint64_t length)
{
	struct request_head head;
	char text[TEXT_BYTES];

	snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
	head = read_ready(text);
	assert_int_equal(head.framing.kind, kind);
	assert_int_equal(head.framing.length, length);
	request_head_finish(&head);
}

static void assert_lines_refused(const char *lines, enum http_error error)
{
	char text[TEXT_BYTES];

	snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
	assert_refused(text, error);
}

static void test_a_length_or_chunks_or_nothing(void **state)
{
	assert_framing("", FRAMING_NONE, 0);
	assert_framing("Content-Length: 0\r\n", FRAMING_LENGTH, 0);
	assert_framing("content-length: 5\r\n", FRAMING_LENGTH, 5);
	assert_framing("Content-Length: 0005\r\n", FRAMING_LENGTH, 5);
	assert_framing(
		"Content-Length: 9223372036854775807\r\n", FRAMING_LENGTH, 9223372036854775807U);
	assert_framing("Transfer-Encoding: chunked\r\n", FRAMING_CHUNKED, 0);
	assert_framing("Transfer-Encoding: CHUNKED\r\n", FRAMING_CHUNKED, 0);
	assert_framing("Transfer-Encoding: chunked \t\r\n", FRAMING_CHUNKED, 0);
	assert_framing("Transfer-Encoding:\tchunked\r\n", FRAMING_CHUNKED, 0);
	assert_framing("X-Content-Length: x\r\n", FRAMING_NONE, 0);
}

static void test_lengths_that_two_readers_could_read_in_two_ways(void **state)
{
	static const char *const values[] = {"", " ", "+5", "-1", "-0", "0x5", "5 5", "5,5", "5, 5",
		"5.0", "5e1", "five", "5;", "\"5\"", "\xd9\xa5", "5\x0b", "18446744073709551616",
		"18446744073709551621", "9223372036854775808", "99999999999999999999999999999999"};
	char text[TEXT_BYTES / 2];

	for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
		snprintf(text, sizeof(text), "Content-Length: %s\r\n", values[i]);
		assert_lines_refused(text, HTTP_ERROR_BAD_REQUEST);
	}
	assert_lines_refused("Content-Length: 5\r\nContent-Length: 6\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_lines_refused("Content-Length: 5\r\ncontent-length: 5\r\n", HTTP_ERROR_BAD_REQUEST);
}

static void test_a_length_beside_a_coding_is_refused(void **state)
{
	assert_lines_refused(
		"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_lines_refused(
		"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_lines_refused("Transfer-Encoding: gzip, chunked\r\nContent-Length: 0\r\n",
		HTTP_ERROR_BAD_REQUEST);
	assert_lines_refused("Transfer-Encoding:\r\nContent-Length: 5\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_lines_refused(
		"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", HTTP_ERROR_BAD_REQUEST);
}

static void test_codings_that_hide_from_one_of_two_readers(void **state)
{
	static const char *const refused[] = {
		"Transfer-Encoding: xchunked\r\n",
		"Transfer-Encoding: chunkedx\r\n",
		"Transfer-Encoding: chunked, identity\r\n",
		"Transfer-Encoding: chunked, gzip\r\n",
		"Transfer-Encoding: chunked, chunked\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
		"Transfer-Encoding: chunked\r\nTransfer-encoding: x\r\n",
		"Transfer-Encoding: x\r\nTransfer-Encoding: y\r\n",
		"Transfer-Encoding: gzip, chunked, gzip\r\n",
		"Transfer-Encoding: identity\r\n",
		"Transfer-Encoding: gzip\r\n",
		"Transfer-Encoding:\r\n",
		"Transfer-Encoding: ,chunked\r\n",
		"Transfer-Encoding: chunked,\r\n",
		"Transfer-Encoding: chunked;q=1\r\n",
		"Transfer-Encoding: \"chunked\"\r\n",
		"Transfer-Encoding: 'chunked'\r\n",
		"Transfer-Encoding: chun ked\r\n",
		"Transfer-Encoding: chunked\x0b\r\n",
		"Transfer-Encoding: \013chunked\r\n",
		"Transfer-Encoding : chunked\r\n",
		"Transfer-Encoding\t: chunked\r\n",
		" Transfer-Encoding: chunked\r\n",
		"\tTransfer-Encoding: chunked\r\n",
		"X: y\r\n Transfer-Encoding: chunked\r\n",
		"Transfer-Encoding:\r\n chunked\r\n",
		"Transfer-Encoding:\r\n\tchunked\r\n",
		"X: y\rTransfer-Encoding: chunked\r\n",
		"X: y\nTransfer-Encoding: chunked\r\n",
		"Transfer-Encoding: chunked\n",
		"Transfer-Encoding\r\n: chunked\r\n",
		"Transfer\x01-Encoding: chunked\r\n",
		"Transfer Encoding: chunked\r\n",
		"Transfer-Encoding\xa0: chunked\r\n",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
		assert_lines_refused(refused[i], HTTP_ERROR_BAD_REQUEST);
	/* an underscore is a token's character: another field, no coding */
	assert_framing("Transfer_Encoding: chunked\r\n", FRAMING_NONE, 0);
}

static void test_a_coding_before_chunked_is_not_implemented(void **state)
{
	assert_lines_refused("Transfer-Encoding: gzip, chunked\r\n", HTTP_ERROR_NOT_IMPLEMENTED);
	assert_lines_refused("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
		HTTP_ERROR_NOT_IMPLEMENTED);
	assert_lines_refused(
		"Transfer-Encoding: identity,\tCHUNKED\r\n", HTTP_ERROR_NOT_IMPLEMENTED);
}

static void test_field_lines_that_are_no_fields(void **state)
{
	static const char *const refused[] = {"Content-Length : 5\r\n", "X\r\n", ": x\r\n",
		"X Y: z\r\n", "X(: z\r\n", "X: \x01\r\n", "X: a\x7f\r\n", "X: a\rb\r\n",
		"X: a\nb\r\n", "X: y\r\n z\r\n", "X: y\r\n\tz\r\n", "X: y\r\r\n", "X: y\n\r\n",
		" : x\r\n"};

	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++)
		assert_lines_refused(refused[i], HTTP_ERROR_BAD_REQUEST);
}

/* Every byte at each kind of place. */
static void test_every_byte_is_checked(void **state)
{
	static const struct head_limits limits = {0};
	static const char name_marks[] = "!#$%&'*+-.^_`|~";

	for (int byte = 0; byte <= UINT8_MAX; byte++) {
		char in_name[] = "GET / HTTP/1.1\r\nHost: a\r\nX_Y: z\r\n\r\n";
		char in_value[] = "GET / HTTP/1.1\r\nHost: a\r\nX: y_z\r\n\r\n";
		char in_target[] = "GET /a?_b HTTP/1.1\r\nHost: a\r\n\r\n";
		bool is_alphanumeric = (byte >= '0' && byte <= '9') ||
				       (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z');
		bool fits_name = is_alphanumeric ||
				 memchr(name_marks, byte, sizeof(name_marks) - 1) || byte == ':';
		bool fits_value = byte == '\t' || (byte >= ' ' && byte != 0x7f);
		bool fits_target = byte > ' ' && byte != 0x7f && byte != '#';
		struct outcome_of_head outcome;

		*strchr(in_name, '_') = (char)byte;
		*strchr(in_value, '_') = (char)byte;
		*strchr(in_target, '_') = (char)byte;
		outcome = read_bytes(in_name, sizeof(in_name) - 1, &limits);
		assert_int_equal(outcome.status, fits_name ? HEAD_READY : HEAD_WRONG);
		request_head_finish(&outcome.head);
		outcome = read_bytes(in_value, sizeof(in_value) - 1, &limits);
		assert_int_equal(outcome.status, fits_value ? HEAD_READY : HEAD_WRONG);
		request_head_finish(&outcome.head);
		outcome = read_bytes(in_target, sizeof(in_target) - 1, &limits);
		assert_int_equal(outcome.status, fits_target ? HEAD_READY : HEAD_WRONG);
		request_head_finish(&outcome.head);
	}
}

static void test_http_1_0_knows_no_codings(void **state)
{
	assert_refused(
		"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused(
		"POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
}

struct response_row {
	const char *method;
	int minor;
	int status;
	const char *names[2];
	const char *values[2];
	bool is_good;
	enum framing_kind kind;
	uint64_t length;
};

static void test_bodies_of_responses(void **state)
{
	static const char cl[] = "Content-Length";
	static const char te[] = "Transfer-Encoding";
	static const struct response_row rows[] = {
		{"GET", 1, 200, {0}, {0}, true, FRAMING_UNTIL_CLOSE, 0},
		{"GET", 0, 200, {0}, {0}, true, FRAMING_UNTIL_CLOSE, 0},
		{"GET", 1, 200, {cl}, {"5"}, true, FRAMING_LENGTH, 5},
		{"GET", 1, 200, {cl}, {"0"}, true, FRAMING_LENGTH, 0},
		{"GET", 1, 200, {te}, {"Chunked"}, true, FRAMING_CHUNKED, 0},
		{"HEAD", 1, 200, {cl}, {"5"}, true, FRAMING_NONE, 0},
		{"HEAD", 1, 200, {te}, {"chunked"}, true, FRAMING_NONE, 0},
		{"HEAD", 1, 200, {0}, {0}, true, FRAMING_NONE, 0},
		{"head", 1, 200, {cl}, {"5"}, true, FRAMING_LENGTH, 5},
		{"GET", 1, 100, {0}, {0}, true, FRAMING_NONE, 0},
		{"GET", 1, 199, {0}, {0}, true, FRAMING_NONE, 0},
		{"GET", 1, 204, {0}, {0}, true, FRAMING_NONE, 0},
		{"GET", 1, 204, {cl}, {"5"}, true, FRAMING_NONE, 0},
		{"GET", 1, 304, {cl}, {"5"}, true, FRAMING_NONE, 0},
		{"GET", 1, 205, {0}, {0}, true, FRAMING_UNTIL_CLOSE, 0},
		{"GET", 1, 200, {te, cl}, {"chunked", "5"}, false, 0, 0},
		{"HEAD", 1, 200, {te, cl}, {"chunked", "5"}, false, 0, 0},
		{"GET", 1, 200, {cl, cl}, {"5", "5"}, false, 0, 0},
		{"GET", 1, 200, {cl, cl}, {"5", "6"}, false, 0, 0},
		{"GET", 1, 304, {cl, cl}, {"5", "6"}, false, 0, 0},
		{"GET", 1, 200, {cl}, {"x"}, false, 0, 0},
		{"GET", 1, 200, {cl}, {"-1"}, false, 0, 0},
		{"GET", 1, 200, {te}, {"gzip, chunked"}, false, 0, 0},
		{"GET", 1, 200, {te}, {"gzip"}, false, 0, 0},
		{"GET", 1, 200, {te}, {""}, false, 0, 0},
		{"GET", 1, 200, {te, te}, {"chunked", "chunked"}, false, 0, 0},
		{"GET", 0, 200, {te}, {"chunked"}, false, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		const struct response_row *row = &rows[i];
		struct framing framing = {.kind = FRAMING_LENGTH, .length = 77};
		struct fields fields = {0};
		bool is_good;

		for (size_t line = 0; line < ARRAY_LENGTH(row->names) && row->names[line]; line++)
			fields_add_text(&fields, row->names[line], row->values[line]);
		is_good = framing_of_response(
			&fields, row->minor, row->status, row->method, &framing);
		assert_int_equal(is_good, row->is_good);
		/* untouched on failure */
		assert_int_equal(framing.kind, is_good ? row->kind : FRAMING_LENGTH);
		assert_int_equal(framing.length, is_good ? row->length : 77);
		fields_finish(&fields);
	}
}

static void test_errors_have_names(void **state)
{
	assert_string_equal(http_error_name(HTTP_ERROR_NONE), "none");
	assert_string_equal(http_error_name(HTTP_ERROR_EXPECTATION), "expectation_failed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_length_or_chunks_or_nothing),
		cmocka_unit_test(test_lengths_that_two_readers_could_read_in_two_ways),
		cmocka_unit_test(test_a_length_beside_a_coding_is_refused),
		cmocka_unit_test(test_codings_that_hide_from_one_of_two_readers),
		cmocka_unit_test(test_a_coding_before_chunked_is_not_implemented),
		cmocka_unit_test(test_field_lines_that_are_no_fields),
		cmocka_unit_test(test_every_byte_is_checked),
		cmocka_unit_test(test_http_1_0_knows_no_codings),
		cmocka_unit_test(test_bodies_of_responses),
		cmocka_unit_test(test_errors_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
