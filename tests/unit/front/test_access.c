#include "front/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/file.h"
#include "config/settings.h"
#include "io/secret.h"
#include "requests.h"

enum { S = 1000 * 1000, START_US = 1000 * S };

/* The keys are "alpha", "beta" and "gamma". */
static const char KEYS[] =
	"keys = (\n"
	"{ name = \"a\"; project = \"A\"; rate = 2; hash = \"sha256:"
	"8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8\"; },\n"
	"{ name = \"admin\"; admin = true; hash = \"sha256:"
	"f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753\"; },\n"
	"{ name = \"c\"; allow_paths = \"/v1\"; allow_models = \"m\"; hash = \"sha256:"
	"be9d587defa1f0c09ef49eb17e206983a5f8f8289e4281860bd0ee5a19592c67\"; } );\n";

static const struct access_peer here = {.ip = "127.0.0.1", .is_loopback = true};
static const struct access_peer away = {.ip = "192.0.2.7"};
static const struct access_peer admin_peer = {.ip = "192.0.2.7", .came_by_admin = true};

struct fixture {
	struct settings *settings;
	struct access *access;
};

static struct settings *settings_of(const char *text)
{
	struct settings *settings = settings_create();
	char *error = NULL;

	if (!file_parse("t", text, strlen(text), settings, &error)) {
		print_error("%s\n", error);
		fail();
	}
	return settings;
}

static void begin(struct fixture *fixture, const char *text)
{
	ticker_set_for_test(START_US, START_US);
	log_set_level(LOG_ERROR);
	fixture->settings = settings_of(text);
	fixture->access = access_create(fixture->settings);
}

static void end(struct fixture *fixture)
{
	access_destroy(fixture->access);
	settings_return(fixture->settings);
}

static struct access_verdict check_head(
	struct fixture *fixture, const struct access_peer *peer, struct request_head *head)
{
	struct route route = route_find(head->method, head->path);

	return access_check(fixture->access, head, peer, &route);
}

/* `fields` beside Host: box. */
static struct access_verdict check(struct fixture *fixture, const struct access_peer *peer,
	const char *method, const char *target, const char *fields)
{
	char *lines = mem_printf("Host: box\r\n%s", fields);
	struct request_head head = request_of(method, target, lines);
	struct access_verdict verdict = check_head(fixture, peer, &head);

	request_head_finish(&head);
	free(lines);
	return verdict;
}

static void assert_verdict(struct fixture *fixture, const char *method, const char *target,
	const char *fields, enum outcome expected)
{
	struct access_verdict verdict = check(fixture, &away, method, target, fields);

	assert_int_equal(verdict.outcome, expected);
	assert_false(verdict.is_absent);
}

/* Host. */

static bool is_known(const char *host)
{
	char own[] = "box.example.org";
	char named[] = "llm.example.com";
	char *own_names[] = {own, NULL};
	char *server_names[] = {named, NULL};
	struct settings settings = {.server_names = server_names};

	return access_host_is_known(&settings, own_names, host);
}

static void test_local_hosts_are_known(void **state)
{
	static const char *const known[] = {"127.0.0.1", "127.0.0.1:8000", "8.8.8.8:80", "[::1]",
		"[::1]:8000", "[fe80::1%25eth0]:1", "localhost", "LOCALHOST:1", "localhost.", "box",
		"my_box-2:8000", "a.localhost", "printer.local", "x.y.internal", "nas.lan:80",
		"nas.home.arpa", "NAS.Home.Arpa.", "box.example.org", "Box.Example.Org:1",
		"llm.example.com", "llm.example.com.:443", "", ":8000"};

	for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
		if (!is_known(known[i]))
			fail_msg("%s", known[i]);
	}
}

static void test_names_that_somebody_could_register_are_not_known(void **state)
{
	static const char *const unknown[] = {"evil.example", "evil.example:8000",
		"localhost.evil.example", "127.0.0.1.evil.example", "evillocalhost.com", ".local",
		"box.example.org.evil", "example.org", "xllm.example.com", "x.llm.example.com",
		"mylan.x", "0x7f.1", "home.arpa", "1.2.3.4.5"};
	char longest[400];

	for (size_t i = 0; i < ARRAY_LENGTH(unknown); i++) {
		if (is_known(unknown[i]))
			fail_msg("%s", unknown[i]);
	}
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_false(is_known(longest));
}

static void test_host_is_checked_for_every_request(void **state)
{
	static const char *const targets[] = {
		"/api/chat", "/api/tags", "/api/v1/health", "/api/v1/pdl"};
	struct fixture fixture;

	begin(&fixture, "server_names = [\"ok.example\"];");
	for (size_t i = 0; i < ARRAY_LENGTH(targets); i++) {
		struct request_head wrong =
			request_of("POST", targets[i], "Host: evil.example\r\n");
		struct request_head right =
			request_of("POST", targets[i], "Host: ok.example:8\r\n");
		struct access_verdict verdict = check_head(&fixture, &here, &wrong);

		assert_int_equal(verdict.outcome, OUTCOME_FORBIDDEN);
		assert_non_null(strstr(verdict.text, "server_names"));
		assert_int_equal(check_head(&fixture, &here, &right).outcome, OUTCOME_NONE);
		request_head_finish(&wrong);
		request_head_finish(&right);
	}
	end(&fixture);
}

static void test_an_absolute_target_is_the_host_that_counts(void **state)
{
	struct fixture fixture;
	struct request_head head;

	begin(&fixture, "");
	head = request_of("GET", "http://evil.example/api/tags", "Host: localhost\r\n");
	assert_int_equal(check_head(&fixture, &here, &head).outcome, OUTCOME_FORBIDDEN);
	request_head_finish(&head);
	end(&fixture);
}

/* Keys. */

static void test_without_keys_everything_passes_untouched(void **state)
{
	struct fixture fixture;
	struct request_head head;

	begin(&fixture, "");
	head = request_of("GET", "/api/tags",
		"Host: box\r\nAuthorization: Bearer alpha\r\nX-Api-Key: alpha\r\n");
	assert_int_equal(check_head(&fixture, &away, &head).outcome, OUTCOME_NONE);
	assert_int_equal(head.fields.count, 3);
	assert_memory_equal(head.fields.items[1].value, "Bearer alpha", strlen("Bearer alpha"));
	request_head_finish(&head);
	end(&fixture);
}

static void test_everything_but_health_needs_a_key(void **state)
{
	static const char *const wrong[] = {"", "Authorization: Bearer alphA\r\n",
		"Authorization: Bearer alpha2\r\n", "Authorization: Bearer alph\r\n",
		"Authorization: alpha\r\n", "Authorization: Basic alpha\r\n",
		"Authorization: Bearer\r\n", "Authorization: Bearer \r\n", "X-Api-Key:\r\n",
		"X-Api-Key: Bearer alpha\r\n", "Api-Key: alpha\r\n", "Cookie: alpha\r\n"};
	struct fixture fixture;

	begin(&fixture, KEYS);
	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		assert_verdict(&fixture, "POST", "/api/chat", wrong[i], OUTCOME_UNAUTHORIZED);
		assert_verdict(&fixture, "GET", "/api/tags", wrong[i], OUTCOME_UNAUTHORIZED);
		assert_verdict(
			&fixture, "GET", "/api/v1/queue/stats", wrong[i], OUTCOME_UNAUTHORIZED);
		assert_verdict(&fixture, "GET", "/api/v1/pdl", wrong[i], OUTCOME_UNAUTHORIZED);
		assert_verdict(&fixture, "GET", "/api/v1/health", wrong[i], OUTCOME_NONE);
	}
	assert_verdict(
		&fixture, "POST", "/api/chat", "Authorization: Bearer alpha\r\n", OUTCOME_NONE);
	assert_verdict(
		&fixture, "GET", "/api/tags", "authorization: bearer  alpha\r\n", OUTCOME_NONE);
	assert_verdict(&fixture, "POST", "/v1/messages", "X-API-Key: beta\r\n", OUTCOME_NONE);
	end(&fixture);
}

static void test_the_key_leaves_the_head_and_other_credentials_stay(void **state)
{
	struct fixture fixture;
	struct request_head head;
	struct access_verdict verdict;
	const char *value;

	begin(&fixture, KEYS);
	head = request_of("POST", "/api/chat",
		"Host: box\r\nAuthorization: Bearer upstreams\r\nX-Api-Key: alpha\r\n"
		"Authorization: Bearer beta\r\nA: alpha\r\n");
	value = head.fields.items[2].value;
	verdict = check_head(&fixture, &away, &head);
	assert_int_equal(verdict.outcome, OUTCOME_NONE);
	assert_string_equal(verdict.key->name, "a");
	assert_int_equal(head.fields.count, 3);
	assert_memory_equal(head.fields.items[1].value, "Bearer upstreams", 16);
	assert_memory_equal(head.fields.items[2].name, "A", 1);
	assert_memory_equal(value, "\0\0\0\0\0", 5);
	request_head_finish(&head);
	end(&fixture);
}

/* Also where the request is refused for another reason, or needs no key. */
static void test_the_key_leaves_the_head_whatever_the_verdict(void **state)
{
	struct fixture fixture;
	struct request_head head;

	begin(&fixture, KEYS);
	head = request_of("GET", "/api/v1/health", "Host: evil.example\r\nX-Api-Key: beta\r\n");
	assert_int_equal(check_head(&fixture, &away, &head).outcome, OUTCOME_FORBIDDEN);
	assert_int_equal(head.fields.count, 1);
	request_head_finish(&head);
	end(&fixture);
}

static void test_the_salt_counts(void **state)
{
	struct fixture fixture;

	/* "al" + "pha" */
	begin(&fixture, "key_salt = \"al\";\n"
			"keys = ( { name = \"a\"; hash = \"sha256:"
			"8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8\"; } );");
	assert_verdict(&fixture, "GET", "/", "X-Api-Key: pha\r\n", OUTCOME_NONE);
	assert_verdict(&fixture, "GET", "/", "X-Api-Key: alpha\r\n", OUTCOME_UNAUTHORIZED);
	end(&fixture);
}

/* It is not even hashed. */
static void test_what_is_longer_than_512_bytes_is_no_key(void **state)
{
	for (size_t length = 512; length <= 513; length++) {
		char *key = mem_zalloc(length + 1);
		char *field =
			mem_printf("X-Api-Key: %s\r\n", (const char *)memset(key, 'k', length));
		struct fixture fixture;

		begin(&fixture, KEYS);
		assert_true(secret_hash("", key, length, fixture.settings->api_keys[1].hash));
		assert_verdict(&fixture, "GET", "/", field,
			length > 512 ? OUTCOME_UNAUTHORIZED : OUTCOME_NONE);
		end(&fixture);
		free(field);
		free(key);
	}
}

/* Browsers send no key with it. */
static void test_a_preflight_needs_no_key(void **state)
{
	struct fixture fixture;

	begin(&fixture, KEYS);
	assert_verdict(&fixture, "OPTIONS", "/api/chat",
		"Origin: http://localhost\r\nAccess-Control-Request-Method: POST\r\n",
		OUTCOME_NONE);
	assert_verdict(&fixture, "OPTIONS", "/api/chat", "Origin: http://localhost\r\n",
		OUTCOME_UNAUTHORIZED);
	end(&fixture);
}

/* Rates. */

static void test_a_rate_bounds_what_goes_to_ollama(void **state)
{
	struct fixture fixture;
	struct access_verdict verdict;

	begin(&fixture, KEYS);
	for (int i = 0; i < 5; i++)
		assert_verdict(&fixture, "GET", "/api/v1/queue/stats", "X-Api-Key: alpha\r\n",
			OUTCOME_NONE);
	assert_verdict(&fixture, "POST", "/api/chat", "X-Api-Key: alpha\r\n", OUTCOME_NONE);
	assert_verdict(&fixture, "GET", "/api/tags", "X-Api-Key: alpha\r\n", OUTCOME_NONE);
	verdict = check(&fixture, &away, "POST", "/api/chat", "X-Api-Key: alpha\r\n");
	assert_int_equal(verdict.outcome, OUTCOME_RATE_LIMITED);
	assert_int_equal(verdict.retry_after, 30);
	assert_verdict(&fixture, "POST", "/api/chat", "X-Api-Key: beta\r\n", OUTCOME_NONE);
	ticker_set_for_test(START_US + 30 * S, START_US);
	assert_verdict(&fixture, "POST", "/api/chat", "X-Api-Key: alpha\r\n", OUTCOME_NONE);
	assert_verdict(&fixture, "POST", "/api/chat", "X-Api-Key: alpha\r\n", OUTCOME_RATE_LIMITED);
	end(&fixture);
}

static void test_new_settings_keep_the_buckets(void **state)
{
	static const char same_key[] =
		"keys = ( { name = \"new\"; rate = 1; hash = \"sha256:"
		"f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753\"; },\n"
		"{ name = \"a\"; rate = 2; hash = \"sha256:"
		"8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8\"; } );";
	struct fixture fixture;
	struct settings *settings = settings_of(same_key);

	begin(&fixture, KEYS);
	assert_verdict(&fixture, "GET", "/api/tags", "X-Api-Key: alpha\r\n", OUTCOME_NONE);
	access_set_settings(fixture.access, settings);
	assert_verdict(&fixture, "GET", "/api/tags", "X-Api-Key: alpha\r\n", OUTCOME_NONE);
	assert_verdict(&fixture, "GET", "/api/tags", "X-Api-Key: alpha\r\n", OUTCOME_RATE_LIMITED);
	assert_verdict(&fixture, "GET", "/api/tags", "X-Api-Key: beta\r\n", OUTCOME_NONE);
	end(&fixture);
	settings_return(settings);
}

/* Paths and models. */

static void test_paths_are_limited_before_the_rate_is_touched(void **state)
{
	struct fixture fixture;
	struct access_verdict verdict;

	begin(&fixture, KEYS);
	fixture.settings->allow_paths = mem_zalloc_array(2, sizeof(char *));
	fixture.settings->allow_paths[0] = mem_strdup("/v1");
	for (int i = 0; i < 5; i++) {
		verdict = check(&fixture, &away, "GET", "/api/tags", "X-Api-Key: alpha\r\n");
		assert_int_equal(verdict.outcome, OUTCOME_FORBIDDEN);
		assert_non_null(strstr(verdict.text, "allow_paths"));
	}
	assert_verdict(&fixture, "GET", "/v1/models", "X-Api-Key: alpha\r\n", OUTCOME_NONE);
	/* gamma's own lists */
	assert_verdict(&fixture, "GET", "/v1/models/m", "X-Api-Key: gamma\r\n", OUTCOME_NONE);
	assert_verdict(&fixture, "GET", "/v1/models/n", "X-Api-Key: gamma\r\n", OUTCOME_FORBIDDEN);
	assert_verdict(
		&fixture, "GET", "/api/v1/queue/stats", "X-Api-Key: alpha\r\n", OUTCOME_NONE);
	end(&fixture);
}

static void test_a_listeners_lists_are_for_its_peers(void **state)
{
	static const struct access_peer limited = {.ip = "192.0.2.7", .listen = "192.0.2.1:80"};
	static const struct access_peer other = {.ip = "192.0.2.7", .listen = "192.0.2.1:81"};
	struct fixture fixture;
	struct access_verdict verdict;

	begin(&fixture, "listeners = ( { listen = \"192.0.2.1:80\"; allow_paths = \"read-only\";\n"
			"allow_models = \"m\"; } );");
	assert_int_equal(check(&fixture, &limited, "GET", "/api/tags", "").outcome, OUTCOME_NONE);
	verdict = check(&fixture, &limited, "DELETE", "/@lab/api/delete", "");
	assert_int_equal(verdict.outcome, OUTCOME_FORBIDDEN);
	assert_non_null(strstr(verdict.text, "allow_paths"));
	verdict = check(&fixture, &limited, "GET", "/v1/models/n", "");
	assert_int_equal(verdict.outcome, OUTCOME_FORBIDDEN);
	assert_non_null(strstr(verdict.text, "allow_models"));
	verdict = check(&fixture, &limited, "GET", "/api/v1/queue/stats", "");
	assert_int_equal(verdict.outcome, OUTCOME_NONE);
	verdict = check(&fixture, &other, "DELETE", "/api/delete", "");
	assert_int_equal(verdict.outcome, OUTCOME_NONE);
	assert_verdict(&fixture, "DELETE", "/api/delete", "", OUTCOME_NONE);
	end(&fixture);
}

static void test_calls_that_hide_a_model_are_refused_where_models_are_limited(void **state)
{
	struct fixture fixture;

	begin(&fixture, "allow_models = [\"m\"];");
	assert_verdict(&fixture, "POST", "/api/create", "", OUTCOME_FORBIDDEN);
	assert_verdict(&fixture, "POST", "/api/copy", "", OUTCOME_FORBIDDEN);
	assert_verdict(&fixture, "POST", "/api/pull", "", OUTCOME_NONE);
	assert_verdict(&fixture, "POST", "/api/chat", "", OUTCOME_NONE);
	end(&fixture);
}

/* Listeners. */

static void assert_absent(
	struct fixture *fixture, const struct access_peer *peer, const char *target, bool expected)
{
	struct access_verdict verdict = check(fixture, peer, "GET", target, "");

	assert_int_equal(verdict.outcome, OUTCOME_NONE);
	assert_int_equal(verdict.is_absent, expected);
}

static void test_each_listener_serves_its_own(void **state)
{
	struct fixture fixture;

	begin(&fixture, "admin_listen = [\"127.0.0.1:1\"];");
	assert_absent(&fixture, &away, "/api/v1/health", true);
	assert_absent(&fixture, &away, "/api/v1/queue/stats", true);
	assert_absent(&fixture, &away, "/api/v1/models", false); /* an alias */
	assert_absent(&fixture, &away, "/api/v1/pdl", false);	 /* gone */
	assert_absent(&fixture, &away, "/api/tags", false);
	assert_absent(&fixture, &admin_peer, "/api/v1/health", false);
	assert_absent(&fixture, &admin_peer, "/api/v1/config", false);
	assert_absent(&fixture, &admin_peer, "/api/tags", true);
	assert_absent(&fixture, &admin_peer, "/api/v1/pdl", true);
	end(&fixture);
	begin(&fixture, "");
	assert_absent(&fixture, &away, "/api/v1/health", false);
	assert_absent(&fixture, &away, "/api/tags", false);
	end(&fixture);
}

/* What is ours. */

static void test_foreign_pages_may_not_read_ours(void **state)
{
	struct fixture fixture;

	begin(&fixture, "");
	assert_verdict(&fixture, "GET", "/api/v1/queue/stats", "Origin: http://evil.example\r\n",
		OUTCOME_FORBIDDEN);
	assert_verdict(&fixture, "GET", "/api/v1/queue/stats", "Origin: http://localhost:3\r\n",
		OUTCOME_NONE);
	assert_verdict(
		&fixture, "GET", "/api/v1/queue/stats", "Origin: http://box\r\n", OUTCOME_NONE);
	/* Ollama judges its own. */
	assert_verdict(
		&fixture, "GET", "/api/tags", "Origin: http://evil.example\r\n", OUTCOME_NONE);
	end(&fixture);
}

static void test_the_configuration_needs_loopback_or_an_admin_key(void **state)
{
	static const struct {
		bool is_here;
		const char *fields;
		enum outcome expected;
	} cases[] = {
		{true, "X-Api-Key: alpha\r\n", OUTCOME_NONE},
		{true, "", OUTCOME_UNAUTHORIZED},
		{true, "X-Api-Key: alpha\r\nX-Forwarded-For: 192.0.2.9\r\n", OUTCOME_FORBIDDEN},
		{true, "X-Api-Key: alpha\r\nForwarded: for=192.0.2.9\r\n", OUTCOME_FORBIDDEN},
		{true, "X-Api-Key: beta\r\nVia: 1.1 x\r\n", OUTCOME_NONE},
		{false, "X-Api-Key: alpha\r\n", OUTCOME_FORBIDDEN},
		{false, "X-Api-Key: beta\r\n", OUTCOME_NONE},
	};
	struct fixture fixture;

	begin(&fixture, KEYS);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_int_equal(check(&fixture, cases[i].is_here ? &here : &away, "GET",
					 "/api/v1/config", cases[i].fields)
					 .outcome,
			cases[i].expected);
	end(&fixture);
	begin(&fixture, "");
	assert_verdict(&fixture, "GET", "/api/v1/config", "", OUTCOME_NONE);
	end(&fixture);
}

static bool may_change(const struct access_peer *peer, const struct api_key *key, const char *lines)
{
	struct request_head head = request_of("POST", "/api/v1/queue/pause", lines);
	bool may = access_may_change(&head, peer, key);

	request_head_finish(&head);
	return may;
}

static void test_changes_need_a_near_peer_or_an_admin_key_and_no_foreign_page(void **state)
{
	static const struct api_key plain = {.is_admin = false};
	static const struct api_key admin = {.is_admin = true};

	assert_true(may_change(&here, NULL, "Host: box\r\n"));
	assert_true(may_change(&here, &plain, "Host: box\r\n"));
	assert_true(may_change(&here, NULL, "Host: box:8\r\nOrigin: http://box:8\r\n"));
	assert_false(may_change(&here, NULL, "Host: box\r\nOrigin: http://evil.example\r\n"));
	/* allowed to read is not allowed to change */
	assert_false(may_change(&here, NULL, "Host: box\r\nOrigin: http://localhost:3000\r\n"));
	assert_false(may_change(&here, NULL, "Host: box\r\nOrigin: null\r\n"));
	assert_false(may_change(&here, NULL, "Host: box\r\nOrigin:\r\n"));
	assert_false(may_change(&here, NULL, "Host: box\r\nX-Forwarded-For: 192.0.2.9\r\n"));
	assert_false(may_change(&away, NULL, "Host: box\r\n"));
	assert_false(may_change(&away, &plain, "Host: box\r\n"));
	assert_true(may_change(&away, &admin, "Host: box\r\n"));
	assert_true(may_change(&away, &admin, "Host: box\r\nVia: 1.1 x\r\n"));
	assert_false(may_change(&away, &admin, "Host: box\r\nOrigin: http://evil.example\r\n"));
	/* being of the admin listener is no right of its own */
	assert_false(may_change(&admin_peer, NULL, "Host: box\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_local_hosts_are_known),
		cmocka_unit_test(test_names_that_somebody_could_register_are_not_known),
		cmocka_unit_test(test_host_is_checked_for_every_request),
		cmocka_unit_test(test_an_absolute_target_is_the_host_that_counts),
		cmocka_unit_test(test_without_keys_everything_passes_untouched),
		cmocka_unit_test(test_everything_but_health_needs_a_key),
		cmocka_unit_test(test_the_key_leaves_the_head_and_other_credentials_stay),
		cmocka_unit_test(test_the_key_leaves_the_head_whatever_the_verdict),
		cmocka_unit_test(test_the_salt_counts),
		cmocka_unit_test(test_what_is_longer_than_512_bytes_is_no_key),
		cmocka_unit_test(test_a_preflight_needs_no_key),
		cmocka_unit_test(test_a_rate_bounds_what_goes_to_ollama),
		cmocka_unit_test(test_new_settings_keep_the_buckets),
		cmocka_unit_test(test_paths_are_limited_before_the_rate_is_touched),
		cmocka_unit_test(test_a_listeners_lists_are_for_its_peers),
		cmocka_unit_test(test_calls_that_hide_a_model_are_refused_where_models_are_limited),
		cmocka_unit_test(test_each_listener_serves_its_own),
		cmocka_unit_test(test_foreign_pages_may_not_read_ours),
		cmocka_unit_test(test_the_configuration_needs_loopback_or_an_admin_key),
		cmocka_unit_test(test_changes_need_a_near_peer_or_an_admin_key_and_no_foreign_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
