#include "config/old_names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "config/keys.h"

static const struct {
	const char *old;
	const char *key;
} names[] = {
	{"OLLAMA_BASE_URL", "upstream"},
	{"OLLAMA_URL", "upstream"},
	{"MAX_CONCURRENT", "max_concurrent"},
	{"MAX_CONCURRENT_REQUESTS", "max_concurrent"},
	{"OLLAMA_MAX_CONCURRENT", "max_concurrent"},
	{"MAX_QUEUE_SIZE", "max_queue_size"},
	{"OLLAMA_MAX_QUEUE_SIZE", "max_queue_size"},
	{"DEFAULT_TIMEOUT", "default_timeout"},
	{"QUEUE_TIMEOUT", "default_timeout"},
	{"API_HOST", "listen"},
	{"API_PORT", "listen"},
	{"LOG_LEVEL", "log_level"},
};

static void add_hint(char **hints, const char *old, const char *name)
{
	const struct key *key = key_find(name, strlen(name));
	char *variable, *flag, *longer;

	assert(key);
	variable = key_variable(key);
	flag = key_flag(key);
	longer = mem_printf(
		"%s%s, probably a variable of the old service, is not read: use %s, %s or %s in "
		"the file\n",
		*hints ? *hints : "", old, variable, flag, name);
	free(variable);
	free(flag);
	free(*hints);
	*hints = longer;
}

char *old_names_successor(const char *variable)
{
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		if (strcmp(names[i].old, variable) == 0)
			return key_variable(key_find(names[i].key, strlen(names[i].key)));
	}
	return NULL;
}

char *old_names_hints(char *const *environment)
{
	char *hints = NULL;

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		size_t length = strlen(names[i].old);

		for (char *const *entry = environment; entry && *entry; entry++) {
			if (strncmp(*entry, names[i].old, length) == 0 && (*entry)[length] == '=')
				add_hint(&hints, names[i].old, names[i].key);
		}
	}
	return hints;
}
