/*
 * One value: text to field and back, by its key's row. Called by load and file; printed for
 * /api/v1/config and the configuration's printer. Texts are what a person writes: durations in
 * seconds with fractions or with ms, s, m, h; sizes in bytes or with k, m, g (1024-based; KiB, MiB,
 * GiB are the same); lists separated by commas or blanks.
 */
#ifndef SO_CONFIG_VALUE_H
#define SO_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct key;
struct settings;

/*
 * Sets the field, an old value is freed. false: nothing changed, `ret_error` is a new text that
 * says what is wrong and what is permitted, without the key's name.
 */
MUST_CHECK bool value_parse(
	const struct key *key, const char *text, struct settings *settings, char **ret_error);
/* A duration alone: "0.5", "20s", "10m". false: it is none. */
MUST_CHECK bool value_read_duration(const char *text, int64_t *ret_ms);
/* A new text that value_parse() would read as the same value. */
char *value_print(const struct key *key, const struct settings *settings);
/* The same for any number of this key: "0.5", "64k", "3". */
char *value_print_number(const struct key *key, int64_t number);
/* A new NULL-terminated list of the words of a text, separated by commas or blanks. */
char **value_split(const char *text);
void value_free_list(char **list);
/* A new copy of what somebody wrote, fit for a message: cut when long, control bytes as ?. */
char *value_quote(const char *text);

#endif
