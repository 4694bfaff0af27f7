#include "io/resolver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <event2/event.h>

enum { SAID_BYTES = 1024, FILE_BYTES = 64, TURNS_MOST = 1000 };

/* A name server on loopback, with a script. */
struct server {
	struct evdns_server_port *port;
	int socket;
	bool has_ipv4, has_ipv6;
	bool holds_ipv6; /* answers AAAA only when told */
	bool is_silent;
	struct evdns_server_request *held;
	unsigned queries;
};

static struct event_base *base;
static struct server server;
static char resolv_conf[FILE_BYTES], hosts[FILE_BYTES];
/* Each call of on_resolved: its addresses, separated by blanks, and a |. */
static char said[SAID_BYTES];
static struct resolver *refreshed_inside;

static void on_resolved(void *arg, const struct address *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[ADDRESS_TEXT_BYTES];

		address_print((const struct sockaddr *)&addresses[i].storage, text);
		strcat(strcat(said, i ? " " : ""), text);
	}
	strcat(said, "|");
	if (refreshed_inside)
		resolver_refresh(refreshed_inside);
}

static const struct resolver_events events = {on_resolved, NULL};

static void answer_ipv6(struct evdns_server_request *request)
{
	struct in6_addr address;

	inet_pton(AF_INET6, "2001:db8::5", &address);
	if (server.has_ipv6)
		evdns_server_request_add_aaaa_reply(
			request, request->questions[0]->name, 1, &address, 60);
	evdns_server_request_respond(request, server.has_ipv6 ? 0 : DNS_ERR_NOTEXIST);
}

static void answer_ipv4(struct evdns_server_request *request)
{
	struct in_addr addresses[2];

	inet_pton(AF_INET, "192.0.2.7", &addresses[0]);
	inet_pton(AF_INET, "192.0.2.3", &addresses[1]);
	if (server.has_ipv4)
		evdns_server_request_add_a_reply(
			request, request->questions[0]->name, 2, addresses, 60);
	evdns_server_request_respond(request, server.has_ipv4 ? 0 : DNS_ERR_NOTEXIST);
}

static void on_query(struct evdns_server_request *request, void *arg)
{
	server.queries++;
	if (server.is_silent)
		evdns_server_request_drop(request);
	else if (request->questions[0]->type == EVDNS_TYPE_A)
		answer_ipv4(request);
	else if (server.holds_ipv6)
		server.held = request;
	else
		answer_ipv6(request);
}

static void write_file(char path[FILE_BYTES], const char *text)
{
	int file;

	strcpy(path, "/tmp/test_io_resolver.XXXXXX");
	file = mkstemp(path);
	assert_true(file >= 0);
	assert_true(write(file, text, strlen(text)) == (ssize_t)strlen(text));
	close(file);
}

static void start_server(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	char text[100];

	memset(&server, 0, sizeof(server));
	server.socket = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.socket, (struct sockaddr *)&address, length), 0);
	assert_int_equal(getsockname(server.socket, (struct sockaddr *)&address, &length), 0);
	server.port = evdns_add_server_port_with_base(base, server.socket, 0, on_query, NULL);
	assert_non_null(server.port);
	snprintf(text, sizeof(text), "nameserver 127.0.0.1:%u\n", ntohs(address.sin_port));
	write_file(resolv_conf, text);
}

static int setup(void **state)
{
	base = event_base_new();
	start_server();
	write_file(hosts, "# nothing: not even localhost\n"
			  "192.0.2.80\tbox box.lan # and a comment: commented\n"
			  "2001:db8::80 BOX\n"
			  "192.0.2.81 box\n"
			  "nonsense broken\n");
	said[0] = '\0';
	refreshed_inside = NULL;
	return 0;
}

static int teardown(void **state)
{
	if (server.held)
		evdns_server_request_drop(server.held);
	evdns_close_server_port(server.port);
	/* The port is freed when its socket's event is gone. */
	event_base_loop(base, EVLOOP_NONBLOCK);
	close(server.socket);
	event_base_free(base);
	unlink(resolv_conf);
	unlink(hosts);
	return 0;
}

static struct resolver *resolve(const char *host)
{
	return resolver_create_with_files(base, host, 11434, &events, resolv_conf, hosts);
}

/* Turns the loop until `expected` was said. */
static void assert_said(const char *expected)
{
	for (int turn = 0; turn < TURNS_MOST && strlen(said) < strlen(expected); turn++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_string_equal(said, expected);
}

static void test_numeric_hosts_need_no_query(void **state)
{
	struct resolver *ipv4 = resolve("192.0.2.1");
	struct resolver *ipv6 = resolve("::1");

	assert_string_equal(said, "192.0.2.1:11434|[::1]:11434|");
	resolver_refresh(ipv4);
	assert_string_equal(said, "192.0.2.1:11434|[::1]:11434|192.0.2.1:11434|");
	assert_int_equal(server.queries, 0);
	resolver_destroy(ipv4);
	resolver_destroy(ipv6);
}

static void test_localhost_needs_neither_files_nor_query(void **state)
{
	struct resolver *resolver = resolver_create_with_files(
		base, "localhost", 1, &events, "/nonexistent", "/nonexistent");
	struct resolver *below = resolver_create_with_files(
		base, "Ollama.LocalHost.", 2, &events, "/nonexistent", "/nonexistent");

	assert_string_equal(said, "127.0.0.1:1 [::1]:1|127.0.0.1:2 [::1]:2|");
	resolver_destroy(resolver);
	resolver_destroy(below);
}

static void test_hosts_file_comes_before_the_name_server(void **state)
{
	struct resolver *resolver = resolve("box");
	struct resolver *alias = resolve("BOX.LAN");

	assert_string_equal(
		said, "192.0.2.80:11434 192.0.2.81:11434 [2001:db8::80]:11434|192.0.2.80:11434|");
	assert_int_equal(server.queries, 0);
	resolver_destroy(resolver);
	resolver_destroy(alias);
}

static void test_hosts_file_is_read_anew(void **state)
{
	struct resolver *resolver = resolve("box.lan");
	FILE *file = fopen(hosts, "w");

	fputs("192.0.2.99 box.lan\n", file);
	fclose(file);
	resolver_refresh(resolver);
	assert_string_equal(said, "192.0.2.80:11434|192.0.2.99:11434|");
	resolver_destroy(resolver);
}

static void test_name_server_is_asked_for_both_families(void **state)
{
	struct resolver *resolver;

	server.has_ipv4 = server.has_ipv6 = server.holds_ipv6 = true;
	resolver = resolve("ollama.example");
	assert_string_equal(said, "");
	assert_said("192.0.2.7:11434 192.0.2.3:11434|");
	while (!server.held)
		event_base_loop(base, EVLOOP_ONCE);
	answer_ipv6(server.held);
	server.held = NULL;
	assert_said("192.0.2.7:11434 192.0.2.3:11434|"
		    "192.0.2.7:11434 192.0.2.3:11434 [2001:db8::5]:11434|");
	resolver_destroy(resolver);
}

static void test_names_with_ipv6_only(void **state)
{
	struct resolver *resolver;

	server.has_ipv6 = true;
	resolver = resolve("ollama.example");
	assert_said("[2001:db8::5]:11434|");
	resolver_destroy(resolver);
}

static void test_unknown_names_are_told_and_may_come_later(void **state)
{
	struct resolver *resolver = resolve("commented");

	assert_said("|");
	server.has_ipv4 = server.has_ipv6 = true;
	resolver_refresh(resolver);
	while (!strchr(strchr(said, '|') + 1, ']'))
		event_base_loop(base, EVLOOP_ONCE);
	assert_string_equal(
		said + strlen(said) - strlen(" [2001:db8::5]:11434|"), " [2001:db8::5]:11434|");
	resolver_destroy(resolver);
}

static void test_no_name_server_is_a_failure_at_once(void **state)
{
	struct resolver *resolver = resolver_create_with_files(
		base, "ollama.example", 1, &events, "/nonexistent", "/nonexistent");

	assert_string_equal(said, "|");
	resolver_destroy(resolver);
}

static void test_names_that_no_name_server_could_take_fail(void **state)
{
	char name[400];
	struct resolver *resolver;

	memset(name, 'a', 300);
	name[300] = '\0';
	resolver = resolve(name);
	assert_said("|");
	assert_int_equal(server.queries, 0);
	resolver_destroy(resolver);
}

static void test_one_query_at_a_time(void **state)
{
	struct resolver *resolver;

	server.has_ipv6 = true; /* told only when both have answered */
	resolver = resolve("ollama.example");
	resolver_refresh(resolver);
	resolver_refresh(resolver);
	assert_said("[2001:db8::5]:11434|");
	assert_int_equal(server.queries, 2);
	resolver_destroy(resolver);
}

static void test_refresh_from_inside_does_nothing(void **state)
{
	struct resolver *resolver = resolve("192.0.2.1");

	refreshed_inside = resolver;
	resolver_refresh(resolver);
	assert_string_equal(said, "192.0.2.1:11434|192.0.2.1:11434|");
	resolver_destroy(resolver);
}

/* The leak checkers see whether a query under way is given up whole; nobody is called afterwards.
 */
static void test_destroyed_while_a_query_is_under_way(void **state)
{
	struct resolver *resolver;

	resolver_destroy(resolve("early.example"));
	server.is_silent = true;
	resolver = resolve("late.example");
	while (server.queries < 2)
		event_base_loop(base, EVLOOP_ONCE);
	resolver_destroy(resolver);
	event_base_loop(base, EVLOOP_NONBLOCK);
	assert_string_equal(said, "");
	resolver_destroy(NULL);
}

static void test_the_systems_files_are_read(void **state)
{
	struct resolver *resolver = resolver_create(base, "127.0.0.1", 1, &events);

	assert_string_equal(said, "127.0.0.1:1|");
	resolver_destroy(resolver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_numeric_hosts_need_no_query, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_localhost_needs_neither_files_nor_query, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_hosts_file_comes_before_the_name_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hosts_file_is_read_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_name_server_is_asked_for_both_families, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_with_ipv6_only, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_unknown_names_are_told_and_may_come_later, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_no_name_server_is_a_failure_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_names_that_no_name_server_could_take_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_query_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_refresh_from_inside_does_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_destroyed_while_a_query_is_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_systems_files_are_read, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
