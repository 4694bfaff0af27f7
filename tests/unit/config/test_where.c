#include "config/where.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

static void test_upstream_is_split_into_host_and_port(void **state)
{
	static const struct {
		const char *url, *host;
		uint16_t port;
		bool is_tls;
	} cases[] = {
		{"https://box", "box", 443, true},
		{"HTTPS://[::1]:8443/", "::1", 8443, true},
		{"http://127.0.0.1:11434", "127.0.0.1", 11434},
		{"http://box", "box", 11434},
		{"http://box/", "box", 11434},
		{"HTTP://Box.local:80/", "Box.local", 80},
		{"http://[::1]:8080", "::1", 8080},
		{"http://[fd00::12]", "fd00::12", 11434},
		{"http://my_service:65535", "my_service", 65535},
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		const char *reason = NULL;
		char *host = NULL;
		uint16_t port = 0;
		bool is_tls = !cases[i].is_tls;

		assert_true(where_parse_upstream(cases[i].url, &host, &port, &is_tls, &reason));
		assert_string_equal(host, cases[i].host);
		assert_int_equal(port, cases[i].port);
		assert_int_equal(is_tls, cases[i].is_tls);
		free(host);
	}
}

static void test_wrong_upstreams_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *url, *reason;
	} cases[] = {
		{"https://", "no host name"},
		{"https:box", "write http://HOST[:PORT]"},
		{"box:11434", "write http://HOST[:PORT]"},
		{"", "write http://HOST[:PORT]"},
		{"http://", "no host name"},
		{"http:///", "no host name"},
		{"http://::1:11434", "no host name"},
		{"http://[::1", "no host name"},
		{"http://[box]:1", "no host name"},
		{"http://[fe80:0000:0000:0000:0000:0000:0000:00000000000001]", "no host name"},
		{"http://user@box", "no host name"},
		{"http://bo x", "no host name"},
		{"http://box:", "the port must be 1 to 65535"},
		{"http://box:0", "the port must be 1 to 65535"},
		{"http://box:65536", "the port must be 1 to 65535"},
		{"http://box:123456789", "the port must be 1 to 65535"},
		{"http://box:1x", "the port must be 1 to 65535"},
		{"http://box:+1", "the port must be 1 to 65535"},
		{"http://box:1/v1", "nothing may follow the port"},
		{"http://box?x", "nothing may follow the port"},
		{"http://box//", "nothing may follow the port"},
		{"http://[::1]x", "nothing may follow the port"},
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		const char *reason = NULL;
		char *host = NULL;
		uint16_t port = 0;
		bool is_tls;

		assert_false(where_parse_upstream(cases[i].url, &host, &port, &is_tls, &reason));
		assert_non_null(reason);
		assert_ptr_equal(strstr(reason, cases[i].reason), reason);
		assert_null(host);
	}
}

static void test_listen_addresses_are_checked_by_form(void **state)
{
	static const char *const good[] = {"127.0.0.1:8000", "localhost:0", "[::1]:8000", "[::]:1",
		"*:8000", ":65535", "my-box.local:1", "https://0.0.0.0:8443", "HTTPS://[::]:1",
		"https://*:0", "unix:/run/x", "unix:x"};
	static const char *const bad[] = {"", "8000", "127.0.0.1", "::1:8000", "[::1]", "[::1]8000",
		"[::1:8000", "[x]:1", "*", "*8000", "**:1", "a b:1",
		"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80x",
		"unix:", "https://", "https://box", "https://unix:/run/x", "http://box:1",
		"box:1/"};

	for (unsigned i = 0; i < ARRAY_LENGTH(good); i++) {
		const char *reason = NULL;

		assert_true(where_check_listen(good[i], &reason));
	}
	for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
		const char *reason = NULL;

		assert_false(where_check_listen(bad[i], &reason));
		assert_non_null(reason);
	}
}

static void test_local_paths_are_bounded(void **state)
{
	char text[200] = "unix:";
	const char *reason = NULL;

	memset(text + 5, 'a', 108);
	assert_false(where_check_listen(text, &reason));
	assert_string_equal(reason, "the path is too long: 107 bytes at most");
	text[5 + 107] = '\0';
	assert_true(where_check_listen(text, &reason));
}

static void test_kinds_of_listeners_are_told_apart(void **state)
{
	assert_string_equal(where_after_https("https://*:1"), "*:1");
	assert_null(where_after_https("*:1"));
	assert_string_equal(where_after_unix("unix:/x"), "/x");
	assert_null(where_after_unix("localhost:1"));
}

static void test_names_are_bounded(void **state)
{
	char text[400] = "http://";
	const char *reason = NULL;
	char *host = NULL;
	uint16_t port;
	bool is_tls;

	memset(text + 7, 'a', 254);
	assert_false(where_parse_upstream(text, &host, &port, &is_tls, &reason));
	text[7 + 253] = '\0';
	assert_true(where_parse_upstream(text, &host, &port, &is_tls, &reason));
	free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_upstream_is_split_into_host_and_port),
		cmocka_unit_test(test_wrong_upstreams_are_refused_with_the_reason),
		cmocka_unit_test(test_listen_addresses_are_checked_by_form),
		cmocka_unit_test(test_local_paths_are_bounded),
		cmocka_unit_test(test_kinds_of_listeners_are_told_apart),
		cmocka_unit_test(test_names_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
