#include "core/route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/compiler.h"

static const char *const methods[] = {
	"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "post", ""};

struct expected_route {
	const char *path;
	enum operation operation;
	enum api_family family;
};

/* PRODUCT 1.2: all of them, and no others. */
static const struct expected_route jobs[] = {
	{"/api/generate", OPERATION_GENERATE, API_NATIVE},
	{"/api/chat", OPERATION_CHAT, API_NATIVE},
	{"/api/embed", OPERATION_EMBED, API_NATIVE},
	{"/api/embeddings", OPERATION_EMBED, API_NATIVE},
	{"/v1/chat/completions", OPERATION_CHAT, API_OPENAI},
	{"/v1/completions", OPERATION_GENERATE, API_OPENAI},
	{"/v1/embeddings", OPERATION_EMBED, API_OPENAI},
	{"/v1/responses", OPERATION_CHAT, API_OPENAI},
	{"/v1/messages", OPERATION_CHAT, API_ANTHROPIC},
	{"/v1/audio/transcriptions", OPERATION_TRANSCRIBE, API_OPENAI},
	{"/v1/images/generations", OPERATION_IMAGE, API_OPENAI},
};

static const struct expected_route passes[] = {
	{"/", OPERATION_ROOT, API_NATIVE},
	{"/api/tags", OPERATION_LIST_MODELS, API_NATIVE},
	{"/v1/models", OPERATION_LIST_MODELS, API_OPENAI},
	{"/v1/models/llama3:latest", OPERATION_SHOW_MODEL, API_OPENAI},
	{"/v1/models/hf.co/user/model", OPERATION_SHOW_MODEL, API_OPENAI},
	{"/api/ps", OPERATION_LIST_RUNNING, API_NATIVE},
	{"/api/version", OPERATION_VERSION, API_NATIVE},
	{"/api/show", OPERATION_SHOW_MODEL, API_NATIVE},
	{"/api/pull", OPERATION_PULL, API_NATIVE},
	{"/api/push", OPERATION_PUSH, API_NATIVE},
	{"/api/create", OPERATION_CREATE, API_NATIVE},
	{"/api/copy", OPERATION_COPY, API_NATIVE},
	{"/api/delete", OPERATION_DELETE, API_NATIVE},
	{"/api/blobs/sha256:0123", OPERATION_BLOB, API_NATIVE},
	/* near misses */
	{"/api/chat/", OPERATION_OTHER, API_NATIVE},
	{"/api/CHAT", OPERATION_OTHER, API_NATIVE},
	{"/api/chats", OPERATION_OTHER, API_NATIVE},
	{"/api/chat/completions", OPERATION_OTHER, API_NATIVE},
	{"/api/blobs", OPERATION_OTHER, API_NATIVE},
	{"/v1/messages/count_tokens", OPERATION_OTHER, API_ANTHROPIC},
	{"/v1/messagesx", OPERATION_OTHER, API_OPENAI},
	{"/v1/chat", OPERATION_OTHER, API_OPENAI},
	{"/v1", OPERATION_OTHER, API_OPENAI},
	{"/v10/chat/completions", OPERATION_OTHER, API_NATIVE},
	{"/v2/chat/completions", OPERATION_OTHER, API_NATIVE},
	{"/api/status", OPERATION_OTHER, API_NATIVE},
	{"/favicon.ico", OPERATION_OTHER, API_NATIVE},
	{"*", OPERATION_OTHER, API_NATIVE},
	{"", OPERATION_OTHER, API_NATIVE},
	/* what is not ours below /api/v1/ goes to Ollama */
	{"/api/v1", OPERATION_OTHER, API_NATIVE},
	{"/api/v1/", OPERATION_OTHER, API_NATIVE},
	{"/api/v1/unknown", OPERATION_OTHER, API_NATIVE},
	{"/api/v1/healthy", OPERATION_OTHER, API_NATIVE},
	{"/api/v1/health/", OPERATION_OTHER, API_NATIVE},
	{"/api/v1/queue", OPERATION_OTHER, API_NATIVE},
	{"/api/v1/chats", OPERATION_OTHER, API_NATIVE},
	{"/api/v1/chat/other", OPERATION_OTHER, API_NATIVE},
	{"/api/v1/vlm/other", OPERATION_OTHER, API_NATIVE},
	{"/api/v1/models/other", OPERATION_OTHER, API_NATIVE},
	{"/api/v1/batches", OPERATION_OTHER, API_NATIVE},
	{"/api/v1/performance", OPERATION_OTHER, API_NATIVE},
};

static void assert_route(const struct route *route, enum route_kind kind,
	const struct expected_route *expected, const char *rewrite)
{
	assert_int_equal(route->kind, kind);
	assert_int_equal(route->operation, expected->operation);
	assert_int_equal(route->family, expected->family);
	assert_null(route->use_instead);
	if (rewrite)
		assert_string_equal(route->rewrite, rewrite);
	else
		assert_null(route->rewrite);
}

static void test_inference_by_post_is_a_job_and_by_any_other_method_a_pass(void **state)
{
	assert_int_equal(ARRAY_LENGTH(jobs), 11);
	for (size_t i = 0; i < ARRAY_LENGTH(jobs); i++) {
		for (size_t k = 0; k < ARRAY_LENGTH(methods); k++) {
			struct route route = route_find(methods[k], jobs[i].path);

			assert_route(&route,
				strcmp(methods[k], "POST") == 0 ? ROUTE_JOB : ROUTE_PASS, &jobs[i],
				NULL);
			assert_false(route.is_poll);
		}
	}
}

static void test_everything_else_is_a_pass_whatever_the_method(void **state)
{
	for (size_t i = 0; i < ARRAY_LENGTH(passes); i++) {
		for (size_t k = 0; k < ARRAY_LENGTH(methods); k++) {
			struct route route = route_find(methods[k], passes[i].path);

			assert_route(&route, ROUTE_PASS, &passes[i], NULL);
		}
	}
}

/* PRODUCT 6.1: GET and HEAD /, /api/version and /api/ps. */
static void test_polls_are_reads_of_three_paths(void **state)
{
	for (size_t i = 0; i < ARRAY_LENGTH(passes); i++) {
		const char *path = passes[i].path;
		bool polled = strcmp(path, "/") == 0 || strcmp(path, "/api/version") == 0 ||
			      strcmp(path, "/api/ps") == 0;

		for (size_t k = 0; k < ARRAY_LENGTH(methods); k++) {
			bool is_read =
				strcmp(methods[k], "GET") == 0 || strcmp(methods[k], "HEAD") == 0;

			assert_int_equal(route_find(methods[k], path).is_poll, polled && is_read);
		}
	}
	/* The alias of a polled path is polled as well. */
	assert_true(route_find("GET", "/api/v1/models/ps").is_poll);
	assert_false(route_find("GET", "/api/v1/models").is_poll);
}

/* PRODUCT 1.3: path rewrite only, so kind, operation and error shape are those of the new path. */
static void test_old_names_are_aliases(void **state)
{
	static const struct {
		const char *path, *rewrite;
		enum route_kind by_post;
		struct expected_route expected;
	} aliases[] = {
		{"/api/v1/chat/completions", "/v1/chat/completions", ROUTE_JOB,
			{NULL, OPERATION_CHAT, API_OPENAI}},
		{"/api/v1/vlm/openai", "/v1/chat/completions", ROUTE_JOB,
			{NULL, OPERATION_CHAT, API_OPENAI}},
		{"/api/v1/models", "/api/tags", ROUTE_PASS,
			{NULL, OPERATION_LIST_MODELS, API_NATIVE}},
		{"/api/v1/models/ps", "/api/ps", ROUTE_PASS,
			{NULL, OPERATION_LIST_RUNNING, API_NATIVE}},
		{"/api/v1/embeddings", "/api/embeddings", ROUTE_JOB,
			{NULL, OPERATION_EMBED, API_NATIVE}},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(aliases); i++) {
		for (size_t k = 0; k < ARRAY_LENGTH(methods); k++) {
			struct route route = route_find(methods[k], aliases[i].path);

			assert_route(&route,
				strcmp(methods[k], "POST") == 0 ? aliases[i].by_post : ROUTE_PASS,
				&aliases[i].expected, aliases[i].rewrite);
		}
	}
}

/* Whatever the method: the old service's callers should read which call to use. */
static void test_retired_routes_name_the_call_to_use(void **state)
{
	static const struct {
		const char *path, *names;
	} retired[] = {
		{"/api/v1/chat", "/api/chat"},
		{"/api/v1/generate", "/api/generate"},
		{"/api/v1/vlm", "/v1/chat/completions"},
		{"/api/v1/batch", "/api/chat"},
		{"/api/v1/batch/chat", "/api/chat"},
		{"/api/v1/batch/vlm/jobs", "/api/chat"},
		{"/api/v1/agents", "/api/chat"},
		{"/api/v1/agents/run", "/api/chat"},
		{"/api/v1/metrics", "/api/v1/queue/stats"},
		{"/api/v1/analytics", "/api/v1/queue/stats"},
		{"/api/v1/performance/stats", "/api/v1/queue/stats"},
		{"/api/v1/system", "/api/v1/health"},
		{"/api/v1/system/info", "/api/v1/health"},
		{"/api/v1/pdl", "/api/chat"},
		{"/api/v1/pdl/execute", "/api/chat"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(retired); i++) {
		for (size_t k = 0; k < ARRAY_LENGTH(methods); k++) {
			struct route route = route_find(methods[k], retired[i].path);

			assert_int_equal(route.kind, ROUTE_GONE);
			assert_int_equal(route.family, API_NATIVE);
			assert_non_null(route.use_instead);
			assert_non_null(strstr(route.use_instead, retired[i].names));
			assert_null(route.rewrite);
			assert_false(route.is_poll);
		}
	}
}

static void test_own_endpoints_allow_their_method_only(void **state)
{
	static const struct {
		const char *path;
		enum own_endpoint own;
		const char *method;
		const char *allow;
	} own[] = {
		{"/api/v1/health", OWN_HEALTH, "GET", "GET, HEAD"},
		{"/api/v1/queue/stats", OWN_QUEUE_STATS, "GET", "GET, HEAD"},
		{"/api/v1/queue/requests", OWN_QUEUE_REQUESTS, "GET", "GET, HEAD"},
		{"/api/v1/events", OWN_EVENTS, "GET", "GET, HEAD"},
		{"/api/v1/config", OWN_CONFIG, "GET", "GET, HEAD"},
		{"/dashboard", OWN_DASHBOARD, "GET", "GET, HEAD"},
		{"/api/v1/queue/requests/page-7", OWN_QUEUE_REQUEST, "DELETE", "DELETE"},
		{"/api/v1/queue/pause", OWN_QUEUE_PAUSE, "POST", "POST"},
		{"/api/v1/queue/resume", OWN_QUEUE_RESUME, "POST", "POST"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(own); i++) {
		for (size_t k = 0; k < ARRAY_LENGTH(methods); k++) {
			struct route route = route_find(methods[k], own[i].path);
			/* HEAD is GET without the body. */
			bool allowed = strcmp(methods[k], own[i].method) == 0 ||
				       (strcmp(own[i].method, "GET") == 0 &&
					       strcmp(methods[k], "HEAD") == 0);

			assert_int_equal(route.kind, ROUTE_OWN);
			assert_int_equal(route.own, own[i].own);
			assert_int_equal(route.method_allowed, allowed);
			assert_null(route.rewrite);
			assert_false(route.is_poll);
			assert_string_equal(own_endpoint_methods(route.own), own[i].allow);
		}
	}
}

static void test_one_request_is_named_by_its_id(void **state)
{
	static const char path[] = "/api/v1/queue/requests/page-7";
	struct route route = route_find("DELETE", path);

	assert_ptr_equal(route.own_id, strstr(path, "page-7"));
	assert_null(route_find("GET", "/api/v1/queue/requests").own_id);
	/* No id, and more than an id: not ours. */
	assert_int_equal(route_find("DELETE", "/api/v1/queue/requests/").kind, ROUTE_PASS);
	assert_int_equal(route_find("DELETE", "/api/v1/queue/requests/a/b").kind, ROUTE_PASS);
	assert_int_equal(route_find("POST", "/api/v1/queue/pauses").kind, ROUTE_PASS);
}

static void test_operations_have_the_logs_words(void **state)
{
	static const char *const words[] = {"chat", "generate", "embed", "transcribe", "image",
		"list_models", "list_running", "show_model", "pull", "push", "create", "copy",
		"delete", "blob", "version", "root", "other"};

	assert_int_equal(ARRAY_LENGTH(words), OPERATION_COUNT);
	for (int i = 0; i < OPERATION_COUNT; i++)
		assert_string_equal(operation_name((enum operation)i), words[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inference_by_post_is_a_job_and_by_any_other_method_a_pass),
		cmocka_unit_test(test_everything_else_is_a_pass_whatever_the_method),
		cmocka_unit_test(test_polls_are_reads_of_three_paths),
		cmocka_unit_test(test_old_names_are_aliases),
		cmocka_unit_test(test_retired_routes_name_the_call_to_use),
		cmocka_unit_test(test_own_endpoints_allow_their_method_only),
		cmocka_unit_test(test_one_request_is_named_by_its_id),
		cmocka_unit_test(test_operations_have_the_logs_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
