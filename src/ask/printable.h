/*
 * What came from outside, made safe for a terminal: control characters (also those of Unicode that
 * turn the direction of writing) and what is not UTF-8 are written as \x1b or \u202e. Called by top
 * and doctor. With `utf8` the widths are those of the locale (wcwidth), which has to be a UTF-8
 * one; without it, everything that is not ASCII is '?'.
 */
#ifndef SO_ASK_PRINTABLE_H
#define SO_ASK_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Sets the locale's characters. true: the terminal takes UTF-8. */
bool printable_set_locale(void);
/* A new string, the caller frees. */
char *printable_text(const char *text, bool utf8);
/* Columns of a text that printable_text() made. */
size_t printable_columns(const char *text, bool utf8);
/* Bytes of the longest beginning that has at most `columns`; `ret_columns` is what it has. */
size_t printable_fit(const char *text, size_t columns, bool utf8, size_t *ret_columns);

#endif
