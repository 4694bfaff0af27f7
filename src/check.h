/*
 * --check-config: what can be wrong with a configuration that was read, without listening or
 * connecting; and what somebody who came from the old service may have overlooked. Called by
 * main.c.
 */
#ifndef SO_CHECK_H
#define SO_CHECK_H

#include <stdbool.h>

struct settings;

/* Says so on stdout when it is fine, hints on stderr; false: what is wrong stands on stderr. */
bool check_config(const struct settings *settings, char **environment);

#endif
