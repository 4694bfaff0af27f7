#include "core/match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/compiler.h"

#define TEXT(text) (char *)(text)

static struct project_rule projects[] = {{.name = TEXT("a")}, {.name = TEXT("b")}};
static struct model_rule models[] = {{.name = TEXT("Llama3")}, {.name = TEXT("qwen2.5vl:7b")}};
static struct listener_rule listeners[] = {
	{.listen = TEXT("127.0.0.1:1")}, {.listen = TEXT("unix:/a")}};
static struct agent_rule agents[] = {
	{.user_agent = TEXT("Python-Requests/"), .path = TEXT("/v1/chat")},
	{.user_agent = TEXT("python-requests"), .project = TEXT("docling")},
	{.path = TEXT("/api/embed"), .project = TEXT("vectors")},
};
static const struct rules rules = {
	.projects = projects,
	.projects_count = ARRAY_LENGTH(projects),
	.models = models,
	.models_count = ARRAY_LENGTH(models),
	.agents = agents,
	.agents_count = ARRAY_LENGTH(agents),
	.listeners = listeners,
	.listeners_count = ARRAY_LENGTH(listeners),
};

static void test_projects_and_listeners_match_exactly(void **state)
{
	assert_ptr_equal(match_project(&rules, "b"), &projects[1]);
	assert_null(match_project(&rules, "B"));
	assert_null(match_project(&rules, "bb"));
	assert_null(match_project(&rules, NULL));
	assert_ptr_equal(match_listener(&rules, "unix:/a"), &listeners[1]);
	assert_null(match_listener(&rules, "unix:/A"));
	assert_null(match_listener(&rules, NULL));
}

static void test_models_match_canonically(void **state)
{
	static const char *const same[] = {"llama3", "LLAMA3:latest", "library/llama3",
		"registry.ollama.ai/library/llama3:latest"};

	for (size_t i = 0; i < ARRAY_LENGTH(same); i++)
		assert_ptr_equal(match_model(&rules, same[i]), &models[0]);
	assert_ptr_equal(match_model(&rules, "QWEN2.5vl:7B"), &models[1]);
	assert_null(match_model(&rules, "qwen2.5vl"));
	assert_null(match_model(&rules, "llama3:8b"));
	assert_null(match_model(&rules, NULL));
}

static bool is_agent(size_t rule, const char *user_agent, const char *path)
{
	struct match_agent agent = {user_agent, user_agent ? strlen(user_agent) : 0, path};

	return match_is_agent(&agents[rule], &agent);
}

static void test_agents_match_by_the_beginnings(void **state)
{
	assert_true(is_agent(0, "python-requests/2.34", "/v1/chat/completions"));
	assert_false(is_agent(0, "python-requests", "/v1/chat/completions"));
	assert_false(is_agent(0, "python-requests/2.34", "/v1/cha"));
	assert_false(is_agent(0, "x python-requests/2.34", "/v1/chat"));
	assert_false(is_agent(0, NULL, "/v1/chat"));
	assert_true(is_agent(1, "PYTHON-REQUESTS", "/"));
	assert_true(is_agent(1, "python-requests", NULL));
	assert_true(is_agent(2, NULL, "/api/embeddings"));
	assert_false(is_agent(2, NULL, "/api/chat"));
	assert_false(is_agent(2, NULL, NULL));
}

/* The text stands in the middle of a head. */
static void test_a_user_agent_needs_no_nul(void **state)
{
	/* a prefix that is long enough, cut by its length only */
	struct match_agent agent = {"python-requests/2", 5, "/"};

	assert_false(match_is_agent(&agents[1], &agent));
	agent.user_agent_length = strlen("python-requests");
	assert_true(match_is_agent(&agents[1], &agent));
}

static void test_the_first_agent_with_a_project_counts(void **state)
{
	struct match_agent agent = {"python-requests/2", 17, "/v1/chat"};

	assert_string_equal(match_agent_project(&rules, &agent), "docling");
	agent.path = "/api/embed";
	assert_string_equal(match_agent_project(&rules, &agent), "docling");
	agent.user_agent = NULL;
	assert_string_equal(match_agent_project(&rules, &agent), "vectors");
	agent.path = "/";
	assert_null(match_agent_project(&rules, &agent));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_projects_and_listeners_match_exactly),
		cmocka_unit_test(test_models_match_canonically),
		cmocka_unit_test(test_agents_match_by_the_beginnings),
		cmocka_unit_test(test_a_user_agent_needs_no_nul),
		cmocka_unit_test(test_the_first_agent_with_a_project_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
