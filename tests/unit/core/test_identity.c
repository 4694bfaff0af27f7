#include "core/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

static const char IP[] = "192.0.2.7";

static void assert_project(const char *header, size_t length, const char *expected)
{
	struct identity_word words[IDENTITY_SOURCES] = {{header, length}};
	char *project = identity_project(words, IP);

	assert_string_equal(project, expected);
	free(project);
}

static void test_project_is_the_headers_value(void **state)
{
	assert_project("Docling_Machine", 15, "Docling_Machine");
	assert_project("a", 1, "a");
	assert_project("two words", 9, "two words");
	assert_project("Büro", strlen("Büro"), "Büro");
}

/* The value stands in the middle of a head: what follows its length is not read. */
static void test_project_needs_no_nul(void **state)
{
	char *exact = malloc(4);

	memcpy(exact, "abcd", 4);
	assert_project(exact, 4, "abcd");
	assert_project("Docling_Machine\r\nX-Other: 1", 15, "Docling_Machine");
	free(exact);
}

static void test_project_without_a_header_is_the_address(void **state)
{
	assert_project(NULL, 0, IP);
	assert_project(NULL, 9, IP);
	assert_project("", 0, IP);
	assert_project("   ", 3, IP);
	assert_project("\x01\x02\x7f", 3, IP);
}

static void test_project_is_trimmed_to_what_can_be_printed(void **state)
{
	assert_project("name  ", 6, "name");
	assert_project("  name", 6, "name");
	assert_project("\t name\t", 7, "name");
	assert_project("na\x01me\r\n\x1b[31m", 12, "name[31m");
	assert_project("na\0me", 5, "name");
}

static void test_long_project_is_cut(void **state)
{
	char longest[IDENTITY_PROJECT_BYTES + 1];
	char longer[IDENTITY_PROJECT_BYTES + 2];

	memset(longest, 'p', IDENTITY_PROJECT_BYTES);
	longest[IDENTITY_PROJECT_BYTES] = '\0';
	memset(longer, 'p', sizeof(longer));
	assert_project(longest, IDENTITY_PROJECT_BYTES, longest);
	assert_project(longer, sizeof(longer), longest);
	/* Bytes that are left out do not count, blanks at the cut vanish. */
	longer[0] = '\x01';
	assert_project(longer, sizeof(longer), longest);
	longer[IDENTITY_PROJECT_BYTES] = ' ';
	longest[IDENTITY_PROJECT_BYTES - 1] = '\0';
	assert_project(longer, sizeof(longer), longest);
}

static void assert_first(const struct identity_word *words, const char *expected)
{
	char *project = identity_project(words, IP);

	assert_string_equal(project, expected);
	free(project);
}

/* PRODUCT 5's order: each alone decides when all before it say nothing. */
static void test_project_is_the_first_word_that_says_something(void **state)
{
	static const char *const names[IDENTITY_SOURCES] = {"X-Project-Name", "X-User-ID",
		"X-Client-ID", "key", "X-OpenWebUI-User-Name", "X-OpenWebUI-User-Email",
		"X-OpenWebUI-User-Id", "prefix", "listener", "agent"};
	struct identity_word words[IDENTITY_SOURCES];

	for (size_t i = 0; i < IDENTITY_SOURCES; i++)
		words[i] = (struct identity_word){names[i], strlen(names[i])};
	for (size_t i = 0; i < IDENTITY_SOURCES; i++) {
		assert_first(words, names[i]);
		if (i % 3 == 0)
			words[i].text = NULL;
		else if (i % 3 == 1)
			words[i].length = 0;
		else
			words[i] = (struct identity_word){" \x01 ", 3};
	}
	assert_first(words, IP);
}

static void assert_of(enum identity_source source, const char *word, const char *expected)
{
	struct identity_word words[IDENTITY_SOURCES] = {0};

	words[source] = (struct identity_word){word, strlen(word)};
	assert_first(words, expected);
}

/* Open WebUI quotes what is no ASCII; the others say what they mean. */
static void test_open_webuis_names_are_decoded(void **state)
{
	assert_of(IDENTITY_WEBUI_NAME, "J%C3%BCrgen M%c3%bcller", "Jürgen Müller");
	assert_of(IDENTITY_WEBUI_EMAIL, "a%40example.org", "a@example.org");
	assert_of(IDENTITY_WEBUI_NAME, "100%", "100%");
	assert_of(IDENTITY_WEBUI_NAME, "%4", "%4");
	assert_of(IDENTITY_WEBUI_NAME, "%zz%41", "%zzA");
	assert_of(IDENTITY_WEBUI_NAME, "a%0d%0Ab%00", "ab");
	assert_of(IDENTITY_WEBUI_ID, "%20%01", IP);
	assert_of(IDENTITY_PROJECT_NAME, "100%25", "100%25");
	assert_of(IDENTITY_PREFIX, "a%41", "a%41");
}

static void assert_kept(const char *header)
{
	char id[RECORD_ID_BYTES];

	identity_request_id(header, strlen(header), id);
	assert_string_equal(id, header);
}

static void assert_own(const char *id)
{
	assert_int_equal(strlen(id), 32);
	for (size_t i = 0; i < 32; i++)
		assert_true(isdigit((unsigned char)id[i]) || (id[i] >= 'a' && id[i] <= 'f'));
}

static void assert_replaced(const char *header, size_t length)
{
	char id[RECORD_ID_BYTES];

	memset(id, '?', sizeof(id));
	identity_request_id(header, length, id);
	assert_own(id);
}

static void test_sane_request_id_is_kept(void **state)
{
	assert_kept("a");
	assert_kept("0");
	assert_kept("req_01HZX-9.b:7");
	assert_kept("3f2504e0-4f89-11d3-9a0c-0305e82c3301");
	assert_kept("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.");
	assert_int_equal(strlen("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-."),
		RECORD_ID_BYTES - 1);
}

static void test_request_id_needs_no_nul(void **state)
{
	char id[RECORD_ID_BYTES];

	identity_request_id("abc\r\n", 3, id);
	assert_string_equal(id, "abc");
}

static void test_request_id_that_is_not_sane_is_replaced(void **state)
{
	char longer[RECORD_ID_BYTES];

	memset(longer, 'a', sizeof(longer));
	assert_replaced(NULL, 0);
	assert_replaced(NULL, 5);
	assert_replaced("", 0);
	assert_replaced(longer, sizeof(longer));
	/* Each byte but letters, digits and -._: alone in an otherwise sane id. */
	for (int byte = 0; byte < 256; byte++) {
		char header[3] = {'a', (char)byte, 'b'};
		char id[RECORD_ID_BYTES];

		if ((byte < 128 && isalnum(byte)) || (byte && strchr("-._:", byte))) {
			identity_request_id(header, sizeof(header), id);
			assert_memory_equal(id, header, sizeof(header));
			assert_int_equal(id[sizeof(header)], '\0');
		} else {
			assert_replaced(header, sizeof(header));
		}
	}
}

static int compare_ids(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void test_own_request_ids_differ(void **state)
{
	static char ids[1000][RECORD_ID_BYTES];

	for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
		identity_request_id(NULL, 0, ids[i]);
		assert_own(ids[i]);
	}
	qsort(ids, ARRAY_LENGTH(ids), sizeof(ids[0]), compare_ids);
	for (size_t i = 1; i < ARRAY_LENGTH(ids); i++)
		assert_string_not_equal(ids[i - 1], ids[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_project_is_the_headers_value),
		cmocka_unit_test(test_project_needs_no_nul),
		cmocka_unit_test(test_project_without_a_header_is_the_address),
		cmocka_unit_test(test_project_is_trimmed_to_what_can_be_printed),
		cmocka_unit_test(test_long_project_is_cut),
		cmocka_unit_test(test_project_is_the_first_word_that_says_something),
		cmocka_unit_test(test_open_webuis_names_are_decoded),
		cmocka_unit_test(test_sane_request_id_is_kept),
		cmocka_unit_test(test_request_id_needs_no_nul),
		cmocka_unit_test(test_request_id_that_is_not_sane_is_replaced),
		cmocka_unit_test(test_own_request_ids_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
