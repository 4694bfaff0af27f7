/*
 * The second reader of answers: what it says of them alone, however they are cut, and what becomes
 * of an exchange whose answer evhttp takes for sound and it does not.
 */
#include "bench.h"

#include <string.h>

#include <event2/buffer.h>

#include "back/pool.h"
#include "back/witness.h"

#define HEAD_END "\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

struct text {
	const char *bytes;
	size_t length;
};
#define TEXT(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

/* evhttp takes all of these, but for a few, which then are an error for both. */
static const struct text bad_heads[] = {
	TEXT("HTTP/01.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
	TEXT("HTTP/1.10 200 OK\r\nContent-Length: 0\r\n\r\n"),
	TEXT("HTTP/1.1 200OK\r\nContent-Length: 0\r\n\r\n"),
	TEXT("HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n"),
	TEXT("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"),
	TEXT(OK "Content-Length: 0\n\r\n"),
	TEXT(OK "Content-Length: 0\r\n\n"),
	TEXT("HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
	TEXT(OK "X: a\0b\r\nContent-Length: 0\r\n\r\n"),
	TEXT(OK "X: a\nContent-Length: 0\r\n\r\n"),
	TEXT(OK "X: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
	TEXT(OK "X: a\r\n\tb\r\nContent-Length: 0\r\n\r\n"),
	TEXT(OK "Content-Length:\r\n 0\r\n\r\n"),
	TEXT(OK "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
	TEXT(OK "\0\r\nContent-Length: 0\r\n\r\n"),
	TEXT("HTTP/1.1 100 Continue\n\r\n" OK "Content-Length: 0\r\n\r\n"),
	TEXT("HTTP/1.1 102 Processing\n\r\n" OK "Content-Length: 0\r\n\r\n"),
	TEXT("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
	TEXT("\r\n" OK "Content-Length: 0\r\n\r\n"),
};

/* What stands behind "2 CRLF ok CRLF". */
static const struct text bad_chunks[] = {
	TEXT("0x4\r\nevil\r\n0\r\n\r\n"),
	TEXT("+4\r\nevil\r\n0\r\n\r\n"),
	TEXT("-4\r\nevil\r\n0\r\n\r\n"),
	TEXT(" 4\r\nevil\r\n0\r\n\r\n"),
	TEXT("4\nevil\r\n0\r\n\r\n"),
	TEXT("4 \r\nevil\r\n0\r\n\r\n"),
	TEXT("4\t\r\nevil\r\n0\r\n\r\n"),
	TEXT("4 x\r\nevil\r\n0\r\n\r\n"),
	TEXT("4;x\nevil\r\n0\r\n\r\n"),
	TEXT("4;x\r\r\nevil\r\n0\r\n\r\n"),
	TEXT("4;\"x\r\nevil\r\n0\r\n\r\n"),
	TEXT("4;\"x\r\n\"\r\nevil\r\n0\r\n\r\n"),
	TEXT("4;\"\\\"\r\nevil\r\n0\r\n\r\n"),
	TEXT("4;x\0\r\nevil\r\n0\r\n\r\n"),
	TEXT("4;x\033\r\nevil\r\n0\r\n\r\n"),
	TEXT(";x\r\nevil\r\n0\r\n\r\n"),
	TEXT("4\0\r\nevil\r\n0\r\n\r\n"),
	TEXT("6\r\nevil\r\n0\r\n\r\n"),
	TEXT("2\r\nevil\r\n0\r\n\r\n"),
	TEXT("4\r\nevil\n0\r\n\r\n"),
	TEXT("4\r\nevil0\r\n\r\n"),
	TEXT("4\r\nevil\r\r\n0\r\n\r\n"),
	TEXT("\r\nevil\r\n0\r\n\r\n"),
	TEXT("g\r\nevil\r\n0\r\n\r\n"),
	TEXT("8000000000000000\r\nevil\r\n0\r\n\r\n"),
	TEXT("00000000000000004\r\nevil\r\n0\r\n\r\n"),
	TEXT("0\n\r\n"),
	TEXT("0\r\n\n"),
	TEXT("0\r\nevil\r\n\r\n"),
	TEXT("0\r\nX: a\n\r\n"),
	TEXT("0\r\nX: a\r\n b\r\n\r\n"),
	TEXT("0\r\n\0\r\n\r\n"),
};

static void see(struct witness *witness, struct evbuffer *input, const char *bytes, size_t length)
{
	evbuffer_add(input, bytes, length);
	witness_see(witness, input, length);
}

static void on_interim(void *arg, int status, const struct fields *fields)
{
	int *interims = arg;

	assert_true(status == 100 || status == 103);
	(*interims)++;
}

static const struct witness_events events = {on_interim};
static int interims;

/* In two pieces, or byte by byte where `cut` is 0. Gives what is left to evhttp; the caller frees.
 */
static struct evbuffer *see_cut(
	struct witness *witness, const char *method, const char *bytes, size_t length, size_t cut)
{
	struct evbuffer *input = evbuffer_new();

	interims = 0;
	witness_init(witness, method, &events, &interims);
	if (cut > 0) {
		see(witness, input, bytes, cut);
		see(witness, input, bytes + cut, length - cut);
	}
	for (size_t at = 0; cut == 0 && at < length; at++)
		see(witness, input, bytes + at, 1);
	return input;
}

static void assert_verdict(const char *method, const char *bytes, size_t length, bool is_wrong)
{
	for (size_t cut = 0; cut <= length; cut++) {
		struct witness witness;

		evbuffer_free(see_cut(&witness, method, bytes, length, cut));
		if (witness.is_wrong != is_wrong || witness_is_satisfied(&witness) == is_wrong)
			print_error("cut at %zu: %s\n", cut, bytes);
		assert_int_equal(witness.is_wrong, is_wrong);
		assert_int_equal(witness_is_satisfied(&witness), !is_wrong);
		witness_finish(&witness);
	}
}

static void test_sound_answers_are_taken_however_they_are_cut(void **state)
{
	static const struct {
		const char *method;
		const char *answer;
	} cases[] = {
		{"GET", OK "Content-Length: 2\r\n\r\nok"},
		{"GET", OK "Content-Length: 2\r\n\r\nok and more"},
		{"GET", OK "X: y\r\n\r\nto the end"},
		{"GET", "HTTP/1.0 200 OK\r\n\r\nold"},
		{"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
		{"GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{"HEAD", CHUNKED},
		{"HEAD", OK "Content-Length: 5\r\n\r\n"},
		{"GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nX: y\r\n\r\n" OK
			"Content-Length: 2\r\n\r\nok"},
		{"GET", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" CHUNKED "0\r\n\r\n"},
		{"GET", CHUNKED "2;x\r\nok\r\n2 ; x=\"a\\\"b;\"; \t y\r\nok\r\n0;z\r\n\r\n"},
		{"GET", CHUNKED "0\r\n\r\n"},
		{"GET", CHUNKED "2\r\nok\r\n00A\r\n0123456789\r\n0\r\nX: y\r\nZ:\r\n\r\n"},
		{"GET", CHUNKED "2\r\nok\r\n0\r\n\r\nbytes behind"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_verdict(cases[i].method, cases[i].answer, strlen(cases[i].answer), false);
}

static void test_evhttp_sees_neither_interim_answers_nor_extensions(void **state)
{
	static const struct {
		const char *answer;
		const char *seen;
		int interims;
	} cases[] = {
		{OK "X: y\r\n\r\nto the end", OK "X: y\r\n\r\nto the end", 0},
		{CHUNKED "2\r\nok\r\n0\r\n\r\nrest", CHUNKED "2\r\nok\r\n0\r\n\r\nrest", 0},
		{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" OK
		 "Content-Length: 2\r\n\r\nok",
			OK "Content-Length: 2\r\n\r\nok", 2},
		{CHUNKED "2;x\r\n;k\r\n2 ; x=\"a\\\"b;\"\r\nok\r\n0;z\r\nT: u;v\r\n\r\n;rest",
			CHUNKED "2\r\n;k\r\n2\r\nok\r\n0\r\nT: u;v\r\n\r\n;rest", 0},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		size_t length = strlen(cases[i].answer);
		size_t expected = strlen(cases[i].seen);

		for (size_t cut = 0; cut <= length; cut++) {
			struct witness witness;
			struct evbuffer *left =
				see_cut(&witness, "GET", cases[i].answer, length, cut);

			assert_int_equal(interims, cases[i].interims);
			assert_int_equal(evbuffer_get_length(left), expected);
			assert_memory_equal(evbuffer_pullup(left, -1), cases[i].seen, expected);
			evbuffer_free(left);
			witness_finish(&witness);
		}
	}
}

static void test_bad_heads_are_wrong_however_they_are_cut(void **state)
{
	for (size_t i = 0; i < ARRAY_LENGTH(bad_heads); i++)
		assert_verdict("GET", bad_heads[i].bytes, bad_heads[i].length, true);
}

static void test_bad_chunks_are_wrong_however_they_are_cut(void **state)
{
	for (size_t i = 0; i < ARRAY_LENGTH(bad_chunks); i++) {
		char bytes[256] = CHUNKED "2\r\nok\r\n";
		size_t length = strlen(bytes);

		memcpy(bytes + length, bad_chunks[i].bytes, bad_chunks[i].length);
		assert_verdict("GET", bytes, length + bad_chunks[i].length, true);
	}
}

static void test_a_part_of_an_answer_does_not_satisfy(void **state)
{
	static const char answer[] = CHUNKED "2\r\nok\r\n0\r\nX: y\r\n\r\n";

	for (size_t length = 0; length < sizeof(answer) - 1; length++) {
		struct witness witness;

		evbuffer_free(see_cut(&witness, "GET", answer, length, length));
		assert_false(witness.is_wrong);
		assert_false(witness_is_satisfied(&witness));
		witness_finish(&witness);
	}
}

/* The answer in up to two reads; the peer keeps the connection. */
static void ask_and_hear(
	struct bench *bench, struct user *user, struct text first, struct text then)
{
	const struct peer_step whole[] = {
		{PEER_AWAIT, HEAD_END}, {PEER_SEND, first.bytes, first.length}, {PEER_END}};
	const struct peer_step two[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND, first.bytes, first.length}, {PEER_AWAIT_GO},
		{PEER_SEND, then.bytes, then.length}, {PEER_END}};
	const struct peer_step *const scripts[] = {then.length ? two : whole, NULL};

	bench_start(bench, scripts);
	user_init(user, bench);
	user_ask(user, "GET", "/api/tags");
	if (then.length) {
		bench_settle(bench);
		peer_go(bench->peer);
	}
	user_run(user);
	assert_int_equal(pool_open_connections(bench->pool), 0);
}

static void test_a_head_that_evhttp_takes_is_malformed(void **state)
{
	for (size_t i = 0; i < ARRAY_LENGTH(bad_heads); i++) {
		struct bench bench;
		struct user user;

		ask_and_hear(&bench, &user, bad_heads[i], (struct text){0});
		assert_int_equal(user.end, EXCHANGE_MALFORMED);
		assert_int_equal(user.heads, 0);
		user_finish(&user);
		bench_stop(&bench);
	}
}

/* evhttp would see neither length nor coding behind a tab. */
static void test_tabs_before_values_are_blanks(void **state)
{
	static const struct text answers[] = {
		TEXT(OK "Transfer-Encoding:\tchunked\t\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
		TEXT(OK "Content-Length: \t 2 \t\r\n\r\nok"),
		TEXT(OK "Content-Length:\t\t2\r\nX:\t\r\nY:\ta\tb\r\n\r\nok"),
	};

	for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
		struct bench bench;
		struct user user;
		const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
			{PEER_SEND, answers[i].bytes, answers[i].length}, {PEER_END}};
		const struct peer_step *const scripts[] = {script, NULL};

		bench_start(&bench, scripts);
		user_init(&user, &bench);
		user_ask(&user, "GET", "/api/tags");
		user_run(&user);
		assert_int_equal(user.end, EXCHANGE_COMPLETE);
		assert_string_equal(user_body(&user), "ok");
		assert_int_equal(pool_idle_connections(bench.pool), 1);
		user_finish(&user);
		bench_stop(&bench);
	}
}

static void test_a_head_is_malformed_at_its_first_wrong_byte(void **state)
{
	struct bench bench;
	struct user user;

	ask_and_hear(&bench, &user, (struct text)TEXT("SSH-2.0"), (struct text){0});
	assert_int_equal(user.end, EXCHANGE_MALFORMED);
	user_finish(&user);
	bench_stop(&bench);
}

static void test_a_bad_chunk_in_a_later_read_cuts_the_answer(void **state)
{
	static const struct text first = TEXT(CHUNKED "2\r\nok\r\n");

	for (size_t i = 0; i < ARRAY_LENGTH(bad_chunks); i++) {
		struct bench bench;
		struct user user;

		ask_and_hear(&bench, &user, first, bad_chunks[i]);
		assert_int_equal(user.end, EXCHANGE_TRUNCATED);
		assert_int_equal(user.heads, 1);
		assert_string_equal(user_body(&user), "ok");
		user_finish(&user);
		bench_stop(&bench);
	}
}

static void test_a_bad_chunk_that_comes_with_the_head_is_malformed(void **state)
{
	static const struct text answer = TEXT(CHUNKED "2\r\nok\r\n4\nevil\r\n0\r\n\r\n");
	struct bench bench;
	struct user user;

	ask_and_hear(&bench, &user, answer, (struct text){0});
	assert_int_equal(user.end, EXCHANGE_MALFORMED);
	assert_int_equal(user.heads, 0);
	user_finish(&user);
	bench_stop(&bench);
}

static void test_nothing_of_a_bad_read_is_passed_on(void **state)
{
	static const struct text first = TEXT(CHUNKED "2\r\nok\r\n");
	static const struct text then = TEXT("4\r\nfine\r\n4\nevil\r\n0\r\n\r\n");
	struct bench bench;
	struct user user;

	ask_and_hear(&bench, &user, first, then);
	assert_int_equal(user.end, EXCHANGE_TRUNCATED);
	assert_string_equal(user_body(&user), "ok");
	user_finish(&user);
	bench_stop(&bench);
}

/* Chunks with extensions, in one read and cut inside of one. */
static void test_extensions_are_ignored(void **state)
{
	static const struct text whole =
		TEXT(CHUNKED "2;a=\"b;c\"\r\nok\r\n4 ;x\r\nfine\r\n0;last\r\n\r\n");

	for (size_t cut = 1; cut < whole.length; cut++) {
		const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
			{PEER_SEND, whole.bytes, cut}, {PEER_AWAIT_GO},
			{PEER_SEND, whole.bytes + cut, whole.length - cut}, {PEER_END}};
		const struct peer_step *const scripts[] = {script, NULL};
		struct bench bench;
		struct user user;

		bench_start(&bench, scripts);
		user_init(&user, &bench);
		user_ask(&user, "GET", "/api/tags");
		bench_settle(&bench);
		peer_go(bench.peer);
		user_run(&user);
		assert_int_equal(user.end, EXCHANGE_COMPLETE);
		assert_string_equal(user_body(&user), "okfine");
		assert_int_equal(user.data_calls, 2);
		assert_int_equal(pool_idle_connections(bench.pool), 1);
		user_finish(&user);
		bench_stop(&bench);
	}
}

/* Reads of many sizes: those that are topped up must be seen in their order. */
static void test_long_streams_are_followed(void **state)
{
	enum { STREAM_BYTES = 20 * 1024 * 1024 };
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END}, {PEER_SEND, CHUNKED},
		{PEER_SEND_CHUNKS, NULL, STREAM_BYTES}, {PEER_SEND, "0\r\n\r\n"}, {PEER_END}};
	static const struct peer_step *const scripts[] = {script, NULL};
	struct bench bench;
	struct user user;

	bench_start(&bench, scripts);
	user_init(&user, &bench);
	user.drops_body = true;
	user_ask(&user, "GET", "/");
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.body_bytes, STREAM_BYTES);
	assert_int_equal(pool_idle_connections(bench.pool), 1);
	user_finish(&user);
	bench_stop(&bench);
}

/* It is known before the request is sent, and told when it is. */
static void test_a_bad_early_answer_is_malformed(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 413 Too Large\nContent-Length: 0\r\n\r\n",
		CHUNKED "2\r\nok\r\n0x1\r\n",
		"SSH-2.0",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
		const struct peer_step script[] = {{PEER_AWAIT, HEAD_END}, {PEER_STOP_READING},
			{PEER_SEND, answers[i]}, {PEER_AWAIT_GO}, {PEER_READ_ON}, {PEER_END}};
		const struct peer_step *const scripts[] = {script, NULL};
		struct bench bench;
		struct user user;

		bench_start(&bench, scripts);
		user_init(&user, &bench);
		user.send_fill = 16 * 1024 * 1024;
		user_ask(&user, "POST", "/");
		bench_settle(&bench);
		assert_int_equal(user.ends, 0);
		peer_go(bench.peer);
		user_run(&user);
		assert_int_equal(user.end, EXCHANGE_MALFORMED);
		assert_int_equal(user.heads, 0);
		user_finish(&user);
		bench_stop(&bench);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound_answers_are_taken_however_they_are_cut),
		cmocka_unit_test(test_evhttp_sees_neither_interim_answers_nor_extensions),
		cmocka_unit_test(test_bad_heads_are_wrong_however_they_are_cut),
		cmocka_unit_test(test_bad_chunks_are_wrong_however_they_are_cut),
		cmocka_unit_test(test_a_part_of_an_answer_does_not_satisfy),
		cmocka_unit_test(test_a_head_that_evhttp_takes_is_malformed),
		cmocka_unit_test(test_tabs_before_values_are_blanks),
		cmocka_unit_test(test_a_head_is_malformed_at_its_first_wrong_byte),
		cmocka_unit_test(test_a_bad_chunk_in_a_later_read_cuts_the_answer),
		cmocka_unit_test(test_a_bad_chunk_that_comes_with_the_head_is_malformed),
		cmocka_unit_test(test_nothing_of_a_bad_read_is_passed_on),
		cmocka_unit_test(test_extensions_are_ignored),
		cmocka_unit_test(test_long_streams_are_followed),
		cmocka_unit_test(test_a_bad_early_answer_is_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
