#include "core/permission.h"

#include <string.h>
#include <strings.h>

#include "base/compiler.h"
#include "config/model_name.h"
#include "config/settings.h"

static bool has_some(char *const *list)
{
	return list && *list;
}

/* GET, HEAD and OPTIONS change nothing (RFC 9110 §9.2.1), and Ollama keeps to that. */
static bool is_safe(const char *method)
{
	static const char *const safe[] = {"GET", "HEAD", "OPTIONS"};

	for (size_t i = 0; i < ARRAY_LENGTH(safe); i++) {
		if (strcmp(method, safe[i]) == 0)
			return true;
	}
	return false;
}

static bool is_read_only(const char *method, const struct route *route)
{
	return is_safe(method) || route->kind == ROUTE_JOB ||
	       (route->operation == OPERATION_SHOW_MODEL && strcmp(method, "POST") == 0);
}

static bool is_below(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	if (strncmp(path, prefix, length) != 0)
		return false;
	return length > 0 &&
	       (prefix[length - 1] == '/' || path[length] == '\0' || path[length] == '/');
}

static bool list_permits_path(
	char *const *list, const char *method, const char *path, const struct route *route)
{
	if (!has_some(list))
		return true;
	for (; *list; list++) {
		if (strcmp(*list, SETTINGS_READ_ONLY) == 0) {
			if (is_read_only(method, route))
				return true;
		} else if (is_below(path, *list)) {
			return true;
		}
	}
	return false;
}

/* A segment "." or "..". */
static bool has_dots(const char *path)
{
	for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
		size_t length = strcspn(at + 1, "/");

		if ((length == 1 && at[1] == '.') || (length == 2 && at[1] == '.' && at[2] == '.'))
			return true;
	}
	return false;
}

/* The settings', the key's and the listener's. */
enum { LISTS = 3 };

static void collect_paths(const struct permission *permission, char *const *lists[LISTS])
{
	lists[0] = permission->settings->allow_paths;
	lists[1] = permission->key ? permission->key->allow_paths : NULL;
	lists[2] = permission->listener ? permission->listener->allow_paths : NULL;
}

static void collect_models(const struct permission *permission, char *const *lists[LISTS])
{
	lists[0] = permission->settings->allow_models;
	lists[1] = permission->key ? permission->key->allow_models : NULL;
	lists[2] = permission->listener ? permission->listener->allow_models : NULL;
}

bool permission_path(const struct permission *permission, const char *method, const char *path,
	const struct route *route)
{
	const char *judged = route->rewrite ? route->rewrite : path;
	char *const *lists[LISTS];

	collect_paths(permission, lists);
	for (size_t i = 0; i < LISTS; i++) {
		if (has_some(lists[i]) && has_dots(path))
			return false;
		if (!list_permits_path(lists[i], method, judged, route))
			return false;
	}
	return true;
}

bool permission_limits_models(const struct permission *permission)
{
	char *const *lists[LISTS];

	collect_models(permission, lists);
	return has_some(lists[0]) || has_some(lists[1]) || has_some(lists[2]);
}

static bool list_permits_model(char *const *list, const char *model)
{
	if (!has_some(list))
		return true;
	if (!model || !*model)
		return false;
	for (; *list; list++) {
		if (model_name_is_same(model, *list))
			return true;
	}
	return false;
}

bool permission_model(const struct permission *permission, const char *model)
{
	char *const *lists[LISTS];

	collect_models(permission, lists);
	return list_permits_model(lists[0], model) && list_permits_model(lists[1], model) &&
	       list_permits_model(lists[2], model);
}

enum permission_pass permission_of_pass(const struct permission *permission, const char *method,
	const char *path, const struct route *route)
{
	static const char by_path[] = "/v1/models/";

	if (!permission_limits_models(permission))
		return PERMISSION_FREE;
	if (is_safe(method)) {
		if (strncmp(path, by_path, strlen(by_path)) != 0)
			return PERMISSION_FREE;
		return permission_model(permission, path + strlen(by_path)) ? PERMISSION_FREE
									    : PERMISSION_DENIED;
	}
	switch (route->operation) {
	case OPERATION_SHOW_MODEL:
	case OPERATION_PULL:
	case OPERATION_PUSH:
	case OPERATION_DELETE:
		return PERMISSION_BY_BODY;
	case OPERATION_BLOB:
	case OPERATION_LIST_MODELS:
	case OPERATION_LIST_RUNNING:
	case OPERATION_VERSION:
	case OPERATION_ROOT:
		return PERMISSION_FREE;
	case OPERATION_CHAT:
	case OPERATION_GENERATE:
	case OPERATION_EMBED:
	case OPERATION_TRANSCRIBE:
	case OPERATION_IMAGE:
	case OPERATION_CREATE:
	case OPERATION_COPY:
	case OPERATION_OTHER:
	case OPERATION_COUNT:
		break;
	}
	return PERMISSION_DENIED;
}
