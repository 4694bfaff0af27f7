/*
 * Variables that set up services of this kind before shared-ollama, and what sets the same now. An
 * environment that still has them looks configured and is not. Used by gather and the checks.
 */
#ifndef SO_DOCTOR_OLD_VARIABLES_H
#define SO_DOCTOR_OLD_VARIABLES_H

#include <stddef.h>

struct old_variable {
	const char *name;
	const char *successor;
};

extern const struct old_variable old_variables[];
extern const size_t old_variables_count;

/* NULL: it is none. */
const char *old_variable_successor(const char *name);

#endif
