#include "back/answer.h"

#include <string.h>

#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>

enum { STATUS_FINAL_FIRST = 200, STATUS_LAST = 599 };

static bool is_token(const char *text)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	if (!*text)
		return false;
	for (; *text; text++) {
		if (!((*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'z') ||
			    (*text >= 'A' && *text <= 'Z') || strchr(others, *text)))
			return false;
	}
	return true;
}

static bool has_control(const char *text)
{
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if ((byte < ' ' && byte != '\t') || byte == 0x7f)
			return true;
	}
	return false;
}

/* The slices point into evhttp's list. */
static bool read_fields(const struct evkeyvalq *headers, struct fields *fields)
{
	for (const struct evkeyval *line = headers->tqh_first; line; line = line->next.tqe_next) {
		const char *value = line->value + strspn(line->value, " \t");
		size_t length = strlen(value);

		if (!is_token(line->key) || has_control(value))
			return false;
		while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
			length--;
		fields_add(fields, line->key, strlen(line->key), value, length);
	}
	return true;
}

bool answer_read_head(struct evhttp_request *request, const char *method, struct fields *fields,
	struct exchange_head *ret_head)
{
	int status = evhttp_request_get_response_code(request);
	const char *reason = evhttp_request_get_response_code_line(request);
	struct framing framing;

	if (request->major != 1 || status < STATUS_FINAL_FIRST || status > STATUS_LAST ||
		has_control(reason ? reason : ""))
		return false;
	if (!read_fields(evhttp_request_get_input_headers(request), fields) ||
		!framing_of_response(fields, request->minor, status, method, &framing))
		return false;
	*ret_head = (struct exchange_head){
		.status = status,
		.reason = reason ? reason : "",
		.fields = fields,
		.framing = framing,
	};
	return true;
}

bool answer_keeps_connection(const struct evhttp_request *request, const struct exchange_head *head)
{
	if (head->framing.kind == FRAMING_UNTIL_CLOSE ||
		fields_has_token(head->fields, "Connection", "close"))
		return false;
	return request->minor > 0 || fields_has_token(head->fields, "Connection", "keep-alive");
}
