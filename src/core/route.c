#include "core/route.h"

#include <string.h>

#include "base/compiler.h"

static const char *const operation_names[] = {
#define X(symbol, word) word,
	OPERATIONS(X)
#undef X
};

const char *operation_name(enum operation operation)
{
	return operation_names[operation];
}

struct known_path {
	const char *path;
	enum operation operation;
	bool is_job; /* when the method is POST */
};

/* Ollama's routes; a path that is not here is OPERATION_OTHER. */
static const struct known_path known_paths[] = {
	{"/api/generate", OPERATION_GENERATE, true},
	{"/api/chat", OPERATION_CHAT, true},
	{"/api/embed", OPERATION_EMBED, true},
	{"/api/embeddings", OPERATION_EMBED, true},
	{"/v1/chat/completions", OPERATION_CHAT, true},
	{"/v1/completions", OPERATION_GENERATE, true},
	{"/v1/embeddings", OPERATION_EMBED, true},
	{"/v1/responses", OPERATION_CHAT, true},
	{"/v1/messages", OPERATION_CHAT, true},
	{"/v1/audio/transcriptions", OPERATION_TRANSCRIBE, true},
	{"/v1/images/generations", OPERATION_IMAGE, true},
	{"/api/tags", OPERATION_LIST_MODELS, false},
	{"/v1/models", OPERATION_LIST_MODELS, false},
	{"/api/ps", OPERATION_LIST_RUNNING, false},
	{"/api/show", OPERATION_SHOW_MODEL, false},
	{"/api/pull", OPERATION_PULL, false},
	{"/api/push", OPERATION_PUSH, false},
	{"/api/create", OPERATION_CREATE, false},
	{"/api/copy", OPERATION_COPY, false},
	{"/api/delete", OPERATION_DELETE, false},
	{"/api/version", OPERATION_VERSION, false},
	{"/", OPERATION_ROOT, false},
};

struct alias {
	const char *path;
	const char *rewrite;
};

/* Routes of the old service that only changed their name (PRODUCT 1.3). */
static const struct alias aliases[] = {
	{"/api/v1/chat/completions", "/v1/chat/completions"},
	{"/api/v1/vlm/openai", "/v1/chat/completions"},
	{"/api/v1/models", "/api/tags"},
	{"/api/v1/models/ps", "/api/ps"},
	{"/api/v1/embeddings", "/api/embeddings"},
};

struct retired {
	const char *path;
	bool is_prefix; /* and all below it */
	const char *use_instead;
};

/* Routes of the old service that are gone (PRODUCT 1.3). */
static const struct retired retired_routes[] = {
	{"/api/v1/chat", false, "POST /api/chat or POST /v1/chat/completions"},
	{"/api/v1/generate", false, "POST /api/generate"},
	{"/api/v1/vlm", false,
		"POST /v1/chat/completions with an image_url part, or POST /api/chat with images"},
	{"/api/v1/batch", true,
		"POST /api/chat once for each item: they are queued and none is lost"},
	{"/api/v1/agents", true, "POST /api/chat or POST /v1/chat/completions"},
	{"/api/v1/metrics", false, "GET /metrics or GET /api/v1/queue/stats"},
	{"/api/v1/analytics", true, "GET /api/v1/queue/stats"},
	{"/api/v1/performance/stats", false, "GET /api/v1/queue/stats"},
	{"/api/v1/system", true, "GET /api/v1/health"},
	{"/api/v1/pdl", true, "POST /api/chat"},
};

struct own_row {
	const char *method;
	const char *path;
};

static const struct own_row own_rows[OWN_COUNT] = {
#define X(symbol, method, path) {method, path},
	OWN_ENDPOINTS(X)
#undef X
};

static bool is_below(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(path, prefix, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

static bool has_prefix(const char *path, const char *prefix)
{
	return strncmp(path, prefix, strlen(prefix)) == 0;
}

static enum api_family family_of(const char *path)
{
	if (is_below(path, "/v1/messages"))
		return API_ANTHROPIC;
	return is_below(path, "/v1") ? API_OPENAI : API_NATIVE;
}

const char *own_endpoint_methods(enum own_endpoint own)
{
	return strcmp(own_rows[own].method, "GET") == 0 ? "GET, HEAD" : own_rows[own].method;
}

/* NULL: it is another path. Else what follows the endpoint's own: nothing, or an id. */
static const char *rest_of(const char *path, const char *own)
{
	size_t length = strlen(own);
	bool has_id = own[length - 1] == '/';

	if (strncmp(path, own, length) != 0)
		return NULL;
	path += length;
	if (has_id)
		return *path && !strchr(path, '/') ? path : NULL;
	return *path ? NULL : path;
}

static bool find_own(struct route *route, const char *method, const char *path)
{
	for (int i = 0; i < OWN_COUNT; i++) {
		const char *rest = rest_of(path, own_rows[i].path);

		if (!rest)
			continue;
		route->own_id = *rest ? rest : NULL;
		route->kind = ROUTE_OWN;
		route->own = (enum own_endpoint)i;
		route->method_allowed =
			strcmp(method, own_rows[i].method) == 0 ||
			(strcmp(own_rows[i].method, "GET") == 0 && strcmp(method, "HEAD") == 0);
		return true;
	}
	return false;
}

static bool find_retired(struct route *route, const char *path)
{
	for (size_t i = 0; i < ARRAY_LENGTH(retired_routes); i++) {
		const struct retired *retired = &retired_routes[i];

		if (retired->is_prefix ? !is_below(path, retired->path)
				       : strcmp(path, retired->path) != 0)
			continue;
		route->kind = ROUTE_GONE;
		route->use_instead = retired->use_instead;
		return true;
	}
	return false;
}

static void find_known(struct route *route, const char *method, const char *path)
{
	bool is_read = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

	for (size_t i = 0; i < ARRAY_LENGTH(known_paths); i++) {
		if (strcmp(path, known_paths[i].path) != 0)
			continue;
		route->operation = known_paths[i].operation;
		if (known_paths[i].is_job && strcmp(method, "POST") == 0)
			route->kind = ROUTE_JOB;
		break;
	}
	if (has_prefix(path, "/api/blobs/"))
		route->operation = OPERATION_BLOB;
	else if (has_prefix(path, "/v1/models/"))
		route->operation = OPERATION_SHOW_MODEL;
	route->is_poll = is_read && (route->operation == OPERATION_ROOT ||
					    route->operation == OPERATION_VERSION ||
					    route->operation == OPERATION_LIST_RUNNING);
}

struct route route_find(const char *method, const char *path)
{
	struct route route = {.kind = ROUTE_PASS, .operation = OPERATION_OTHER};

	for (size_t i = 0; i < ARRAY_LENGTH(aliases); i++) {
		if (strcmp(path, aliases[i].path) == 0)
			route.rewrite = path = aliases[i].rewrite;
	}
	route.family = family_of(path);
	if (!route.rewrite) {
		if (find_own(&route, method, path) || find_retired(&route, path))
			return route;
	}
	find_known(&route, method, path);
	return route;
}
