/*
 * The file's list of API keys: keys = ( { name = "ci"; hash = "sha256:…"; … }, … ), read by groups.
 * Secrets belong on no command line, so it has no flag. Messages never repeat a value: it may be a
 * key that was pasted by mistake.
 */
#ifndef SO_CONFIG_API_KEYS_H
#define SO_CONFIG_API_KEYS_H

#include "config/groups.h"

extern const struct group_list api_keys_list;

#endif
