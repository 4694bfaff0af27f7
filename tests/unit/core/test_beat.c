#include "core/beat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/compiler.h"

static struct record request(enum api_family family, enum operation operation, enum known stream)
{
	return (struct record){.family = family, .operation = operation, .stream = stream};
}

static enum beat body_beat(enum api_family family, enum operation operation, enum known stream)
{
	struct record record = request(family, operation, stream);

	return beat_choose(HEARTBEAT_BODY, &record, true, 1);
}

static void test_without_the_wish_there_is_none(void **state)
{
	struct record record = request(API_NATIVE, OPERATION_CHAT, KNOWN_TRUE);

	assert_int_equal(beat_choose(HEARTBEAT_OFF, &record, true, 1), BEAT_NONE);
	assert_int_equal(beat_choose(HEARTBEAT_UNSET, &record, true, 1), BEAT_NONE);
}

static void test_102_goes_to_those_who_bear_it(void **state)
{
	static const struct {
		const char *agent;
		enum beat beat;
	} agents[] = {
		{NULL, BEAT_PROCESSING},
		{"OpenAI/Python 3.1", BEAT_PROCESSING},
		{"ollama-python/0.6", BEAT_PROCESSING},
		{"curl/7.88.1", BEAT_PROCESSING},
		{"python-requests/2.34", BEAT_NONE},
		{"Python-Requests/2.34", BEAT_NONE},
		{"python-urllib3/2.8", BEAT_NONE},
		{"Python-urllib/3.11", BEAT_NONE},
		{"my python-requests/2.34", BEAT_PROCESSING},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(agents); i++) {
		struct record record = request(API_OPENAI, OPERATION_CHAT, KNOWN_FALSE);

		record.user_agent = (char *)agents[i].agent;
		assert_int_equal(
			beat_choose(HEARTBEAT_PROCESSING, &record, true, 1), agents[i].beat);
		/* It commits nothing: what the answer will be need not be known. */
		assert_int_equal(
			beat_choose(HEARTBEAT_PROCESSING, &record, false, 1), agents[i].beat);
		assert_int_equal(beat_choose(HEARTBEAT_PROCESSING, &record, true, 0), BEAT_NONE);
		/* HTTP/1.0 knows no interim answer, but a body. */
		assert_int_equal(beat_choose(HEARTBEAT_BODY, &record, true, 0), BEAT_SPACE);
	}
}

static void test_a_body_begins_in_the_endpoints_own_form(void **state)
{
	static const struct {
		enum api_family family;
		enum operation operation;
		enum beat streamed, whole;
	} cases[] = {
		{API_NATIVE, OPERATION_CHAT, BEAT_CHAT_LINE, BEAT_SPACE},
		{API_NATIVE, OPERATION_GENERATE, BEAT_GENERATE_LINE, BEAT_SPACE},
		{API_NATIVE, OPERATION_EMBED, BEAT_SPACE, BEAT_SPACE},
		{API_OPENAI, OPERATION_CHAT, BEAT_COMMENT, BEAT_SPACE},
		{API_OPENAI, OPERATION_GENERATE, BEAT_COMMENT, BEAT_SPACE},
		{API_OPENAI, OPERATION_EMBED, BEAT_COMMENT, BEAT_SPACE},
		{API_OPENAI, OPERATION_IMAGE, BEAT_COMMENT, BEAT_SPACE},
		{API_ANTHROPIC, OPERATION_CHAT, BEAT_COMMENT, BEAT_SPACE},
		{API_OPENAI, OPERATION_TRANSCRIBE, BEAT_NONE, BEAT_NONE},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct record unread = request(cases[i].family, cases[i].operation, KNOWN_TRUE);

		assert_int_equal(body_beat(cases[i].family, cases[i].operation, KNOWN_TRUE),
			cases[i].streamed);
		assert_int_equal(body_beat(cases[i].family, cases[i].operation, KNOWN_FALSE),
			cases[i].whole);
		/* Who knows what Ollama will make of it? */
		assert_int_equal(beat_choose(HEARTBEAT_BODY, &unread, false, 1), BEAT_NONE);
	}
}

static void test_what_ollama_sends_must_fit(void **state)
{
	static const bool fits[BEAT_COUNT][4] = {
		/* in the order of enum tap_format: none, ndjson, json, sse */
		[BEAT_NONE] = {true, true, true, true},
		[BEAT_PROCESSING] = {true, true, true, true},
		[BEAT_COMMENT] = {false, false, false, true},
		[BEAT_CHAT_LINE] = {false, true, true, false},
		[BEAT_GENERATE_LINE] = {false, true, true, false},
		[BEAT_SPACE] = {false, false, true, false},
	};

	for (int beat = 0; beat < BEAT_COUNT; beat++) {
		for (int format = 0; format < 4; format++)
			assert_int_equal(beat_fits((enum beat)beat, (enum tap_format)format),
				fits[beat][format]);
	}
}

static void test_the_committed_type_is_the_forms_own(void **state)
{
	assert_null(beat_content_type(BEAT_PROCESSING));
	for (int beat = BEAT_COMMENT; beat < BEAT_COUNT; beat++) {
		const char *type = beat_content_type((enum beat)beat);

		assert_true(beat_fits((enum beat)beat, tap_format_of(type, strlen(type))));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_the_wish_there_is_none),
		cmocka_unit_test(test_102_goes_to_those_who_bear_it),
		cmocka_unit_test(test_a_body_begins_in_the_endpoints_own_form),
		cmocka_unit_test(test_what_ollama_sends_must_fit),
		cmocka_unit_test(test_the_committed_type_is_the_forms_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
