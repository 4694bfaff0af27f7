#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "json/tap.h"
#include "json/yajl_memory.h"
/* Bytes of answers of Ollama 0.32.15. */
#define GENERATE_TOKEN                                                                          \
	"{\"model\":\"tiny\",\"created_at\":\"2026-11-23T22:26:39.376451188Z\",\"response\":\"" \
	" The\",\"done\":false}\n"
#define GENERATE_BEFORE_CONTEXT                                                               \
	"{\"model\":\"tiny\",\"created_at\":\"2026-11-23T22:26:39.383221485Z\",\"response\":" \
	"\"\",\"done\":true,\"done_reason\":\"length\",\"context\":["
#define GENERATE_AFTER_CONTEXT                                                                 \
	"],\"total_duration\":287297621,\"load_duration\":274382959,\"prompt_eval_count\":11," \
	"\"prompt_eval_duration\":2057999,\"eval_count\":8,\"eval_duration\":7516000}\n"
#define GENERATE_FINAL GENERATE_BEFORE_CONTEXT "518,1792,29962" GENERATE_AFTER_CONTEXT
#define CHAT_TOKEN                                                                           \
	"{\"model\":\"tiny\",\"created_at\":\"2026-11-23T22:26:40.343971192Z\",\"message\":" \
	"{\"role\":\"assistant\",\"content\":\" The\"},\"done\":false}\n"
#define CHAT_FINAL                                                                            \
	"{\"model\":\"tiny\",\"created_at\":\"2026-11-23T22:26:40.358530597Z\",\"message\":"  \
	"{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"length\"," \
	"\"total_duration\":20691852,\"load_duration\":816068,\"prompt_eval_count\":11,"      \
	"\"prompt_eval_duration\":3815000,\"eval_count\":8,\"eval_duration\":14210000}\n"
#define RUNNER_KILLED \
	"{\"error\":\"an error was encountered while running the model: unexpected EOF\"}"
#define CHAT_CHUNK                                                                         \
	"data: {\"id\":\"chatcmpl-654\",\"object\":\"chat.completion.chunk\",\"created\":" \
	"1795472801,\"model\":\"tiny\",\"system_fingerprint\":\"fp_ollama\",\"choices\":"  \
	"[{\"index\":0,\"delta\":{\"content\":\" sky\"},\"finish_reason\":null}]}\n\n"
#define CHAT_END                                                                           \
	"data: {\"id\":\"chatcmpl-654\",\"object\":\"chat.completion.chunk\",\"created\":" \
	"1795472801,\"model\":\"tiny\",\"system_fingerprint\":\"fp_ollama\",\"choices\":"  \
	"[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
#define CHAT_USAGE                                                                           \
	"data: {\"id\":\"chatcmpl-654\",\"object\":\"chat.completion.chunk\",\"created\":"   \
	"1795472801,\"model\":\"tiny\",\"system_fingerprint\":\"fp_ollama\",\"choices\":[]," \
	"\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":6,\"total_tokens\":17}}\n\n"
#define DONE_EVENT "data: [DONE]\n\n"
#define COMPLETION_CHUNK(prompt, completion)                                                       \
	"data: {\"id\":\"cmpl-775\",\"object\":\"text_completion\",\"created\":1795472802,"        \
	"\"choices\":[{\"text\":\" sky\",\"index\":0,\"finish_reason\":null}],\"model\":\"tiny\"," \
	"\"system_fingerprint\":\"fp_ollama\",\"usage\":{\"prompt_tokens\":" prompt                \
	",\"completion_tokens\":" completion ",\"total_tokens\":0}}\n\n"
#define MESSAGE_START                                                                             \
	"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":"            \
	"\"msg_9c8b485948c44008eecf6010\",\"type\":\"message\",\"role\":\"assistant\",\"model\":" \
	"\"tiny\",\"content\":[],\"usage\":{\"input_tokens\":1,\"output_tokens\":0}}}\n\n"
#define MESSAGE_TEXT                                                                       \
	"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0," \
	"\"delta\":{\"type\":\"text_delta\",\"text\":\" The\"}}\n\n"
#define MESSAGE_DELTA                                                                         \
	"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":" \
	"\"max_tokens\"},\"usage\":{\"input_tokens\":11,\"output_tokens\":6}}\n\n"
#define MESSAGE_STOP "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
#define RESPONSE_CREATED                                                                           \
	"event: response.created\ndata: {\"response\":{\"background\":false,\"completed_at\":"     \
	"null,\"created_at\":1795472802,\"error\":null,\"id\":\"resp_694479\",\"metadata\":{},"    \
	"\"output\":[],\"status\":\"in_progress\",\"usage\":null},\"sequence_number\":0,\"type\":" \
	"\"response.created\"}\n\n"
#define RESPONSE_COMPLETED                                                                      \
	"event: response.completed\ndata: {\"response\":{\"background\":false,\"error\":null,"  \
	"\"id\":\"resp_694479\",\"metadata\":{},\"output\":[{\"content\":[{\"annotations\":[]," \
	"\"text\":\" The sky\",\"type\":\"output_text\"}],\"id\":\"msg_697349\"}],\"text\":"    \
	"{\"format\":{\"type\":\"text\"}},\"usage\":{\"input_tokens\":11,"                      \
	"\"input_tokens_details\":{\"cached_tokens\":0},\"output_tokens\":6,"                   \
	"\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":17}},"             \
	"\"sequence_number\":13,\"type\":\"response.completed\"}\n\n"

static void feed(struct tap *tap, const char *bytes, size_t length, size_t piece)
{
	/* each piece alone in memory, so that a sanitizer sees a read past its end */
	for (size_t at = 0; at < length; at += piece) {
		size_t size = length - at < piece ? length - at : piece;
		char *copy = mem_alloc(size);

		memcpy(copy, bytes + at, size);
		tap_feed(tap, copy, size);
		free(copy);
	}
}

static int create_nothing(void **state)
{
	*state = NULL;
	return 0;
}

static int destroy_tap(void **state)
{
	tap_destroy(*state);
	return 0;
}

/* Watches a whole answer; the test's state keeps the tap until the next or the end. */
static const struct tap_result *watch(void **state, enum tap_format format, const char *body)
{
	tap_destroy(*state);
	*state = tap_create(format);
	feed(*state, body, strlen(body), SIZE_MAX);
	return tap_finish(*state);
}

static void check_durations(const struct tap_result *result, int64_t total, int64_t load,
	int64_t prompt_eval, int64_t eval)
{
	assert_int_equal(result->total_duration, total);
	assert_int_equal(result->load_duration, load);
	assert_int_equal(result->prompt_eval_duration, prompt_eval);
	assert_int_equal(result->eval_duration, eval);
}

static void check_counts(const struct tap_result *result, int64_t prompt, int64_t completion)
{
	assert_int_equal(result->prompt_eval_count, prompt);
	assert_int_equal(result->eval_count, completion);
}

static void check_error(const struct tap_result *result, const char *text)
{
	assert_true(result->error);
	assert_string_equal(result->error_text, text);
}

static void test_format_of_a_content_type(void **state)
{
	static const struct {
		const char *type;
		enum tap_format format;
	} types[] = {
		{"application/x-ndjson", TAP_NDJSON},
		{"Application/X-NDJSON; charset=utf-8", TAP_NDJSON},
		{"application/json", TAP_JSON},
		{"application/json; charset=utf-8", TAP_JSON},
		{" application/json ;x", TAP_JSON},
		{"text/event-stream", TAP_SSE},
		{"text/event-stream;charset=UTF-8", TAP_SSE},
		{"application/jsonl", TAP_NONE},
		{"application/jso", TAP_NONE},
		{"text/plain", TAP_NONE},
		{"", TAP_NONE},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		/* not NUL-terminated */
		size_t length = strlen(types[i].type);
		char *copy = memcpy(mem_alloc(length), types[i].type, length);

		assert_int_equal(tap_format_of(copy, length), types[i].format);
		free(copy);
	}
	assert_int_equal(tap_format_of(NULL, 0), TAP_NONE);
	assert_string_equal(tap_format_name(TAP_NDJSON), "ndjson");
	assert_string_equal(tap_format_name(TAP_SSE), "sse");
}

static void test_generate_stream(void **state)
{
	const struct tap_result *result =
		watch(state, TAP_NDJSON, GENERATE_TOKEN GENERATE_TOKEN GENERATE_FINAL);

	assert_true(result->done);
	assert_false(result->error);
	assert_int_equal(result->lines, 3);
	check_durations(result, 287297621, 274382959, 2057999, 7516000);
	check_counts(result, 11, 8);
}

static void test_chat_stream(void **state)
{
	const struct tap_result *result = watch(state, TAP_NDJSON, CHAT_TOKEN CHAT_FINAL);

	assert_true(result->done);
	assert_int_equal(result->lines, 2);
	check_durations(result, 20691852, 816068, 3815000, 14210000);
	check_counts(result, 11, 8);
}

static void test_stream_that_is_not_done(void **state)
{
	const struct tap_result *result = watch(state, TAP_NDJSON, CHAT_TOKEN CHAT_TOKEN);

	assert_false(result->done);
	assert_false(result->error);
	assert_int_equal(result->lines, 2);
	check_durations(result, -1, -1, -1, -1);
	check_counts(result, -1, -1);
}

static void test_error_line_in_a_stream(void **state)
{
	const struct tap_result *result = watch(state, TAP_NDJSON, CHAT_TOKEN RUNNER_KILLED "\n");

	assert_false(result->done);
	check_error(result, "an error was encountered while running the model: unexpected EOF");
	assert_int_equal(result->lines, 2);
}

static void test_last_line_without_its_end_counts_for_what_it_says(void **state)
{
	struct tap *tap = tap_create(TAP_NDJSON);
	const char *rest = "true,\"load_duration\":5}";

	*state = tap;
	tap_feed(tap, CHAT_TOKEN "{\"done\":", strlen(CHAT_TOKEN) + 8);
	assert_false(tap_finish(tap)->done);
	tap_feed(tap, rest, strlen(rest));
	assert_true(tap_finish(tap)->done);
	assert_int_equal(tap_finish(tap)->load_duration, 5);
	assert_int_equal(tap_finish(tap)->lines, 1);
	tap_feed(tap, "\n", 1);
	assert_int_equal(tap_finish(tap)->lines, 2);
	check_error(watch(state, TAP_NDJSON, RUNNER_KILLED),
		"an error was encountered while running the model: unexpected EOF");
}

static void test_final_line_with_a_large_context(void **state)
{
	enum { TOKENS = 150000 };
	static const size_t pieces[] = {1000, 4096, 65536, SIZE_MAX};
	char *body = mem_alloc(TOKENS * 7 + 1000);
	char *at = stpcpy(body, GENERATE_TOKEN GENERATE_BEFORE_CONTEXT "1");

	for (int i = 0; i < TOKENS; i++)
		at = stpcpy(at, ",29962");
	at = stpcpy(at, GENERATE_AFTER_CONTEXT);
	for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
		struct tap *tap = tap_create(TAP_NDJSON);
		const struct tap_result *result;

		feed(tap, body, (size_t)(at - body), pieces[i]);
		result = tap_finish(tap);
		assert_true(result->done);
		assert_int_equal(result->lines, 2);
		check_durations(result, 287297621, 274382959, 2057999, 7516000);
		check_counts(result, 11, 8);
		tap_destroy(tap);
	}
	free(body);
}

static void test_lines_around_the_length_that_is_kept(void **state)
{
	for (size_t length = 4000; length < 4200; length++) {
		static const size_t pieces[] = {1, 100, 4095, 4096, 4097, SIZE_MAX};
		char *body =
			mem_printf("{\"response\":\"%0*d\",\"done\":true,\"load_duration\":7}\r\n"
				   "{\"error\":\"%0*d\"}\n",
				(int)length - 47, 0, (int)length - 12, 0);

		for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
			struct tap *tap = tap_create(TAP_NDJSON);
			const struct tap_result *result;

			feed(tap, body, strlen(body), pieces[i]);
			result = tap_finish(tap);
			assert_true(result->done);
			assert_true(result->error);
			assert_int_equal(result->load_duration, 7);
			assert_int_equal(result->lines, 2);
			tap_destroy(tap);
		}
		free(body);
	}
}

static void test_words_inside_strings_say_nothing(void **state)
{
	const struct tap_result *result = watch(state, TAP_NDJSON,
		"{\"response\":\"\\\"done\\\":true,\\\"load_duration\\\":5,\\\"error\\\":"
		"\\\"x\\\"\","
		"\"done\":false}\n"
		"{\"response\":\"\\\"done\\\":true}\",\"x\":1}\n"
		"{\"response\":\"error\",\"thinking\":\"usage\",\"done\":false}\n"
		"{\"message\":{\"content\":\"{\\\"error\\\":\\\"x\\\"}\",\"done\":true,"
		"\"error\":\"y\",\"load_duration\":6},\"done\":false}\n"
		"{\"a\":[{\"done\":true,\"error\":\"x\"}],\"done\":false}\n");

	assert_int_equal(result->lines, 5);
	assert_false(result->done);
	assert_false(result->error);
	check_durations(result, -1, -1, -1, -1);
}

static void test_invalid_lines_say_nothing(void **state)
{
	const struct tap_result *result = watch(state, TAP_NDJSON,
		"\"done\":true}\n{\"done\":true\n\"x\"done\":true}\nnull\n[{\"done\":true}]\n"
		"{\"done\":true,}\n{\"load_duration\":1e,\"done\":true}\n{\"error\":\"\x01\"}\n"
		"{{\"error\":\"x\"}}\n\"error\"\n");

	assert_int_equal(result->lines, 10);
	assert_false(result->done);
	assert_false(result->error);
	check_durations(result, -1, -1, -1, -1);
}

static void test_blank_lines_and_carriage_returns(void **state)
{
	const struct tap_result *result = watch(state, TAP_NDJSON,
		"\n\r\n{\"response\":\"x\",\"done\":false}\r\n\n{\"done\":true,\"eval_count\":3}"
		"\r\n");

	assert_true(result->done);
	assert_int_equal(result->lines, 2);
	assert_int_equal(result->eval_count, 3);
	assert_true(tap_is_at_line_end(*state));
}

static void test_numbers_that_make_no_sense(void **state)
{
	const struct tap_result *result = watch(state, TAP_NDJSON,
		"{\"done\":true,\"total_duration\":-5,\"load_duration\":99999999999999999999999,"
		"\"eval_count\":1.9,\"eval_duration\":\"7\",\"prompt_eval_count\":null,"
		"\"prompt_eval_duration\":1e3}\n");

	check_durations(result, -1, INT64_MAX, 1000, -1);
	check_counts(result, -1, 1);
}

static void test_final_line_written_by_others(void **state)
{
	const struct tap_result *result = watch(state, TAP_NDJSON,
		"{ \"load_duration\" : 5 , \"done\" : true , \"response\" : \"\" }\n");

	assert_true(result->done);
	assert_int_equal(result->load_duration, 5);
	/* the last of a key counts */
	result = watch(state, TAP_NDJSON,
		"{\"done\":true,\"load_duration\":1,\"done\":false,"
		"\"load_duration\":2}\n");
	assert_false(result->done);
	assert_int_equal(result->load_duration, 2);
}

static void test_errors_of_each_shape(void **state)
{
	check_error(watch(state, TAP_JSON, "{\"error\":\"model 'nope' not found\"}"),
		"model 'nope' not found");
	check_error(watch(state, TAP_JSON,
			    "{\"error\":{\"message\":\"model 'nope' not found\",\"type\":"
			    "\"not_found_error\",\"param\":null,\"code\":null}}\n"),
		"model 'nope' not found");
	check_error(
		watch(state, TAP_JSON,
			"{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":"
			"\"model 'nope' not found\"},\"request_id\":\"req_52ff07b09b59d3b\"}\n"),
		"model 'nope' not found");
	check_error(watch(state, TAP_JSON,
			    "{\"error\":\"{\\\"error\\\":{\\\"code\\\":400,\\\"message\\\":"
			    "\\\"x\\\\ny\\\"}}\"}"),
		"{\"error\":{\"code\":400,\"message\":\"x\\ny\"}}");
	check_error(watch(state, TAP_JSON, "{\"error\":{\"code\":5}}"), "");
	check_error(watch(state, TAP_JSON, "{\"error\":[\"x\"]}"), "");
	check_error(watch(state, TAP_JSON, "{\"error\":7}"), "");
	check_error(watch(state, TAP_JSON, "{\"error\":true}"), "");
	assert_false(tap_finish(*state)->done);
}

static void test_errors_that_are_none(void **state)
{
	static const char *const bodies[] = {"{\"error\":null}", "{\"error\":\"\"}",
		"{\"error\":false}", "{\"x\":{\"error\":\"x\"}}", "{\"error\":\"x\"", "[\"error\"]",
		"{\"message\":{\"error\":{\"message\":\"x\"}}}"};

	for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++)
		assert_false(watch(state, TAP_JSON, bodies[i])->error);
}

static void test_first_error_is_kept(void **state)
{
	check_error(watch(state, TAP_NDJSON, "{\"error\":\"a\"}\n{\"error\":\"b\"}\n"), "a");
}

static void test_long_error_is_cut_between_characters(void **state)
{
	for (int before = 250; before < 260; before++) {
		char *body = mem_printf("{\"error\":\"%0*d\u20ac\u20ac\u20ac\"}", before, 0);
		size_t length = strlen(watch(state, TAP_JSON, body)->error_text);
		size_t whole = before < 255 ? ((size_t)(255 - before) / 3) * 3 : 0;

		assert_true(tap_finish(*state)->error);
		assert_int_equal(length, before < 255 ? (size_t)before + whole : 255);
		free(body);
	}
	check_error(watch(state, TAP_JSON, "{\"error\":\"a\\u0000b\"}"), "a b");
}

static void test_answer_of_one_object(void **state)
{
	const struct tap_result *result = watch(state, TAP_JSON, GENERATE_FINAL);

	assert_true(result->done);
	assert_int_equal(result->lines, 0);
	check_durations(result, 287297621, 274382959, 2057999, 7516000);
	check_counts(result, 11, 8);
}

static void test_answer_that_hit_the_repeat_limit_is_not_done(void **state)
{
	assert_false(
		watch(state, TAP_JSON, "{\"model\":\"tiny\",\"response\":\"x\",\"done\":false}")
			->done);
}

static void test_answer_that_breaks_off_is_not_done(void **state)
{
	const struct tap_result *result =
		watch(state, TAP_JSON, "{\"load_duration\":5,\"done\":true,\"response\":\"x");

	assert_false(result->done);
	assert_int_equal(result->load_duration, -1);
}

static void test_load_and_unload_answers(void **state)
{
	const struct tap_result *result = watch(state, TAP_JSON,
		"{\"model\":\"tiny\",\"created_at\":\"2026-11-23T22:26:39Z\",\"response\":\"\","
		"\"done\":true,\"done_reason\":\"load\"}");

	assert_true(result->done);
	check_durations(result, -1, -1, -1, -1);
}

static void test_answer_of_ten_megabytes(void **state)
{
	enum { LENGTH = 10 * 1024 * 1024 };
	char *body = mem_alloc(LENGTH + 1000);
	char *at = stpcpy(body, "{\"model\":\"tiny\",\"response\":\"");
	const struct tap_result *result;

	memset(at, 'x', LENGTH);
	at = stpcpy(at + LENGTH, "\",\"done\":true,\"total_duration\":5,\"load_duration\":6}");
	*state = tap_create(TAP_JSON);
	feed(*state, body, (size_t)(at - body), 4096);
	free(body);
	result = tap_finish(*state);
	assert_true(result->done);
	check_durations(result, 5, 6, -1, -1);
}

static void test_openai_answers(void **state)
{
	const struct tap_result *result = watch(state, TAP_JSON,
		"{\"id\":\"chatcmpl-226\",\"object\":\"chat.completion\",\"created\":1795472801,"
		"\"model\":\"tiny\",\"system_fingerprint\":\"fp_ollama\",\"choices\":[{\"index\":0,"
		"\"message\":{\"role\":\"assistant\",\"content\":\" The sky\"},\"finish_reason\":"
		"\"length\"}],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":6,"
		"\"total_tokens\":17}}\n");

	assert_true(result->done);
	check_counts(result, 11, 6);
	check_durations(result, -1, -1, -1, -1);
	result = watch(state, TAP_JSON,
		"{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"embedding\":[-0.08,0.1]"
		","
		"\"index\":0}],\"model\":\"tinyembed\",\"usage\":{\"prompt_tokens\":3,"
		"\"total_tokens\":3}}\n");
	assert_true(result->done);
	check_counts(result, 3, -1);
}

static void test_responses_and_messages_answers(void **state)
{
	const struct tap_result *result = watch(state, TAP_JSON,
		"{\"id\":\"resp_540288\",\"object\":\"response\",\"status\":\"completed\","
		"\"output\":[{\"id\":\"msg_57735\",\"content\":[{\"type\":\"output_text\"}]}],"
		"\"error\":null,\"usage\":{\"input_tokens\":11,\"output_tokens\":6,\"total_"
		"tokens\":17,"
		"\"input_tokens_details\":{\"cached_tokens\":0}},\"max_output_tokens\":6}\n");

	assert_true(result->done);
	assert_false(result->error);
	check_counts(result, 11, 6);
	result = watch(state, TAP_JSON,
		"{\"id\":\"msg_595e8f279a752b996452cec7\",\"type\":\"message\",\"role\":"
		"\"assistant\","
		"\"model\":\"tiny\",\"content\":[{\"type\":\"text\",\"text\":\" The\"}],"
		"\"stop_reason\":\"max_tokens\",\"usage\":{\"input_tokens\":11,\"output_tokens\":6}"
		"}\n");
	assert_true(result->done);
	check_counts(result, 11, 6);
}

static void test_embed_answer(void **state)
{
	const struct tap_result *result = watch(state, TAP_JSON,
		"{\"model\":\"tinyembed\",\"embeddings\":[[-0.08208696,0.12655711]],"
		"\"total_duration\":5,\"load_duration\":4,\"prompt_eval_count\":3}");

	assert_true(result->done);
	check_durations(result, 5, 4, -1, -1);
	check_counts(result, 3, -1);
}

static void test_chat_events_with_and_without_usage(void **state)
{
	const struct tap_result *result =
		watch(state, TAP_SSE, CHAT_CHUNK CHAT_END CHAT_USAGE DONE_EVENT);

	assert_true(result->done);
	assert_int_equal(result->lines, 4);
	check_counts(result, 11, 6);
	result = watch(state, TAP_SSE, CHAT_CHUNK CHAT_END DONE_EVENT);
	assert_true(result->done);
	check_counts(result, -1, -1);
	/* the runner was killed: it just ends */
	result = watch(state, TAP_SSE, CHAT_CHUNK CHAT_CHUNK);
	assert_false(result->done);
	assert_int_equal(result->lines, 2);
}

static void test_completion_events_send_zeros_until_the_last(void **state)
{
	const struct tap_result *result = watch(state, TAP_SSE,
		COMPLETION_CHUNK("0", "0") COMPLETION_CHUNK("0", "0") COMPLETION_CHUNK("11", "6")
			DONE_EVENT);

	assert_true(result->done);
	check_counts(result, 11, 6);
	check_counts(watch(state, TAP_SSE, COMPLETION_CHUNK("0", "0")), -1, -1);
	/* nothing came, but the prompt was read */
	check_counts(watch(state, TAP_SSE, COMPLETION_CHUNK("11", "0")), 11, 0);
}

static void test_message_events(void **state)
{
	const struct tap_result *result =
		watch(state, TAP_SSE, MESSAGE_START MESSAGE_TEXT MESSAGE_DELTA MESSAGE_STOP);

	assert_true(result->done);
	assert_int_equal(result->lines, 4);
	check_counts(result, 11, 6);
	/* broken off: the first guess at the prompt, nothing about the output */
	result = watch(state, TAP_SSE, MESSAGE_START MESSAGE_TEXT);
	assert_false(result->done);
	check_counts(result, 1, -1);
	/* either tells */
	assert_true(watch(state, TAP_SSE, "data: {\"type\":\"message_stop\"}\n\n")->done);
	assert_true(watch(state, TAP_SSE, "event: message_stop\ndata: {}\n\n")->done);
}

static void test_response_events(void **state)
{
	const struct tap_result *result = watch(state, TAP_SSE, RESPONSE_CREATED);

	assert_false(result->done);
	assert_false(result->error);
	check_counts(result, -1, -1);
	result = watch(state, TAP_SSE, RESPONSE_CREATED RESPONSE_COMPLETED);
	assert_true(result->done);
	assert_false(result->error);
	assert_int_equal(result->lines, 2);
	check_counts(result, 11, 6);
}

static void test_error_events(void **state)
{
	check_error(
		watch(state, TAP_SSE,
			CHAT_CHUNK
			"data: {\"error\":{\"message\":\"broken\",\"type\":\"api_error\"}}\n\n"),
		"broken");
	check_error(watch(state, TAP_SSE, "data: {\"error\":\"broken\"}\n\n"), "broken");
	check_error(watch(state, TAP_SSE,
			    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":"
			    "\"overloaded_error\",\"message\":\"busy\"}}\n\n"),
		"busy");
	check_error(watch(state, TAP_SSE,
			    "event: error\ndata: "
			    "{\"type\":\"error\",\"code\":\"x\",\"message\":\"flat\","
			    "\"param\":null,\"sequence_number\":1,\"some_more\":\"some more "
			    "text\"}\n\n"),
		"flat");
	check_error(watch(state, TAP_SSE, "event: error\ndata: broken\n\n"), "");
	assert_false(tap_finish(*state)->done);
	assert_false(watch(state, TAP_SSE, "event: error\n\ndata: {}\n\n")->error);
	assert_false(watch(state, TAP_SSE, "event: error\nevent: x\ndata: {}\n\n")->error);
}

static void test_events_with_other_fields_and_line_ends(void **state)
{
	const struct tap_result *result = watch(state, TAP_SSE,
		": comment\r\n\r\nid: 7\r\nevent:message_stop\r\nretry: "
		"5\r\ndata:{\"a\":1}\r\n\r\n\n"
		"data: {\"usage\":{\"input_tokens\":3}}\r\n\r\ndatum: [DONE]\n\n");

	assert_true(result->done);
	assert_int_equal(result->lines, 2);
	check_counts(result, 3, -1);
	assert_false(
		watch(state, TAP_SSE, "data: x[DONE]\n\ndatum: [DONE]\n\n data: [DONE]\n\n")->done);
	assert_true(watch(state, TAP_SSE, "data:[DONE]\n\n")->done);
}

static void test_long_events(void **state)
{
	static const size_t pieces[] = {1, 4096, SIZE_MAX};

	for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
		char *body = mem_printf("event: x%0*d\ndata: {\"delta\":\"%0*d\",\"usage\":{"
					"\"input_tokens\":5,\"output_tokens\":6}}\n\n: %0*d\n\n",
			5000, 0, 9000, 0, 5000, 0);
		struct tap *tap = tap_create(TAP_SSE);

		feed(tap, body, strlen(body), pieces[i]);
		check_counts(tap_finish(tap), 5, 6);
		assert_int_equal(tap_finish(tap)->lines, 1);
		assert_true(tap_is_at_line_end(tap));
		tap_destroy(tap);
		free(body);
	}
}

static void test_where_the_stream_stands(void **state)
{
	static const struct {
		enum tap_format format;
		const char *bytes;
		bool is_at_end;
	} cases[] = {
		{TAP_NDJSON, "", true},
		{TAP_NDJSON, "{", false},
		{TAP_NDJSON, "{}\n", true},
		{TAP_NDJSON, "{}\n{", false},
		{TAP_NDJSON, "\n", true},
		{TAP_SSE, "", true},
		{TAP_SSE, "data: x", false},
		{TAP_SSE, "data: x\n", false},
		{TAP_SSE, "data: x\n\n", true},
		{TAP_SSE, "data: x\r\n\r\n", true},
		{TAP_SSE, "data: x\n\n\n", true},
		{TAP_SSE, "data: x\n\nd", false},
		{TAP_SSE, "\n", true},
		{TAP_JSON, "", true},
		{TAP_JSON, "{}", false},
		{TAP_JSON, "{}\n", true},
		{TAP_NONE, "", true},
		{TAP_NONE, "x", false},
		{TAP_NONE, "x\n", true},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		for (size_t piece = 1; piece < 12; piece++) {
			struct tap *tap = tap_create(cases[i].format);

			feed(tap, cases[i].bytes, strlen(cases[i].bytes), piece);
			tap_feed(tap, NULL, 0);
			assert_int_equal(tap_is_at_line_end(tap), cases[i].is_at_end);
			tap_destroy(tap);
		}
	}
}

static size_t allocations;
static void *(*allocate)(void *context, size_t bytes);

static void *count_allocation(void *context, size_t bytes)
{
	allocations++;
	return allocate(context, bytes);
}

/* Feeds the same event many times; tells how often yajl asked for memory, which it does whenever
 * something is parsed. */
static size_t count_parses(enum tap_format format, const char *event)
{
	enum { TIMES = 1000 };
	struct tap *tap = tap_create(format);

	allocations = 0;
	for (int i = 0; i < TIMES; i++)
		tap_feed(tap, event, strlen(event));
	assert_int_equal(tap_finish(tap)->lines, TIMES);
	tap_destroy(tap);
	return allocations;
}

static void test_token_lines_are_not_parsed(void **state)
{
	allocate = yajl_memory.malloc;
	yajl_memory.malloc = count_allocation;
	assert_int_equal(count_parses(TAP_NDJSON, GENERATE_TOKEN), 0);
	assert_int_equal(count_parses(TAP_NDJSON, CHAT_TOKEN), 0);
	assert_int_equal(count_parses(TAP_SSE, CHAT_CHUNK), 0);
	assert_int_equal(count_parses(TAP_SSE, MESSAGE_TEXT), 0);
	assert_true(count_parses(TAP_NDJSON, CHAT_FINAL) > 0);
	yajl_memory.malloc = allocate;
}

static void test_other_formats_say_nothing(void **state)
{
	const struct tap_result *result = watch(state, TAP_NONE, CHAT_FINAL RUNNER_KILLED "\n");

	assert_false(result->done);
	assert_false(result->error);
	assert_int_equal(result->lines, 0);
}

static void test_result_does_not_depend_on_the_pieces(void **state)
{
	static const struct {
		enum tap_format format;
		const char *body;
	} streams[] = {
		{TAP_NDJSON, GENERATE_TOKEN GENERATE_TOKEN "\r\n" GENERATE_FINAL},
		{TAP_NDJSON, CHAT_TOKEN RUNNER_KILLED "\n"},
		{TAP_NDJSON, "{\"done\":true}x\n\"done\":true\n{\"error\":\"\\ud834\\udd1e\"}"},
		{TAP_JSON, GENERATE_FINAL},
		{TAP_JSON, RUNNER_KILLED},
		{TAP_SSE, CHAT_CHUNK CHAT_END CHAT_USAGE DONE_EVENT},
		{TAP_SSE, COMPLETION_CHUNK("0", "0") COMPLETION_CHUNK("3", "4") DONE_EVENT},
		{TAP_SSE, MESSAGE_START MESSAGE_TEXT MESSAGE_DELTA MESSAGE_STOP},
		{TAP_SSE, RESPONSE_CREATED RESPONSE_COMPLETED},
		{TAP_SSE, ": x\r\n\r\nevent: error\r\ndata: "
			  "{\"type\":\"error\",\"message\":\"m\"}\r\n\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(streams); i++) {
		size_t length = strlen(streams[i].body);
		struct tap_result whole = *watch(state, streams[i].format, streams[i].body);

		for (size_t split = 0; split <= length; split++) {
			struct tap *tap = tap_create(streams[i].format);

			tap_feed(tap, streams[i].body, split);
			tap_feed(tap, streams[i].body + split, length - split);
			assert_memory_equal(tap_finish(tap), &whole, sizeof(whole));
			tap_destroy(tap);
		}
		for (size_t piece = 1; piece < 20; piece++) {
			struct tap *tap = tap_create(streams[i].format);

			feed(tap, streams[i].body, length, piece);
			assert_memory_equal(tap_finish(tap), &whole, sizeof(whole));
			tap_destroy(tap);
		}
	}
}

static void test_destroying_nothing_is_allowed(void **state)
{
	tap_destroy(NULL);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, create_nothing, destroy_tap)
	const struct CMUnitTest tests[] = {
		TEST(test_format_of_a_content_type),
		TEST(test_generate_stream),
		TEST(test_chat_stream),
		TEST(test_stream_that_is_not_done),
		TEST(test_error_line_in_a_stream),
		TEST(test_last_line_without_its_end_counts_for_what_it_says),
		TEST(test_final_line_with_a_large_context),
		TEST(test_lines_around_the_length_that_is_kept),
		TEST(test_words_inside_strings_say_nothing),
		TEST(test_invalid_lines_say_nothing),
		TEST(test_blank_lines_and_carriage_returns),
		TEST(test_numbers_that_make_no_sense),
		TEST(test_final_line_written_by_others),
		TEST(test_errors_of_each_shape),
		TEST(test_errors_that_are_none),
		TEST(test_first_error_is_kept),
		TEST(test_long_error_is_cut_between_characters),
		TEST(test_answer_of_one_object),
		TEST(test_answer_that_hit_the_repeat_limit_is_not_done),
		TEST(test_answer_that_breaks_off_is_not_done),
		TEST(test_load_and_unload_answers),
		TEST(test_answer_of_ten_megabytes),
		TEST(test_openai_answers),
		TEST(test_responses_and_messages_answers),
		TEST(test_embed_answer),
		TEST(test_chat_events_with_and_without_usage),
		TEST(test_completion_events_send_zeros_until_the_last),
		TEST(test_message_events),
		TEST(test_response_events),
		TEST(test_error_events),
		TEST(test_events_with_other_fields_and_line_ends),
		TEST(test_long_events),
		TEST(test_where_the_stream_stands),
		TEST(test_token_lines_are_not_parsed),
		TEST(test_other_formats_say_nothing),
		TEST(test_result_does_not_depend_on_the_pieces),
		TEST(test_destroying_nothing_is_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
