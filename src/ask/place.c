#include "ask/place.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "config/settings.h"
#include "config/where.h"

/* What shared-ollama listens on unless told otherwise (PRODUCT 8). */
#define OWN_PORT "8000"
#define HTTP_PORT "80"
#define HEALTH_PATH "/api/v1/health"

enum { PORT_MOST = 65535, PORT_DIGITS_MOST = 5 };

static bool is_port(const char *text, size_t length)
{
	if (length == 0 || length > PORT_DIGITS_MOST || strspn(text, "0123456789") < length)
		return false;
	return strtol(text, NULL, 10) <= PORT_MOST;
}

/* Splits HOST[:PORT] of `length` bytes. Returns NULL or what is wrong. */
static const char *split(
	const char *text, size_t length, const char *default_port, struct place *ret_place)
{
	const char *end = text + length;
	const char *host = text;
	const char *host_end;
	const char *port;

	if (length > 0 && text[0] == '[') {
		host = text + 1;
		host_end = memchr(text, ']', length);
		if (!host_end)
			return "the bracket is not closed";
		port = host_end + 1;
	} else {
		host_end = memchr(text, ':', length);
		if (!host_end)
			host_end = end;
		port = host_end;
	}
	if (port < end && (*port != ':' || !is_port(port + 1, (size_t)(end - port) - 1)))
		return "the port must be a number up to 65535";
	ret_place->host = mem_strndup(host, (size_t)(host_end - host));
	ret_place->port = port < end ? mem_strndup(port + 1, (size_t)(end - port) - 1)
				     : mem_strdup(default_port);
	return NULL;
}

/* Nothing that would end the request line early. */
static bool is_clean(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text <= ' ' || *text == '\x7f')
			return false;
	}
	return true;
}

bool place_parse(const char *url, struct place *ret_place, const char **ret_reason)
{
	static const char scheme[] = "http://";
	struct place place = {0};
	const char *default_port = OWN_PORT;
	const char *path = HEALTH_PATH;
	const char *reason;
	size_t length;

	if (!is_clean(url)) {
		*ret_reason = "white space and control characters are not allowed";
		return false;
	}
	if (strncasecmp(url, scheme, strlen(scheme)) == 0) {
		url += strlen(scheme);
		default_port = HTTP_PORT;
	} else if (strstr(url, "://")) {
		*ret_reason = "only http:// can be asked: name the plain listener";
		return false;
	}
	length = strcspn(url, "/?#");
	if (length == 0) {
		*ret_reason = "the host is missing";
		return false;
	}
	reason = split(url, length, default_port, &place);
	if (reason) {
		*ret_reason = reason;
		return false;
	}
	url += length;
	if (url[0] == '/' && url[1] != '\0' && url[1] != '?' && url[1] != '#')
		path = "";
	else
		url += url[0] == '/';
	place.target = mem_printf("%s%.*s", path, (int)strcspn(url, "#"), url);
	*ret_place = place;
	return true;
}

static void replace(char **text, const char *new_text)
{
	free(*text);
	*text = mem_strdup(new_text);
}

bool place_of_listen(const char *listen, struct place *ret_place, const char **ret_reason)
{
	struct place place = {0};
	const char *reason;

	if (where_after_https(listen) || where_after_unix(listen)) {
		*ret_reason = "only plain TCP can be asked: listen on 127.0.0.1:8000 besides";
		return false;
	}
	reason = split(listen, strlen(listen), OWN_PORT, &place);

	if (reason) {
		*ret_reason = reason;
		return false;
	}
	if (strtol(place.port, NULL, 10) == 0) {
		place_finish(&place);
		*ret_reason = "its port is the kernel's choice";
		return false;
	}
	if (strcmp(place.host, "") == 0 || strcmp(place.host, "*") == 0 ||
		strcmp(place.host, "0.0.0.0") == 0)
		replace(&place.host, "127.0.0.1");
	else if (strcmp(place.host, "::") == 0)
		replace(&place.host, "::1");
	place.target = mem_strdup(HEALTH_PATH);
	*ret_place = place;
	return true;
}

/* The first address that speaks plain HTTP over TCP; the very first where there is none. */
static const char *askable(char *const *listen)
{
	for (char *const *text = listen; *text; text++) {
		if (!where_after_https(*text) && !where_after_unix(*text))
			return *text;
	}
	return listen[0];
}

bool place_find(const char *url, const struct settings *settings, const char *command,
	struct place *ret_place, char **ret_error)
{
	bool is_moved = settings->admin_listen && settings->admin_listen[0];
	char **listen = is_moved ? settings->admin_listen : settings->listen;
	const char *reason = "there is none";

	if (url) {
		if (place_parse(url, ret_place, &reason))
			return true;
		*ret_error = mem_printf("cannot use the URL: %s", reason);
		return false;
	}
	if (listen && listen[0] && place_of_listen(askable(listen), ret_place, &reason))
		return true;
	*ret_error = mem_printf("cannot tell the URL from the address to listen on: %s: give the "
				"URL after `%s`",
		reason, command);
	return false;
}

bool place_is_loopback(const struct place *place)
{
	static const char net[] = "127.";

	return strncmp(place->host, net, strlen(net)) == 0 || strcmp(place->host, "::1") == 0 ||
	       strcmp(place->host, "localhost") == 0;
}

void place_finish(struct place *place)
{
	free(place->host);
	free(place->port);
	free(place->target);
	*place = (struct place){0};
}

char *place_authority(const struct place *place)
{
	return strchr(place->host, ':') ? mem_printf("[%s]:%s", place->host, place->port)
					: mem_printf("%s:%s", place->host, place->port);
}
