#include "http/fields.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>

#include "base/compiler.h"
#include "base/memory.h"

enum {
	FIRST_CAPACITY = 16,
	/* Longer ones are written in parts. */
	LINE_BYTES = 512,
};

void fields_finish(struct fields *fields)
{
	free(fields->items);
	memset(fields, 0, sizeof(*fields));
}

void fields_clear(struct fields *fields)
{
	fields->count = 0;
}

void fields_add(struct fields *fields, const char *name, size_t name_length, const char *value,
	size_t value_length)
{
	if (fields->count == fields->capacity) {
		fields->capacity = fields->capacity ? 2 * fields->capacity : FIRST_CAPACITY;
		fields->items =
			mem_grow_array(fields->items, fields->capacity, sizeof(*fields->items));
	}
	fields->items[fields->count++] = (struct field){name, value, name_length, value_length};
}

void fields_add_text(struct fields *fields, const char *name, const char *value)
{
	fields_add(fields, name, strlen(name), value, strlen(value));
}

void fields_remove(struct fields *fields, size_t at)
{
	memmove(&fields->items[at], &fields->items[at + 1],
		(fields->count - at - 1) * sizeof(*fields->items));
	fields->count--;
}

const struct field *fields_find(const struct fields *fields, const char *name)
{
	for (size_t i = 0; i < fields->count; i++) {
		if (field_is(&fields->items[i], name))
			return &fields->items[i];
	}
	return NULL;
}

char *fields_copy(const struct fields *fields, const char *name)
{
	const struct field *field = fields_find(fields, name);

	return field ? mem_strndup(field->value, field->value_length) : NULL;
}

size_t fields_count_of(const struct fields *fields, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < fields->count; i++)
		count += field_is(&fields->items[i], name);
	return count;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* Is `token` an element of the comma-separated list? "token;x=y" is another one. */
static bool list_has(const struct field *field, const char *token, size_t token_length)
{
	const char *at = field->value;
	const char *end = field->value + field->value_length;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *last = comma ? comma : end;

		while (at < last && is_blank(*at))
			at++;
		while (last > at && is_blank(last[-1]))
			last--;
		if ((size_t)(last - at) == token_length &&
			strncasecmp(at, token, token_length) == 0)
			return true;
		at = comma ? comma + 1 : end;
	}
	return false;
}

static bool has_token_n(
	const struct fields *fields, const char *name, const char *token, size_t token_length)
{
	for (size_t i = 0; i < fields->count; i++) {
		if (field_is(&fields->items[i], name) &&
			list_has(&fields->items[i], token, token_length))
			return true;
	}
	return false;
}

bool fields_has_token(const struct fields *fields, const char *name, const char *token)
{
	return has_token_n(fields, name, token, strlen(token));
}

size_t fields_count_elements(const struct fields *fields, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->items[i];

		if (!field_is(field, name))
			continue;
		count++;
		for (size_t at = 0; at < field->value_length; at++)
			count += field->value[at] == ',';
	}
	return count;
}

static void collect_options(struct hop_by_hop *hops, const struct field *field)
{
	const char *at = field->value;
	const char *end = field->value + field->value_length;

	while (at < end && hops->count < HOP_OPTIONS_MOST) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *last = comma ? comma : end;

		while (at < last && is_blank(*at))
			at++;
		while (last > at && is_blank(last[-1]))
			last--;
		if (last > at) {
			hops->options[hops->count].name = at;
			hops->options[hops->count++].length = (size_t)(last - at);
		}
		at = comma ? comma + 1 : end;
	}
}

void hop_by_hop_collect(struct hop_by_hop *hops, const struct fields *fields)
{
	hops->count = 0;
	for (size_t i = 0; i < fields->count; i++) {
		if (field_is(&fields->items[i], "Connection"))
			collect_options(hops, &fields->items[i]);
	}
}

bool hop_by_hop_has(const struct hop_by_hop *hops, const struct field *field)
{
	static const char *const always[] = {"Connection", "Keep-Alive", "Proxy-Connection", "TE",
		"Trailer", "Transfer-Encoding", "Upgrade"};
	static const char *const never[] = {
		"Host", "Content-Length", "Authorization", "Content-Type", "Expect", "Origin"};

	for (size_t i = 0; i < ARRAY_LENGTH(always); i++) {
		if (field_is(field, always[i]))
			return true;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(never); i++) {
		if (field_is(field, never[i]))
			return false;
	}
	for (size_t i = 0; i < hops->count; i++) {
		if (hops->options[i].length == field->name_length &&
			strncasecmp(hops->options[i].name, field->name, field->name_length) == 0)
			return true;
	}
	return false;
}

void field_write(struct evbuffer *out, const struct field *field)
{
	char line[LINE_BYTES];
	char *end = line;

	/* each addition to an output costs as much as copying a line */
	if (field->name_length + field->value_length <= sizeof(line) - strlen(": \r\n")) {
		end = mempcpy(end, field->name, field->name_length);
		end = mempcpy(end, ": ", 2);
		end = mempcpy(end, field->value, field->value_length);
		end = mempcpy(end, "\r\n", 2);
		evbuffer_add(out, line, (size_t)(end - line));
		return;
	}
	evbuffer_add(out, field->name, field->name_length);
	evbuffer_add(out, ": ", 2);
	evbuffer_add(out, field->value, field->value_length);
	evbuffer_add(out, "\r\n", 2);
}
