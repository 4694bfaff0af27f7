/*
 * The file's list of API keys: keys = ( { name = "ci"; hash = "sha256:…"; … }, … ). The only key
 * that has no flag and no variable: its value is a list of groups, and secrets belong on no command
 * line. Called by file. Messages never repeat a value: it may be a key that was pasted by mistake.
 */
#ifndef SO_CONFIG_API_KEYS_H
#define SO_CONFIG_API_KEYS_H

#include "base/compiler.h"

struct config_setting_t;
struct settings;

/* Replaces settings->api_keys. NULL, or a new text that says what is wrong in `ret_line`; then
 * nothing changed. */
MUST_CHECK char *api_keys_read(
	const struct config_setting_t *list, struct settings *settings, unsigned *ret_line);

#endif
