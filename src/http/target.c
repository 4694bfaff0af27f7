#include "http/target.h"

#include <string.h>
#include <strings.h>

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
