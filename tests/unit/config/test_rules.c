#include "config/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "reading.h"
#include "json/peek.h"

static void test_a_project_has_all_its_members(void **state)
{
	const struct project_rule *rule;

	assert_fine(
		"projects = ( { name = \"Docling_Machine\"; class = \"batch\";\n"
		"ceiling = \"normal\"; weight = 0.5; max_concurrent = 2; max_queue_size = 300;\n"
		"default_timeout = 600; patience = 19.5; keep_alive = \"60m\";\n"
		"heartbeat = \"body\"; image_pixels_max = 4000000; } );");
	assert_int_equal(settings->rules.projects_count, 1);
	rule = &settings->rules.projects[0];
	assert_string_equal(rule->name, "Docling_Machine");
	assert_int_equal(rule->job_class, CLASS_BATCH);
	assert_int_equal(rule->ceiling, CLASS_NORMAL);
	assert_float_equal(rule->weight, 0.5, 0);
	assert_int_equal(rule->max_concurrent, 2);
	assert_int_equal(rule->max_queue_size, 300);
	assert_int_equal(rule->default_timeout_ms, 600000);
	assert_int_equal(rule->patience_ms, 19500);
	assert_string_equal(rule->keep_alive, "60m");
	assert_int_equal(rule->heartbeat, HEARTBEAT_BODY);
	assert_int_equal(rule->image_pixels_max, 4000000);
}

static void test_a_projects_name_is_enough(void **state)
{
	const struct project_rule *rule;

	assert_fine("projects = ( { name = \"a\"; }, { name = \"A\"; } );");
	assert_int_equal(settings->rules.projects_count, 2);
	rule = &settings->rules.projects[1];
	assert_string_equal(rule->name, "A");
	assert_int_equal(rule->job_class, CLASS_UNSET);
	assert_int_equal(rule->ceiling, CLASS_UNSET);
	assert_float_equal(rule->weight, 0, 0);
	assert_int_equal(rule->max_concurrent, 0);
	assert_int_equal(rule->max_queue_size, 0);
	assert_int_equal(rule->default_timeout_ms, -1);
	assert_int_equal(rule->patience_ms, -1);
	assert_null(rule->keep_alive);
	assert_int_equal(rule->heartbeat, HEARTBEAT_UNSET);
	assert_int_equal(rule->image_pixels_max, -1);
}

static void test_a_model_has_all_its_members(void **state)
{
	static const int64_t options[RULE_RUNNER_OPTIONS] = {
		[PEEK_NUM_CTX] = 8192,
		[PEEK_NUM_BATCH] = 512,
		[PEEK_NUM_GPU] = -1,
		[PEEK_MAIN_GPU] = 1,
		[PEEK_USE_MMAP] = 0,
		[PEEK_NUM_THREAD] = 8,
	};
	const struct model_rule *rule;

	assert_fine("models = ( { name = \"Qwen2.5vl:7b\"; max_concurrent = 4;\n"
		    "max_queue_size = 20; default_timeout = \"2m\"; keep_alive = -1;\n"
		    "options = \"set\"; num_ctx = 8192; num_batch = 512; num_gpu = -1;\n"
		    "main_gpu = 1; use_mmap = false; num_thread = 8; } );");
	rule = &settings->rules.models[0];
	assert_string_equal(rule->name, "Qwen2.5vl:7b");
	assert_int_equal(rule->max_concurrent, 4);
	assert_int_equal(rule->max_queue_size, 20);
	assert_int_equal(rule->default_timeout_ms, 120000);
	assert_string_equal(rule->keep_alive, "-1s");
	assert_int_equal(rule->runner_options, RUNNER_OPTIONS_SET);
	for (size_t i = 0; i < RULE_RUNNER_OPTIONS; i++) {
		assert_true(rule->has_option[i]);
		assert_int_equal(rule->option[i], options[i]);
	}
}

static void test_values_of_options_mean_to_set_them(void **state)
{
	const struct model_rule *rule;

	assert_fine("models = ( { name = \"a\"; use_mmap = true; }, { name = \"b\"; },\n"
		    "{ name = \"c\"; options = \"strip\"; } );");
	rule = settings->rules.models;
	assert_int_equal(rule[0].runner_options, RUNNER_OPTIONS_SET);
	assert_true(rule[0].has_option[PEEK_USE_MMAP]);
	assert_int_equal(rule[0].option[PEEK_USE_MMAP], 1);
	assert_false(rule[0].has_option[PEEK_NUM_CTX]);
	assert_int_equal(rule[1].runner_options, RUNNER_OPTIONS_UNSET);
	assert_int_equal(rule[1].default_timeout_ms, -1);
	assert_int_equal(rule[2].runner_options, RUNNER_OPTIONS_STRIP);
	assert_wrong("models = ( { name = \"a\"; options = \"pass\"; num_ctx = 1; } );",
		"t:1: models: values of options are used by options = \"set\" only");
	assert_wrong("models = ( { name = \"a\"; options = \"set\"; } );",
		"t:1: models: options = \"set\" needs values: num_ctx = 8192; for instance");
}

static void test_agents_and_listeners_have_their_members(void **state)
{
	const struct agent_rule *agent;
	const struct listener_rule *listener;

	assert_fine("agents = ( { user_agent = \"Home Assistant\"; path = \"/api/chat\";\n"
		    "project = \"house\"; class = \"interactive\"; patience = 0;\n"
		    "heartbeat = \"processing\"; }, { path = \"/v1/embeddings\"; class = "
		    "\"batch\"; } );\n"
		    "listeners = ( { listen = \"127.0.0.1:8001\"; project = \"ro\";\n"
		    "allow_paths = [ \"/v1\", \"read-only\" ]; allow_models = \"m n\"; } );");
	agent = settings->rules.agents;
	assert_int_equal(settings->rules.agents_count, 2);
	assert_string_equal(agent[0].user_agent, "Home Assistant");
	assert_string_equal(agent[0].path, "/api/chat");
	assert_string_equal(agent[0].project, "house");
	assert_int_equal(agent[0].job_class, CLASS_INTERACTIVE);
	assert_int_equal(agent[0].patience_ms, 0);
	assert_int_equal(agent[0].heartbeat, HEARTBEAT_PROCESSING);
	assert_null(agent[1].user_agent);
	assert_null(agent[1].project);
	assert_int_equal(agent[1].patience_ms, -1);
	listener = settings->rules.listeners;
	assert_int_equal(settings->rules.listeners_count, 1);
	assert_string_equal(listener->listen, "127.0.0.1:8001");
	assert_string_equal(listener->project, "ro");
	assert_string_equal(listener->allow_paths[0], "/v1");
	assert_string_equal(listener->allow_paths[1], "read-only");
	assert_null(listener->allow_paths[2]);
	assert_string_equal(listener->allow_models[1], "n");
}

static void test_mistakes_name_line_and_remedy(void **state)
{
	assert_wrong("projects = (\n{ name = \"a\";\nclas = \"batch\"; } );",
		"t:3: projects: \"clas\" is not known; did you mean class?");
	assert_wrong("projects = ( { name = \"a\"; colour = 1; } );",
		"t:1: projects: \"colour\" is none of: name, class, ceiling, weight, "
		"max_concurrent, max_queue_size, default_timeout, patience, keep_alive, heartbeat, "
		"image_pixels_max");
	assert_wrong(
		"projects = ( { class = \"batch\"; } );", "t:1: projects: a project needs a name");
	assert_wrong("projects = ( { name = \"a\"; class = \"interactive\";\n"
		     "ceiling = \"normal\"; } );",
		"t:1: projects: class is above ceiling: raise the one or lower the other");
	assert_wrong("projects = ( { name = \"a\"; max_concurrent = 16385; } );",
		"t:1: projects: max_concurrent must be 0 (no limit) to 16384");
	assert_wrong("projects = ( { name = \"a\"; max_queue_size = 2.0; } );",
		"t:1: projects: max_queue_size must be 0 (no limit) to 100000");
	assert_wrong("projects = ( { name = \"a\"; patience = -1; } );",
		"t:1: projects: patience must be a duration: seconds, fractions allowed, or in "
		"quotes with ms, s, m or h; 0 is never giving up, 30 days are the most");
	assert_wrong("projects = ( { name = \"a\"; default_timeout = 0.0001; } );",
		"t:1: projects: default_timeout must be a duration: seconds, fractions allowed, or "
		"in quotes with ms, s, m or h; 0 is no limit, 30 days are the most");
	assert_wrong("projects = ( { name = \"a\"; keep_alive = \"30 m\"; } );",
		"t:1: projects: keep_alive must be a duration such as \"30m\", \"1h30m\", \"0\" "
		"or, "
		"for ever, \"-1\"");
	assert_wrong("projects = ( { name = \"a\"; weight = 101; } );",
		"t:1: projects: weight must be a number, 0.01 to 100: 2 gets twice the share of 1");
	assert_wrong("projects = ( { name = \"a\"; heartbeat = 1; } );",
		"t:1: projects: heartbeat must be one of: \"off\", \"processing\", \"body\"");
	assert_wrong("models = ( { name = \"a\"; num_ctx = 0; } );",
		"t:1: models: num_ctx must be a whole number, 1 to 2147483647");
	assert_wrong("models = ( { name = \"a\"; use_mmap = 1; } );",
		"t:1: models: use_mmap must be true or false");
	assert_wrong("agents = ( { patience = 3; } );",
		"t:1: agents: an agent needs a user_agent or a path, or it were everybody");
	assert_wrong("agents = ( { path = \"v1\"; } );", "t:1: agents: path must begin with /");
	assert_wrong("listeners = ( { project = \"a\"; } );",
		"t:1: listeners: a listener needs listen, one of the addresses to listen on");
	assert_wrong("models = { name = \"a\"; };",
		"t:1: models: is a list of groups: models = ( { name = \"llama3\"; "
		"max_concurrent = 2; }, { ... } );");
	assert_wrong("models = ( \"a\" );",
		"t:1: models: each model is a group: { name = \"llama3\"; max_concurrent = 2; }");
	assert_int_equal(settings->rules.projects_count + settings->rules.models_count +
				 settings->rules.agents_count + settings->rules.listeners_count,
		0);
}

static void test_nothing_has_two_rules(void **state)
{
	assert_wrong("projects = ( { name = \"a\"; },\n{ name = \"a\"; } );",
		"t:2: projects: two projects have the same name: write one group");
	assert_wrong("models = ( { name = \"Llama3\"; },\n"
		     "{ name = \"registry.ollama.ai/library/llama3:latest\"; } );",
		"t:2: models: two groups are for the same model (x and x:latest are one): write "
		"one group");
	assert_wrong("agents = ( { user_agent = \"Go\"; },\n{ user_agent = \"go\"; } );",
		"t:2: agents: two agents have the same user_agent and path: write one group");
	assert_wrong("listeners = ( { listen = \":1\"; },\n{ listen = \":1\"; } );",
		"t:2: listeners: two groups are for the same listener: write one group");
	assert_fine(
		"agents = ( { user_agent = \"Go\"; }, { user_agent = \"Go\"; path = \"/v1\"; },\n"
		"{ path = \"/v1\"; }, { path = \"/V1\"; } );\n"
		"models = ( { name = \"a\"; }, { name = \"a:7b\"; } );");
}

static void test_a_later_list_replaces_an_earlier_one(void **state)
{
	assert_fine("projects = ( { name = \"a\"; keep_alive = \"1m\"; } );");
	assert_wrong("projects = ( { name = \"b\"; }, { name = \"b\"; } );",
		"t:1: projects: two projects have the same name: write one group");
	assert_string_equal(settings->rules.projects[0].name, "a");
	assert_fine("projects = ( { name = \"b\"; }, { name = \"c\"; } );");
	assert_int_equal(settings->rules.projects_count, 2);
	assert_string_equal(settings->rules.projects[0].name, "b");
	assert_fine("projects = ();");
	assert_int_equal(settings->rules.projects_count, 0);
}

static void assert_check(const char *listen, const char *expected)
{
	char *addresses[] = {(char *)"127.0.0.1:8000", (char *)"unix:/run/a.sock", NULL};
	struct listener_rule rule = {.listen = (char *)listen};
	struct settings some = {
		.listen = addresses, .rules = {.listeners = &rule, .listeners_count = 1}};
	char *error = rules_check(&some);

	if (expected)
		assert_string_equal(error, expected);
	else
		assert_null(error);
	free(error);
}

static void test_a_listeners_rule_is_for_a_listener(void **state)
{
	assert_check("127.0.0.1:8000", NULL);
	assert_check("unix:/run/a.sock", NULL);
	assert_check("localhost:8000",
		"listeners: \"localhost:8000\" is none of listen: add it there, or write it as it "
		"stands there");
}

static void test_classes_have_names(void **state)
{
	assert_null(job_class_name(CLASS_UNSET));
	assert_string_equal(job_class_name(CLASS_BATCH), "batch");
	assert_string_equal(job_class_name(CLASS_NORMAL), "normal");
	assert_string_equal(job_class_name(CLASS_INTERACTIVE), "interactive");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_project_has_all_its_members),
		TEST(test_a_projects_name_is_enough),
		TEST(test_a_model_has_all_its_members),
		TEST(test_values_of_options_mean_to_set_them),
		TEST(test_agents_and_listeners_have_their_members),
		TEST(test_mistakes_name_line_and_remedy),
		TEST(test_nothing_has_two_rules),
		TEST(test_a_later_list_replaces_an_earlier_one),
		TEST(test_a_listeners_rule_is_for_a_listener),
		TEST(test_classes_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
