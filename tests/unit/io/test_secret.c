#include "io/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void assert_hash(const char *salt, const char *text, size_t length, const char *expected)
{
	unsigned char hash[SECRET_HASH_BYTES];
	char hex[2 * SECRET_HASH_BYTES + 1];

	assert_true(secret_hash(salt, text, length, hash));
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	assert_string_equal(hex, expected);
}

/* As `printf %s abc | sha256sum` says (FIPS 180-2, B.1). */
static void test_the_hash_is_sha_256(void **state)
{
	assert_hash(
		"", "abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_hash(
		"", "abcd", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_hash("", "", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_the_salt_stands_in_front(void **state)
{
	assert_hash(
		"a", "bc", 2, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_each_byte_counts(void **state)
{
	unsigned char left[SECRET_HASH_BYTES] = {0};
	unsigned char right[SECRET_HASH_BYTES] = {0};

	assert_true(secret_is_same(left, right));
	for (size_t i = 0; i < sizeof(left); i++) {
		right[i] = 0x80;
		assert_false(secret_is_same(left, right));
		right[i] = 0;
	}
	assert_true(secret_is_same(left, right));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_hash_is_sha_256),
		cmocka_unit_test(test_the_salt_stands_in_front),
		cmocka_unit_test(test_each_byte_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
