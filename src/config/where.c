#include "config/where.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/memory.h"

enum {
	PORT_MAX = 65535,
	PORT_DIGITS = 5,
	NAME_MAX_BYTES = 253 /* RFC 1035 section 2.3.4, without the root's dot */
};

/* A decimal port that is all of `text`. */
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

static bool is_name(const char *text, size_t length)
{
	if (!length || length > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)text[i]) && !strchr("-._", text[i]))
			return false;
	}
	return true;
}

static bool is_ipv6(const char *text, size_t length)
{
	char copy[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return inet_pton(AF_INET6, copy, &address) == 1;
}

/*
 * The host that `text` begins with, a name or a bracketed IPv6 address: its place without brackets,
 * and what follows. false: it is neither.
 */
static bool split_host(
	const char *text, const char **ret_host, size_t *ret_length, const char **ret_rest)
{
	const char *end;

	if (text[0] != '[') {
		*ret_host = text;
		*ret_length = strcspn(text, ":/?#");
		*ret_rest = text + *ret_length;
		return is_name(text, *ret_length);
	}
	end = strchr(text, ']');
	if (!end || !is_ipv6(text + 1, (size_t)(end - text - 1)))
		return false;
	*ret_host = text + 1;
	*ret_length = (size_t)(end - text - 1);
	*ret_rest = end + 1;
	return true;
}

static const char *after(const char *text, const char *beginning)
{
	size_t length = strlen(beginning);

	return strncasecmp(text, beginning, length) == 0 ? text + length : NULL;
}

const char *where_after_https(const char *listen)
{
	return after(listen, "https://");
}

const char *where_after_unix(const char *listen)
{
	return after(listen, "unix:");
}

bool where_parse_upstream(const char *url, char **ret_host, uint16_t *ret_port, bool *ret_is_tls,
	const char **ret_reason)
{
	const char *place = after(url, "https://");
	bool is_tls = place != NULL;
	const char *host, *rest;
	uint16_t port = is_tls ? WHERE_TLS_PORT : WHERE_OLLAMA_PORT;
	size_t length;

	if (!is_tls)
		place = after(url, "http://");
	if (!place) {
		*ret_reason = "write http://HOST[:PORT] or https://HOST[:PORT]";
		return false;
	}
	if (!split_host(place, &host, &length, &rest)) {
		*ret_reason =
			"no host name or address after :// (IPv6 addresses stand in brackets)";
		return false;
	}
	if (*rest == ':') {
		char digits[PORT_DIGITS + 1] = "";
		size_t count = strcspn(++rest, "/");

		if (count < sizeof(digits))
			memcpy(digits, rest, count);
		if (!read_port(digits, &port) || !port) {
			*ret_reason = "the port must be 1 to 65535";
			return false;
		}
		rest += count;
	}
	if (strcmp(rest, "") != 0 && strcmp(rest, "/") != 0) {
		*ret_reason = "nothing may follow the port: paths are the clients'";
		return false;
	}
	*ret_host = mem_strndup(host, length);
	*ret_port = port;
	*ret_is_tls = is_tls;
	return true;
}

/* A local socket's path as bind() can take it. */
static bool check_path(const char *path, const char **ret_reason)
{
	static const struct sockaddr_un address;

	*ret_reason = "no path after unix:";
	if (!*path)
		return false;
	*ret_reason = "the path is too long: 107 bytes at most";
	return strlen(path) < sizeof(address.sun_path);
}

bool where_check_listen(const char *text, const char **ret_reason)
{
	const char *host, *rest;
	size_t length;
	uint16_t port;

	if (where_after_unix(text))
		return check_path(where_after_unix(text), ret_reason);
	if (where_after_https(text))
		text = where_after_https(text);
	if (text[0] == '*' || text[0] == ':') {
		rest = text + (text[0] == '*');
	} else if (!split_host(text, &host, &length, &rest)) {
		*ret_reason = "write ADDR:PORT (IPv6 addresses stand in brackets)";
		return false;
	}
	if (*rest != ':') {
		*ret_reason = "no port: write ADDR:PORT (IPv6 addresses stand in brackets)";
		return false;
	}
	if (!read_port(rest + 1, &port)) {
		*ret_reason = "the port must be 0 to 65535";
		return false;
	}
	return true;
}
