#include "http/target.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { PORT_MOST = 65535 };

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

bool target_path(const char *target, size_t length, char *path)
{
	size_t used = 0;

	for (size_t i = 0; i < length && target[i] != '?'; i++) {
		char byte = target[i];

		if (byte == '%') {
			int high = i + 2 < length ? hex_value(target[i + 1]) : -1;
			int low = i + 2 < length ? hex_value(target[i + 2]) : -1;

			if (high < 0 || low < 0 || (high == 0 && low == 0))
				return false;
			byte = (char)(high * 16 + low);
			i += 2;
		}
		if (byte == '/' && used > 0 && path[used - 1] == '/')
			continue;
		path[used++] = byte;
	}
	path[used] = '\0';
	return true;
}

/* Of a reg-name (RFC 3986 §3.2.2), which an IPv4 address looks like too. */
static bool is_name(const char *text, size_t length)
{
	static const char others[] = "-._~!$&'()*+,;=";

	for (size_t i = 0; i < length; i++) {
		char byte = text[i];
		bool is_word = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
			       (byte >= '0' && byte <= '9');

		if (byte == '%' && i + 2 < length && hex_value(text[i + 1]) >= 0 &&
			hex_value(text[i + 2]) >= 0)
			i += 2;
		else if (!is_word && !memchr(others, byte, sizeof(others) - 1))
			return false;
	}
	return length > 0;
}

/* What stands between the brackets; the zone begins with "%25" (RFC 6874), or with a bare "%" as
 * some clients write it. */
static bool is_ipv6(const char *text, size_t length)
{
	const char *zone = memchr(text, '%', length);
	size_t address_length = zone ? (size_t)(zone - text) : length;
	char address[INET6_ADDRSTRLEN];
	struct in6_addr parsed;

	if (address_length >= sizeof(address))
		return false;
	memcpy(address, text, address_length);
	address[address_length] = '\0';
	if (memchr(address, '\0', address_length) || inet_pton(AF_INET6, address, &parsed) != 1)
		return false;
	return !zone || is_name(zone + 1, length - address_length - 1);
}

static bool is_port(const char *text, size_t length)
{
	int port = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port * 10 + (text[i] - '0');
		if (port > PORT_MOST)
			return false;
	}
	return true;
}

bool target_is_authority(const char *text, size_t length)
{
	const char *end = text + length;
	const char *host_end;

	if (length > 0 && text[0] == '[') {
		host_end = memchr(text, ']', length);
		if (!host_end || !is_ipv6(text + 1, (size_t)(host_end - text - 1)))
			return false;
		host_end++;
	} else {
		host_end = memchr(text, ':', length);
		if (!host_end)
			host_end = end;
		if (!is_name(text, (size_t)(host_end - text)))
			return false;
	}
	return host_end == end ||
	       (*host_end == ':' && is_port(host_end + 1, (size_t)(end - host_end - 1)));
}

static bool begins_with(const char *target, size_t length, const char *scheme)
{
	return length >= strlen(scheme) && strncasecmp(target, scheme, strlen(scheme)) == 0;
}

bool target_split_absolute(const char *target, size_t length, size_t *ret_authority,
	size_t *ret_authority_length, size_t *ret_rest)
{
	size_t start;
	size_t end;

	if (begins_with(target, length, "http://"))
		start = strlen("http://");
	else if (begins_with(target, length, "https://"))
		start = strlen("https://");
	else
		return false;
	end = start;
	while (end < length && target[end] != '/' && target[end] != '?') {
		if (target[end] == '@')
			return false;
		end++;
	}
	if (end == start || target[start] == ':')
		return false; /* no host */
	*ret_authority = start;
	*ret_authority_length = end - start;
	*ret_rest = end;
	return true;
}

bool target_split_name(
	const char *target, size_t *ret_name, size_t *ret_name_length, size_t *ret_rest)
{
	size_t name = strspn(target, "/");
	size_t length;

	if (name == 0)
		return false;
	if (target[name] == '@')
		name++;
	else if (strncmp(target + name, "%40", strlen("%40")) == 0)
		name += strlen("%40");
	else
		return false;
	length = strcspn(target + name, "/?");
	if (length == 0)
		return false;
	*ret_name = name;
	*ret_name_length = length;
	*ret_rest = name + length;
	return true;
}

bool target_has_query_flag(const char *target, const char *name)
{
	const char *at = strchr(target, '?');
	size_t length = strlen(name);

	while (at) {
		at++;
		if (strncmp(at, name, length) == 0 && strncmp(at + length, "=1", 2) == 0 &&
			(at[length + 2] == '\0' || at[length + 2] == '&'))
			return true;
		at = strchr(at, '&');
	}
	return false;
}
