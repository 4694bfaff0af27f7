#include "back/outgoing.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { LENGTH_TEXT_BYTES = sizeof("18446744073709551615") };

/* CONNECT is not among them: it asks for a tunnel. */
static const struct method {
	const char *name;
	enum evhttp_cmd_type type;
	bool sends_length; /* also without a body (RFC 9110 §8.6) */
} methods[] = {
	{"GET", EVHTTP_REQ_GET, false},
	{"POST", EVHTTP_REQ_POST, true},
	{"HEAD", EVHTTP_REQ_HEAD, false},
	{"PUT", EVHTTP_REQ_PUT, true},
	{"DELETE", EVHTTP_REQ_DELETE, false},
	{"OPTIONS", EVHTTP_REQ_OPTIONS, false},
	{"TRACE", EVHTTP_REQ_TRACE, false},
	{"PATCH", EVHTTP_REQ_PATCH, true},
};

static const struct method *find_method(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	}
	return NULL;
}

bool outgoing_can_send(const char *method)
{
	return find_method(method) != NULL;
}

static bool is_made_here(const struct field *field)
{
	static const char *const names[] = {
		"Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect"};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		if (field_is(field, names[i]))
			return true;
	}
	return false;
}

/* One block of NUL-terminated copies, which is what evhttp takes. false: no memory for as much as
 * the client sent. */
static bool keep_fields(struct outgoing *outgoing, const struct fields *fields)
{
	size_t bytes = 1;
	char *at;

	for (size_t i = 0; i < fields->count; i++)
		bytes += fields->items[i].name_length + fields->items[i].value_length + 2;
	at = outgoing->field_bytes = mem_try_alloc(bytes);
	if (!at)
		return false;
	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->items[i];
		char *value;

		if (is_made_here(field))
			continue;
		value = at + field->name_length + 1;
		memcpy(at, field->name, field->name_length);
		at[field->name_length] = '\0';
		memcpy(value, field->value, field->value_length);
		value[field->value_length] = '\0';
		fields_add(&outgoing->fields, at, field->name_length, value, field->value_length);
		at = value + field->value_length + 1;
	}
	return true;
}

const char *outgoing_method(const char *method)
{
	const struct method *found = find_method(method);

	assert(found);
	return found->name;
}

bool outgoing_init(struct outgoing *outgoing, const struct exchange_request *request)
{
	const struct method *method = find_method(request->method);

	assert(method);
	*outgoing = (struct outgoing){
		.method = method->name,
		.type = method->type,
		.target = mem_strdup(request->target),
		.has_length = request->has_body || method->sends_length,
	};
	if (request->has_body) {
		outgoing->fill_body = request->fill_body;
		outgoing->body_bytes = request->body_bytes;
	}
	return keep_fields(outgoing, request->fields);
}

void outgoing_finish(struct outgoing *outgoing)
{
	fields_finish(&outgoing->fields);
	free(outgoing->field_bytes);
	free(outgoing->target);
}

bool outgoing_write_head(
	const struct outgoing *outgoing, const char *host, struct evkeyvalq *headers)
{
	char length[LENGTH_TEXT_BYTES];

	if (evhttp_add_header(headers, "Host", host) != 0)
		return false;
	for (size_t i = 0; i < outgoing->fields.count; i++) {
		const struct field *field = &outgoing->fields.items[i];

		if (evhttp_add_header(headers, field->name, field->value) != 0)
			return false;
	}
	if (!outgoing->has_length)
		return true;
	snprintf(length, sizeof(length), "%" PRIu64, outgoing->body_bytes);
	return evhttp_add_header(headers, "Content-Length", length) == 0;
}
