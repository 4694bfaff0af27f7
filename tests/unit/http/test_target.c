#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/compiler.h"
#include "heads.h"
#include "http/target.h"

static void assert_authority(const char *text, bool is_good)
{
	if (target_is_authority(text, strlen(text)) != is_good)
		print_error("%s: not %s\n", text, is_good ? "taken" : "refused");
	assert_int_equal(target_is_authority(text, strlen(text)), is_good);
}

static void test_hosts_are_names_or_addresses_with_a_port(void **state)
{
	static const char *const good[] = {"localhost", "localhost:", "localhost:80", "a.b-c_d~:1",
		"127.0.0.1:11434", "a%20b", "!$&'()*+,;=", "a:65535", "a:0080", "[::1]",
		"[::1]:", "[::1]:8000", "[::ffff:127.0.0.1]:1", "[fe80::1%25eth0]:80",
		"[fe80::1%eth0]", "1.2.3.4.5"};
	static const char *const bad[] = {"", ":", ":80", "localhost:8a", "localhost:80:80",
		"localhost:-1", "localhost:+1", "localhost: 1", "a:65536", "a:99999999999999999999",
		"[::1", "::1", "[::1]x", "[::1]80", "[]", "[", "]", "[]:80", "[::1]]", "[[::1]]",
		"[1.2.3.4]", "[::g]", "[::1%]", "[%25eth0]", "[v1.x]", "a[::1]", "a]", "a b", "a/b",
		"a@b", "a?", "a#", "a\\", "a%", "a%2", "a%zz", "a\x7f", "a\xe9",
		"[1:2:3:4:5:6:7:8:9]", "[0000000000000000000000000000000000000000000000000000::1]"};

	for (size_t i = 0; i < ARRAY_LENGTH(good); i++)
		assert_authority(good[i], true);
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
		assert_authority(bad[i], false);
	assert_false(target_is_authority("a\0b", 3));
	assert_false(target_is_authority("[::1\0]", 6));
}

static void test_only_the_given_bytes_of_a_host_are_looked_at(void **state)
{
	assert_true(target_is_authority("a:8/x", 3));
	assert_true(target_is_authority("[::1]x", 5));
	assert_false(target_is_authority("[::1]", 4));
}

static void assert_path(const char *target, const char *expected)
{
	char path[256];
	bool is_good;

	assert_true(strlen(target) < sizeof(path));
	is_good = target_path(target, strlen(target), path);
	assert_int_equal(is_good, expected != NULL);
	if (expected)
		assert_string_equal(path, expected);
}

static void test_paths_are_decoded_and_slash_merged(void **state)
{
	assert_path("/api/chat", "/api/chat");
	assert_path("//api//chat", "/api/chat");
	assert_path("/api////chat//", "/api/chat/");
	assert_path("/api/%63hat", "/api/chat");
	assert_path("/api%2fchat", "/api/chat");
	assert_path("/%2F/api/chat", "/api/chat");
	assert_path("/api/%2563hat", "/api/%63hat");
	assert_path("/%e4%F6", "/\xe4\xf6");
	assert_path("/a/./b/../c", "/a/./b/../c");
	assert_path("/a+b", "/a+b");
	assert_path("*", "*");
}

static void test_the_query_is_no_part_of_the_path(void **state)
{
	assert_path("/?", "/");
	assert_path("/a?b=%zz//", "/a");
	assert_path("/a%3fb?c", "/a?b");
	assert_path("?", "");
}

static void test_broken_escapes_and_nul_have_no_path(void **state)
{
	assert_path("/%00", NULL);
	assert_path("/a%00b", NULL);
	assert_path("/%zz", NULL);
	assert_path("/%4", NULL);
	assert_path("/%", NULL);
	assert_path("/%4?1", NULL);
	assert_path("/%?41", NULL);
	assert_path("/%g1", NULL);
	assert_path("/%1g", NULL);
	assert_path("/%%41", NULL);
}

/* The byte behind the target would complete the escape. */
static void test_nothing_behind_the_target_is_read(void **state)
{
	char path[8];

	assert_false(target_path("/%41", 3, path));
	assert_false(target_path("/%41", 2, path));
	assert_true(target_path("/%41", 4, path));
	assert_string_equal(path, "/A");
}

static void assert_absolute(const char *target, const char *authority, const char *rest)
{
	size_t start = 0;
	size_t length = 0;
	size_t rest_start = 0;
	bool is_absolute =
		target_split_absolute(target, strlen(target), &start, &length, &rest_start);

	assert_int_equal(is_absolute, authority != NULL);
	if (!authority)
		return;
	assert_int_equal(length, strlen(authority));
	assert_memory_equal(target + start, authority, length);
	assert_string_equal(target + rest_start, rest);
}

static void test_absolute_form_is_split(void **state)
{
	assert_absolute("http://a/b?c", "a", "/b?c");
	assert_absolute("HTTPS://a:1/", "a:1", "/");
	assert_absolute("http://[::1]:80/x", "[::1]:80", "/x");
	assert_absolute("http://a", "a", "");
	assert_absolute("http://a?b@c/d", "a", "?b@c/d");
	assert_absolute("http://a//b", "a", "//b");
	assert_absolute("http://", NULL, NULL);
	assert_absolute("http:///x", NULL, NULL);
	assert_absolute("http://:80/x", NULL, NULL);
	assert_absolute("http://?x", NULL, NULL);
	assert_absolute("http://u@a/", NULL, NULL);
	assert_absolute("http://u:p@a/", NULL, NULL);
	assert_absolute("http:/a/", NULL, NULL);
	assert_absolute("ftp://a/", NULL, NULL);
	assert_absolute("/http://a/", NULL, NULL);
	assert_absolute("a:80", NULL, NULL);
	assert_absolute("", NULL, NULL);
}

static void test_query_flags_are_whole_words(void **state)
{
	assert_true(target_has_query_flag("/h?ready=1", "ready"));
	assert_true(target_has_query_flag("/h?a=b&ready=1&c", "ready"));
	assert_false(target_has_query_flag("/h?ready=10", "ready"));
	assert_false(target_has_query_flag("/h?ready=0", "ready"));
	assert_false(target_has_query_flag("/h?ready", "ready"));
	assert_false(target_has_query_flag("/h?already=1", "ready"));
	assert_false(target_has_query_flag("/ready=1", "ready"));
	assert_false(target_has_query_flag("/h?ready=1x", "ready"));
}

static void assert_forms(const char *line, const char *host_lines, const char *forward,
	const char *path, const char *host)
{
	struct request_head head;
	char text[512];

	snprintf(text, sizeof(text), "%s\r\n%s\r\n", line, host_lines);
	head = read_ready(text);
	assert_string_equal(head.forward, forward);
	assert_string_equal(head.path, path);
	assert_string_equal(head.host, host);
	request_head_finish(&head);
}

static void test_the_raw_target_is_what_is_sent_on(void **state)
{
	static const char *const targets[] = {"//api//chat", "/api/%63hat", "/api/chat?",
		"/?a=%zz&b=//", "/a/%2F..%2f", "/a\"<>\\^`{|}", "/\xc3\xa4?\xff", "/?"};
	char line[128];

	for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
		struct request_head head;
		char text[256];

		snprintf(line, sizeof(line), "GET %s HTTP/1.1", targets[i]);
		snprintf(text, sizeof(text), "%s\r\nHost: a\r\n\r\n", line);
		head = read_ready(text);
		assert_string_equal(head.target, targets[i]);
		assert_string_equal(head.forward, targets[i]);
		request_head_finish(&head);
	}
	assert_forms("GET //api//chat HTTP/1.1", "Host: a\r\n", "//api//chat", "/api/chat", "a");
	assert_forms("GET /api/%63hat HTTP/1.1", "Host: a\r\n", "/api/%63hat", "/api/chat", "a");
}

static void test_absolute_form_loses_its_authority_which_is_the_host(void **state)
{
	assert_forms("GET http://other:1/x?y HTTP/1.1", "Host: a\r\n", "/x?y", "/x", "other:1");
	assert_forms("GET http://other HTTP/1.1", "Host: a\r\n", "/", "/", "other");
	assert_forms("GET http://other?q HTTP/1.1", "Host: a\r\n", "/?q", "/", "other");
	assert_forms("GET HTTP://other//api//chat HTTP/1.1", "Host: a\r\n", "//api//chat",
		"/api/chat", "other");
	assert_forms("GET http://other/ HTTP/1.0", "", "/", "/", "other");
	assert_forms("OPTIONS http://other HTTP/1.1", "Host: a\r\n", "*", "*", "other");
	assert_forms("OPTIONS http://other?q HTTP/1.1", "Host: a\r\n", "/?q", "/", "other");
	assert_forms("OPTIONS http://other/ HTTP/1.1", "Host: a\r\n", "/", "/", "other");
	/* a host that is much longer than the target, and the other way round */
	assert_forms("GET http://b HTTP/1.1", "Host: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n",
		"/", "/", "b");
	assert_forms("GET http://bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb HTTP/1.1", "Host:\r\n",
		"/", "/", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb");
}

static void assert_name(const char *target, const char *name, const char *forward, const char *path)
{
	struct request_head head;
	char text[512];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
	head = read_ready(text);
	assert_string_equal(head.target, target);
	assert_string_equal(head.forward, forward);
	assert_string_equal(head.path, path);
	if (name)
		assert_string_equal(head.name, name);
	else
		assert_null(head.name);
	request_head_finish(&head);
}

/* PRODUCT 5: for tools that can set only a URL. */
static void test_a_name_before_the_path_is_set_aside(void **state)
{
	assert_name("/@lab/api/chat", "lab", "/api/chat", "/api/chat");
	assert_name("/@lab//api//%63hat?a=%zz&/@b", "lab", "//api//%63hat?a=%zz&/@b", "/api/chat");
	assert_name("/@J%C3%BCrgen%20M/v1/", "J\xc3\xbcrgen M", "/v1/", "/v1/");
	assert_name("/@a%2Fb%3fc/x", "a/b?c", "/x", "/x");
	assert_name("/%40lab/x", "lab", "/x", "/x");
	assert_name("//@lab/x", "lab", "/x", "/x");
	assert_name("http://other/@lab/x", "lab", "/x", "/x");
	assert_name("/@a/@b/x", "a", "/@b/x", "/@b/x");
	assert_name("/@a@b/x", "a@b", "/x", "/x");
}

static void test_a_bare_name_is_for_the_root(void **state)
{
	assert_name("/@lab", "lab", "/", "/");
	assert_name("/@lab/", "lab", "/", "/");
	assert_name("/@l?x=/y", "l", "/?x=/y", "/");
	assert_name("http://other/@l?", "l", "/?", "/");
}

static void test_what_is_no_name_stays(void **state)
{
	assert_name("/@", NULL, "/@", "/@");
	assert_name("/@/api/chat", NULL, "/@/api/chat", "/@/api/chat");
	assert_name("/@?lab", NULL, "/@?lab", "/@");
	assert_name("/api/@lab", NULL, "/api/@lab", "/api/@lab");
	assert_name("/?/@lab", NULL, "/?/@lab", "/");
	assert_refused("GET /@a%zz/x HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("GET /@a%00/x HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("GET /@a/%zz HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
}

static void test_the_asterisk_is_for_options_only(void **state)
{
	assert_forms("OPTIONS * HTTP/1.1", "Host: a\r\n", "*", "*", "a");
	assert_refused("GET * HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("options * HTTP/1.1\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
}

static void test_targets_that_are_refused(void **state)
{
	static const char *const targets[] = {"/a#b", "#", "/#", "/a?b#", "/%00", "/%zz", "/%4",
		"x", "a:80", "?x", "http://u@a/", "http://a b/", "http:///x", "http://:80/",
		"http://a\\b/", "http://a#b", "ftp://a/", "http://a/%00", "http://a/%q1"};
	char text[256];

	for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", targets[i]);
		assert_refused(text, HTTP_ERROR_BAD_REQUEST);
	}
}

static void test_there_is_one_host(void **state)
{
	static const char *const refused[] = {"", "Host: a\r\nHost: a\r\n",
		"Host: a\r\nhost: b\r\n", "Host: a b\r\n", "Host: a/b\r\n", "Host: u@a\r\n",
		"Host: a?b\r\n", "Host: a#b\r\n", "Host: a\\b\r\n", "Host: a\"\r\n",
		"Host: <a>\r\n", "Host: a\xc3\xa4\r\n"};
	char text[256];

	for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
		snprintf(text, sizeof(text), "GET / HTTP/1.1\r\n%s\r\n", refused[i]);
		assert_refused(text, HTTP_ERROR_BAD_REQUEST);
	}
	assert_refused(
		"GET http://x/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("GET http://x/ HTTP/1.1\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_refused("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", HTTP_ERROR_BAD_REQUEST);
	assert_forms("GET / HTTP/1.1", "Host:\r\n", "/", "/", "");
	assert_forms("GET / HTTP/1.1", "Host: \r\n", "/", "/", "");
	assert_forms("GET / HTTP/1.0", "", "/", "/", "");
	assert_forms("GET / HTTP/1.1", "HOST:  [fe80::1%25eth0]:80 \r\n", "/", "/",
		"[fe80::1%25eth0]:80");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts_are_names_or_addresses_with_a_port),
		cmocka_unit_test(test_only_the_given_bytes_of_a_host_are_looked_at),
		cmocka_unit_test(test_paths_are_decoded_and_slash_merged),
		cmocka_unit_test(test_the_query_is_no_part_of_the_path),
		cmocka_unit_test(test_broken_escapes_and_nul_have_no_path),
		cmocka_unit_test(test_nothing_behind_the_target_is_read),
		cmocka_unit_test(test_absolute_form_is_split),
		cmocka_unit_test(test_query_flags_are_whole_words),
		cmocka_unit_test(test_the_raw_target_is_what_is_sent_on),
		cmocka_unit_test(test_absolute_form_loses_its_authority_which_is_the_host),
		cmocka_unit_test(test_a_name_before_the_path_is_set_aside),
		cmocka_unit_test(test_a_bare_name_is_for_the_root),
		cmocka_unit_test(test_what_is_no_name_stays),
		cmocka_unit_test(test_the_asterisk_is_for_options_only),
		cmocka_unit_test(test_targets_that_are_refused),
		cmocka_unit_test(test_there_is_one_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
