#include "core/body_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/compiler.h"
#include "config/settings.h"
#include "core/policy.h"

static char m[] = "m";
static char half_an_hour[] = "30m";
static char shorter[] = "20m";
static char for_ever[] = "-1s";
static char nothing[] = "";

/* A model that is to run with num_ctx 8192 and use_mmap false. */
static struct model_rule rule = {.name = m,
	.runner_options = RUNNER_OPTIONS_SET,
	.has_option = {[PEEK_NUM_CTX] = true, [PEEK_USE_MMAP] = true},
	.option = {[PEEK_NUM_CTX] = 8192}};

static struct settings settings_of(enum keep_alive_policy keep_alive, enum runner_options options)
{
	return (struct settings){
		.keep_alive = half_an_hour,
		.keep_alive_policy = keep_alive,
		.runner_options = options,
	};
}

static struct peek_result seen_with(const char *keep_alive, bool is_string)
{
	struct peek_result seen = {.valid = true};

	if (!keep_alive)
		return seen;
	seen.keep_alive = PEEK_KEEP_ALIVE_VALUE;
	strcpy(seen.keep_alive_text, keep_alive);
	seen.keep_alive_is_string = is_string;
	return seen;
}

static const char *keep_alive_of(const struct settings *settings, const struct policy *policy,
	const char *keep_alive, bool is_string)
{
	struct peek_result seen = seen_with(keep_alive, is_string);
	struct body_edits edits;

	body_policy_decide(settings, policy, API_NATIVE, &seen, &edits);
	return edits.keep_alive;
}

static void test_an_override_replaces_what_a_client_says(void **state)
{
	struct settings settings = settings_of(KEEP_ALIVE_OVERRIDE, RUNNER_OPTIONS_PASS);
	struct policy policy = {.job_class = CLASS_NORMAL};

	assert_string_equal(keep_alive_of(&settings, &policy, "5m", true), "30m");
	assert_string_equal(keep_alive_of(&settings, &policy, "-1", false), "30m");
	assert_string_equal(keep_alive_of(&settings, &policy, "0", false), "30m");
	/* it is so already, nothing was said, or Ollama refuses it */
	assert_null(keep_alive_of(&settings, &policy, "1800", false));
	assert_null(keep_alive_of(&settings, &policy, NULL, false));
	assert_null(keep_alive_of(&settings, &policy, "30", true));
	assert_null(keep_alive_of(&settings, &policy, "true", false));
	settings.keep_alive = nothing;
	assert_null(keep_alive_of(&settings, &policy, "5m", true));
}

static void test_a_cap_replaces_what_is_longer(void **state)
{
	struct settings settings = settings_of(KEEP_ALIVE_CAP, RUNNER_OPTIONS_PASS);
	struct policy policy = {.job_class = CLASS_NORMAL};

	assert_string_equal(keep_alive_of(&settings, &policy, "1h", true), "30m");
	assert_string_equal(keep_alive_of(&settings, &policy, "1801", false), "30m");
	assert_string_equal(keep_alive_of(&settings, &policy, "-1", false), "30m");
	assert_string_equal(keep_alive_of(&settings, &policy, "-1m", true), "30m");
	assert_null(keep_alive_of(&settings, &policy, "30m", true));
	assert_null(keep_alive_of(&settings, &policy, "300", false));
	assert_null(keep_alive_of(&settings, &policy, "0", false));
	settings.keep_alive = for_ever;
	assert_null(keep_alive_of(&settings, &policy, "-1", false));
	assert_null(keep_alive_of(&settings, &policy, "100h", true));
}

static void test_what_is_wanted_is_the_projects_then_the_models(void **state)
{
	struct settings settings = settings_of(KEEP_ALIVE_OVERRIDE, RUNNER_OPTIONS_PASS);
	struct model_rule model = {.name = m, .keep_alive = shorter};
	struct policy policy = {.model = &model, .project_keep_alive = "1h"};

	assert_string_equal(keep_alive_of(&settings, &policy, "5m", true), "1h");
	policy.project_keep_alive = NULL;
	assert_string_equal(keep_alive_of(&settings, &policy, "5m", true), "20m");
	model.keep_alive = NULL;
	assert_string_equal(keep_alive_of(&settings, &policy, "5m", true), "30m");
	settings.keep_alive_policy = KEEP_ALIVE_PASS;
	assert_null(keep_alive_of(&settings, &policy, "5m", true));
}

static void test_stripped_options_all_go(void **state)
{
	struct settings settings = settings_of(KEEP_ALIVE_PASS, RUNNER_OPTIONS_STRIP);
	struct policy policy = {.job_class = CLASS_NORMAL};
	struct peek_result seen = seen_with(NULL, false);
	struct body_edits edits;

	body_policy_decide(&settings, &policy, API_NATIVE, &seen, &edits);
	for (int i = 0; i < PEEK_OPTION_COUNT; i++)
		assert_int_equal(edits.option[i], OPTION_GOES);
	assert_true(body_policy_is_any(&edits));
}

static void test_set_options_are_the_models_and_no_others(void **state)
{
	struct settings settings = settings_of(KEEP_ALIVE_PASS, RUNNER_OPTIONS_PASS);
	struct policy policy = {.model = &rule};
	struct peek_result seen = seen_with(NULL, false);
	struct body_edits edits;

	seen.has_option[PEEK_NUM_CTX] = true;
	seen.option[PEEK_NUM_CTX] = 2048;
	body_policy_decide(&settings, &policy, API_NATIVE, &seen, &edits);
	assert_int_equal(edits.option[PEEK_NUM_CTX], OPTION_SET);
	assert_int_equal(edits.value[PEEK_NUM_CTX], 8192);
	assert_int_equal(edits.option[PEEK_USE_MMAP], OPTION_SET);
	assert_int_equal(edits.option[PEEK_NUM_GPU], OPTION_GOES);
	/* it is so already */
	seen.option[PEEK_NUM_CTX] = 8192;
	body_policy_decide(&settings, &policy, API_NATIVE, &seen, &edits);
	assert_int_equal(edits.option[PEEK_NUM_CTX], OPTION_STAYS);
}

static void test_a_models_word_beats_the_one_for_all(void **state)
{
	struct settings settings = settings_of(KEEP_ALIVE_PASS, RUNNER_OPTIONS_STRIP);
	struct model_rule model = {.name = m, .runner_options = RUNNER_OPTIONS_PASS};
	struct policy policy = {.model = &model};
	struct peek_result seen = seen_with(NULL, false);
	struct body_edits edits;

	body_policy_decide(&settings, &policy, API_NATIVE, &seen, &edits);
	assert_false(body_policy_is_any(&edits));
	/* set without values: none are left */
	model.runner_options = RUNNER_OPTIONS_UNSET;
	settings.runner_options = RUNNER_OPTIONS_SET;
	body_policy_decide(&settings, &policy, API_NATIVE, &seen, &edits);
	assert_int_equal(edits.option[PEEK_NUM_CTX], OPTION_GOES);
}

static void test_v1_and_what_is_no_json_stay(void **state)
{
	struct settings settings = settings_of(KEEP_ALIVE_OVERRIDE, RUNNER_OPTIONS_STRIP);
	struct policy policy = {.job_class = CLASS_NORMAL};
	struct peek_result seen = seen_with("5m", true);
	struct body_edits edits;

	body_policy_decide(&settings, &policy, API_OPENAI, &seen, &edits);
	assert_false(body_policy_is_any(&edits));
	body_policy_decide(&settings, &policy, API_ANTHROPIC, &seen, &edits);
	assert_false(body_policy_is_any(&edits));
	seen.valid = false;
	body_policy_decide(&settings, &policy, API_NATIVE, &seen, &edits);
	assert_false(body_policy_is_any(&edits));
}

static void test_the_runner_key_is_the_edited_ones(void **state)
{
	struct settings settings = settings_of(KEEP_ALIVE_OVERRIDE, RUNNER_OPTIONS_PASS);
	struct policy policy = {.model = &rule};
	struct peek_result seen = seen_with("0", false);
	struct body_edits edits;

	seen.keep_alive_is_zero = true;
	seen.has_option[PEEK_NUM_GPU] = true;
	seen.option[PEEK_NUM_GPU] = 9;
	body_policy_decide(&settings, &policy, API_NATIVE, &seen, &edits);
	body_policy_foresee(&edits, &seen);
	assert_true(seen.has_option[PEEK_NUM_CTX] && seen.option[PEEK_NUM_CTX] == 8192);
	assert_true(seen.has_option[PEEK_USE_MMAP] && seen.option[PEEK_USE_MMAP] == 0);
	assert_false(seen.has_option[PEEK_NUM_GPU]);
	assert_string_equal(seen.keep_alive_text, "30m");
	assert_true(seen.keep_alive_is_string);
	assert_false(seen.keep_alive_is_zero);
}

static void test_aliases_know_every_spelling(void **state)
{
	static char texts[][32] = {"gpt-4o=qwen2.5vl:7b", "no", "=x", "y=", "a=b", "b=c"};
	char *aliases[] = {texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], NULL};
	struct settings settings = {.model_alias = aliases};

	assert_string_equal(body_policy_model(&settings, "gpt-4o"), "qwen2.5vl:7b");
	assert_string_equal(body_policy_model(&settings, "GPT-4o:latest"), "qwen2.5vl:7b");
	assert_string_equal(body_policy_model(&settings, "a"), "b");
	assert_null(body_policy_model(&settings, "gpt-4"));
	assert_null(body_policy_model(&settings, "y"));
	assert_null(body_policy_model(&settings, NULL));
	settings.model_alias = NULL;
	assert_null(body_policy_model(&settings, "a"));
}

static void test_without_policies_nobody_has_to_look(void **state)
{
	char *none[] = {NULL};
	char alias[] = "a=b";
	char *aliases[] = {alias, NULL};
	struct model_rule models[] = {{.name = nothing}, rule};
	struct settings settings = settings_of(KEEP_ALIVE_PASS, RUNNER_OPTIONS_PASS);

	settings.model_alias = none;
	settings.rules.models = models;
	settings.rules.models_count = 1;
	assert_false(body_policy_may_edit(&settings));
	settings.rules.models_count = 2;
	assert_true(body_policy_may_edit(&settings));
	settings.rules.models_count = 0;
	settings.model_alias = aliases;
	assert_true(body_policy_may_edit(&settings));
	settings.model_alias = none;
	settings.keep_alive_policy = KEEP_ALIVE_CAP;
	assert_true(body_policy_may_edit(&settings));
	settings.keep_alive_policy = KEEP_ALIVE_PASS;
	settings.runner_options = RUNNER_OPTIONS_STRIP;
	assert_true(body_policy_may_edit(&settings));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_override_replaces_what_a_client_says),
		cmocka_unit_test(test_a_cap_replaces_what_is_longer),
		cmocka_unit_test(test_what_is_wanted_is_the_projects_then_the_models),
		cmocka_unit_test(test_stripped_options_all_go),
		cmocka_unit_test(test_set_options_are_the_models_and_no_others),
		cmocka_unit_test(test_a_models_word_beats_the_one_for_all),
		cmocka_unit_test(test_v1_and_what_is_no_json_stay),
		cmocka_unit_test(test_the_runner_key_is_the_edited_ones),
		cmocka_unit_test(test_aliases_know_every_spelling),
		cmocka_unit_test(test_without_policies_nobody_has_to_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
