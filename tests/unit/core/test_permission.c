#include "core/permission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "config/settings.h"
#include "config/value.h"

struct lists {
	struct settings settings;
	struct api_key key;
	struct listener_rule listener;
};

static void fill(struct lists *lists, const char *paths, const char *models, const char *key_paths,
	const char *key_models)
{
	lists->settings.allow_paths = value_split(paths);
	lists->settings.allow_models = value_split(models);
	lists->key.allow_paths = value_split(key_paths);
	lists->key.allow_models = value_split(key_models);
}

static void clear(struct lists *lists)
{
	value_free_list(lists->settings.allow_paths);
	value_free_list(lists->settings.allow_models);
	value_free_list(lists->key.allow_paths);
	value_free_list(lists->key.allow_models);
}

static struct permission asked(const struct lists *lists, bool with_key)
{
	return (struct permission){
		.settings = &lists->settings,
		.key = with_key ? &lists->key : NULL,
		.listener = with_key ? &lists->listener : NULL,
	};
}

static bool limits_models(const struct lists *lists, bool with_key)
{
	struct permission permission = asked(lists, with_key);

	return permission_limits_models(&permission);
}

static bool model_may(const struct lists *lists, bool with_key, const char *model)
{
	struct permission permission = asked(lists, with_key);

	return permission_model(&permission, model);
}

static bool path_may(const struct lists *lists, const char *method, const char *path)
{
	struct permission permission = asked(lists, true);
	struct route route = route_find(method, path);

	return permission_path(&permission, method, path, &route);
}

static enum permission_pass pass_may(
	const struct lists *lists, const char *method, const char *path)
{
	struct permission permission = asked(lists, true);
	struct route route = route_find(method, path);

	return permission_of_pass(&permission, method, path, &route);
}

static void test_without_lists_all_is_permitted(void **state)
{
	struct lists lists = {0};
	struct permission bare = asked(&lists, false);
	struct route route = route_find("POST", "/api/delete");

	assert_true(path_may(&lists, "DELETE", "/api/delete"));
	assert_true(permission_path(&bare, "GET", "/a/../b", &route));
	assert_false(limits_models(&lists, false));
	assert_true(model_may(&lists, false, NULL));
	assert_int_equal(pass_may(&lists, "POST", "/api/copy"), PERMISSION_FREE);
	fill(&lists, "", "", "", "");
	assert_true(path_may(&lists, "DELETE", "/api/delete"));
	assert_false(limits_models(&lists, true));
	assert_true(model_may(&lists, true, NULL));
	clear(&lists);
}

static void test_prefixes_end_at_segments(void **state)
{
	struct lists lists = {0};

	fill(&lists, "/api/tags,/v1,/api/blobs/", "", "", "");
	assert_true(path_may(&lists, "GET", "/api/tags"));
	assert_true(path_may(&lists, "GET", "/api/tags/x"));
	assert_false(path_may(&lists, "GET", "/api/tagsx"));
	assert_false(path_may(&lists, "GET", "/api/tag"));
	assert_true(path_may(&lists, "POST", "/v1/chat/completions"));
	assert_true(path_may(&lists, "GET", "/v1"));
	assert_false(path_may(&lists, "GET", "/v10/models"));
	assert_true(path_may(&lists, "POST", "/api/blobs/sha256:1"));
	assert_false(path_may(&lists, "POST", "/api/blobs"));
	assert_false(path_may(&lists, "GET", "/"));
	clear(&lists);
	fill(&lists, "/", "", "", "");
	assert_true(path_may(&lists, "DELETE", "/api/delete"));
	clear(&lists);
}

static void test_an_alias_is_judged_by_where_it_goes(void **state)
{
	struct lists lists = {0};

	fill(&lists, "/v1/chat", "", "", "");
	assert_true(path_may(&lists, "POST", "/api/v1/chat/completions"));
	assert_false(path_may(&lists, "GET", "/api/v1/models"));
	clear(&lists);
}

static void test_dot_segments_are_refused_where_paths_are_limited(void **state)
{
	static const char *const dotted[] = {"/api/tags/../delete", "/api/tags/..", "/api/tags/.",
		"/api/tags/./x", "/../api/tags"};
	static const char *const harmless[] = {"/api/tags/...", "/api/tags/.x", "/api/tags/..x"};
	struct lists lists = {0};

	fill(&lists, "/api/tags", "", "", "");
	for (size_t i = 0; i < ARRAY_LENGTH(dotted); i++)
		assert_false(path_may(&lists, "GET", dotted[i]));
	for (size_t i = 0; i < ARRAY_LENGTH(harmless); i++)
		assert_true(path_may(&lists, "GET", harmless[i]));
	clear(&lists);
}

static void test_read_only_permits_what_changes_no_model(void **state)
{
	static const char *const reading[][2] = {{"GET", "/api/tags"}, {"HEAD", "/"},
		{"GET", "/api/ps"}, {"GET", "/v1/models/x"}, {"POST", "/api/show"},
		{"POST", "/api/chat"}, {"POST", "/v1/messages"}, {"POST", "/api/v1/vlm/openai"},
		{"HEAD", "/api/blobs/sha256:1"}, {"OPTIONS", "/api/pull"}};
	static const char *const changing[][2] = {{"POST", "/api/pull"}, {"POST", "/api/push"},
		{"POST", "/api/create"}, {"POST", "/api/copy"}, {"DELETE", "/api/delete"},
		{"POST", "/api/blobs/sha256:1"}, {"POST", "/api/chat/"}, {"POST", "/unknown"},
		{"get", "/api/tags"}, {"PURGE", "/api/tags"}, {"PUT", "/api/show"}};
	struct lists lists = {0};

	fill(&lists, "read-only", "", "", "");
	for (size_t i = 0; i < ARRAY_LENGTH(reading); i++)
		assert_true(path_may(&lists, reading[i][0], reading[i][1]));
	for (size_t i = 0; i < ARRAY_LENGTH(changing); i++)
		assert_false(path_may(&lists, changing[i][0], changing[i][1]));
	clear(&lists);
	fill(&lists, "read-only /api/pull", "", "", "");
	assert_true(path_may(&lists, "POST", "/api/pull"));
	assert_true(path_may(&lists, "GET", "/api/tags"));
	assert_false(path_may(&lists, "POST", "/api/push"));
	clear(&lists);
}

static void test_settings_and_key_must_both_permit(void **state)
{
	struct lists lists = {0};

	fill(&lists, "/api", "a,b", "read-only", "b,c");
	assert_true(path_may(&lists, "GET", "/api/tags"));
	assert_false(path_may(&lists, "POST", "/api/pull"));
	assert_false(path_may(&lists, "GET", "/v1/models"));
	assert_true(model_may(&lists, true, "b"));
	assert_false(model_may(&lists, true, "a"));
	assert_false(model_may(&lists, true, "c"));
	assert_true(model_may(&lists, false, "a"));
	clear(&lists);
}

static void test_models_are_compared_by_what_they_mean(void **state)
{
	static const char *const same[] = {"qwen", "qwen:latest", "Qwen", "library/qwen",
		"registry.ollama.ai/library/qwen:latest"};
	static const char *const others[] = {"qwen:7b", "qwe", "me/qwen", "qwen2", "qwen ", ""};
	struct lists lists = {0};

	fill(&lists, "", "qwen,llama3:8b", "", "");
	for (size_t i = 0; i < ARRAY_LENGTH(same); i++)
		assert_true(model_may(&lists, false, same[i]));
	for (size_t i = 0; i < ARRAY_LENGTH(others); i++)
		assert_false(model_may(&lists, false, others[i]));
	assert_true(model_may(&lists, false, "llama3:8B"));
	assert_false(model_may(&lists, false, NULL));
	clear(&lists);
}

static void test_passes_where_models_are_limited(void **state)
{
	static const struct {
		const char *method, *path;
		enum permission_pass expected;
	} cases[] = {
		{"GET", "/api/tags", PERMISSION_FREE},
		{"GET", "/", PERMISSION_FREE},
		{"GET", "/v1/models", PERMISSION_FREE},
		{"GET", "/v1/models/m", PERMISSION_FREE},
		{"GET", "/v1/models/other", PERMISSION_DENIED},
		{"GET", "/v1/models/", PERMISSION_DENIED},
		{"POST", "/api/show", PERMISSION_BY_BODY},
		{"POST", "/api/pull", PERMISSION_BY_BODY},
		{"POST", "/api/push", PERMISSION_BY_BODY},
		{"DELETE", "/api/delete", PERMISSION_BY_BODY},
		{"POST", "/api/create", PERMISSION_DENIED},
		{"POST", "/api/copy", PERMISSION_DENIED},
		{"POST", "/api/chat/", PERMISSION_DENIED},
		{"PUT", "/api/chat", PERMISSION_DENIED},
		{"POST", "/new", PERMISSION_DENIED},
		{"GET", "/new", PERMISSION_FREE},
		{"POST", "/api/blobs/sha256:1", PERMISSION_FREE},
		{"OPTIONS", "/api/chat", PERMISSION_FREE},
		{"POST", "/api/tags", PERMISSION_FREE},
		{"POST", "/api/ps", PERMISSION_FREE},
		{"POST", "/api/version", PERMISSION_FREE},
		{"POST", "/", PERMISSION_FREE},
		{"PUT", "/api/embed", PERMISSION_DENIED},
		{"PUT", "/api/generate", PERMISSION_DENIED},
		{"PUT", "/v1/audio/transcriptions", PERMISSION_DENIED},
		{"PUT", "/v1/images/generations", PERMISSION_DENIED},
	};
	struct lists lists = {0};

	fill(&lists, "", "", "", "m");
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_int_equal(
			pass_may(&lists, cases[i].method, cases[i].path), cases[i].expected);
	clear(&lists);
}

static void test_a_listener_has_lists_of_its_own(void **state)
{
	struct lists lists = {0};

	fill(&lists, "/api", "a,b,c", "/api/chat,/api/tags", "a,b");
	lists.listener.allow_paths = value_split("/api/tags,/v1");
	lists.listener.allow_models = value_split("b,d");
	assert_true(path_may(&lists, "GET", "/api/tags"));
	assert_false(path_may(&lists, "POST", "/api/chat"));
	assert_false(path_may(&lists, "GET", "/v1/models"));
	assert_false(path_may(&lists, "GET", "/api/tags/.."));
	assert_true(limits_models(&lists, true));
	assert_true(model_may(&lists, true, "B:latest"));
	assert_false(model_may(&lists, true, "a"));
	assert_false(model_may(&lists, true, "d"));
	assert_true(model_may(&lists, false, "a"));
	value_free_list(lists.listener.allow_paths);
	value_free_list(lists.listener.allow_models);
	clear(&lists);

	lists = (struct lists){0};
	lists.listener.allow_models = value_split("m");
	assert_true(limits_models(&lists, true));
	assert_int_equal(pass_may(&lists, "POST", "/api/copy"), PERMISSION_DENIED);
	assert_int_equal(pass_may(&lists, "POST", "/api/show"), PERMISSION_BY_BODY);
	assert_false(model_may(&lists, true, "n"));
	value_free_list(lists.listener.allow_models);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_listener_has_lists_of_its_own),
		cmocka_unit_test(test_without_lists_all_is_permitted),
		cmocka_unit_test(test_prefixes_end_at_segments),
		cmocka_unit_test(test_an_alias_is_judged_by_where_it_goes),
		cmocka_unit_test(test_dot_segments_are_refused_where_paths_are_limited),
		cmocka_unit_test(test_read_only_permits_what_changes_no_model),
		cmocka_unit_test(test_settings_and_key_must_both_permit),
		cmocka_unit_test(test_models_are_compared_by_what_they_mean),
		cmocka_unit_test(test_passes_where_models_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
