#include "back/answer.h"

#include <string.h>

#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

static bool is_same(const struct evkeyval *line, const struct field *field)
{
	const char *value = line->value + strspn(line->value, " \t");

	if (strncmp(line->key, field->name, field->name_length) != 0 ||
		line->key[field->name_length] != '\0')
		return false;
	return strncmp(value, field->value, field->value_length) == 0 &&
	       value[field->value_length + strspn(value + field->value_length, " \t")] == '\0';
}

bool answer_agrees(struct evhttp_request *request, const struct response_head *head)
{
	const struct evkeyval *line = evhttp_request_get_input_headers(request)->tqh_first;

	if (request->major != 1 || request->minor != head->version_minor ||
		evhttp_request_get_response_code(request) != head->status)
		return false;
	for (size_t i = 0; i < head->fields.count; i++) {
		if (!line || !is_same(line, &head->fields.items[i]))
			return false;
		line = line->next.tqe_next;
	}
	return !line;
}
