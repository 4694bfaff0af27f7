/*
 * Ollama's keep_alive values, read as its Duration.UnmarshalJSON does: a number is seconds, a
 * string is what Go's time.ParseDuration takes ("30m", "1h2m3.5s", "0"); below zero means for ever.
 * Called by peek (a zero unloads the model) and by core/body_policy.
 */
#ifndef SO_JSON_DURATION_H
#define SO_JSON_DURATION_H

#include <stdbool.h>

#include "base/compiler.h"

/* A JSON number that comes to less than a nanosecond, and not below zero. */
bool duration_number_is_zero(const char *number);
/* Go would take it. */
bool duration_text_is_valid(const char *text);
/* A valid duration that comes to less than a nanosecond, and not below zero. */
bool duration_text_is_zero(const char *text);

/* The seconds that a value means, INFINITY: for ever. `is_string`: it stands in quotes in JSON.
 * false: Ollama refuses it. */
MUST_CHECK bool duration_read(const char *text, bool is_string, double *ret_seconds);

#endif
