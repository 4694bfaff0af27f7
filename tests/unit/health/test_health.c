#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ask/place.h"
#include "health/health.h"

#define HEALTH(status, state, version, queued)                                             \
	"{\"status\":\"" status "\",\"ollama_service\":\"healthy\",\"version\":\"0.1.0\"," \
	"\"paused\":false,\"queued\":" queued ",\"in_progress\":3,\"upstream\":{"          \
	"\"url\":\"http://127.0.0.1:11434\",\"state\":\"" state "\",\"version\":" version "}}"

static void check_line(int status, const char *body, bool is_ok, const char *expected)
{
	bool ret_is_ok = !is_ok;
	char *line = health_line("127.0.0.1:8000", status, body, strlen(body), &ret_is_ok);

	assert_string_equal(line, expected);
	assert_int_equal(ret_is_ok, is_ok);
	free(line);
}

static void test_a_healthy_answer_is_fine(void **state)
{
	check_line(200, HEALTH("healthy", "up", "\"0.32.15\"", "2"), true,
		"ok: accepting requests, Ollama 0.32.15 is up, 2 queued, 3 in progress");
}

static void test_a_dead_ollama_is_told_and_requests_are_still_accepted(void **state)
{
	check_line(200, HEALTH("unhealthy", "down", "null", "2"), true,
		"ok: accepting requests, Ollama is down, 2 queued, 3 in progress");
}

static void test_what_is_unavailable_says_what_to_do(void **state)
{
	check_line(503, HEALTH("draining", "up", "\"0.32.15\"", "0"), false,
		"fail: shared-ollama at 127.0.0.1:8000 is shutting down and takes no new requests: "
		"ask again after its restart");
	check_line(503, HEALTH("unhealthy", "down", "null", "0"), false,
		"fail: not ready: Ollama at http://127.0.0.1:11434 is down: start it, or correct "
		"--upstream");
	check_line(503, HEALTH("healthy", "up", "\"0.32.15\"", "50"), false,
		"fail: not ready: the queue is full (50 queued): ask again later, or raise "
		"--max-queue-size");
}

static void test_other_programs_are_not_taken_for_it(void **state)
{
	static const char expected[] = "fail: 127.0.0.1:8000 answered 200, but not as a "
				       "shared-ollama: give its URL after `health`";

	check_line(200, "Ollama is running", false, expected);
	check_line(200, "{\"status\":\"healthy\"}", false, expected);
	check_line(404, "404 page not found", false,
		"fail: 127.0.0.1:8000 answered 404, but not as a shared-ollama: give its URL after "
		"`health`");
	check_line(500, HEALTH("healthy", "up", "null", "0"), false,
		"fail: 127.0.0.1:8000 answered 500, but not as a shared-ollama: give its URL after "
		"`health`");
}

static void test_what_came_from_outside_cannot_steer_the_terminal(void **state)
{
	check_line(200, HEALTH("healthy", "up", "\"1\\n\\u001b[31m\"", "0"), true,
		"ok: accepting requests, Ollama 1??[31m is up, 0 queued, 3 in progress");
}

static void check_place(const char *url, const char *authority, const char *target)
{
	struct place place = {0};
	const char *reason = NULL;
	char *text;

	assert_true(place_parse(url, &place, &reason));
	text = place_authority(&place);
	assert_string_equal(text, authority);
	assert_string_equal(place.target, target);
	free(text);
	place_finish(&place);
}

static void test_urls_as_people_write_them(void **state)
{
	check_place("http://box:8000", "box:8000", "/api/v1/health");
	check_place("http://box:8000/", "box:8000", "/api/v1/health");
	check_place("HTTP://box", "box:80", "/api/v1/health");
	check_place("box", "box:8000", "/api/v1/health");
	check_place("box:9", "box:9", "/api/v1/health");
	check_place("box?ready=1", "box:8000", "/api/v1/health?ready=1");
	check_place("http://box:8000/?ready=1", "box:8000", "/api/v1/health?ready=1");
	check_place("http://box/x/health?ready=1#part", "box:80", "/x/health?ready=1");
	check_place("http://[::1]:8000", "[::1]:8000", "/api/v1/health");
	check_place("[::1]", "[::1]:8000", "/api/v1/health");
}

static void test_urls_that_cannot_be_asked(void **state)
{
	static const char *const bad[] = {"", "http://", "https://box", "unix:///run/x",
		"box:", "box:x", "box:65536", "box:1 2", "http://[::1", "http://[::1]8000",
		"box/a b", "box/\r\nX: y", "?ready=1", "box:123456789012"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct place place = {0};
		const char *reason = NULL;

		assert_false(place_parse(bad[i], &place, &reason));
		assert_non_null(reason);
		assert_null(place.host);
	}
}

static void check_listen(const char *listen, const char *authority)
{
	struct place place = {0};
	const char *reason = NULL;
	char *text;

	assert_true(place_of_listen(listen, &place, &reason));
	text = place_authority(&place);
	assert_string_equal(text, authority);
	assert_string_equal(place.target, "/api/v1/health");
	free(text);
	place_finish(&place);
}

static void test_any_address_is_asked_on_loopback(void **state)
{
	struct place place = {0};
	const char *reason = NULL;

	check_listen("127.0.0.1:8000", "127.0.0.1:8000");
	check_listen("0.0.0.0:8000", "127.0.0.1:8000");
	check_listen("*:8000", "127.0.0.1:8000");
	check_listen(":8000", "127.0.0.1:8000");
	check_listen("[::]:8000", "[::1]:8000");
	check_listen("box:8000", "box:8000");
	assert_false(place_of_listen("127.0.0.1:0", &place, &reason));
	assert_non_null(reason);
	assert_false(place_of_listen("https://127.0.0.1:8443", &place, &reason));
	assert_false(place_of_listen("unix:/run/x", &place, &reason));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_healthy_answer_is_fine),
		cmocka_unit_test(test_a_dead_ollama_is_told_and_requests_are_still_accepted),
		cmocka_unit_test(test_what_is_unavailable_says_what_to_do),
		cmocka_unit_test(test_other_programs_are_not_taken_for_it),
		cmocka_unit_test(test_what_came_from_outside_cannot_steer_the_terminal),
		cmocka_unit_test(test_urls_as_people_write_them),
		cmocka_unit_test(test_urls_that_cannot_be_asked),
		cmocka_unit_test(test_any_address_is_asked_on_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
