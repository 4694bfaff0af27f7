#include "json/show.h"

#include <string.h>

#include "json/walk.h"

static void on_scalar(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	struct show_result *result = arg;

	if (kind != WALK_STRING)
		return;
	if (strcmp(path, "remote_host") == 0 || strcmp(path, "remote_model") == 0)
		result->is_remote |= length > 0;
	if (strcmp(path, "capabilities/*") == 0) {
		result->can_complete |= walk_is(text, length, "completion");
		result->can_embed |= walk_is(text, length, "embedding");
	}
}

bool show_read(const char *text, size_t length, struct show_result *ret_result)
{
	struct show_result result = {0};

	if (length > SHOW_BYTES_MOST || !walk_object(text, length, on_scalar, &result))
		return false;
	*ret_result = result;
	return true;
}
