/*
 * Ollama's keep_alive values, read as its Duration.UnmarshalJSON does: a number is seconds, a
 * string is what Go's time.ParseDuration takes ("30m", "1h2m3.5s", "0"); below zero means for ever.
 * Called by peek (a zero unloads the model) and for the values of our own configuration.
 */
#ifndef SO_JSON_DURATION_H
#define SO_JSON_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define DURATION_FOR_EVER INT64_MAX

/* A JSON number that comes to less than a nanosecond, and not below zero. */
bool duration_number_is_zero(const char *number);
/* A valid duration that comes to less than a nanosecond, and not below zero. */
bool duration_text_is_zero(const char *text);
/* Digits, with a sign or a point perhaps: a JSON number. */
bool duration_is_number(const char *text);
/* Of the configuration: a number ("1800", "-1") or a text ("30m"), in nanoseconds. false: neither.
 */
MUST_CHECK bool duration_read(const char *text, int64_t *ret_ns);

#endif
