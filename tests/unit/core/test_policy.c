#include "core/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/compiler.h"
#include "config/settings.h"

#define SECONDS INT64_C(1000000) /* in microseconds */

static struct project_rule project;
static struct model_rule model;
static struct agent_rule agents[2];
static struct api_key key;
static struct settings settings;
static struct policy_request request;

static char text_project[] = "p";
static char text_model[] = "Llama3";
static char text_agent[] = "tool";
static char text_path[] = "/v1";

/* Rules that match the request, and say nothing. */
static int setup(void **state)
{
	project = (struct project_rule){.name = text_project,
		.default_timeout_ms = -1,
		.patience_ms = -1,
		.image_pixels_max = -1};
	model = (struct model_rule){.name = text_model, .default_timeout_ms = -1};
	agents[0] = (struct agent_rule){.user_agent = text_agent, .patience_ms = -1};
	agents[1] = (struct agent_rule){.path = text_path, .patience_ms = -1};
	key = (struct api_key){0};
	settings = (struct settings){
		.default_timeout_ms = 60000,
		.rules = {&project, 1, &model, 1, agents, ARRAY_LENGTH(agents), NULL, 0},
	};
	request = (struct policy_request){
		.project = "p", .key = &key, .agent = {"Tool/1", 6, "/v1/models"}};
	return 0;
}

static struct policy made(void)
{
	struct policy policy;

	policy_init(&policy, &settings);
	policy_add_request(&policy, &settings, &request);
	return policy;
}

static void test_what_holds_without_rules(void **state)
{
	struct policy policy;

	settings.rules = (struct rules){0};
	settings.heartbeat = HEARTBEAT_PROCESSING;
	settings.image_pixels_max = 7;
	policy_init(&policy, &settings);
	assert_int_equal(policy.job_class, CLASS_NORMAL);
	assert_float_equal(policy.weight, 1, 0);
	assert_int_equal(policy.timeout_ms, 60000);
	assert_int_equal(policy.patience_us, 0);
	assert_int_equal(policy.heartbeat, HEARTBEAT_PROCESSING);
	assert_int_equal(policy.image_pixels_max, 7);
	assert_null(policy.project_keep_alive);
	assert_null(policy.model);
	policy_add_request(&policy, &settings, &request);
	policy_add_model(&policy, &settings, "llama3");
	policy_add_model(&policy, &settings, NULL);
	assert_int_equal(policy.job_class, CLASS_NORMAL);
	assert_int_equal(policy.timeout_ms, 60000);
	assert_int_equal(policy.project_max_concurrent, 0);
	assert_null(policy.model);
}

/* Rules that say nothing change nothing. */
static void test_silent_rules_leave_everything(void **state)
{
	struct policy policy = made();

	assert_int_equal(policy.job_class, CLASS_NORMAL);
	assert_float_equal(policy.weight, 1, 0);
	assert_int_equal(policy.timeout_ms, 60000);
	assert_int_equal(policy.patience_us, 0);
	assert_int_equal(policy.heartbeat, HEARTBEAT_OFF);
	assert_int_equal(policy.image_pixels_max, 0);
	assert_null(policy.project_keep_alive);
}

static void test_a_project_has_its_limits(void **state)
{
	struct policy policy;
	char keep_alive[] = "60m";

	settings.image_pixels_max = 9;
	project.max_concurrent = 2;
	project.max_queue_size = 300;
	project.default_timeout_ms = 0;
	project.keep_alive = keep_alive;
	project.image_pixels_max = 0;
	policy = made();
	assert_int_equal(policy.project_max_concurrent, 2);
	assert_int_equal(policy.project_max_queue_size, 300);
	assert_int_equal(policy.timeout_ms, 0);
	assert_string_equal(policy.project_keep_alive, "60m");
	assert_int_equal(policy.image_pixels_max, 0);
	request.project = "q";
	policy = made();
	assert_int_equal(policy.project_max_concurrent, 0);
	assert_int_equal(policy.timeout_ms, 60000);
	assert_int_equal(policy.image_pixels_max, 9);
}

/* Taken away one after the other, from the first that counts. */
static void test_class_is_projects_keys_agents_then_asked_for(void **state)
{
	project.job_class = CLASS_BATCH;
	key.job_class = CLASS_INTERACTIVE;
	agents[1].job_class = CLASS_BATCH;
	request.priority = "high";
	request.priority_length = 4;
	assert_int_equal(made().job_class, CLASS_BATCH);
	project.job_class = CLASS_UNSET;
	assert_int_equal(made().job_class, CLASS_INTERACTIVE);
	key.job_class = CLASS_UNSET;
	assert_int_equal(made().job_class, CLASS_BATCH);
	agents[0].job_class = CLASS_NORMAL;
	assert_int_equal(made().job_class, CLASS_NORMAL);
	request.agent.path = "/api/chat";
	request.agent.user_agent = NULL;
	assert_int_equal(made().job_class, CLASS_INTERACTIVE);
	request.priority = "urgent";
	request.priority_length = 6;
	assert_int_equal(made().job_class, CLASS_NORMAL);
}

static void test_no_class_is_above_a_ceiling(void **state)
{
	request.priority = "interactive";
	request.priority_length = 11;
	assert_int_equal(made().job_class, CLASS_INTERACTIVE);
	project.ceiling = CLASS_NORMAL;
	assert_int_equal(made().job_class, CLASS_NORMAL);
	key.ceiling = CLASS_BATCH;
	assert_int_equal(made().job_class, CLASS_BATCH);
	project.ceiling = CLASS_UNSET;
	assert_int_equal(made().job_class, CLASS_BATCH);
	request.key = NULL;
	assert_int_equal(made().job_class, CLASS_INTERACTIVE);
	/* a ceiling lowers the normal class too, and raises nothing */
	request.priority = NULL;
	project.ceiling = CLASS_BATCH;
	assert_int_equal(made().job_class, CLASS_BATCH);
	project.job_class = CLASS_BATCH;
	project.ceiling = CLASS_INTERACTIVE;
	assert_int_equal(made().job_class, CLASS_BATCH);
}

static void test_weight_is_projects_then_keys(void **state)
{
	key.weight = 3;
	assert_float_equal(made().weight, 3, 0);
	project.weight = 0.5;
	assert_float_equal(made().weight, 0.5, 0);
}

static void test_patience_is_announced_then_projects_then_agents(void **state)
{
	agents[1].patience_ms = 5000;
	assert_int_equal(made().patience_us, 5 * SECONDS);
	agents[0].patience_ms = 4000;
	assert_int_equal(made().patience_us, 4 * SECONDS);
	project.patience_ms = 3000;
	assert_int_equal(made().patience_us, 3 * SECONDS);
	request.announced_us = 2 * SECONDS;
	assert_int_equal(made().patience_us, 2 * SECONDS);
	/* 0: they never give up, whatever a later rule says */
	request.announced_us = 0;
	project.patience_ms = 0;
	assert_int_equal(made().patience_us, 0);
}

static void test_heartbeat_is_projects_then_agents(void **state)
{
	settings.heartbeat = HEARTBEAT_BODY;
	assert_int_equal(made().heartbeat, HEARTBEAT_BODY);
	agents[1].heartbeat = HEARTBEAT_PROCESSING;
	assert_int_equal(made().heartbeat, HEARTBEAT_PROCESSING);
	project.heartbeat = HEARTBEAT_OFF;
	assert_int_equal(made().heartbeat, HEARTBEAT_OFF);
}

/* Docling gives up after 20 s and announces nothing. */
static void test_docling_is_known_without_a_rule(void **state)
{
	request.agent = (struct match_agent){"python-requests/2.34", 20, "/v1/chat/completions"};
	assert_int_equal(made().patience_us, 20 * SECONDS);
	agents[1].patience_ms = 0;
	assert_int_equal(made().patience_us, 0);
	agents[1].patience_ms = 60000;
	assert_int_equal(made().patience_us, 60 * SECONDS);
	agents[1].patience_ms = -1;
	agents[1].job_class = CLASS_BATCH;
	assert_int_equal(made().patience_us, 20 * SECONDS);
	request.agent.path = "/api/chat";
	assert_int_equal(made().patience_us, 0);
	request.agent = (struct match_agent){"OpenAI/Python", 13, "/v1/chat/completions"};
	assert_int_equal(made().patience_us, 0);
}

static void test_a_model_is_known_by_any_of_its_names(void **state)
{
	struct policy policy = made();

	model.max_concurrent = 4;
	model.max_queue_size = 5;
	policy_add_model(&policy, &settings, "registry.ollama.ai/library/LLAMA3:latest");
	assert_ptr_equal(policy.model, &model);
	assert_int_equal(policy.model_max_concurrent, 4);
	assert_int_equal(policy.model_max_queue_size, 5);
	assert_int_equal(policy.timeout_ms, 60000);
	model.default_timeout_ms = 1000;
	policy_add_model(&policy, &settings, "llama3");
	assert_int_equal(policy.timeout_ms, 1000);
	policy = made();
	policy_add_model(&policy, &settings, "llama3:8b");
	assert_null(policy.model);
}

/* A body that takes longer than a reload must not bring an old cap back. */
static void test_caps_are_those_of_the_rules_in_force(void **state)
{
	struct policy policy;

	project.max_concurrent = 1;
	project.max_queue_size = 3;
	model.max_concurrent = 2;
	policy = made();
	policy_add_model(&policy, &settings, "llama3");
	project.max_concurrent = 5;
	project.max_queue_size = 7;
	model.max_concurrent = 6;
	policy_renew_caps(&policy, &settings, "p", "llama3");
	assert_int_equal(policy.project_max_concurrent, 5);
	assert_int_equal(policy.model_max_concurrent, 6);
	assert_int_equal(policy.project_max_queue_size, 3);
	settings.rules = (struct rules){0};
	policy_renew_caps(&policy, &settings, "p", "llama3");
	assert_int_equal(policy.project_max_concurrent, 0);
	assert_int_equal(policy.model_max_concurrent, 0);
}

static enum job_class class_of(const char *word)
{
	return policy_class_of(word, strlen(word));
}

static void test_words_for_classes(void **state)
{
	assert_int_equal(class_of("interactive"), CLASS_INTERACTIVE);
	assert_int_equal(class_of("HIGH"), CLASS_INTERACTIVE);
	assert_int_equal(class_of("Normal"), CLASS_NORMAL);
	assert_int_equal(class_of("batch"), CLASS_BATCH);
	assert_int_equal(class_of("low"), CLASS_BATCH);
	assert_int_equal(class_of(""), CLASS_UNSET);
	assert_int_equal(class_of("hig"), CLASS_UNSET);
	assert_int_equal(class_of("higher"), CLASS_UNSET);
	assert_int_equal(policy_class_of(NULL, 0), CLASS_UNSET);
	assert_int_equal(policy_class_of("batches", 5), CLASS_BATCH);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_what_holds_without_rules),
		TEST(test_silent_rules_leave_everything),
		TEST(test_a_project_has_its_limits),
		TEST(test_class_is_projects_keys_agents_then_asked_for),
		TEST(test_no_class_is_above_a_ceiling),
		TEST(test_weight_is_projects_then_keys),
		TEST(test_patience_is_announced_then_projects_then_agents),
		TEST(test_heartbeat_is_projects_then_agents),
		TEST(test_docling_is_known_without_a_rule),
		TEST(test_a_model_is_known_by_any_of_its_names),
		TEST(test_caps_are_those_of_the_rules_in_force),
		TEST(test_words_for_classes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
