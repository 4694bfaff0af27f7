/*
 * Splits the field lines of a whole head and checks every byte of them (RFC 9110 §5.5, RFC 9112
 * §5). Two readers have to agree: our own scan and libevhtp's htparser; a head that they read
 * differently is refused. A head with a line that is longer than htparser's memory (8 KiB) is read
 * by our own scan alone. Called by http/head; http/chunked checks its trailers by the same rules.
 */
#ifndef SO_HTTP_SPLIT_H
#define SO_HTTP_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "http/fields.h"
#include "http/framing.h"

/* htparser looks at up to one byte past its input: the head's memory has this many NULs behind it.
 */
enum { SPLIT_SLACK_BYTES = 16 };

/* The characters of a name or a method, at least one (RFC 9110 §5.6.2). */
bool split_is_token(const char *text, size_t length);
/* Visible characters, blanks and bytes from 0x80 on. */
bool split_is_value(const char *text, size_t length);
/*
 * `lines` ends with the empty line and has SPLIT_SLACK_BYTES behind it. The slices of `ret_fields`
 * point into it. `most` lines; 0: no limit. HEAD_TOO_LARGE: more; BAD_REQUEST: malformed.
 */
MUST_CHECK enum http_error split_fields(
	struct fields *ret_fields, char *lines, size_t length, size_t most);
/* The same without htparser, for heads that have another second reader. */
MUST_CHECK enum http_error split_fields_alone(
	struct fields *ret_fields, char *lines, size_t length, size_t most);

#endif
