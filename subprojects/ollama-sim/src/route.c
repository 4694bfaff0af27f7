#include "route.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "conn.h"
#include "control.h"
#include "embed.h"
#include "library.h"
#include "messages.h"
#include "native.h"
#include "openai.h"
#include "reply.h"
#include "responses.h"
#include "show.h"
#include "sim.h"
#include "upload.h"

#define HOST_BYTES 256
#define ALLOW_BYTES 64

static const struct route routes[] = {
	{"POST", "/api/generate", BODY_COLLECT, NULL, native_generate},
	{"POST", "/api/chat", BODY_COLLECT, NULL, native_chat},
	{"POST", "/v1/chat/completions", BODY_COLLECT, NULL, openai_chat},
	{"POST", "/v1/completions", BODY_COLLECT, NULL, openai_completions},
	{"POST", "/api/embed", BODY_COLLECT, NULL, embed_native},
	{"POST", "/api/embeddings", BODY_COLLECT, NULL, embed_old},
	{"POST", "/v1/embeddings", BODY_COLLECT, NULL, embed_openai},
	{"POST", "/v1/messages", BODY_COLLECT, NULL, messages_create},
	{"POST", "/v1/responses", BODY_COLLECT, NULL, responses_create},
	{"HEAD", "/", BODY_DISCARD, NULL, library_root},
	{"GET", "/", BODY_DISCARD, NULL, library_root},
	{"HEAD", "/api/version", BODY_DISCARD, NULL, library_version},
	{"GET", "/api/version", BODY_DISCARD, NULL, library_version},
	{"GET", "/api/status", BODY_DISCARD, NULL, library_status},
	{"HEAD", "/api/tags", BODY_DISCARD, NULL, library_tags},
	{"GET", "/api/tags", BODY_DISCARD, NULL, library_tags},
	{"GET", "/api/ps", BODY_DISCARD, NULL, library_ps},
	{"POST", "/api/show", BODY_COLLECT, NULL, show_model},
	{"POST", "/api/pull", BODY_COLLECT, NULL, library_pull},
	{"POST", "/api/push", BODY_COLLECT, NULL, library_push},
	{"POST", "/api/create", BODY_COLLECT, NULL, library_create},
	{"POST", "/api/copy", BODY_COLLECT, NULL, library_copy},
	{"DELETE", "/api/delete", BODY_COLLECT, NULL, library_delete},
	{"HEAD", "/api/blobs/*", BODY_DISCARD, NULL, upload_look},
	{"POST", "/api/blobs/*", BODY_HASH, upload_begin, upload_end},
	{"GET", "/v1/models", BODY_DISCARD, NULL, library_v1_models},
	{"GET", "/v1/models/*", BODY_DISCARD, NULL, library_v1_model},
	{"POST", "/sim/faults", BODY_COLLECT, NULL, control_faults},
	{"POST", "/sim/reset", BODY_DISCARD, NULL, control_reset},
	{"GET", "/sim/state", BODY_DISCARD, NULL, control_state},
	{"*", "/sim/echo*", BODY_HASH, NULL, control_echo},
	{"GET", "/sim/bytes", BODY_DISCARD, NULL, control_bytes},
};

static bool answer_forbidden(struct conn *conn);
static bool answer_not_found(struct conn *conn);
static bool answer_wrong_method(struct conn *conn);
static bool answer_redirect(struct conn *conn);
static bool answer_preflight(struct conn *conn);
static bool answer_options(struct conn *conn);

static const struct route forbidden = {"", "", BODY_DISCARD, answer_forbidden, NULL};
static const struct route not_found = {"", "", BODY_DISCARD, answer_not_found, NULL};
static const struct route wrong_method = {"", "", BODY_DISCARD, answer_wrong_method, NULL};
static const struct route redirect = {"", "", BODY_DISCARD, answer_redirect, NULL};
static const struct route preflight = {"", "", BODY_DISCARD, answer_preflight, NULL};
static const struct route options = {"", "", BODY_DISCARD, answer_options, NULL};

static bool matches_path(const struct route *route, const char *path)
{
	size_t length = strlen(route->path);

	if (length > 1 && route->path[length - 1] == '*')
		return strncmp(route->path, path, length - 1) == 0 &&
		       (path[length - 1] != '\0' || route->path[length - 2] != '/');
	return strcmp(route->path, path) == 0;
}

/* The methods of a path, in the order of the table: "HEAD, GET". False if the path is unknown. */
static bool list_methods(const char *path, char allow[ALLOW_BYTES])
{
	size_t length = 0;

	allow[0] = '\0';
	for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
		if (matches_path(&routes[i], path))
			length += (size_t)snprintf(allow + length, ALLOW_BYTES - length, "%s%s",
				length == 0 ? "" : ", ", routes[i].method);
	}
	return length > 0;
}

static const struct route *look_up(const char *method, const char *path)
{
	for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
		if (matches_path(&routes[i], path) &&
			(strcmp(routes[i].method, method) == 0 || routes[i].method[0] == '*'))
			return &routes[i];
	}
	return NULL;
}

/* gin redirects to the path without its trailing slash, or with one, if that is known. */
static bool has_stray_slash(const char *path)
{
	char shorter[HOST_BYTES], allow[ALLOW_BYTES];
	size_t length = strlen(path);

	if (length < 2 || length >= sizeof(shorter) || path[length - 1] != '/')
		return false;
	memcpy(shorter, path, length - 1);
	shorter[length - 1] = '\0';
	return list_methods(shorter, allow);
}

static bool has_prefix(const char *text, const char *prefix)
{
	return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

/* Ollama's envconfig.AllowedOrigins(), without OLLAMA_ORIGINS. */
static bool is_origin_allowed(const char *origin)
{
	static const char *const hosts[] = {"localhost", "127.0.0.1", "0.0.0.0"};
	static const char *const schemes[] = {
		"app://", "file://", "tauri://", "vscode-webview://", "vscode-file://"};
	const char *host = has_prefix(origin, "http://")    ? origin + strlen("http://")
			   : has_prefix(origin, "https://") ? origin + strlen("https://")
							    : NULL;

	for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
		if (has_prefix(origin, schemes[i]))
			return true;
	}
	for (size_t i = 0; host != NULL && i < ARRAY_LENGTH(hosts); i++) {
		size_t length = strlen(hosts[i]);

		if (has_prefix(host, hosts[i]) && (host[length] == '\0' || host[length] == ':'))
			return true;
	}
	return false;
}

/* The host without its port and brackets. */
static void split_host(const char *text, char host[HOST_BYTES])
{
	size_t length;

	if (*text == '[') {
		text++;
		length = strcspn(text, "]");
	} else {
		const char *colon = strrchr(text, ':');

		length = colon == NULL ? strlen(text) : (size_t)(colon - text);
	}
	snprintf(host, HOST_BYTES, "%.*s", (int)(length < HOST_BYTES ? length : HOST_BYTES - 1),
		text);
}

enum host_kind { HOST_ADDRESS, HOST_NAME, HOST_FOREIGN };

static bool is_private_address(const struct in_addr *address)
{
	uint32_t number = ntohl(address->s_addr);

	return number >> 24 == 127 || number == 0 || number >> 24 == 10 ||
	       number >> 20 == (172U << 4 | 1) || number >> 16 == (192U << 8 | 168);
}

static bool has_suffix(const char *text, const char *suffix)
{
	size_t length = strlen(text), wanted = strlen(suffix);

	return length > wanted && strcasecmp(text + length - wanted, suffix) == 0;
}

/* Ollama's allowedHostsMiddleware. */
static enum host_kind host_kind(const char *text)
{
	static const char *const suffixes[] = {".localhost", ".local", ".internal"};
	char host[HOST_BYTES], own[HOST_BYTES] = "";
	struct in_addr four;
	struct in6_addr six;

	split_host(text, host);
	if (inet_pton(AF_INET, host, &four) == 1)
		return is_private_address(&four) ? HOST_ADDRESS : HOST_FOREIGN;
	if (inet_pton(AF_INET6, host, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_UNSPECIFIED(&six) ? HOST_ADDRESS
										   : HOST_FOREIGN;
	if (*host == '\0' || strcasecmp(host, "localhost") == 0)
		return HOST_NAME;
	for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
		if (has_suffix(host, suffixes[i]))
			return HOST_NAME;
	}
	gethostname(own, sizeof(own) - 1);
	return strcasecmp(host, own) == 0 ? HOST_NAME : HOST_FOREIGN;
}

static bool is_same_origin(const struct request *request)
{
	const char *rest = strstr(request->origin, "://");

	return rest != NULL && has_prefix(request->origin, "http") && request->host != NULL &&
	       strcmp(rest + strlen("://"), request->host) == 0;
}

/* What stands before Ollama's handlers; NULL: pass. */
static const struct route *check_access(struct conn *conn, bool is_options)
{
	const struct request *request = &conn->request;

	if (request->origin != NULL && !is_same_origin(request)) {
		if (!is_origin_allowed(request->origin))
			return &forbidden;
		conn->echoes_origin = true;
		if (is_options)
			return &preflight;
	}
	if (!conn->sim->server.is_loopback || !conn->sim->settings.check_host)
		return NULL;
	switch (host_kind(request->host == NULL ? "" : request->host)) {
	case HOST_FOREIGN:
		return &forbidden;
	case HOST_NAME:
		return is_options ? &options : NULL;
	case HOST_ADDRESS:
		break;
	}
	return NULL;
}

const struct route *route_find(struct conn *conn)
{
	const struct request *request = &conn->request;
	const struct route *route = look_up(request->method, request->path);
	const struct route *refusal = NULL;
	char allow[ALLOW_BYTES];

	if (!has_prefix(request->path, "/sim/"))
		refusal = check_access(conn, strcmp(request->method, "OPTIONS") == 0);
	if (route == NULL && has_stray_slash(request->path))
		return &redirect;
	if (refusal != NULL)
		return refusal;
	if (route != NULL)
		return route;
	return list_methods(request->path, allow) ? &wrong_method : &not_found;
}

/* gin sets Allow before its middlewares run, so refusals carry it as well. */
static const char *allow_of(const struct conn *conn, char allow[ALLOW_BYTES])
{
	bool is_known = list_methods(conn->request.path, allow);

	return is_known && look_up(conn->request.method, conn->request.path) == NULL ? allow : NULL;
}

static bool answer_forbidden(struct conn *conn)
{
	char allow[ALLOW_BYTES];
	struct reply_fields fields = {.allow = allow_of(conn, allow)};

	reply_full(conn, 403, &fields, "", 0);
	return true;
}

static bool answer_text(struct conn *conn, int status, const char *text)
{
	char allow[ALLOW_BYTES];
	struct reply_fields fields = {.content_type = TYPE_TEXT, .allow = allow_of(conn, allow)};

	reply_full(conn, status, &fields, text, strlen(text));
	return true;
}

static bool answer_not_found(struct conn *conn)
{
	return answer_text(conn, 404, "404 page not found");
}

static bool answer_wrong_method(struct conn *conn)
{
	return answer_text(conn, 405, "405 method not allowed");
}

static bool answer_redirect(struct conn *conn)
{
	struct bytes body = {0};
	char *path = mem_strndup(conn->request.path, strlen(conn->request.path) - 1);
	bool is_get = strcmp(conn->request.method, "GET") == 0;
	struct reply_fields fields = {
		.content_type = is_get ? "text/html; charset=utf-8" : NULL, .location = path};

	if (is_get)
		bytes_addf(&body, "<a href=\"%s\">Moved Permanently</a>.\n\n", path);
	reply_full(conn, is_get ? 301 : 307, &fields, bytes_at(&body), bytes_length(&body));
	bytes_finish(&body);
	free(path);
	return true;
}

static bool answer_preflight(struct conn *conn)
{
	char allow[ALLOW_BYTES];
	struct reply_fields fields = {.allow = allow_of(conn, allow), .is_preflight = true};

	reply_full(conn, 204, &fields, "", 0);
	return true;
}

static bool answer_options(struct conn *conn)
{
	char allow[ALLOW_BYTES];
	struct reply_fields fields = {.allow = allow_of(conn, allow)};

	reply_full(conn, 204, &fields, "", 0);
	return true;
}
