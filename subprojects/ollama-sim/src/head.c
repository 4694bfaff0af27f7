#include "head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BAD_REQUEST "400 Bad Request"
#define NO_HOST "400 Bad Request: missing required Host header"
#define BAD_VERSION "505 HTTP Version Not Supported: unsupported protocol version"
#define BAD_CODING "501 Not Implemented: unsupported transfer encoding"
#define MAX_LENGTH_DIGITS 18 /* of a Content-Length: fits an int64_t */

void head_clear(struct request *request)
{
	struct bytes raw = request->raw, cut = request->cut;
	struct header *headers = request->headers;
	size_t capacity = request->header_capacity;

	memset(request, 0, sizeof(*request));
	bytes_clear(&raw);
	bytes_clear(&cut);
	request->raw = raw;
	request->cut = cut;
	request->headers = headers;
	request->header_capacity = capacity;
	request->content_length = HEAD_NO_LENGTH;
}

void head_finish(struct request *request)
{
	bytes_finish(&request->raw);
	bytes_finish(&request->cut);
	free(request->headers);
	request->headers = NULL;
}

const char *head_get(const struct request *request, const char *name)
{
	for (size_t i = 0; i < request->header_count; i++) {
		if (strcasecmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	}
	return NULL;
}

static bool is_token(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte <= ' ' || byte >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", byte) != NULL)
			return false;
	}
	return true;
}

static const char *parse_request_line(struct request *request, char *line)
{
	char *target = strchr(line, ' ');
	char *version = target == NULL ? NULL : strchr(target + 1, ' ');

	if (version == NULL)
		return BAD_REQUEST;
	*target++ = '\0';
	*version++ = '\0';
	if (!is_token(line) || *target == '\0')
		return BAD_REQUEST;
	if (strcmp(version, "HTTP/1.1") == 0)
		request->minor = 1;
	else if (strcmp(version, "HTTP/1.0") != 0)
		return strncmp(version, "HTTP/", 5) == 0 ? BAD_VERSION : BAD_REQUEST;
	request->method = line;
	request->target = target;
	return NULL;
}

/* The path without query, in memory of its own behind the cut head, so that the target stays as it
 * came. */
static void split_target(struct request *request)
{
	const char *question = strchr(request->target, '?');
	size_t length =
		question == NULL ? strlen(request->target) : (size_t)(question - request->target);
	/* cut was reserved for head and path in head_parse(): nothing moves here */
	char *path = bytes_reserve(&request->cut, length + 1);

	memcpy(path, request->target, length);
	path[length] = '\0';
	request->path = path;
	request->query = question == NULL ? "" : question + 1;
}

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);

	while (*list != '\0') {
		list += strspn(list, " \t,");
		size_t item = strcspn(list, " \t,");
		if (item == length && strncasecmp(list, word, length) == 0)
			return true;
		list += item;
	}
	return false;
}

static const char *take_length(struct request *request, const char *value)
{
	size_t digits = strspn(value, "0123456789");

	if (digits == 0 || value[digits] != '\0' || digits > MAX_LENGTH_DIGITS)
		return BAD_REQUEST;
	int64_t length = strtoll(value, NULL, 10);
	if (request->content_length != HEAD_NO_LENGTH && request->content_length != length)
		return BAD_REQUEST;
	request->content_length = length;
	return NULL;
}

/* The headers that the server itself needs. */
static const char *note_header(struct request *request, const struct header *header)
{
	switch (header->name[0] | 0x20) {
	case 'h':
		if (strcasecmp(header->name, "Host") == 0) {
			if (request->host != NULL)
				return BAD_REQUEST;
			request->host = header->value;
		}
		break;
	case 'o':
		if (strcasecmp(header->name, "Origin") == 0)
			request->origin = header->value;
		break;
	case 'x':
		if (strcasecmp(header->name, "X-Request-Id") == 0)
			request->id = header->value;
		break;
	case 'c':
		if (strcasecmp(header->name, "Content-Length") == 0)
			return take_length(request, header->value);
		if (strcasecmp(header->name, "Connection") == 0) {
			request->wants_close |= has_word(header->value, "close");
			request->wants_keep_alive |= has_word(header->value, "keep-alive");
		}
		break;
	case 't':
		if (strcasecmp(header->name, "Transfer-Encoding") == 0) {
			if (strcasecmp(header->value, "chunked") != 0)
				return BAD_CODING;
			request->is_chunked = true;
		}
		break;
	case 'e':
		if (strcasecmp(header->name, "Expect") == 0)
			request->expects_continue = strcasecmp(header->value, "100-continue") == 0;
		break;
	default:
		break;
	}
	return NULL;
}

static const char *parse_header(struct request *request, char *line)
{
	char *colon = strchr(line, ':');

	if (colon == NULL)
		return BAD_REQUEST;
	*colon = '\0';
	if (!is_token(line))
		return BAD_REQUEST;
	char *value = colon + 1 + strspn(colon + 1, " \t");
	for (size_t length = strlen(value); length > 0; length--) {
		if (value[length - 1] != ' ' && value[length - 1] != '\t')
			break;
		value[length - 1] = '\0';
	}
	if (request->header_count == request->header_capacity) {
		request->header_capacity = 2 * request->header_capacity + 8;
		request->headers = mem_grow_array(
			request->headers, request->header_capacity, sizeof(*request->headers));
	}
	struct header *header = &request->headers[request->header_count++];
	*header = (struct header){.name = line, .value = value};
	return note_header(request, header);
}

const char *head_parse(struct request *request, const char *head, size_t length)
{
	bytes_add(&request->raw, head, length);
	/* Room for the path as well (split_target): pointers into it must stay. */
	char *line = bytes_reserve(&request->cut, 2 * length + 2);
	memcpy(line, head, length);
	line[length] = '\0';
	request->cut.end = length + 1;
	if (strlen(line) != length)
		return BAD_REQUEST;
	bool is_first = true;
	while (*line != '\0') {
		char *end = strchr(line, '\n');
		char *next = end == NULL ? line + strlen(line) : end + 1;

		if (end != NULL)
			*end = '\0';
		if (end != NULL && end > line && end[-1] == '\r')
			end[-1] = '\0';
		const char *refusal =
			is_first ? parse_request_line(request, line) : parse_header(request, line);
		if (refusal != NULL)
			return refusal;
		is_first = false;
		line = next;
	}
	if (is_first)
		return BAD_REQUEST;
	if (request->host == NULL && request->minor == 1)
		return NO_HOST;
	if (request->is_chunked && request->content_length != HEAD_NO_LENGTH)
		request->content_length = HEAD_NO_LENGTH; /* Go: chunked wins */
	if (request->minor == 0 && !request->wants_keep_alive)
		request->wants_close = true;
	split_target(request);
	return NULL;
}
