#include "io/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

enum {
	PORT_MAX = 65535,
	PORT_DIGITS = 5,
	HOST_BYTES = 256, /* a name has at most 253 (RFC 1035 section 2.3.4) */
	LOOPBACK_NET = 127
};

/* Where the results go. */
struct list {
	struct address *addresses;
	size_t count;
	size_t most;
};

static struct sockaddr_in make_ipv4(uint32_t host, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(host)};
}

static struct sockaddr_in6 make_ipv6(struct in6_addr host, uint16_t port)
{
	return (struct sockaddr_in6){
		.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = host};
}

static void add(struct list *list, const void *address, socklen_t length)
{
	struct address *added;

	if (list->count == list->most || length > sizeof(added->storage))
		return;
	added = &list->addresses[list->count++];
	memset(added, 0, sizeof(*added));
	memcpy(&added->storage, address, length);
	added->length = length;
}

static void add_both(
	struct list *list, uint32_t ipv4_host, struct in6_addr ipv6_host, uint16_t port)
{
	struct sockaddr_in ipv4 = make_ipv4(ipv4_host, port);
	struct sockaddr_in6 ipv6 = make_ipv6(ipv6_host, port);

	add(list, &ipv4, sizeof(ipv4));
	add(list, &ipv6, sizeof(ipv6));
}

static bool read_port(const char *text, uint16_t *ret_port)
{
	unsigned port = 0;
	size_t length = strlen(text);

	if (!length || length > PORT_DIGITS || strspn(text, "0123456789") != length)
		return false;
	for (; *text; text++)
		port = port * 10 + (unsigned)(*text - '0');
	if (port > PORT_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

/* Cuts "HOST:PORT" or "[HOST]:PORT". */
static bool split(
	const char *text, char host[HOST_BYTES], uint16_t *ret_port, const char **ret_error)
{
	const char *colon = strrchr(text, ':');
	size_t length;

	*ret_error = "no port: write ADDR:PORT";
	if (!colon)
		return false;
	length = (size_t)(colon - text);
	*ret_error = "the port must be 0 to 65535";
	if (!read_port(colon + 1, ret_port))
		return false;
	if (text[0] == '[') {
		*ret_error = "no ] after the IPv6 address";
		if (length < 2 || text[length - 1] != ']')
			return false;
		text++;
		length -= 2;
	} else {
		*ret_error = "write an IPv6 address in brackets: [ADDR]:PORT";
		if (memchr(text, ':', length))
			return false;
	}
	*ret_error = "the name is too long";
	if (length >= HOST_BYTES)
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	return true;
}

static bool look_up(const char *host, uint16_t port, struct list *list, const char **ret_error)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *found = NULL;
	char service[PORT_DIGITS + 1];
	int error;

	snprintf(service, sizeof(service), "%u", (unsigned)port);
	error = getaddrinfo(host, service, &hints, &found);
	if (error) {
		*ret_error = gai_strerror(error);
		return false;
	}
	for (const struct addrinfo *at = found; at; at = at->ai_next) {
		if (at->ai_family == AF_INET || at->ai_family == AF_INET6)
			add(list, at->ai_addr, at->ai_addrlen);
	}
	freeaddrinfo(found);
	*ret_error = "the name has no IPv4 or IPv6 address";
	return list->count > 0;
}

static size_t add_path(struct list *list, const char *path, const char **ret_error)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	size_t length = strlen(path);

	*ret_error = "no path, or one over 107 bytes, after unix:";
	if (!length || length >= sizeof(local.sun_path))
		return 0;
	memcpy(local.sun_path, path, length);
	add(list, &local, sizeof(local));
	return list->count;
}

size_t address_parse_listen(
	const char *text, struct address *ret_addresses, size_t most, const char **ret_error)
{
	struct list list = {.addresses = ret_addresses, .most = most};
	char host[HOST_BYTES];
	uint16_t port = 0;

	if (strncasecmp(text, "unix:", strlen("unix:")) == 0)
		return add_path(&list, text + strlen("unix:"), ret_error);
	if (!split(text, host, &port, ret_error))
		return 0;
	if (text[0] == '[' && !strchr(host, ':')) {
		*ret_error = "no IPv6 address in the brackets";
		return 0;
	}
	if (strcmp(host, "") == 0 || strcmp(host, "*") == 0)
		add_both(&list, INADDR_ANY, in6addr_any, port);
	else if (strcmp(host, "localhost") == 0)
		add_both(&list, INADDR_LOOPBACK, in6addr_loopback, port);
	else if (!look_up(host, port, &list, ret_error))
		return 0;
	return list.count;
}

/* Whether it is ::ffff:a.b.c.d, and then that IPv4 address. */
static bool unmap(const struct sockaddr_in6 *ipv6, struct in_addr *ret_ipv4)
{
	if (!IN6_IS_ADDR_V4MAPPED(&ipv6->sin6_addr))
		return false;
	memcpy(ret_ipv4, ipv6->sin6_addr.s6_addr + sizeof(ipv6->sin6_addr) - sizeof(*ret_ipv4),
		sizeof(*ret_ipv4));
	return true;
}

static void print_ipv6(const struct sockaddr_in6 *ipv6, char text[ADDRESS_TEXT_BYTES])
{
	size_t length;

	inet_ntop(AF_INET6, &ipv6->sin6_addr, text, ADDRESS_TEXT_BYTES);
	length = strlen(text);
	/* Link-local addresses mean nothing without their interface. */
	if (ipv6->sin6_scope_id)
		snprintf(text + length, ADDRESS_TEXT_BYTES - length, "%%%u", ipv6->sin6_scope_id);
}

void address_print(const struct sockaddr *address, char text[ADDRESS_TEXT_BYTES])
{
	char host[ADDRESS_TEXT_BYTES];

	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *ipv4 = (const void *)address;

		inet_ntop(AF_INET, &ipv4->sin_addr, host, sizeof(host));
		snprintf(text, ADDRESS_TEXT_BYTES, "%.15s:%u", host,
			(unsigned)ntohs(ipv4->sin_port));
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *ipv6 = (const void *)address;

		print_ipv6(ipv6, host);
		snprintf(text, ADDRESS_TEXT_BYTES, "[%.55s]:%u", host,
			(unsigned)ntohs(ipv6->sin6_port));
	} else {
		address_print_ip(address, text);
	}
}

void address_print_ip(const struct sockaddr *address, char text[ADDRESS_TEXT_BYTES])
{
	struct in_addr mapped;

	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *ipv4 = (const void *)address;

		inet_ntop(AF_INET, &ipv4->sin_addr, text, ADDRESS_TEXT_BYTES);
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *ipv6 = (const void *)address;

		if (unmap(ipv6, &mapped))
			inet_ntop(AF_INET, &mapped, text, ADDRESS_TEXT_BYTES);
		else
			print_ipv6(ipv6, text);
	} else {
		snprintf(text, ADDRESS_TEXT_BYTES, "%s",
			address->sa_family == AF_UNIX ? "unix" : "unknown");
	}
}

static bool is_loopback_ipv4(struct in_addr ipv4)
{
	return ntohl(ipv4.s_addr) >> IN_CLASSA_NSHIFT == LOOPBACK_NET;
}

bool address_is_loopback(const struct sockaddr *address)
{
	struct in_addr mapped;

	if (address->sa_family == AF_INET)
		return is_loopback_ipv4(
			((const struct sockaddr_in *)(const void *)address)->sin_addr);
	if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *ipv6 = (const void *)address;

		return unmap(ipv6, &mapped) ? is_loopback_ipv4(mapped)
					    : IN6_IS_ADDR_LOOPBACK(&ipv6->sin6_addr);
	}
	return address->sa_family == AF_UNIX;
}
