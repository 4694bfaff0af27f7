/*
 * A list of header fields (RFC 9110 §5), in order, duplicates kept, as slices of memory that
 * somebody else owns (a head's bytes, evhttp's list, a constant). Called by head, framing, front,
 * back and relay.
 */
#ifndef SO_HTTP_FIELDS_H
#define SO_HTTP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

struct evbuffer;

struct field {
	const char *name;
	const char *value; /* without leading and trailing white space */
	size_t name_length;
	size_t value_length;
};

struct fields {
	struct field *items;
	size_t count;
	size_t capacity;
};

/* A zeroed struct fields is an empty list. */
void fields_finish(struct fields *fields);
/* Forgets the entries and keeps the array. */
void fields_clear(struct fields *fields);
/* The bytes are not copied. */
void fields_add(struct fields *fields, const char *name, size_t name_length, const char *value,
	size_t value_length);
/* Both NUL-terminated and living as long as the list. */
void fields_add_text(struct fields *fields, const char *name, const char *value);

/* The one at this place goes, the others keep their order. */
void fields_remove(struct fields *fields, size_t at);

/* Case-insensitive. Asked some 150 times for each request: nearly all names differ in their length
 * or first letter. */
static inline bool field_is(const struct field *field, const char *name)
{
	return strlen(name) == field->name_length && ((name[0] ^ field->name[0]) & ~0x20) == 0 &&
	       strncasecmp(field->name, name, field->name_length) == 0;
}
/* The first of that name or NULL; case-insensitive. */
const struct field *fields_find(const struct fields *fields, const char *name);
/* A NUL-terminated copy of the first value of that name, or NULL; the caller frees. */
char *fields_copy(const struct fields *fields, const char *name);
size_t fields_count_of(const struct fields *fields, const char *name);
/* Is `token` in the comma-separated lists of all lines of that name? Case-insensitive (RFC 9110
 * §5.6.1). */
bool fields_has_token(const struct fields *fields, const char *name, const char *token);
/*
 * Elements in the comma-separated lists of all lines of that name, empty ones included: what
 * fields_has_token() may have to look at. 0: no such line.
 */
size_t fields_count_elements(const struct fields *fields, const char *name);
enum { HOP_OPTIONS_MOST = 32 };

/* What the Connection lines of a head name, collected once: each field is compared with these only.
 * Points into the list. */
struct hop_by_hop {
	struct {
		const char *name;
		size_t length;
	} options[HOP_OPTIONS_MOST];
	size_t count;
};

/* More than HOP_OPTIONS_MOST options: the rest is ignored (http/head refuses such heads). */
void hop_by_hop_collect(struct hop_by_hop *hops, const struct fields *fields);
/*
 * Must not be forwarded (RFC 9110 §7.6.1): Connection and all it names, Keep-Alive,
 * Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade. Content-Length is framing and is not
 * among them. What Connection names is ignored for Host, Content-Length, Authorization,
 * Content-Type, Origin and Expect: a peer could strip them so.
 */
bool hop_by_hop_has(const struct hop_by_hop *hops, const struct field *field);
/* Appends "Name: value\r\n" of one field. */
void field_write(struct evbuffer *out, const struct field *field);

#endif
