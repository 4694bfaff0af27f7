#include "ask/own_flags.h"

#include <stdlib.h>
#include <string.h>

#include "ask/enquiry.h"
#include "base/memory.h"

static const char KEY_VARIABLE[] = "SHARED_OLLAMA_KEY";

/* The flag that `word` is, with what follows '=' in it, or NULL. */
static const struct own_flag *find(
	char *word, const struct own_flag *flags, size_t count, char **ret_after_equals)
{
	size_t length = strcspn(word, "=");

	for (size_t i = 0; i < count; i++) {
		if (strlen(flags[i].name) == length && strncmp(word, flags[i].name, length) == 0) {
			*ret_after_equals = word[length] ? word + length + 1 : NULL;
			return &flags[i];
		}
	}
	return NULL;
}

/* Returns NULL or what is wrong. */
static char *keep(const struct own_flag *flag, char *value)
{
	if (flag->ret_is_set && value)
		return mem_printf("%s has no value", flag->name);
	if (!flag->ret_is_set && (!value || !*value))
		return mem_printf("%s needs a value", flag->name);
	if (flag->ret_is_set) {
		*flag->ret_is_set = true;
		return NULL;
	}
	free(*flag->ret_value);
	*flag->ret_value = mem_strdup(value);
	if (flag->is_secret)
		memset(value, '*', strlen(value));
	return NULL;
}

bool own_flags_take(int *count, char **arguments, const struct own_flag *flags, size_t flags_count,
	char **ret_error)
{
	char *error = NULL;
	bool is_over = false;
	int kept = 0;

	for (int i = 0; !error && i < *count; i++) {
		char *value = NULL;
		const struct own_flag *flag = NULL;

		is_over = is_over || strcmp(arguments[i], "--") == 0;
		if (!is_over)
			flag = find(arguments[i], flags, flags_count, &value);
		if (!flag) {
			arguments[kept++] = arguments[i];
			continue;
		}
		if (!value && flag->ret_value && i + 1 < *count)
			value = arguments[++i];
		error = keep(flag, value);
	}
	if (error) {
		*ret_error = error;
		return false;
	}
	*count = kept;
	return true;
}

bool own_flags_key(char *given, char **ret_key, char **ret_error)
{
	const char *variable = getenv(KEY_VARIABLE);

	if (!given && variable && *variable)
		given = mem_strdup(variable);
	if (given && !ask_key_is_sane(given)) {
		own_flags_forget_key(given);
		*ret_error = mem_strdup("the key has characters that no key has");
		return false;
	}
	*ret_key = given;
	return true;
}

void own_flags_forget_key(char *key)
{
	if (key)
		explicit_bzero(key, strlen(key));
	free(key);
}
