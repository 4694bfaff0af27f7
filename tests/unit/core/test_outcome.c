/* The table of PRODUCT 2, written out by hand: outcome.h must say the same. */
#include "core/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"

struct expected_row {
	enum outcome outcome;
	const char *name;
	int status; /* 0: Ollama's own, or the answer is cut, or there is none */
	const char *word;
	const char *counter;
};

static const struct expected_row table[] = {
	/* Ollama answered below 400 / 4xx */
	{OUTCOME_SUCCESS, "SUCCESS", 0, NULL, "completed"},
	{OUTCOME_UPSTREAM_CLIENT_ERROR, "UPSTREAM_CLIENT_ERROR", 0, "upstream_status", "completed"},
	/* Ollama's own 5xx */
	{OUTCOME_UPSTREAM_STATUS, "UPSTREAM_STATUS", 0, "upstream_status", "failed"},
	/* ring full, a project's max_queue_size reached, too many reading */
	{OUTCOME_QUEUE_FULL, "QUEUE_FULL", 503, "queue_full", "rejected"},
	/* cannot be answered within the client's patience */
	{OUTCOME_NO_TIME_LEFT, "NO_TIME_LEFT", 503, "no_time_left", "rejected"},
	/* waited until its deadline */
	{OUTCOME_QUEUE_TIMEOUT, "QUEUE_TIMEOUT", 503, "queue_timeout", "timeout"},
	/* draining, or still waiting at drain_timeout's end; still running then */
	{OUTCOME_SHUTTING_DOWN, "SHUTTING_DOWN", 503, "shutting_down", "rejected"},
	{OUTCOME_SHUTTING_DOWN_CUT, "SHUTTING_DOWN_CUT", 0, "shutting_down", "failed"},
	/* no or wrong key / not allowed; over a key's rate */
	{OUTCOME_UNAUTHORIZED, "UNAUTHORIZED", 401, "unauthorized", "rejected"},
	{OUTCOME_FORBIDDEN, "FORBIDDEN", 403, "forbidden", "rejected"},
	{OUTCOME_RATE_LIMITED, "RATE_LIMITED", 429, "rate_limited", "rejected"},
	/* body over the limit / head over the limit / target too long / not HTTP */
	{OUTCOME_BODY_TOO_LARGE, "BODY_TOO_LARGE", 413, "body_too_large", "rejected"},
	{OUTCOME_HEAD_TOO_LARGE, "HEAD_TOO_LARGE", 431, "head_too_large", "rejected"},
	{OUTCOME_TARGET_TOO_LONG, "TARGET_TOO_LONG", 414, "target_too_long", "rejected"},
	{OUTCOME_BAD_REQUEST, "BAD_REQUEST", 400, "bad_request", "rejected"},
	/* method, coding or version we cannot carry / unknown Expect */
	{OUTCOME_NOT_IMPLEMENTED, "NOT_IMPLEMENTED", 501, "not_implemented", "rejected"},
	{OUTCOME_HTTP_VERSION, "HTTP_VERSION", 505, "http_version", "rejected"},
	{OUTCOME_EXPECTATION_FAILED, "EXPECTATION_FAILED", 417, "expectation_failed", "rejected"},
	/* retired route; image over its project's limit; our own request came back */
	{OUTCOME_GONE, "GONE", 410, "gone", "rejected"},
	{OUTCOME_IMAGE_TOO_LARGE, "IMAGE_TOO_LARGE", 413, "image_too_large", "rejected"},
	{OUTCOME_LOOP, "LOOP", 508, "loop", "rejected"},
	/* request head or body too slow */
	{OUTCOME_REQUEST_TIMEOUT, "REQUEST_TIMEOUT", 408, "request_timeout", "rejected"},
	/* client stalled past write_timeout; cancelled by an operator */
	{OUTCOME_CLIENT_STALLED, "CLIENT_STALLED", 0, "client_stalled", "cancelled"},
	{OUTCOME_CANCELLED, "CANCELLED", 410, "cancelled", "cancelled"},
	/* upstream refused, reset before its head, malformed; silent; broke off after its head */
	{OUTCOME_UPSTREAM_REFUSED, "UPSTREAM_REFUSED", 502, "upstream_refused", "failed"},
	{OUTCOME_UPSTREAM_RESET, "UPSTREAM_RESET", 502, "upstream_reset", "failed"},
	{OUTCOME_UPSTREAM_MALFORMED, "UPSTREAM_MALFORMED", 502, "upstream_malformed", "failed"},
	{OUTCOME_UPSTREAM_TIMEOUT, "UPSTREAM_TIMEOUT", 504, "upstream_timeout", "failed"},
	{OUTCOME_UPSTREAM_TRUNCATED, "UPSTREAM_TRUNCATED", 0, "upstream_truncated", "failed"},
	/* client left */
	{OUTCOME_CLIENT_GONE, "CLIENT_GONE", 0, "client_gone", "cancelled"},
};

static void test_every_outcome_is_the_products(void **state)
{
	/* NONE is no outcome; every other one stands in the table. */
	assert_int_equal(ARRAY_LENGTH(table), OUTCOME_COUNT - 1);
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		const struct expected_row *row = &table[i];

		assert_string_equal(outcome_name(row->outcome), row->name);
		assert_int_equal(outcome_status(row->outcome), row->status);
		if (row->word)
			assert_string_equal(outcome_word(row->outcome), row->word);
		else
			assert_null(outcome_word(row->outcome));
		assert_string_equal(counter_name(outcome_counter(row->outcome)), row->counter);
	}
}

static void test_each_outcome_stands_once_in_the_table(void **state)
{
	bool seen[OUTCOME_COUNT] = {false};

	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		assert_false(seen[table[i].outcome]);
		seen[table[i].outcome] = true;
	}
	assert_false(seen[OUTCOME_NONE]);
}

static void test_none_is_no_status_and_no_word(void **state)
{
	assert_string_equal(outcome_name(OUTCOME_NONE), "NONE");
	assert_int_equal(outcome_status(OUTCOME_NONE), 0);
	assert_null(outcome_word(OUTCOME_NONE));
	assert_string_equal(outcome_text(OUTCOME_NONE), "");
	assert_false(outcome_has_retry_after(OUTCOME_NONE));
}

/* "for every 429 and 503 a Retry-After": by name, so that a new one is thought about. */
static void test_retry_after_comes_with_every_429_and_503(void **state)
{
	static const enum outcome with[] = {OUTCOME_QUEUE_FULL, OUTCOME_NO_TIME_LEFT,
		OUTCOME_QUEUE_TIMEOUT, OUTCOME_SHUTTING_DOWN, OUTCOME_RATE_LIMITED};

	for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
		bool expected = false;

		for (size_t i = 0; i < ARRAY_LENGTH(with); i++)
			expected |= with[i] == (enum outcome)outcome;
		assert_int_equal(outcome_has_retry_after((enum outcome)outcome), expected);
	}
}

static void test_every_refusal_says_something_to_people(void **state)
{
	for (size_t i = 0; i < ARRAY_LENGTH(table); i++) {
		const char *text = outcome_text(table[i].outcome);

		if (table[i].status)
			assert_true(strlen(text) > strlen("wrong"));
		/* It goes into JSON and headers of error lines: one plain line. */
		for (; *text; text++)
			assert_true(*text >= ' ' && *text <= '~' && *text != '"' && *text != '\\');
	}
	/* Where the client should come again, the text points at the header that says when. */
	for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
		if (outcome_has_retry_after((enum outcome)outcome))
			assert_non_null(strstr(outcome_text((enum outcome)outcome), "Retry-After"));
	}
}

static void test_counters_have_the_old_services_names(void **state)
{
	assert_int_equal(COUNTER_COUNT, 5);
	assert_string_equal(counter_name(COUNTER_COMPLETED), "completed");
	assert_string_equal(counter_name(COUNTER_FAILED), "failed");
	assert_string_equal(counter_name(COUNTER_REJECTED), "rejected");
	assert_string_equal(counter_name(COUNTER_TIMEOUT), "timeout");
	assert_string_equal(counter_name(COUNTER_CANCELLED), "cancelled");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_outcome_is_the_products),
		cmocka_unit_test(test_each_outcome_stands_once_in_the_table),
		cmocka_unit_test(test_none_is_no_status_and_no_word),
		cmocka_unit_test(test_retry_after_comes_with_every_429_and_503),
		cmocka_unit_test(test_every_refusal_says_something_to_people),
		cmocka_unit_test(test_counters_have_the_old_services_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
