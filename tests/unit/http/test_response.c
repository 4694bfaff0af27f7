#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/compiler.h"
#include "heads.h"

#define FIELDS_TEXT_BYTES 512

static const struct head_limits usual_limits = {.head_bytes = 65536, .fields = 1000};

static enum head_status read_cut(const char *bytes, size_t length, size_t cut,
	const struct head_limits *limits, const char *method, struct response_head *head,
	size_t *ret_left)
{
	struct evbuffer *input = evbuffer_new();
	enum head_status status = HEAD_MORE;
	size_t scanned = 0;

	/* 0: byte by byte */
	for (size_t at = 0; at < length;) {
		size_t take = cut == 0 ? 1 : at == 0 ? cut : length - cut;

		add_piece(input, bytes + at, take);
		at += take;
		if (status == HEAD_MORE)
			status = response_head_read(head, input, &scanned, limits, method);
	}
	*ret_left = evbuffer_get_length(input);
	evbuffer_free(input);
	return status;
}

static void assert_same_head(const struct response_head *a, const struct response_head *b)
{
	assert_int_equal(a->status, b->status);
	assert_string_equal(a->reason, b->reason);
	assert_int_equal(a->fields.count, b->fields.count);
	assert_int_equal(a->framing.kind, b->framing.kind);
	assert_int_equal(a->framing.length, b->framing.length);
	assert_int_equal(a->keep_alive, b->keep_alive);
}

/* Who looks at bytes that somebody else takes finds the same head. */
static void assert_parsed_alike(const char *text, size_t length, size_t head_length,
	const struct head_limits *limits, const char *method, const struct response_head *head)
{
	for (size_t cut = 0; cut < length; cut++) {
		int match = 0;
		size_t end = response_head_end(text, cut, &match);

		if (end == 0) {
			end = response_head_end(text + cut, length - cut, &match);
			end += end ? cut : 0;
		}
		if (head_length > 0)
			assert_int_equal(end, head_length);
		if (end > 0) {
			struct response_head parsed = {0};
			bool is_good = response_head_parse(&parsed, text, end, limits, method);

			assert_int_equal(is_good, head_length > 0);
			if (is_good)
				assert_same_head(&parsed, head);
			response_head_finish(&parsed);
		}
	}
}

/* Whole and in all pieces; the caller finishes the head. */
static enum head_status read_response(const char *text, const struct head_limits *limits,
	const char *method, struct response_head *head)
{
	size_t length = strlen(text);
	size_t whole_left;
	enum head_status whole = read_cut(text, length, length, limits, method, head, &whole_left);

	for (size_t cut = 0; cut < length; cut++) {
		struct response_head other = {0};
		size_t left;
		enum head_status status =
			read_cut(text, length, cut, limits, method, &other, &left);

		assert_int_equal(status, whole);
		if (status == HEAD_READY) {
			assert_int_equal(left, whole_left);
			assert_same_head(&other, head);
		}
		response_head_finish(&other);
	}
	assert_parsed_alike(
		text, length, whole == HEAD_READY ? length - whole_left : 0, limits, method, head);
	return whole;
}

static void assert_wrong(const char *text)
{
	struct response_head head = {0};
	enum head_status status = read_response(text, &usual_limits, "GET", &head);

	if (status != HEAD_WRONG)
		print_error("status %d of: %s\n", (int)status, text);
	assert_int_equal(status, HEAD_WRONG);
	assert_null(head.bytes);
}

static void test_a_response_is_split_into_its_parts(void **state)
{
	char text[FIELDS_TEXT_BYTES];
	struct response_head head = {0};

	assert_int_equal(read_response("HTTP/1.1 200 OK\r\n"
				       "Content-Type: application/json; charset=utf-8\r\n"
				       "Vary: a\r\n"
				       "vary:\tb \r\n"
				       "X-Empty:\r\n"
				       "Content-Length: 4\r\n"
				       "\r\n"
				       "body",
				 &usual_limits, "GET", &head),
		HEAD_READY);
	assert_int_equal(head.status, 200);
	assert_string_equal(head.reason, "OK");
	assert_int_equal(head.version_minor, 1);
	assert_true(head.keep_alive);
	assert_int_equal(head.framing.kind, FRAMING_LENGTH);
	assert_int_equal(head.framing.length, 4);
	assert_string_equal(fields_text(&head.fields, text, sizeof(text)),
		"Content-Type=application/json; charset=utf-8|Vary=a|vary=b|X-Empty=|"
		"Content-Length=4|");
	response_head_finish(&head);
	response_head_finish(&head);
}

static void test_status_lines_that_are_understood(void **state)
{
	static const struct {
		const char *line;
		int status;
		const char *reason;
		int minor;
	} rows[] = {
		{"HTTP/1.1 200", 200, "", 1},
		{"HTTP/1.1 200 ", 200, "", 1},
		{"HTTP/1.1 200  x ", 200, " x ", 1},
		{"HTTP/1.0 404 Not Found", 404, "Not Found", 0},
		{"HTTP/1.1 599 caf\xc3\xa9\tx", 599, "caf\xc3\xa9\tx", 1},
		{"HTTP/1.1 100 Continue", 100, "Continue", 1},
		{"HTTP/1.1 101 ", 101, "", 1},
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct response_head head = {0};

		snprintf(text, sizeof(text), "%s\r\n\r\n", rows[i].line);
		assert_int_equal(read_response(text, &usual_limits, "GET", &head), HEAD_READY);
		assert_int_equal(head.status, rows[i].status);
		assert_string_equal(head.reason, rows[i].reason);
		assert_int_equal(head.version_minor, rows[i].minor);
		assert_int_equal(head.framing.kind,
			rows[i].status < 200 ? FRAMING_NONE : FRAMING_UNTIL_CLOSE);
		response_head_finish(&head);
	}
}

static void test_status_lines_that_are_refused(void **state)
{
	static const char *const lines[] = {"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000",
		"HTTP/1.1 20x", "HTTP/1.1 099 x", "HTTP/1.1 600 x", "HTTP/1.1 000", "HTTP/1.1 -20",
		"HTTP/1.1 +20", "HTTP/1.1  200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200\tOK",
		"HTTP/1.1 200-OK", " HTTP/1.1 200 OK", "HTTP/1.2 200 OK", "HTTP/2.0 200 OK",
		"HTTP/0.9 200 OK", "http/1.1 200 OK", "ICY 200 OK", "HTTP/1.1 200 a\rb",
		"HTTP/1.1 200 a\x01", "HTTP/1.1 200 a\x7f", "HTTP/1.1 200 OK\r", "", "200 OK"};
	char text[256];

	for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
		snprintf(text, sizeof(text), "%s\r\n\r\n", lines[i]);
		assert_wrong(text);
	}
}

static void test_a_nul_in_the_reason_is_refused(void **state)
{
	static const char bytes[] = "HTTP/1.1 200 a\0b\r\n\r\n";
	struct response_head head = {0};
	size_t left;

	assert_int_equal(read_cut(bytes, sizeof(bytes) - 1, sizeof(bytes) - 1, &usual_limits, "GET",
				 &head, &left),
		HEAD_WRONG);
	assert_null(head.bytes);
}

static void test_what_is_not_http_is_refused_at_its_first_bytes(void **state)
{
	assert_wrong("\x15\x03\x01");
	assert_wrong("S");
	assert_wrong("HTTP/2");
	assert_wrong("{\"error\"");
}

static void test_wrong_fields_are_refused(void **state)
{
	assert_wrong("HTTP/1.1 200 OK\r\nX : y\r\n\r\n");
	assert_wrong("HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n");
	assert_wrong("HTTP/1.1 200 OK\nX: y\r\n\r\n");
	assert_wrong("HTTP/1.1 200 OK\r\nX: y\n\r\n");
	assert_wrong("HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n");
	assert_wrong("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n");
	assert_wrong("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_wrong("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_wrong("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n");
}

static void test_the_method_decides_about_the_body(void **state)
{
	struct response_head head = {0};

	assert_int_equal(read_response("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n",
				 &usual_limits, "HEAD", &head),
		HEAD_READY);
	assert_int_equal(head.framing.kind, FRAMING_NONE);
	response_head_finish(&head);
}

static void test_reuse_is_told(void **state)
{
	static const struct {
		const char *text;
		bool keep_alive;
	} rows[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n", false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", true},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct response_head head = {0};

		assert_int_equal(
			read_response(rows[i].text, &usual_limits, "GET", &head), HEAD_READY);
		assert_int_equal(head.keep_alive, rows[i].keep_alive);
		response_head_finish(&head);
	}
}

static void test_limits_hold_for_responses(void **state)
{
	static const char text[] = "HTTP/1.1 200 OK\r\nX: y\r\nX: z\r\n\r\n";
	static const char part[] = "HTTP/1.1 200 OK\r\nX: y\r\n";

	for (size_t limit = strlen(text) - 1; limit <= strlen(text); limit++) {
		struct head_limits limits = {.head_bytes = limit};
		struct response_head head = {0};

		assert_int_equal(read_response(text, &limits, "GET", &head),
			limit == strlen(text) ? HEAD_READY : HEAD_WRONG);
		response_head_finish(&head);
	}
	for (size_t limit = 1; limit <= 2; limit++) {
		struct head_limits limits = {.fields = limit};
		struct response_head head = {0};

		assert_int_equal(read_response(text, &limits, "GET", &head),
			limit == 2 ? HEAD_READY : HEAD_WRONG);
		response_head_finish(&head);
	}
	for (size_t limit = strlen(part) - 1; limit <= strlen(part); limit++) {
		struct head_limits limits = {.head_bytes = limit};
		struct response_head head = {0};

		assert_int_equal(read_response(part, &limits, "GET", &head),
			limit == strlen(part) ? HEAD_MORE : HEAD_WRONG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_response_is_split_into_its_parts),
		cmocka_unit_test(test_status_lines_that_are_understood),
		cmocka_unit_test(test_status_lines_that_are_refused),
		cmocka_unit_test(test_a_nul_in_the_reason_is_refused),
		cmocka_unit_test(test_what_is_not_http_is_refused_at_its_first_bytes),
		cmocka_unit_test(test_wrong_fields_are_refused),
		cmocka_unit_test(test_the_method_decides_about_the_body),
		cmocka_unit_test(test_reuse_is_told),
		cmocka_unit_test(test_limits_hold_for_responses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
