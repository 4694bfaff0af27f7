/*
 * Any bytes as a configuration file: libconfig and what reads its result. What was accepted is
 * within its row's limits and can be printed and read back; what was refused is explained on one
 * line.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/file.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char name[] = "fuzz.conf";

static void check_number(const struct key *key, const struct settings *settings)
{
	const int64_t *number = (const void *)((const char *)settings + key->offset);

	assert(*number == 0 || (*number >= key->minimum && *number <= key->maximum));
}

/* Whether the file has set it; numbers and choices cannot tell, but 0 is not printed wrongly. */
static int is_set(const struct key *key, const struct settings *settings)
{
	const void *field = (const char *)settings + key->offset;

	if (key->type <= KEY_COUNT)
		return *(const int64_t *)field != 0;
	if (key->type == KEY_CHOICE)
		return *(const int *)field >= key->choice_first;
	return *(void *const *)field != NULL;
}

static void check_key(const struct key *key, const struct settings *settings)
{
	struct settings *again = settings_create();
	char *printed, *reprinted, *error = NULL;

	if (is_set(key, settings)) {
		printed = value_print(key, settings);
		assert(value_parse(key, printed, again, &error));
		reprinted = value_print(key, again);
		assert(strcmp(printed, reprinted) == 0);
		free(reprinted);
		free(printed);
	}
	settings_return(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct settings *settings = settings_create();
	char *text = malloc(size + 1);
	char *error = NULL;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (file_parse(name, text, size, settings, &error)) {
		assert(!error);
		for (size_t i = 0; i < keys_count; i++) {
			if (keys[i].type <= KEY_COUNT)
				check_number(&keys[i], settings);
			check_key(&keys[i], settings);
		}
	} else {
		assert(error && strncmp(error, name, strlen(name)) == 0);
		assert(error[strlen(name)] == ':' && !strchr(error, '\n'));
		free(error);
	}
	free(text);
	settings_return(settings);
	return 0;
}
