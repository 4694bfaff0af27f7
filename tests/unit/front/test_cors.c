#include "front/cors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "config/settings.h"
#include "config/value.h"
#include "requests.h"

static enum cors judge(const char *cors_origins, const char *host, const char *origin)
{
	struct settings settings = {.cors_origins = value_split(cors_origins)};
	char *lines = mem_printf("Host: %s\r\nOrigin: %s\r\n", host, origin);
	struct request_head head = request_of("GET", "/", lines);
	enum cors cors = cors_judge(&settings, &head);

	request_head_finish(&head);
	value_free_list(settings.cors_origins);
	free(lines);
	return cors;
}

/* FACTS-ollama.md, "CORS / Host". */
static void test_ollamas_own_list_is_allowed(void **state)
{
	static const char *const allowed[] = {"http://localhost", "https://localhost",
		"http://localhost:3000", "https://127.0.0.1:1", "http://0.0.0.0:8080",
		"http://0.0.0.0", "app://x", "file://", "file://y", "tauri://localhost",
		"vscode-webview://abc", "vscode-file://vscode-app"};

	for (size_t i = 0; i < ARRAY_LENGTH(allowed); i++)
		assert_int_equal(judge("", "box", allowed[i]), CORS_ALLOWED);
}

static void test_other_origins_are_foreign(void **state)
{
	static const char *const foreign[] = {"http://evil.example", "null",
		"http://localhost.evil.example", "http://localhostx", "http://127.0.0.10",
		"http://127.0.0.1.evil.example:1", "ftp://localhost", "http://[::1]",
		"HTTP://localhost", "vscode-evil://x", "app:/x", "xapp://x",
		"http://evil.example/http://localhost"};

	for (size_t i = 0; i < ARRAY_LENGTH(foreign); i++)
		assert_int_equal(judge("", "box", foreign[i]), CORS_FOREIGN);
}

static void test_no_origin_and_our_own_are_no_matter(void **state)
{
	struct settings settings = {0};
	struct request_head head = request_of("GET", "/", "Host: box\r\n");

	assert_int_equal(cors_judge(&settings, &head), CORS_NONE);
	assert_false(cors_is_same_origin(&head));
	request_head_finish(&head);
	assert_int_equal(judge("", "box:8000", "http://box:8000"), CORS_NONE);
	assert_int_equal(judge("", "box", "https://box"), CORS_NONE);
	assert_int_equal(judge("", "box:8000", ""), CORS_NONE);
	assert_int_equal(judge("", "box:8000", "http://box:8001"), CORS_FOREIGN);
	assert_int_equal(judge("", "box", "http://boxes"), CORS_FOREIGN);
	assert_int_equal(judge("", "box", "box"), CORS_FOREIGN);
}

static void test_the_setting_adds_origins(void **state)
{
	static const char list[] = "https://chat.example,https://*.lab.example,my-app://*";

	assert_int_equal(judge(list, "box", "https://chat.example"), CORS_ALLOWED);
	assert_int_equal(judge(list, "box", "http://chat.example"), CORS_FOREIGN);
	assert_int_equal(judge(list, "box", "https://chat.example:1"), CORS_FOREIGN);
	assert_int_equal(judge(list, "box", "https://a.lab.example"), CORS_ALLOWED);
	assert_int_equal(judge(list, "box", "https://lab.example"), CORS_FOREIGN);
	assert_int_equal(judge(list, "box", "https://a.lab.example.evil"), CORS_FOREIGN);
	assert_int_equal(judge(list, "box", "my-app://x"), CORS_ALLOWED);
	assert_int_equal(
		judge("HTTPS://Chat.Example", "box", "https://chat.example"), CORS_ALLOWED);
	assert_int_equal(judge(list, "box", "http://localhost"), CORS_ALLOWED);
	assert_int_equal(judge("*", "box", "http://evil.example"), CORS_ALLOWED);
}

static char *fields_with(const char *cors_origins, const char *lines)
{
	struct settings settings = {.cors_origins = value_split(cors_origins)};
	struct request_head head = request_of("GET", "/", lines);
	struct fields fields = {0};
	char *text = mem_strdup("");

	cors_add_fields(&fields, &settings, &head);
	for (size_t i = 0; i < fields.count; i++) {
		const struct field *field = &fields.items[i];
		char *longer = mem_printf("%s%.*s: %.*s\n", text, (int)field->name_length,
			field->name, (int)field->value_length, field->value);

		free(text);
		text = longer;
	}
	fields_finish(&fields);
	request_head_finish(&head);
	value_free_list(settings.cors_origins);
	return text;
}

static void assert_fields(const char *cors_origins, const char *lines, const char *expected)
{
	char *text = fields_with(cors_origins, lines);

	assert_string_equal(text, expected);
	free(text);
}

static void test_fields_echo_an_allowed_origin(void **state)
{
	assert_fields("", "Host: box\r\nOrigin: http://localhost:3000\r\n",
		"Access-Control-Allow-Origin: http://localhost:3000\nVary: Origin\n");
	assert_fields("", "Host: box\r\nOrigin: http://evil.example\r\n", "");
	assert_fields("", "Host: box\r\nOrigin: http://box\r\n", "");
	assert_fields("", "Host: box\r\n", "");
	assert_fields("a://b *", "Host: box\r\nOrigin: http://evil.example\r\n",
		"Access-Control-Allow-Origin: *\n");
}

static bool is_preflight(const char *method, const char *lines)
{
	struct request_head head = request_of(method, "/", lines);
	bool is = cors_is_preflight(&head);

	request_head_finish(&head);
	return is;
}

static void test_a_preflight_is_a_question_without_a_body(void **state)
{
	static const char question[] =
		"Host: a\r\nOrigin: http://b\r\nAccess-Control-Request-Method: POST\r\n";

	assert_true(is_preflight("OPTIONS", question));
	assert_false(is_preflight("POST", question));
	assert_false(is_preflight("OPTIONS", "Host: a\r\nOrigin: http://b\r\n"));
	assert_false(is_preflight("OPTIONS", "Host: a\r\nAccess-Control-Request-Method: POST\r\n"));
	assert_false(is_preflight("OPTIONS",
		"Host: a\r\nOrigin: http://b\r\nAccess-Control-Request-Method: POST\r\n"
		"Content-Length: 1\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ollamas_own_list_is_allowed),
		cmocka_unit_test(test_other_origins_are_foreign),
		cmocka_unit_test(test_no_origin_and_our_own_are_no_matter),
		cmocka_unit_test(test_the_setting_adds_origins),
		cmocka_unit_test(test_fields_echo_an_allowed_origin),
		cmocka_unit_test(test_a_preflight_is_a_question_without_a_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
