#include "io/holder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

/* A socket on a port of the kernel's choice. */
static int bind_socket(int family, uint16_t *ret_port)
{
	struct sockaddr_in ipv4 = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_storage bound;
	socklen_t length = sizeof(bound);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (family == AF_INET)
		assert_int_equal(bind(fd, (struct sockaddr *)&ipv4, sizeof(ipv4)), 0);
	else
		assert_int_equal(bind(fd, (struct sockaddr *)&ipv6, sizeof(ipv6)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &length), 0);
	*ret_port = ntohs(family == AF_INET ? ((struct sockaddr_in *)&bound)->sin_port
					    : ((struct sockaddr_in6 *)&bound)->sin6_port);
	return fd;
}

static void check_held_by_us(int family)
{
	uint16_t port;
	int fd = bind_socket(family, &port);
	char *expected = mem_printf("(pid %d)", (int)getpid());
	char *holder;

	assert_int_equal(listen(fd, 1), 0);
	holder = holder_of_port(port);
	assert_non_null(holder);
	assert_non_null(strstr(holder, expected));
	free(holder);
	free(expected);
	close(fd);
	assert_null(holder_of_port(port));
}

static void test_the_process_that_listens_is_named(void **state)
{
	check_held_by_us(AF_INET);
	check_held_by_us(AF_INET6);
}

static void test_a_port_that_is_only_bound_is_not_listened_on(void **state)
{
	uint16_t port;
	int fd = bind_socket(AF_INET, &port);

	assert_null(holder_of_port(port));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_process_that_listens_is_named),
		cmocka_unit_test(test_a_port_that_is_only_bound_is_not_listened_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
