#include "config/settings.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/groups.h"
#include "config/keys.h"

struct settings *settings_create(void)
{
	struct settings *settings = mem_zalloc(sizeof(*settings));

	settings->references = 1;
	return settings;
}

struct settings *settings_take(struct settings *settings)
{
	assert(settings->references > 0);
	settings->references++;
	return settings;
}

static void free_texts(char **texts)
{
	for (char **text = texts; text && *text; text++)
		free(*text);
	free(texts);
}

static void free_field(const struct key *key, struct settings *settings)
{
	void *field = (char *)settings + key->offset;

	switch (key->type) {
	case KEY_TEXT:
	case KEY_URL:
		free(*(char **)field);
		break;
	case KEY_ADDRESSES:
	case KEY_WORDS:
		free_texts(*(char ***)field);
		break;
	case KEY_DURATION:
	case KEY_SIZE:
	case KEY_COUNT:
	case KEY_CHOICE:
		break;
	}
}

const char *settings_wrong_path(char *const *allow_paths)
{
	for (; allow_paths && *allow_paths; allow_paths++) {
		if (**allow_paths != '/' && strcmp(*allow_paths, SETTINGS_READ_ONLY) != 0)
			return *allow_paths;
	}
	return NULL;
}

void settings_return(struct settings *settings)
{
	if (!settings)
		return;
	assert(settings->references > 0);
	if (--settings->references)
		return;
	for (size_t i = 0; i < keys_count; i++)
		free_field(&keys[i], settings);
	groups_finish(settings);
	free(settings->upstream_host);
	free(settings);
}
