/*
 * The few flags that a tool has besides those of the service, which load_settings() reads (-c FILE
 * and the like say where the service is). Called by top and doctor with main's arguments, before
 * load_settings().
 */
#ifndef SO_ASK_OWN_FLAGS_H
#define SO_ASK_OWN_FLAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct own_flag {
	const char *name; /* "--once" */
	bool *ret_is_set; /* of one without a value, else NULL */
	char **ret_value; /* of one with a value, else NULL: a new string, the caller frees */
	bool is_secret;	  /* its argument is overwritten, so that ps does not show it for long */
};

/* Takes them out of `arguments` (in place; what follows -- stays). false: `ret_error`, a new
 * string. */
MUST_CHECK bool own_flags_take(int *count, char **arguments, const struct own_flag *flags,
	size_t flags_count, char **ret_error);

/* `given` (a --key, taken over) or a copy of the variable SHARED_OLLAMA_KEY; NULL: neither. false:
 * it cannot be a key. */
MUST_CHECK bool own_flags_key(char *given, char **ret_key, char **ret_error);
/* Overwritten, then freed; NULL is fine. */
void own_flags_forget_key(char *key);

#endif
