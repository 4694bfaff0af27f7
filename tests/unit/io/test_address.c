#include "io/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/compiler.h"

enum { MOST = 8 };

static const struct sockaddr *plain(const void *address)
{
	return address;
}

static void assert_parsed(const char *text, const char *first, const char *second)
{
	struct address addresses[MOST];
	const char *error = NULL;
	char printed[ADDRESS_TEXT_BYTES];
	size_t count = address_parse_listen(text, addresses, MOST, &error);

	assert_int_equal(count, second ? 2 : 1);
	address_print(plain(&addresses[0].storage), printed);
	assert_string_equal(printed, first);
	if (!second)
		return;
	address_print(plain(&addresses[1].storage), printed);
	assert_string_equal(printed, second);
}

static void test_numeric_addresses(void **state)
{
	assert_parsed("127.0.0.1:8000", "127.0.0.1:8000", NULL);
	assert_parsed("0.0.0.0:0", "0.0.0.0:0", NULL);
	assert_parsed("[::1]:65535", "[::1]:65535", NULL);
	assert_parsed("[fd00:0:0::12]:1", "[fd00::12]:1", NULL);
}

static void test_lengths_fit_bind(void **state)
{
	struct address addresses[MOST];
	const char *error;

	assert_int_equal(address_parse_listen("*:1", addresses, MOST, &error), 2);
	assert_int_equal(addresses[0].length, sizeof(struct sockaddr_in));
	assert_int_equal(addresses[1].length, sizeof(struct sockaddr_in6));
}

static void test_star_and_nothing_are_every_address(void **state)
{
	assert_parsed("*:8000", "0.0.0.0:8000", "[::]:8000");
	assert_parsed(":8000", "0.0.0.0:8000", "[::]:8000");
}

static void test_localhost_is_both_loopbacks(void **state)
{
	assert_parsed("localhost:8000", "127.0.0.1:8000", "[::1]:8000");
}

static void test_no_more_than_asked_are_written(void **state)
{
	struct address addresses[2];
	const char *error;

	memset(addresses, 0x55, sizeof(addresses));
	assert_int_equal(address_parse_listen("*:1", addresses, 1, &error), 1);
	assert_int_equal(addresses[1].length, 0x55555555);
}

static void test_wrong_addresses_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"", "no port: write ADDR:PORT"},
		{"8000", "no port: write ADDR:PORT"},
		{"127.0.0.1", "no port: write ADDR:PORT"},
		{"127.0.0.1:", "the port must be 0 to 65535"},
		{"127.0.0.1:65536", "the port must be 0 to 65535"},
		{"127.0.0.1:000001", "the port must be 0 to 65535"},
		{"127.0.0.1:8x", "the port must be 0 to 65535"},
		{"[::1]", "the port must be 0 to 65535"},
		{"::1:8000", "write an IPv6 address in brackets: [ADDR]:PORT"},
		{"[::1:8000", "no ] after the IPv6 address"},
		{"[:8000", "no ] after the IPv6 address"},
		{"[]:8000", "no IPv6 address in the brackets"},
		{"[localhost]:8000", "no IPv6 address in the brackets"},
		{"unix:", "no path, or one over 107 bytes, after unix:"},
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct address addresses[MOST];
		const char *error = NULL;

		assert_int_equal(address_parse_listen(cases[i].text, addresses, MOST, &error), 0);
		assert_string_equal(error, cases[i].error);
	}
}

static void test_local_paths(void **state)
{
	char text[200] = "unix:";
	struct address address;
	const struct sockaddr_un *local = (const void *)&address.storage;
	const char *error = NULL;

	assert_int_equal(address_parse_listen("unix:/run/x.sock", &address, 1, &error), 1);
	assert_int_equal(local->sun_family, AF_UNIX);
	assert_string_equal(local->sun_path, "/run/x.sock");
	memset(text + 5, 'a', 108);
	assert_int_equal(address_parse_listen(text, &address, 1, &error), 0);
	text[5 + 107] = '\0';
	assert_int_equal(address_parse_listen(text, &address, 1, &error), 1);
}

static void test_long_names_are_refused(void **state)
{
	char text[400];
	struct address addresses[MOST];
	const char *error = NULL;

	memset(text, 'a', 300);
	strcpy(text + 300, ":1");
	assert_int_equal(address_parse_listen(text, addresses, MOST, &error), 0);
	assert_string_equal(error, "the name is too long");
}

/* Without a name server: the zone is what is unknown. */
static void test_unknown_names_are_refused(void **state)
{
	struct address addresses[MOST];
	const char *error = NULL;

	assert_int_equal(address_parse_listen("[::1%nosuchif]:1", addresses, MOST, &error), 0);
	assert_non_null(error);
}

static void test_printing(void **state)
{
	struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(80)};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(65535)};
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr other = {.sa_family = AF_UNSPEC};
	char text[ADDRESS_TEXT_BYTES];

	inet_pton(AF_INET, "255.255.255.255", &ipv4.sin_addr);
	address_print(plain(&ipv4), text);
	assert_string_equal(text, "255.255.255.255:80");
	address_print_ip(plain(&ipv4), text);
	assert_string_equal(text, "255.255.255.255");

	inet_pton(AF_INET6, "fe80:1111:2222:3333:4444:5555:6666:7777", &ipv6.sin6_addr);
	ipv6.sin6_scope_id = UINT32_MAX;
	address_print(plain(&ipv6), text);
	assert_string_equal(text, "[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535");
	ipv6.sin6_scope_id = 0;
	address_print_ip(plain(&ipv6), text);
	assert_string_equal(text, "fe80:1111:2222:3333:4444:5555:6666:7777");

	address_print(plain(&local), text);
	assert_string_equal(text, "unix");
	address_print_ip(plain(&local), text);
	assert_string_equal(text, "unix");
	address_print_ip(&other, text);
	assert_string_equal(text, "unknown");
}

static void test_mapped_addresses_are_printed_as_ipv4(void **state)
{
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
	char text[ADDRESS_TEXT_BYTES];

	inet_pton(AF_INET6, "::ffff:192.0.2.7", &ipv6.sin6_addr);
	address_print_ip(plain(&ipv6), text);
	assert_string_equal(text, "192.0.2.7");
}

static void test_loopback(void **state)
{
	static const struct {
		int family;
		const char *text;
		bool is_loopback;
	} cases[] = {
		{AF_INET, "127.0.0.1", true},
		{AF_INET, "127.255.0.9", true},
		{AF_INET, "128.0.0.1", false},
		{AF_INET, "0.0.0.0", false},
		{AF_INET, "192.168.0.127", false},
		{AF_INET6, "::1", true},
		{AF_INET6, "::", false},
		{AF_INET6, "fe80::1", false},
		{AF_INET6, "::ffff:127.0.0.1", true},
		{AF_INET6, "::ffff:10.0.0.1", false},
	};
	struct sockaddr_un local = {.sun_family = AF_UNIX};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct sockaddr_in ipv4 = {.sin_family = AF_INET};
		struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
		bool is_ipv4 = cases[i].family == AF_INET;

		inet_pton(cases[i].family, cases[i].text,
			is_ipv4 ? (void *)&ipv4.sin_addr : (void *)&ipv6.sin6_addr);
		assert_int_equal(address_is_loopback(is_ipv4 ? plain(&ipv4) : plain(&ipv6)),
			cases[i].is_loopback);
	}
	assert_true(address_is_loopback(plain(&local)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numeric_addresses),
		cmocka_unit_test(test_lengths_fit_bind),
		cmocka_unit_test(test_star_and_nothing_are_every_address),
		cmocka_unit_test(test_localhost_is_both_loopbacks),
		cmocka_unit_test(test_no_more_than_asked_are_written),
		cmocka_unit_test(test_wrong_addresses_are_refused_with_the_reason),
		cmocka_unit_test(test_local_paths),
		cmocka_unit_test(test_long_names_are_refused),
		cmocka_unit_test(test_unknown_names_are_refused),
		cmocka_unit_test(test_printing),
		cmocka_unit_test(test_mapped_addresses_are_printed_as_ipv4),
		cmocka_unit_test(test_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
