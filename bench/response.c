#include "response.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HEX = 16, DECIMAL = 10, STATUS_AT = 9 };

void response_begin(struct response *response)
{
	response->state = RESPONSE_HEAD;
	response->status = 0;
	response->closes = false;
	response->is_until_close = false;
	response->left = 0;
	response->head_length = 0;
}

static const char *find_field(const char *head, const char *name)
{
	const char *line = head;

	while ((line = strstr(line, "\r\n")) != NULL) {
		line += 2;
		if (strncasecmp(line, name, strlen(name)) == 0)
			return line + strlen(name);
	}
	return NULL;
}

static void take_head(struct response *response)
{
	const char *length = find_field(response->head, "content-length:");
	const char *coding = find_field(response->head, "transfer-encoding:");
	const char *connection = find_field(response->head, "connection:");

	response->status = atoi(response->head + STATUS_AT);
	response->closes = connection && strncasecmp(connection, " close", strlen(" close")) == 0;
	if (coding) {
		response->state = RESPONSE_CHUNK_SIZE;
		response->head_length = 0;
		return;
	}
	response->is_until_close = !length;
	response->left = length ? strtoll(length, NULL, DECIMAL) : INT64_MAX;
	response->state = response->left ? RESPONSE_BODY : RESPONSE_DONE;
}

/* Takes bytes up to the end of a line (or head); true: it is complete in response->head. */
static bool collect(
	struct response *response, const char *bytes, size_t length, const char *end, size_t *used)
{
	size_t end_length = strlen(end);

	while (*used < length) {
		if (response->head_length == RESPONSE_HEAD_BYTES - 1) {
			response->state = RESPONSE_WRONG;
			return false;
		}
		response->head[response->head_length++] = bytes[(*used)++];
		if (response->head_length >= end_length &&
			memcmp(response->head + response->head_length - end_length, end,
				end_length) == 0) {
			response->head[response->head_length] = '\0';
			return true;
		}
	}
	return false;
}

static void take_data(struct response *response, const char *bytes, size_t length, size_t *used,
	const struct response_events *events, void *arg)
{
	size_t piece = length - *used;

	if ((int64_t)piece > response->left)
		piece = (size_t)response->left;
	if (events)
		events->on_data(arg, bytes + *used, piece);
	*used += piece;
	response->left -= (int64_t)piece;
	if (response->left)
		return;
	response->head_length = 0;
	if (response->state == RESPONSE_BODY) {
		response->state = RESPONSE_DONE;
	} else {
		response->state = RESPONSE_CHUNK_END;
		if (events)
			events->on_chunk_end(arg);
	}
}

static void take_chunk_size(struct response *response)
{
	response->left = strtoll(response->head, NULL, HEX);
	response->head_length = 0;
	response->state = response->left ? RESPONSE_CHUNK : RESPONSE_LAST_LINE;
}

size_t response_feed(struct response *response, const char *bytes, size_t length,
	const struct response_events *events, void *arg)
{
	size_t used = 0;

	while (used < length) {
		switch (response->state) {
		case RESPONSE_HEAD:
			if (collect(response, bytes, length, "\r\n\r\n", &used))
				take_head(response);
			break;
		case RESPONSE_BODY:
		case RESPONSE_CHUNK:
			take_data(response, bytes, length, &used, events, arg);
			break;
		case RESPONSE_CHUNK_SIZE:
			if (collect(response, bytes, length, "\r\n", &used))
				take_chunk_size(response);
			break;
		case RESPONSE_CHUNK_END:
			if (collect(response, bytes, length, "\r\n", &used)) {
				response->head_length = 0;
				response->state = RESPONSE_CHUNK_SIZE;
			}
			break;
		case RESPONSE_LAST_LINE:
			if (collect(response, bytes, length, "\r\n", &used))
				response->state = RESPONSE_DONE;
			break;
		case RESPONSE_DONE:
		case RESPONSE_WRONG:
			return used;
		}
	}
	return used;
}
