#include "front/addresses.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static int setup(void **state)
{
	*state = addresses_create();
	return 0;
}

static int teardown(void **state)
{
	addresses_destroy(*state);
	return 0;
}

static struct sockaddr_storage of(const char *text, uint32_t scope)
{
	struct sockaddr_storage storage;
	struct sockaddr_in *ipv4 = (void *)&storage;
	struct sockaddr_in6 *ipv6 = (void *)&storage;

	memset(&storage, 0, sizeof(storage));
	if (strchr(text, ':')) {
		ipv6->sin6_family = AF_INET6;
		ipv6->sin6_scope_id = scope;
		assert_int_equal(inet_pton(AF_INET6, text, &ipv6->sin6_addr), 1);
	} else {
		ipv4->sin_family = AF_INET;
		/* ports differ from connection to connection */
		ipv4->sin_port = (in_port_t)rand();
		assert_int_equal(inet_pton(AF_INET, text, &ipv4->sin_addr), 1);
	}
	return storage;
}

static struct address_count *enter(struct addresses *addresses, const char *text, uint32_t scope)
{
	struct sockaddr_storage address = of(text, scope);

	return addresses_enter(addresses, (const struct sockaddr *)&address);
}

static size_t count(const struct addresses *addresses, const char *text, uint32_t scope)
{
	struct sockaddr_storage address = of(text, scope);

	return addresses_connections(addresses, (const struct sockaddr *)&address);
}

static void test_each_address_counts_its_own(void **state)
{
	struct addresses *addresses = *state;
	struct address_count *first = enter(addresses, "192.0.2.1", 0);
	struct address_count *second = enter(addresses, "192.0.2.1", 0);
	struct address_count *other = enter(addresses, "192.0.2.2", 0);

	assert_ptr_equal(first, second);
	assert_int_equal(count(addresses, "192.0.2.1", 0), 2);
	assert_int_equal(count(addresses, "192.0.2.2", 0), 1);
	assert_int_equal(count(addresses, "192.0.2.3", 0), 0);
	addresses_leave(addresses, first);
	assert_int_equal(count(addresses, "192.0.2.1", 0), 1);
	addresses_leave(addresses, second);
	assert_int_equal(count(addresses, "192.0.2.1", 0), 0);
	assert_int_equal(count(addresses, "192.0.2.2", 0), 1);
	addresses_leave(addresses, other);
	assert_int_equal(count(addresses, "192.0.2.2", 0), 0);
}

static void test_a_mapped_address_is_the_ipv4_one(void **state)
{
	struct addresses *addresses = *state;
	struct address_count *mapped = enter(addresses, "::ffff:192.0.2.1", 0);

	assert_ptr_equal(enter(addresses, "192.0.2.1", 0), mapped);
	assert_int_equal(count(addresses, "192.0.2.1", 0), 2);
	assert_int_equal(count(addresses, "::192.0.2.1", 0), 0);
	addresses_leave(addresses, mapped);
	addresses_leave(addresses, mapped);
}

static void test_a_scope_makes_another_address(void **state)
{
	struct addresses *addresses = *state;
	struct address_count *one = enter(addresses, "fe80::1", 1);
	struct address_count *other = enter(addresses, "fe80::1", 2);

	assert_ptr_not_equal(one, other);
	assert_int_equal(count(addresses, "fe80::1", 1), 1);
	assert_int_equal(count(addresses, "fe80::1", 0), 0);
	addresses_leave(addresses, one);
	addresses_leave(addresses, other);
}

static void test_local_sockets_have_no_address(void **state)
{
	struct addresses *addresses = *state;
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	const struct sockaddr *address = (const void *)&local;

	assert_null(addresses_enter(addresses, address));
	assert_int_equal(addresses_connections(addresses, address), 0);
	addresses_leave(addresses, NULL);
}

enum { MANY = 3000 };

static void name_of(size_t number, char text[INET6_ADDRSTRLEN])
{
	if (number % 2)
		snprintf(text, INET6_ADDRSTRLEN, "10.%zu.%zu.1", number >> 8, number & 0xff);
	else
		snprintf(text, INET6_ADDRSTRLEN, "2001:db8::%zx:1", number);
}

/* Through several doublings, each found, and gone in another order than they came. */
static void test_many_addresses_are_all_found(void **state)
{
	struct addresses *addresses = *state;
	struct address_count **counts = calloc(MANY, sizeof(struct address_count *));
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < MANY; i++) {
		name_of(i, text);
		counts[i] = enter(addresses, text, 0);
		assert_ptr_equal(enter(addresses, text, 0), counts[i]);
	}
	for (size_t i = 0; i < MANY; i++) {
		name_of(i, text);
		assert_int_equal(count(addresses, text, 0), 2);
		addresses_leave(addresses, counts[i]);
	}
	/* 7 has no divisor in common with their number: all, in steps */
	for (size_t i = 0; i < MANY; i++) {
		size_t at = i * 7 % MANY;

		name_of(at, text);
		assert_int_equal(count(addresses, text, 0), 1);
		addresses_leave(addresses, counts[at]);
		assert_int_equal(count(addresses, text, 0), 0);
	}
	free(counts);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_each_address_counts_its_own),
		TEST(test_a_mapped_address_is_the_ipv4_one),
		TEST(test_a_scope_makes_another_address),
		TEST(test_local_sockets_have_no_address),
		TEST(test_many_addresses_are_all_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
