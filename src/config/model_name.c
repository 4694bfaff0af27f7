#include "config/model_name.h"

#include <string.h>
#include <strings.h>

static const char *skip_prefix(const char *text, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncasecmp(text, prefix, length) == 0 ? text + length : text;
}

void model_name_canonical(const char *model, char *ret_name, size_t bytes)
{
	const char *rest = skip_prefix(model, "https://");
	const char *last_slash;
	size_t length;

	rest = skip_prefix(rest, "http://");
	rest = skip_prefix(rest, "registry.ollama.ai/");
	rest = skip_prefix(rest, "library/");
	length = strnlen(rest, bytes - 1);
	for (size_t i = 0; i < length; i++)
		ret_name[i] =
			rest[i] >= 'A' && rest[i] <= 'Z' ? (char)(rest[i] - 'A' + 'a') : rest[i];
	ret_name[length] = '\0';
	last_slash = strrchr(ret_name, '/');
	if (strchr(last_slash ? last_slash : ret_name, ':') == NULL &&
		length + sizeof(":latest") <= bytes)
		memcpy(ret_name + length, ":latest", sizeof(":latest"));
}

bool model_name_is_same(const char *left, const char *right)
{
	char one[MODEL_NAME_BYTES];
	char other[MODEL_NAME_BYTES];

	model_name_canonical(left, one, sizeof(one));
	model_name_canonical(right, other, sizeof(other));
	return strcmp(one, other) == 0;
}
