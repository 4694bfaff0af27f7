#include "report/hints.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static bool take_show(struct hints *hints, const char *json)
{
	return hints_take_show(hints, "m", json, strlen(json));
}

static void test_how_a_model_cuts_images(void **state)
{
	struct hints hints = {0};

	assert_true(take_show(&hints, "{\"model_info\":{\"qwen25vl.vision.patch_size\":14,"
				      "\"qwen25vl.vision.spatial_merge_size\":2}}"));
	assert_true(hints_vision(&hints, "m")->patch == 14);
	assert_true(hints_vision(&hints, "m")->merge == 2);
	assert_null(hints_vision(&hints, "other"));
}

static void test_an_answer_that_does_not_tell(void **state)
{
	struct hints hints = {0};

	assert_false(take_show(&hints, "{\"model_info\":{\"x.vision.patch_size\":14}}"));
	assert_false(take_show(&hints, "{}"));
	assert_false(take_show(&hints, "[]"));
	assert_int_equal(hints.visions_count, 0);
}

static void test_shares_of_runners(void **state)
{
	static const char json[] =
		"{\"queued\":0,\"runners\":[{\"model\":\"a\",\"vram_share\":0.4},"
		"{\"model\":\"b\",\"vram_share\":null},{\"model\":\"c\",\"vram_share\":1}]}";
	struct hints hints = {0};

	assert_true(hints_take_stats(&hints, json, strlen(json)));
	assert_int_equal(hints.runners_count, 2);
	assert_string_equal(hints.runners[0].model, "a");
	assert_true(hints.runners[0].vram_share == 0.4);
	assert_string_equal(hints.runners[1].model, "c");
}

static void test_files_that_are_not_there(void **state)
{
	struct hints hints = {0};
	char *error = NULL;

	assert_false(hints_read_show(&hints, "m=/nowhere/at/all", &error));
	assert_non_null(strstr(error, "/nowhere/at/all"));
	free(error);
	assert_false(hints_read_show(&hints, "file", &error));
	free(error);
	assert_false(hints_read_stats(&hints, "/nowhere/at/all", &error));
	free(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_how_a_model_cuts_images),
		cmocka_unit_test(test_an_answer_that_does_not_tell),
		cmocka_unit_test(test_shares_of_runners),
		cmocka_unit_test(test_files_that_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
