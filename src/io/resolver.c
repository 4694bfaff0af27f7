#include "io/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/dns.h>
#include <event2/event.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/memory.h"

/*
 * evdns_getaddrinfo() cannot be given up without the loop running on (its cancellation is a
 * deferred callback), and it would be leaked by a shutdown. So the two queries are made by
 * themselves, and evdns_base_free() ends them silently; the hosts file, which only
 * evdns_getaddrinfo() reads, is read here.
 */

enum {
	PORT_BYTES = 6,
	/* A longer line of a hosts file is cut, which drops its last names. */
	HOSTS_LINE_BYTES = 4096,
	IPV4_BYTES = 4,
	IPV6_BYTES = 16
};

/*
 * evdns asks a failed name server for google.com until it answers. Ours lives only as long as a
 * query, which is less than this many seconds, so it never asks anything that it was not asked.
 */
static const char PROBE_DELAY[] = "3600";

enum kind { KIND_FIXED, KIND_LOCALHOST, KIND_NAME };

/* The addresses of one family. */
struct found {
	struct address addresses[RESOLVER_ADDRESSES_MOST];
	size_t count;
};

struct resolver {
	struct event_base *base;
	struct evdns_base *dns; /* of the query under way; else NULL */
	struct event *done;	/* runs the end of a query outside of evdns */
	char *host;
	uint16_t port;
	enum kind kind;
	struct address fixed; /* KIND_FIXED */
	const char *resolv_conf;
	const char *hosts;
	struct found ipv4;
	struct found ipv6;
	bool has_ipv4_answer; /* or failure */
	bool has_ipv6_answer;
	bool is_telling;
	struct resolver_events events;
};

static void add(struct found *found, const void *address, socklen_t length)
{
	struct address *added;

	if (found->count == RESOLVER_ADDRESSES_MOST)
		return;
	added = &found->addresses[found->count++];
	memset(added, 0, sizeof(*added));
	memcpy(&added->storage, address, length);
	added->length = length;
}

static void add_ipv4(struct resolver *resolver, const void *host)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(resolver->port)};

	memcpy(&address.sin_addr, host, IPV4_BYTES);
	add(&resolver->ipv4, &address, sizeof(address));
}

static void add_ipv6(struct resolver *resolver, const void *host)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(resolver->port)};

	memcpy(&address.sin6_addr, host, IPV6_BYTES);
	add(&resolver->ipv6, &address, sizeof(address));
}

static void tell(struct resolver *resolver)
{
	struct address all[RESOLVER_ADDRESSES_MOST];
	size_t count = 0;

	for (size_t i = 0; i < resolver->ipv4.count && count < ARRAY_LENGTH(all); i++)
		all[count++] = resolver->ipv4.addresses[i];
	for (size_t i = 0; i < resolver->ipv6.count && count < ARRAY_LENGTH(all); i++)
		all[count++] = resolver->ipv6.addresses[i];
	resolver->is_telling = true;
	resolver->events.on_resolved(resolver->events.arg, count ? all : NULL, count);
	resolver->is_telling = false;
}

/* Also accepts a zone: fe80::1%eth0. No name is looked up. */
static bool read_numeric(const char *host, uint16_t port, struct address *ret_address)
{
	const struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	char service[PORT_BYTES];

	snprintf(service, sizeof(service), "%u", (unsigned)port);
	if (getaddrinfo(host, service, &hints, &found) != 0)
		return false;
	memset(ret_address, 0, sizeof(*ret_address));
	memcpy(&ret_address->storage, found->ai_addr, found->ai_addrlen);
	ret_address->length = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

/* The root's dot at the end is no part of the name. */
static size_t name_length(const char *name)
{
	size_t length = strlen(name);

	return length && name[length - 1] == '.' ? length - 1 : length;
}

static bool is_localhost(const char *name)
{
	static const char local[] = "localhost";
	size_t length = name_length(name);
	size_t local_length = strlen(local);

	return length >= local_length &&
	       strncasecmp(name + length - local_length, local, local_length) == 0 &&
	       (length == local_length || name[length - local_length - 1] == '.');
}

static bool is_same_name(const char *left, const char *right)
{
	size_t length = name_length(left);

	return length == name_length(right) && strncasecmp(left, right, length) == 0;
}

/* One line of a hosts file: an address and its names. */
static void read_hosts_line(struct resolver *resolver, char *line)
{
	static const char blanks[] = " \t\r\n";
	unsigned char host[IPV6_BYTES];
	char *rest = NULL;
	const char *address, *name;

	line[strcspn(line, "#")] = '\0';
	address = strtok_r(line, blanks, &rest);
	while (address && (name = strtok_r(NULL, blanks, &rest))) {
		if (!is_same_name(name, resolver->host))
			continue;
		if (inet_pton(AF_INET, address, host) == 1)
			add_ipv4(resolver, host);
		else if (inet_pton(AF_INET6, address, host) == 1)
			add_ipv6(resolver, host);
		return;
	}
}

static bool is_in_hosts(struct resolver *resolver)
{
	char line[HOSTS_LINE_BYTES];
	FILE *file = fopen(resolver->hosts, "re");

	if (!file)
		return false;
	while (fgets(line, sizeof(line), file))
		read_hosts_line(resolver, line);
	fclose(file);
	return resolver->ipv4.count || resolver->ipv6.count;
}

/* Outside of evdns's callbacks, so that its base can be freed. */
static void on_done(evutil_socket_t socket, short what, void *arg)
{
	struct resolver *resolver = arg;

	if (resolver->has_ipv4_answer && resolver->has_ipv6_answer) {
		evdns_base_free(resolver->dns, 0);
		resolver->dns = NULL;
	}
	tell(resolver);
}

static void wake(struct resolver *resolver)
{
	event_active(resolver->done, EV_TIMEOUT, 0);
}

static void on_ipv4(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	struct resolver *resolver = arg;

	for (int i = 0; result == DNS_ERR_NONE && type == DNS_IPv4_A && i < count; i++)
		add_ipv4(resolver, (const char *)addresses + (size_t)i * IPV4_BYTES);
	resolver->has_ipv4_answer = true;
	/* A name server that leaves AAAA without an answer must not cost the time-out. */
	if (resolver->has_ipv6_answer || resolver->ipv4.count)
		wake(resolver);
}

static void on_ipv6(int result, char type, int count, int ttl, void *addresses, void *arg)
{
	struct resolver *resolver = arg;

	for (int i = 0; result == DNS_ERR_NONE && type == DNS_IPv6_AAAA && i < count; i++)
		add_ipv6(resolver, (const char *)addresses + (size_t)i * IPV6_BYTES);
	resolver->has_ipv6_answer = true;
	if (resolver->has_ipv4_answer)
		wake(resolver);
}

static bool start_queries(struct resolver *resolver)
{
	const int options = DNS_OPTIONS_ALL & ~DNS_OPTION_HOSTSFILE;
	struct evdns_base *dns = evdns_base_new(resolver->base, EVDNS_BASE_DISABLE_WHEN_INACTIVE);

	if (!dns)
		return false;
	evdns_base_set_option(dns, "initial-probe-timeout:", PROBE_DELAY);
	/* Its result also tells of odd lines; what counts is whether there is anybody to ask. */
	evdns_base_resolv_conf_parse(
		dns, options | DNS_OPTION_NAMESERVERS_NO_DEFAULT, resolver->resolv_conf);
	if (evdns_base_count_nameservers(dns) == 0) {
		evdns_base_free(dns, 0);
		return false;
	}
	resolver->dns = dns;
	resolver->has_ipv4_answer =
		!evdns_base_resolve_ipv4(dns, resolver->host, 0, on_ipv4, resolver);
	resolver->has_ipv6_answer =
		!evdns_base_resolve_ipv6(dns, resolver->host, 0, on_ipv6, resolver);
	if (resolver->has_ipv4_answer && resolver->has_ipv6_answer)
		wake(resolver);
	return true;
}

void resolver_refresh(struct resolver *resolver)
{
	static const uint32_t loopback_ipv4 = INADDR_LOOPBACK;
	uint32_t ipv4 = htonl(loopback_ipv4);

	if (resolver->dns || resolver->is_telling)
		return;
	resolver->ipv4.count = 0;
	resolver->ipv6.count = 0;
	switch (resolver->kind) {
	case KIND_FIXED:
		add(&resolver->ipv4, &resolver->fixed.storage, resolver->fixed.length);
		break;
	case KIND_LOCALHOST:
		add_ipv4(resolver, &ipv4);
		add_ipv6(resolver, &in6addr_loopback);
		break;
	case KIND_NAME:
		if (!is_in_hosts(resolver) && start_queries(resolver))
			return;
		break;
	}
	tell(resolver);
}

struct resolver *resolver_create_with_files(struct event_base *base, const char *host,
	uint16_t port, const struct resolver_events *events, const char *resolv_conf,
	const char *hosts)
{
	struct resolver *resolver = mem_zalloc(sizeof(*resolver));

	resolver->base = base;
	resolver->host = mem_strdup(host);
	resolver->port = port;
	resolver->events = *events;
	resolver->resolv_conf = resolv_conf;
	resolver->hosts = hosts;
	resolver->done = evtimer_new(base, on_done, resolver);
	if (!resolver->done)
		mem_out(0);
	resolver->kind = read_numeric(host, port, &resolver->fixed) ? KIND_FIXED
			 : is_localhost(host)			    ? KIND_LOCALHOST
								    : KIND_NAME;
	resolver_refresh(resolver);
	return resolver;
}

struct resolver *resolver_create(struct event_base *base, const char *host, uint16_t port,
	const struct resolver_events *events)
{
	return resolver_create_with_files(
		base, host, port, events, "/etc/resolv.conf", "/etc/hosts");
}

void resolver_destroy(struct resolver *resolver)
{
	if (!resolver)
		return;
	if (resolver->dns)
		evdns_base_free(resolver->dns, 0);
	event_free(resolver->done);
	free(resolver->host);
	free(resolver);
}
