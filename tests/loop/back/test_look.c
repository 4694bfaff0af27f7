/* What a model is, asked of an Ollama that says so in one list, in two answers, or not at all. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include "back/look.h"
#include "back/probe.h"
#include "config/settings.h"
#include "core/residency.h"

/* The probe has the first connection, each question of a look one of its own. */
#define CLOSING(status) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n"
#define TAGS_HEAD "{\"models\":[{\"name\":\"other:latest\",\"capabilities\":[\"embedding\"]},"
#define SCRIPT(question, text)                                                                     \
	{                                                                                          \
		{PEER_AWAIT, question}, {PEER_AWAIT, "\r\n\r\n"}, {PEER_SEND, text}, {PEER_CLOSE}, \
		{                                                                                  \
			PEER_END                                                                   \
		}                                                                                  \
	}
#define TAGS(models) SCRIPT("GET /api/tags HTTP/1.1\r\n", CLOSING("200 OK") TAGS_HEAD models "]}")
#define SHOW(status, text)                                               \
	{                                                                \
		{PEER_AWAIT, "POST /api/show HTTP/1.1\r\n"},             \
			{PEER_AWAIT, "\r\n\r\n{\"model\":\"Tiny\"}"},    \
			{PEER_SEND, CLOSING(status) text}, {PEER_CLOSE}, \
		{                                                        \
			PEER_END                                         \
		}                                                        \
	}

static const struct peer_step silent[] = {{PEER_END}};

static const struct peer_step *scripts[4];
static struct bench bench;
static struct residency *residency;
static struct probe *probe;
static struct look look;
static struct settings settings;
static enum runner_kind kind;
static int looks;
static char same[64];

static void on_looked(void *arg, enum runner_kind told, const char *copy)
{
	snprintf(same, sizeof(same), "%s", copy ? copy : "");
	kind = told;
	looks++;
}

static void start(const struct peer_step *first, const struct peer_step *second)
{
	const struct probe_events events = {0};

	scripts[0] = silent;
	scripts[1] = first;
	scripts[2] = second;
	settings = (struct settings){.upstream_connect_timeout_ms = 5000};
	bench_start(&bench, scripts);
	residency = residency_create();
	probe = probe_create(bench.base, bench.pool, residency, &events);
	bench_settle(&bench);
	look_init(&look, bench.base, bench.pool, probe, &settings, on_looked, NULL);
	looks = 0;
}

static void finish(void)
{
	look_finish(&look);
	probe_destroy(probe);
	residency_destroy(residency);
	bench_stop(&bench);
}

static bool has_looked(void *arg)
{
	return looks > 0;
}

static enum runner_kind ask(void)
{
	static char spelling[] = "Tiny";
	static char model[] = "tiny:latest";
	const struct runner runner = {.spelling = spelling, .model = model};

	looks = 0;
	look_begin(&look, &runner);
	bench_run(&bench, has_looked, NULL);
	bench_settle(&bench);
	assert_int_equal(looks, 1);
	return kind;
}

static void check(const struct peer_step *first, const struct peer_step *second,
	enum runner_kind expected, size_t questions)
{
	start(first, second);
	assert_int_equal(ask(), expected);
	assert_int_equal(peer_accepted(bench.peer), 1 + questions);
	finish();
}

static void test_one_list_is_enough(void **state)
{
	static const struct peer_step chat[] =
		TAGS("{\"name\":\"tiny:latest\",\"capabilities\":[\"completion\"]}");
	static const struct peer_step embedding[] =
		TAGS("{\"name\":\"TINY:latest\",\"capabilities\":[\"embedding\"]}");
	static const struct peer_step remote[] =
		TAGS("{\"name\":\"tiny:latest\",\"remote_host\":\"https://ollama.com\"}");

	check(chat, silent, RUNNER_GENERATES, 1);
	check(embedding, silent, RUNNER_EMBEDS, 1);
	check(remote, silent, RUNNER_NOT_LOCAL, 1);
}

static void test_copies_are_told_by_the_first_of_their_names(void **state)
{
	static const struct peer_step copies[] = TAGS(
		"{\"name\":\"tiny:latest\",\"digest\":\"d1\",\"capabilities\":[\"completion\"]},"
		"{\"name\":\"zebra:latest\",\"digest\":\"d1\"},"
		"{\"name\":\"Copy:latest\",\"digest\":\"d1\"},"
		"{\"name\":\"another:latest\",\"digest\":\"d2\"}");
	static const struct peer_step alone[] = TAGS(
		"{\"name\":\"tiny:latest\",\"digest\":\"d1\",\"capabilities\":[\"completion\"]}");

	check(copies, silent, RUNNER_GENERATES, 1);
	assert_string_equal(same, "copy:latest");
	check(alone, silent, RUNNER_GENERATES, 1);
	assert_string_equal(same, "tiny:latest");
}

static void test_what_the_list_does_not_name_is_not_local(void **state)
{
	static const struct peer_step absent[] =
		TAGS("{\"name\":\"tiny:7b\",\"capabilities\":[\"completion\"]}");

	check(absent, silent, RUNNER_NOT_LOCAL, 1);
}

static void test_a_list_without_capabilities_needs_a_second_question(void **state)
{
	static const struct peer_step old[] = TAGS("{\"name\":\"tiny:latest\"}");
	static const struct peer_step embedding[] =
		SHOW("200 OK", "{\"capabilities\":[\"embedding\"]}");
	static const struct peer_step chat[] =
		SHOW("200 OK", "{\"capabilities\":[\"completion\",\"embedding\"]}");
	static const struct peer_step remote[] = SHOW("200 OK", "{\"remote_model\":\"x\"}");
	static const struct peer_step gone[] = SHOW("404 Not Found", "{\"error\":\"not found\"}");
	static const struct peer_step odd[] = SHOW("200 OK", "welcome");

	check(old, embedding, RUNNER_EMBEDS, 2);
	check(old, chat, RUNNER_GENERATES, 2);
	check(old, remote, RUNNER_NOT_LOCAL, 2);
	check(old, gone, RUNNER_NOT_LOCAL, 2);
	check(old, odd, RUNNER_GENERATES, 2);
}

static void test_without_a_list_show_decides(void **state)
{
	static const struct peer_step none[] =
		SCRIPT("GET /api/tags HTTP/1.1\r\n", CLOSING("404 Not Found") "no such page");
	static const struct peer_step odd[] =
		SCRIPT("GET /api/tags HTTP/1.1\r\n", CLOSING("200 OK") "{\"data\":[]}");
	static const struct peer_step chat[] =
		SHOW("200 OK", "{\"capabilities\":[\"completion\"]}");
	static const struct peer_step broken[] =
		SHOW("500 Internal Server Error", "{\"error\":\"sorry\"}");

	check(none, chat, RUNNER_GENERATES, 2);
	check(odd, chat, RUNNER_GENERATES, 2);
	check(odd, broken, RUNNER_GENERATES, 2);
}

static void test_a_look_that_breaks_off_is_made_again_but_not_for_ever(void **state)
{
	static const struct peer_step cut[] = {
		{PEER_AWAIT, "GET /api/tags HTTP/1.1\r\n"}, {PEER_RESET}, {PEER_END}};

	start(cut, cut);
	assert_int_equal(ask(), RUNNER_UNKNOWN);
	assert_int_equal(ask(), RUNNER_UNKNOWN);
	assert_int_equal(ask(), RUNNER_GENERATES);
	assert_int_equal(probe_state(probe), PROBE_SUSPECT);
	finish();
}

static void test_nobody_to_ask(void **state)
{
	start(silent, silent);
	peer_destroy(bench.peer);
	bench.peer = NULL;
	assert_int_equal(ask(), RUNNER_UNKNOWN);
	assert_int_equal(probe_state(probe), PROBE_DOWN);
	finish();
}

static void test_silence_is_not_waited_for(void **state)
{
	start(silent, silent);
	assert_int_equal(ask(), RUNNER_GENERATES);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_list_is_enough),
		cmocka_unit_test(test_copies_are_told_by_the_first_of_their_names),
		cmocka_unit_test(test_what_the_list_does_not_name_is_not_local),
		cmocka_unit_test(test_a_list_without_capabilities_needs_a_second_question),
		cmocka_unit_test(test_without_a_list_show_decides),
		cmocka_unit_test(test_a_look_that_breaks_off_is_made_again_but_not_for_ever),
		cmocka_unit_test(test_nobody_to_ask),
		cmocka_unit_test(test_silence_is_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
