#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "base/compiler.h"
#include "http/fields.h"

static void test_order_and_duplicates_are_kept(void **state)
{
	struct fields fields = {0};
	char *first;

	fields_add_text(&fields, "A", "1");
	fields_add_text(&fields, "b", "2");
	fields_add_text(&fields, "a", "3");
	assert_int_equal(fields.count, 3);
	assert_string_equal(fields.items[2].value, "3");
	assert_int_equal(fields_count_of(&fields, "A"), 2);
	assert_ptr_equal(fields_find(&fields, "a"), &fields.items[0]);
	assert_null(fields_find(&fields, "c"));
	assert_null(fields_find(&fields, ""));
	first = fields_copy(&fields, "a");
	assert_string_equal(first, "1");
	free(first);
	assert_null(fields_copy(&fields, "ab"));
	fields_clear(&fields);
	assert_int_equal(fields.count, 0);
	fields_finish(&fields);
	fields_finish(&fields);
}

static void test_a_field_that_is_removed_leaves_the_order(void **state)
{
	struct fields fields = {0};

	fields_add_text(&fields, "A", "1");
	fields_add_text(&fields, "B", "2");
	fields_add_text(&fields, "C", "3");
	fields_remove(&fields, 1);
	assert_int_equal(fields.count, 2);
	assert_string_equal(fields.items[1].value, "3");
	fields_remove(&fields, 1);
	assert_string_equal(fields.items[0].value, "1");
	fields_remove(&fields, 0);
	assert_int_equal(fields.count, 0);
	fields_finish(&fields);
}

static void test_slices_need_no_end(void **state)
{
	static const char bytes[] = "Name: valueX";
	struct fields fields = {0};
	char *value;

	fields_add(&fields, bytes, 4, bytes + 6, 5);
	value = fields_copy(&fields, "name");
	assert_string_equal(value, "value");
	free(value);
	fields_finish(&fields);
}

static void test_the_list_grows(void **state)
{
	struct fields fields = {0};

	for (int i = 0; i < 1000; i++)
		fields_add_text(&fields, i == 999 ? "last" : "other", "x");
	assert_int_equal(fields.count, 1000);
	assert_ptr_equal(fields_find(&fields, "Last"), &fields.items[999]);
	fields_finish(&fields);
}

static void test_tokens_are_found_in_all_lists(void **state)
{
	static const struct {
		const char *value;
		bool has_close;
		size_t elements;
	} rows[] = {
		{"close", true, 1},
		{"CLOSE", true, 1},
		{"a,close", true, 2},
		{"a ,\tclose\t, b", true, 3},
		{",,close,", true, 4},
		{"", false, 1},
		{",", false, 2},
		{"closed", false, 1},
		{"clos", false, 1},
		{"not close", false, 1},
		{"close;x", false, 1},
		{"\"close\"", false, 1},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct fields fields = {0};

		fields_add_text(&fields, "Other", "close");
		fields_add_text(&fields, "Connection", "x");
		fields_add_text(&fields, "connection", rows[i].value);
		assert_int_equal(
			fields_has_token(&fields, "Connection", "close"), rows[i].has_close);
		assert_int_equal(
			fields_count_elements(&fields, "Connection"), rows[i].elements + 1);
		fields_finish(&fields);
	}
}

static void test_no_line_has_no_elements(void **state)
{
	struct fields fields = {0};

	assert_int_equal(fields_count_elements(&fields, "Connection"), 0);
	assert_false(fields_has_token(&fields, "Connection", "close"));
	fields_finish(&fields);
}

static void test_hop_by_hop_fields_are_known(void **state)
{
	static const struct {
		const char *name;
		bool is_hop_by_hop;
	} rows[] = {
		{"connection", true},
		{"Keep-Alive", true},
		{"Proxy-Connection", true},
		{"TE", true},
		{"Trailer", true},
		{"Transfer-Encoding", true},
		{"Upgrade", true},
		{"X-Named", true},
		{"x-also-named", true},
		{"X-Other", false},
		{"Content-Type", false},
		/* named by Connection, kept all the same */
		{"Host", false},
		{"Content-Length", false},
		{"Authorization", false},
		{"Expect", false},
		{"Origin", false},
	};
	struct fields fields = {0};
	struct hop_by_hop hops;

	fields_add_text(&fields, "Connection", "x-named, Host, content-length");
	fields_add_text(&fields, "Connection", "X-Also-Named,authorization, Expect, origin");
	hop_by_hop_collect(&hops, &fields);
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		const struct field field = {rows[i].name, "v", strlen(rows[i].name), 1};

		assert_int_equal(hop_by_hop_has(&hops, &field), rows[i].is_hop_by_hop);
	}
	fields_finish(&fields);
}

static void test_a_field_is_written_as_a_line(void **state)
{
	static const struct field full = {"Name!", "a b!", 4, 3};
	static const struct field empty = {"E", "", 1, 0};
	struct evbuffer *out = evbuffer_new();

	field_write(out, &full);
	field_write(out, &empty);
	assert_int_equal(evbuffer_get_length(out), strlen("Name: a b\r\nE: \r\n"));
	assert_memory_equal(evbuffer_pullup(out, -1), "Name: a b\r\nE: \r\n", 16);
	evbuffer_free(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_duplicates_are_kept),
		cmocka_unit_test(test_a_field_that_is_removed_leaves_the_order),
		cmocka_unit_test(test_slices_need_no_end),
		cmocka_unit_test(test_the_list_grows),
		cmocka_unit_test(test_tokens_are_found_in_all_lists),
		cmocka_unit_test(test_no_line_has_no_elements),
		cmocka_unit_test(test_hop_by_hop_fields_are_known),
		cmocka_unit_test(test_a_field_is_written_as_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
