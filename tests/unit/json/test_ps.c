#include "json/ps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { MODELS_MOST = 8 };

static struct {
	char name[256];
	char digest[256];
	int64_t size;
	int64_t size_vram;
	int64_t context_length;
} models[MODELS_MOST];
static size_t count;

static void on_model(void *arg, const struct ps_model *model)
{
	assert_ptr_equal(arg, &count);
	assert_true(count < MODELS_MOST);
	strcpy(models[count].name, model->name);
	strcpy(models[count].digest, model->digest);
	models[count].size = model->size;
	models[count].size_vram = model->size_vram;
	models[count++].context_length = model->context_length;
}

static bool read_text(const char *text)
{
	/* A copy of just its bytes: reading past them is seen by the sanitizers. */
	size_t length = strlen(text);
	char *bytes = memcpy(mem_alloc(length + 1), text, length);
	bool is_good;

	count = 0;
	is_good = ps_read(bytes, length, on_model, &count);
	free(bytes);
	return is_good;
}

static void test_an_answer_of_ollama_is_read(void **state)
{
	assert_true(read_text(
		"{\"models\":[{\"name\":\"tiny:latest\",\"model\":\"tiny:latest\",\"size\":"
		"123456789012,\"digest\":\"0e2b\",\"details\":{\"parent_model\":\"\",\"name\":"
		"\"no\","
		"\"families\":[\"llama\"],\"size\":7},\"expires_at\":\"2026-11-24T10:00:00.1Z\","
		"\"size_vram\":12,\"context_length\":4096},{\"name\":\"b\"}]}"));
	assert_int_equal(count, 2);
	assert_string_equal(models[0].name, "tiny:latest");
	assert_string_equal(models[0].digest, "0e2b");
	assert_int_equal(models[0].size, 123456789012);
	assert_int_equal(models[0].size_vram, 12);
	assert_int_equal(models[0].context_length, 4096);
	assert_string_equal(models[1].name, "b");
	assert_string_equal(models[1].digest, "");
	assert_int_equal(models[1].size, -1);
	assert_int_equal(models[1].size_vram, -1);
	assert_int_equal(models[1].context_length, -1);
}

static void test_no_models_is_an_answer_too(void **state)
{
	assert_true(read_text("{\"models\":[]}"));
	assert_int_equal(count, 0);
	assert_true(read_text("{\"models\":null}"));
	assert_int_equal(count, 0);
}

static void test_model_stands_in_for_a_missing_name(void **state)
{
	assert_true(read_text("{\"models\":[{\"model\":\"m\"},{\"size\":1},{}]}"));
	assert_int_equal(count, 1);
	assert_string_equal(models[0].name, "m");
}

static void test_only_the_list_of_models_is_read(void **state)
{
	assert_true(read_text("{\"other\":[{\"name\":\"x\"}],\"models\":[[{\"name\":\"y\"}],{"
			      "\"name\":\"z\"}],\"more\":{\"models\":{\"name\":\"w\"}}}"));
	assert_int_equal(count, 1);
	assert_string_equal(models[0].name, "z");
}

static void test_what_is_no_answer_of_ps_is_refused(void **state)
{
	static const char *const texts[] = {"", " ", "{}", "{\"\":{\"models\":[]}}",
		"{\"a\\u0000\":{\"models\":[]}}", "[]", "null", "7", "\"models\"", "{\"models\":7}",
		"{\"models\":{}}", "{\"models\":[", "{\"models\":[]", "{\"models\":[]}}",
		"{\"models\":[]} {}", "[{\"models\":[]}]", "404 page not found",
		"{\"error\":\"models\"}", "{\"models\":[{\"name\":\"\xff\"}]}"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(read_text(texts[i]));
}

static void test_deep_and_long_texts_are_refused(void **state)
{
	char *text = mem_zalloc(PS_BYTES_MOST + 2);

	memset(text, '[', 1000);
	memcpy(text, "{\"models\":", 10);
	assert_false(read_text(text));
	memset(text, ' ', PS_BYTES_MOST + 1);
	memcpy(text, "{\"models\":[]}", 13);
	assert_false(read_text(text));
	text[PS_BYTES_MOST] = '\0';
	assert_true(read_text(text));
	free(text);
}

static void test_long_names_are_cut(void **state)
{
	char text[1024] = "{\"models\":[{\"name\":\"";

	memset(text + strlen(text), 'n', 600);
	strcat(text, "\"}]}");
	assert_true(read_text(text));
	assert_int_equal(count, 1);
	assert_int_equal(strlen(models[0].name), 255);
}

static void test_the_version_is_read(void **state)
{
	char version[PS_VERSION_BYTES] = "untouched";
	static const char good[] = "{\"version\":\"0.32.15\"}";
	static const char bad[] = "{\"version\":32}";
	static const char deep[] = "{\"a\":{\"version\":\"1\"}}";

	assert_true(ps_read_version(good, strlen(good), version));
	assert_string_equal(version, "0.32.15");
	assert_false(ps_read_version(good, strlen(good) - 1, version));
	assert_false(ps_read_version(bad, strlen(bad), version));
	assert_false(ps_read_version(deep, strlen(deep), version));
	assert_string_equal(version, "0.32.15");
}

static void test_a_long_version_is_cut(void **state)
{
	char text[200] = "{\"version\":\"";
	char version[PS_VERSION_BYTES];

	memset(text + strlen(text), '1', 100);
	strcat(text, "\"}");
	assert_true(ps_read_version(text, strlen(text), version));
	assert_int_equal(strlen(version), PS_VERSION_BYTES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_of_ollama_is_read),
		cmocka_unit_test(test_no_models_is_an_answer_too),
		cmocka_unit_test(test_model_stands_in_for_a_missing_name),
		cmocka_unit_test(test_only_the_list_of_models_is_read),
		cmocka_unit_test(test_what_is_no_answer_of_ps_is_refused),
		cmocka_unit_test(test_deep_and_long_texts_are_refused),
		cmocka_unit_test(test_long_names_are_cut),
		cmocka_unit_test(test_the_version_is_read),
		cmocka_unit_test(test_a_long_version_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
