#include "doctor/old_variables.h"

#include <string.h>

#include "base/compiler.h"

const struct old_variable old_variables[] = {
	{"MAX_CONCURRENT", "SHARED_OLLAMA_MAX_CONCURRENT"},
	{"MAX_CONCURRENT_REQUESTS", "SHARED_OLLAMA_MAX_CONCURRENT"},
	{"OLLAMA_MAX_CONCURRENT", "SHARED_OLLAMA_MAX_CONCURRENT"},
	{"MAX_QUEUE_SIZE", "SHARED_OLLAMA_MAX_QUEUE_SIZE"},
	{"OLLAMA_MAX_QUEUE_SIZE", "SHARED_OLLAMA_MAX_QUEUE_SIZE"},
	{"DEFAULT_TIMEOUT", "SHARED_OLLAMA_DEFAULT_TIMEOUT"},
	{"QUEUE_TIMEOUT", "SHARED_OLLAMA_DEFAULT_TIMEOUT"},
	{"OLLAMA_BASE_URL", "SHARED_OLLAMA_UPSTREAM"},
	{"OLLAMA_URL", "SHARED_OLLAMA_UPSTREAM"},
};
const size_t old_variables_count = ARRAY_LENGTH(old_variables);

const char *old_variable_successor(const char *name)
{
	for (size_t i = 0; i < old_variables_count; i++) {
		if (strcmp(old_variables[i].name, name) == 0)
			return old_variables[i].successor;
	}
	return NULL;
}
