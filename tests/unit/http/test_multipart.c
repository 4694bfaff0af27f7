#include "http/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE "multipart/form-data; boundary=b"
#define PART(head) "--b\r\nContent-Disposition: form-data; " head "\r\n\r\n"

static struct multipart *created(const char *type)
{
	return multipart_create(type, strlen(type), "model");
}

/* In pieces of every size; NULL: no value. */
static void assert_value(const char *body, const char *expected)
{
	size_t length = strlen(body);

	for (size_t piece = 1; piece <= length; piece++) {
		struct multipart *multipart = created(TYPE);
		const char *value;

		for (size_t at = 0; at < length; at += piece)
			multipart_feed(
				multipart, body + at, length - at < piece ? length - at : piece);
		value = multipart_value(multipart);
		if (expected) {
			assert_non_null(value);
			assert_string_equal(value, expected);
			assert_memory_equal(
				body + multipart_value_at(multipart), expected, strlen(expected));
		} else {
			assert_null(value);
		}
		multipart_destroy(multipart);
	}
}

static void test_the_field_is_found_before_and_behind_the_file(void **state)
{
	assert_value(PART("name=\"model\"") "whisper\r\n" PART(
			     "name=\"file\"; filename=\"a.wav\"") "RIFF\r\n--b--\r\n",
		"whisper");
	assert_value(
		"--b\r\nContent-Type: audio/wav\r\ncontent-disposition:form-data ; filename=\"a\" "
		";name=\"file\"\r\n\r\nRIFF\r\r\n-\r\n--c\r\n" PART(
			"name=model") "whisper:1b\r\n--b--",
		"whisper:1b");
	assert_value("what stands before\r\n" PART("name=\"model\"; x=y") "m\r\n--b \t\r\n", "m");
}

static void test_what_is_like_a_delimiter_belongs_to_the_content(void **state)
{
	assert_value(PART("name=\"file\"") "\r\n--\r\n--a\r\r\n--bc\r\n" PART(
			     "name=\"model\"") "a\rb\r\nc\r\n--b--",
		"a\rb\r\nc");
	assert_value("--bb\r\n" PART("name=\"model\"") "m\r\n--b--", "m");
}

static void test_other_fields_are_not_it(void **state)
{
	assert_value(PART("name=\"models\"") "a\r\n" PART("name=\"mode\"") "b\r\n--b--", NULL);
	assert_value(PART("filename=\"model\"") "a\r\n--b--", NULL);
	assert_value(PART("name=\"model\"; filename=\"model\"") "a\r\n--b--", NULL);
	assert_value(
		"--b\r\nX-Content-Disposition: form-data; name=\"model\"\r\n\r\na\r\n--b--", NULL);
	assert_value(
		"--b\r\nContent-Disposition: attachment; name=\"model\"\r\n\r\na\r\n--b--", NULL);
	assert_value("--b--\r\n" PART("name=\"model\"") "a\r\n--b--", NULL);
}

/* As Go's FormValue does. */
static void test_the_first_one_counts(void **state)
{
	assert_value(PART("name=\"model\"") "a\r\n" PART("name=\"model\"") "b\r\n--b--", "a");
}

static void test_what_is_no_name_is_none(void **state)
{
	char body[1024];
	char value[MULTIPART_VALUE_BYTES + 2];

	assert_value(PART("name=\"model\"") "\r\n--b--", NULL);
	assert_value(PART("name=\"model\"") "--b--", NULL);
	assert_value(PART("name=\"model\"") "unfinished", NULL);
	memset(value, 'x', sizeof(value));
	value[MULTIPART_VALUE_BYTES + 1] = '\0';
	snprintf(body, sizeof(body), PART("name=\"model\"") "%s\r\n--b--", value);
	assert_value(body, NULL);
	value[MULTIPART_VALUE_BYTES] = '\0';
	snprintf(body, sizeof(body), PART("name=\"model\"") "%s\r\n--b--", value);
	assert_value(body, value);
}

static void test_a_nul_is_in_no_name(void **state)
{
	static const char body[] = PART("name=\"model\"") "a\0b\r\n--b--";
	struct multipart *multipart = created(TYPE);

	multipart_feed(multipart, body, sizeof(body) - 1);
	assert_null(multipart_value(multipart));
	multipart_destroy(multipart);
}

static void assert_type(const char *type, bool is_fine)
{
	struct multipart *multipart = created(type);

	assert_true(is_fine == (multipart != NULL));
	multipart_destroy(multipart);
}

static void test_types_with_a_boundary_are_read(void **state)
{
	char type[512];

	assert_type("Multipart/Form-Data;BOUNDARY=\"a b\"", true);
	assert_type(" multipart/form-data ; charset=utf-8; boundary=x;", true);
	assert_type("multipart/form-data", false);
	assert_type("multipart/form-data; boundary=", false);
	assert_type("multipart/form-data; boundary=\"\"", false);
	assert_type("multipart/form-datas; boundary=x", false);
	assert_type("multipart/mixed; boundary=x", false);
	assert_type("application/json", false);
	assert_type("", false);
	snprintf(type, sizeof(type), "multipart/form-data; boundary=%0200d", 0);
	assert_type(type, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_field_is_found_before_and_behind_the_file),
		cmocka_unit_test(test_what_is_like_a_delimiter_belongs_to_the_content),
		cmocka_unit_test(test_other_fields_are_not_it),
		cmocka_unit_test(test_the_first_one_counts),
		cmocka_unit_test(test_what_is_no_name_is_none),
		cmocka_unit_test(test_a_nul_is_in_no_name),
		cmocka_unit_test(test_types_with_a_boundary_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
