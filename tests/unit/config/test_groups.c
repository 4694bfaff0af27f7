#include "config/groups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/compiler.h"
#include "config/file.h"
#include "config/settings.h"

static void test_every_list_is_found_by_its_name(void **state)
{
	for (size_t i = 0; i < GROUP_LISTS; i++)
		assert_ptr_equal(groups_find(group_lists[i]->name), group_lists[i]);
	assert_null(groups_find("project"));
	assert_null(groups_find(""));
}

/* The tables are consistent in themselves: a test for whoever adds a member. */
static void test_members_lie_in_their_rows(void **state)
{
	for (size_t i = 0; i < GROUP_LISTS; i++) {
		const struct group_list *list = group_lists[i];

		assert_true(list->row_bytes > 0 && list->members_count > 0);
		for (size_t j = 0; j < list->members_count; j++) {
			const struct member *member = &list->members[j];

			assert_true(member->offset < list->row_bytes);
			assert_true(member->has_offset < list->row_bytes);
			assert_int_equal(member->type == MEMBER_CHOICE, member->choices != NULL);
			assert_int_equal(member->type == MEMBER_OWN, member->read != NULL);
			assert_int_equal(member->type == MEMBER_OWN, member->own_bytes > 0);
			for (size_t k = 0; k < j; k++)
				assert_string_not_equal(member->name, list->members[k].name);
		}
	}
}

static bool is_set(const struct group_list *list, const void *row, const char *name)
{
	for (size_t i = 0; i < list->members_count; i++) {
		if (strcmp(list->members[i].name, name) == 0)
			return member_is_set(&list->members[i], row);
	}
	fail();
	return false;
}

static void test_what_is_absent_can_be_told(void **state)
{
	static const char text[] = "projects = ( { name = \"p\"; default_timeout = 0; } );\n"
				   "models = ( { name = \"m\"; num_gpu = 0; } );";
	struct settings *settings = settings_create();
	const struct group_list *projects = groups_find("projects");
	const struct group_list *models = groups_find("models");
	const void *project, *model;
	char *error = NULL;
	size_t count;

	assert_true(file_parse("t", text, strlen(text), settings, &error));
	project = groups_rows(projects, settings, &count);
	assert_int_equal(count, 1);
	assert_true(is_set(projects, project, "name"));
	assert_true(is_set(projects, project, "default_timeout"));
	assert_false(is_set(projects, project, "patience"));
	assert_false(is_set(projects, project, "class"));
	assert_false(is_set(projects, project, "weight"));
	assert_false(is_set(projects, project, "keep_alive"));
	assert_false(is_set(projects, project, "image_pixels_max"));
	model = groups_rows(models, settings, &count);
	assert_true(is_set(models, model, "num_gpu"));
	assert_false(is_set(models, model, "num_ctx"));
	assert_false(is_set(models, model, "use_mmap"));
	assert_non_null(model);
	assert_null(groups_rows(groups_find("agents"), settings, &count));
	assert_int_equal(count, 0);
	settings_return(settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_list_is_found_by_its_name),
		cmocka_unit_test(test_members_lie_in_their_rows),
		cmocka_unit_test(test_what_is_absent_can_be_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
