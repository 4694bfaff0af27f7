#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/compiler.h"
#include "heads.h"

#define FIELDS_TEXT_BYTES 512

static void test_a_request_is_split_into_its_parts(void **state)
{
	char text[FIELDS_TEXT_BYTES];
	struct outcome_of_head outcome = read_text("POST /api/chat?a=b HTTP/1.1\r\n"
						   "Host: box:8000\r\n"
						   "Content-Length: 5\r\n"
						   "X-One: a\r\n"
						   "x-one:  b c \t\r\n"
						   "X-Empty:\r\n"
						   "X-Blank: \t \r\n"
						   "\r\n"
						   "hello");

	assert_int_equal(outcome.status, HEAD_READY);
	assert_int_equal(outcome.left, 5);
	assert_string_equal(outcome.head.method, "POST");
	assert_string_equal(outcome.head.target, "/api/chat?a=b");
	assert_string_equal(outcome.head.forward, "/api/chat?a=b");
	assert_string_equal(outcome.head.path, "/api/chat");
	assert_string_equal(outcome.head.host, "box:8000");
	assert_int_equal(outcome.head.version_minor, 1);
	assert_int_equal(outcome.head.framing.kind, FRAMING_LENGTH);
	assert_int_equal(outcome.head.framing.length, 5);
	assert_true(outcome.head.keep_alive);
	assert_false(outcome.head.expect_continue);
	assert_string_equal(fields_text(&outcome.head.fields, text, sizeof(text)),
		"Host=box:8000|Content-Length=5|X-One=a|x-one=b c|X-Empty=|X-Blank=|");
	request_head_finish(&outcome.head);
	assert_null(outcome.head.fields.items);
	request_head_finish(&outcome.head);
}

static void test_values_keep_high_bytes_and_inner_blanks(void **state)
{
	struct request_head head = read_ready("GET / HTTP/1.1\r\n"
					      "Host: a\r\n"
					      "X:\tna\xc3\xafve \t \xff z\t\r\n"
					      "\r\n");
	char *value = fields_copy(&head.fields, "X");

	assert_string_equal(value, "na\xc3\xafve \t \xff z");
	free(value);
	request_head_finish(&head);
}

static void test_a_length_behind_a_tab_is_a_length(void **state)
{
	struct request_head head =
		read_ready("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\t5\t \r\n\r\n");

	assert_int_equal(head.framing.kind, FRAMING_LENGTH);
	assert_int_equal(head.framing.length, 5);
	request_head_finish(&head);
}

/* Freed memory keeps what it held: the buffer is wiped before it gives the head's bytes back, the
 * next request's stay. */
static void test_what_was_read_is_wiped_in_the_buffer(void **state)
{
	static const char packet[] = "GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: secret\r\n\r\nGET /";
	const struct head_limits limits = {0};
	struct evbuffer *input = evbuffer_new();
	struct request_head head = {0};
	size_t length = strlen(packet) - strlen("GET /");
	size_t scanned = 0;
	enum http_error error;
	unsigned char *bytes;

	evbuffer_add(input, packet, strlen(packet));
	bytes = evbuffer_pullup(input, -1);
	assert_int_equal(request_head_read(&head, input, &scanned, &limits, &error), HEAD_READY);
	for (size_t i = 0; i < length; i++)
		assert_int_equal(bytes[i], 0);
	assert_memory_equal(bytes + length, "GET /", strlen("GET /"));
	request_head_finish(&head);
	evbuffer_free(input);
}

static void test_a_forgotten_field_is_overwritten(void **state)
{
	struct request_head head =
		read_ready("GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: secret\r\nB: 2\r\n\r\n");
	const char *value = head.fields.items[1].value;

	assert_memory_equal(value, "secret", strlen("secret"));
	request_head_forget_field(&head, 1);
	assert_memory_equal(value, "\0\0\0\0\0\0", strlen("secret"));
	assert_int_equal(head.fields.count, 2);
	assert_memory_equal(head.fields.items[1].value, "2", 1);
	request_head_finish(&head);
}

static void test_requests_in_one_packet_come_one_by_one(void **state)
{
	static const char packet[] = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
				     "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
				     "\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n"
				     "GET /4 HTTP/1.1\r\nHost: a\r\n\r\n"
				     "GET /5 HTTP/1.1\r\nHost: a\r\n\r\n";
	const struct head_limits limits = {0};
	struct evbuffer *input = evbuffer_new();
	size_t scanned = 0;

	add_piece(input, packet, strlen(packet));
	for (char digit = '1'; digit <= '5'; digit++) {
		struct request_head head = {0};
		enum http_error error;

		assert_int_equal(
			request_head_read(&head, input, &scanned, &limits, &error), HEAD_READY);
		assert_int_equal(head.target[1], digit);
		request_head_finish(&head);
	}
	assert_int_equal(evbuffer_get_length(input), 0);
	evbuffer_free(input);
}

static void test_any_token_is_a_method(void **state)
{
	static const char *const methods[] = {
		"GET", "HEAD", "get", "M-SEARCH", "PURGE", "A", "x!#$%&'*+-.^_`|~9", "PROPPATCH"};
	char text[256];

	for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
		struct request_head head;

		snprintf(text, sizeof(text), "%s /x HTTP/1.1\r\nHost: a\r\n\r\n", methods[i]);
		head = read_ready(text);
		assert_string_equal(head.method, methods[i]);
		request_head_finish(&head);
	}
	assert_refused("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_NOT_IMPLEMENTED);
	assert_refused("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("G\xc3T / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused(" / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
}

static void test_request_lines_have_exactly_two_blanks(void **state)
{
	static const char *const lines[] = {"GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ",
		" GET / HTTP/1.1", "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1", "GET /a b HTTP/1.1",
		"GET /HTTP/1.1", "GET/ HTTP/1.1", "GET", "GET ", "GET  HTTP/1.1", "/ HTTP/1.1",
		"GET /\x01 HTTP/1.1", "GET /\x7f HTTP/1.1", "GET /\x0b HTTP/1.1",
		"GET /a\rb HTTP/1.1", "GET / HTTP/1.1\r", "G\x01T / HTTP/1.1", "\tGET / HTTP/1.1"};
	char text[256];

	for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
		snprintf(text, sizeof(text), "%s\r\nHost: a\r\n\r\n", lines[i]);
		assert_refused(text, HTTP_ERROR_BAD_REQUEST);
	}
}

static void test_only_versions_1_0_and_1_1_are_spoken(void **state)
{
	static const struct {
		const char *version;
		enum http_error error;
	} rows[] = {
		{"HTTP/1.2", HTTP_ERROR_VERSION},
		{"HTTP/1.9", HTTP_ERROR_VERSION},
		{"HTTP/2.0", HTTP_ERROR_VERSION},
		{"HTTP/9.9", HTTP_ERROR_VERSION},
		{"HTTP/0.9", HTTP_ERROR_BAD_REQUEST},
		{"HTTP/1.10", HTTP_ERROR_BAD_REQUEST},
		{"HTTP/01.1", HTTP_ERROR_BAD_REQUEST},
		{"HTTP/1", HTTP_ERROR_BAD_REQUEST},
		{"HTTP/1.", HTTP_ERROR_BAD_REQUEST},
		{"HTTP/1,1", HTTP_ERROR_BAD_REQUEST},
		{"HTTP/2", HTTP_ERROR_BAD_REQUEST},
		{"http/1.1", HTTP_ERROR_BAD_REQUEST},
		{"HTTPS/1.1", HTTP_ERROR_BAD_REQUEST},
		{"ICY/1.1", HTTP_ERROR_BAD_REQUEST},
		{"HTTP/+.1", HTTP_ERROR_BAD_REQUEST},
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		snprintf(text, sizeof(text), "GET / %s\r\nHost: a\r\n\r\n", rows[i].version);
		assert_refused(text, rows[i].error);
	}
	/* the preface of HTTP/2 */
	assert_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP_ERROR_VERSION);
}

static void test_other_protocols_are_refused_at_their_first_bytes(void **state)
{
	/* none of them sends an empty line */
	assert_refused("GET /x\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("\x16\x03\x01\x02", HTTP_ERROR_BAD_REQUEST);
	assert_refused("SSH-2.0-x\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("\rG", HTTP_ERROR_BAD_REQUEST);
}

static void test_a_part_of_a_head_stays_in_the_buffer(void **state)
{
	static const char *const parts[] = {"G", "GET / HTTP/1.1", "GET / HTTP/1.1\r",
		"GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n\r", "\r", "GET / HTTP/1.1\r\nBro ken",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n"};

	for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
		struct outcome_of_head outcome = read_text(parts[i]);

		assert_int_equal(outcome.status, HEAD_MORE);
		assert_int_equal(outcome.left, strlen(parts[i]));
	}
}

static void test_empty_lines_in_front_are_skipped(void **state)
{
	struct request_head head =
		read_ready("\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n");
	struct outcome_of_head only = read_text("\r\n\r\n");

	assert_string_equal(head.target, "/x");
	request_head_finish(&head);
	assert_int_equal(only.status, HEAD_MORE);
	assert_int_equal(only.left, 0);
	assert_refused("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
}

static void test_connection_options_decide_about_reuse(void **state)
{
	static const struct {
		int minor;
		const char *lines;
		bool keep_alive;
	} rows[] = {
		{1, "", true},
		{1, "Connection: close\r\n", false},
		{1, "Connection: CLOSE\r\n", false},
		{1, "Connection: keep-alive\r\n", true},
		{1, "Connection: te , Close\r\n", false},
		{1, "Connection: te\r\nconnection: close\r\n", false},
		{1, "Connection: keep-alive, close\r\n", false},
		{1, "Connection: closed\r\n", true},
		{1, "Connection: not close\r\n", true},
		{1, "X-Connection: close\r\n", true},
		{0, "", false},
		{0, "Connection: Keep-Alive\r\n", true},
		{0, "Connection: x,keep-alive\r\n", true},
		{0, "Connection: keep-alive, close\r\n", false},
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct request_head head;

		snprintf(text, sizeof(text), "GET / HTTP/1.%d\r\nHost: a\r\n%s\r\n", rows[i].minor,
			rows[i].lines);
		head = read_ready(text);
		assert_int_equal(head.version_minor, rows[i].minor);
		assert_int_equal(head.keep_alive, rows[i].keep_alive);
		request_head_finish(&head);
	}
}

static void test_a_flood_of_connection_options_is_refused(void **state)
{
	struct request_head head =
		read_ready("GET / HTTP/1.1\r\nHost: a\r\n"
			   "Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"
			   "Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n\r\n");

	request_head_finish(&head);
	assert_refused("GET / HTTP/1.1\r\nHost: a\r\n"
		       "Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n"
		       "Connection: a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a\r\n\r\n",
		HTTP_ERROR_BAD_REQUEST);
}

static void test_a_host_is_a_host(void **state)
{
	struct request_head head = read_ready("GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n");

	assert_string_equal(head.host, "[::1]:8000");
	request_head_finish(&head);
	head = read_ready("GET / HTTP/1.1\r\nHost:\r\n\r\n");
	assert_string_equal(head.host, "");
	request_head_finish(&head);
	assert_refused("GET / HTTP/1.1\r\nHost: a:8a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("GET http://a:8a/ HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("GET http://[::1/ HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
}

static void test_one_expectation_is_known(void **state)
{
	static const struct {
		int minor;
		const char *lines;
		enum http_error error;
		bool expects;
	} rows[] = {
		{1, "Expect: 100-continue\r\n", HTTP_ERROR_NONE, true},
		{1, "expect:100-Continue \r\n", HTTP_ERROR_NONE, true},
		{1, "Expect: 200-ok\r\n", HTTP_ERROR_EXPECTATION, false},
		{1, "Expect:\r\n", HTTP_ERROR_EXPECTATION, false},
		{1, "Expect: 100-continue, x\r\n", HTTP_ERROR_EXPECTATION, false},
		{1, "Expect: 100-continue;x=y\r\n", HTTP_ERROR_EXPECTATION, false},
		{1, "Expect: 100-continue\r\nExpect: 100-continue\r\n", HTTP_ERROR_EXPECTATION,
			false},
		{0, "Expect: 100-continue\r\n", HTTP_ERROR_NONE, false},
		{0, "Expect: x\r\n", HTTP_ERROR_NONE, false},
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		snprintf(text, sizeof(text),
			"POST / HTTP/1.%d\r\nHost: a\r\nContent-Length: 1\r\n%s\r\n", rows[i].minor,
			rows[i].lines);
		if (rows[i].error != HTTP_ERROR_NONE) {
			assert_refused(text, rows[i].error);
		} else {
			struct request_head head = read_ready(text);

			assert_int_equal(head.expect_continue, rows[i].expects);
			request_head_finish(&head);
		}
	}
}

static void test_reasons_are_the_standard_ones(void **state)
{
	assert_string_equal(http_reason(200), "OK");
	assert_string_equal(http_reason(429), "Too Many Requests");
	assert_string_equal(http_reason(431), "Request Header Fields Too Large");
	assert_string_equal(http_reason(599), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_request_is_split_into_its_parts),
		cmocka_unit_test(test_values_keep_high_bytes_and_inner_blanks),
		cmocka_unit_test(test_a_length_behind_a_tab_is_a_length),
		cmocka_unit_test(test_what_was_read_is_wiped_in_the_buffer),
		cmocka_unit_test(test_a_forgotten_field_is_overwritten),
		cmocka_unit_test(test_requests_in_one_packet_come_one_by_one),
		cmocka_unit_test(test_any_token_is_a_method),
		cmocka_unit_test(test_request_lines_have_exactly_two_blanks),
		cmocka_unit_test(test_only_versions_1_0_and_1_1_are_spoken),
		cmocka_unit_test(test_other_protocols_are_refused_at_their_first_bytes),
		cmocka_unit_test(test_a_part_of_a_head_stays_in_the_buffer),
		cmocka_unit_test(test_empty_lines_in_front_are_skipped),
		cmocka_unit_test(test_connection_options_decide_about_reuse),
		cmocka_unit_test(test_a_flood_of_connection_options_is_refused),
		cmocka_unit_test(test_a_host_is_a_host),
		cmocka_unit_test(test_one_expectation_is_known),
		cmocka_unit_test(test_reasons_are_the_standard_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
