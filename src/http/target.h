/*
 * Request targets (RFC 9112 §3.2): splits absolute-form, gives the path that routing looks at.
 * Called by head and core/route.
 */
#ifndef SO_HTTP_TARGET_H
#define SO_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/*
 * Percent-decodes the path part of an origin-form target and merges runs of slashes, as Ollama's
 * router does, into `path` (at least length + 1 bytes). false: a broken escape or %00. "." and ".."
 * are left as they are (Go's router redirects; we pass on).
 */
MUST_CHECK bool target_path(const char *target, size_t length, char *path);
/*
 * uri-host [":" port] (RFC 9110 §4.2, RFC 3986 §3.2.2): a name that is not empty, an IPv4 address
 * or an IPv6 address in brackets (with a zone or without); the port is empty or at most 65535. No
 * IPvFuture: there is none.
 */
MUST_CHECK bool target_is_authority(const char *text, size_t length);
/* For absolute-form: where authority and the origin-form part begin. false: not absolute-form or
 * malformed (userinfo, empty host). */
MUST_CHECK bool target_split_absolute(const char *target, size_t length, size_t *ret_authority,
	size_t *ret_authority_length, size_t *ret_rest);
/*
 * An origin-form target that begins with /@NAME, NAME not empty: where the name stands, still
 * encoded, and where the rest begins, which is empty or begins with '/' or '?'. More slashes may
 * stand before and the @ may be %40.
 */
MUST_CHECK bool target_split_name(
	const char *target, size_t *ret_name, size_t *ret_name_length, size_t *ret_rest);
/* The value of query parameter `name` is "1" (for ?ready=1). */
bool target_has_query_flag(const char *target, const char *name);

#endif
