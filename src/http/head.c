#include "http/head.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "base/memory.h"
#include "http/split.h"
#include "http/target.h"

enum {
	/* Empty lines before a request line that are skipped (RFC 9112 §2.2): one is common after
	   an old client's POST, a flood is not. */
	EMPTY_LINES_MOST = 4,
	STATUS_LEAST = 100,
	STATUS_MOST = 599,
	STATUS_DIGITS = 3,
	VERSION_BYTES = 8, /* "HTTP/1.1" */
};

/* Finds the end of the head: the byte behind the empty line. 0: not there yet. Bare LFs end lines
 * here too, the checks refuse them later. */
static size_t find_end(struct evbuffer *input, size_t *scanned)
{
	struct evbuffer_ptr start;
	struct evbuffer_ptr found;
	size_t length = evbuffer_get_length(input);
	/* An end may lie across the border of what was scanned. */
	size_t from = *scanned > 3 ? *scanned - 3 : 0;

	if (from >= length || evbuffer_ptr_set(input, &start, from, EVBUFFER_PTR_SET) < 0)
		return 0;
	for (;;) {
		char after[2] = {0, 0};
		struct evbuffer_ptr next;
		ssize_t got;

		found = evbuffer_search(input, "\n", 1, &start);
		if (found.pos < 0)
			break;
		next = found;
		if ((size_t)found.pos + 1 >= length ||
			evbuffer_ptr_set(input, &next, 1, EVBUFFER_PTR_ADD) < 0)
			break;
		got = evbuffer_copyout_from(input, &next, after, sizeof(after));
		if (got >= 1 && after[0] == '\n')
			return (size_t)found.pos + 2;
		if (got == 2 && after[0] == '\r' && after[1] == '\n')
			return (size_t)found.pos + 3;
		start = next;
	}
	*scanned = length;
	return 0;
}

/* Drops empty lines in front. false: too many. */
static bool skip_empty_lines(struct evbuffer *input, size_t *scanned)
{
	char front[2];

	for (int lines = 0; evbuffer_copyout(input, front, sizeof(front)) == sizeof(front);
		lines++) {
		if (memcmp(front, "\r\n", sizeof(front)) != 0)
			return true;
		if (lines == EMPTY_LINES_MOST)
			return false;
		evbuffer_drain(input, sizeof(front));
		*scanned = 0;
	}
	return true;
}

static bool is_over(size_t value, size_t limit)
{
	return limit > 0 && value > limit;
}

/* The first line is longer than the target may be: told apart from a head that is too large as a
 * whole. */
static enum http_error size_error(struct evbuffer *input, const struct head_limits *limits)
{
	struct evbuffer_ptr line = evbuffer_search_eol(input, NULL, NULL, EVBUFFER_EOL_LF);

	if (line.pos < 0 || is_over((size_t)line.pos, limits->head_bytes))
		return is_over(evbuffer_get_length(input), limits->target_bytes)
			       ? HTTP_ERROR_TARGET_TOO_LONG
			       : HTTP_ERROR_HEAD_TOO_LARGE;
	return HTTP_ERROR_HEAD_TOO_LARGE;
}

/* Takes the head's bytes out of the input, NUL-terminated and with room behind (htparser looks one
 * byte past its end). */
static char *take_bytes(struct evbuffer *input, size_t length)
{
	char *bytes = mem_alloc(length + SPLIT_SLACK_BYTES);

	evbuffer_remove(input, bytes, length);
	memset(bytes + length, 0, SPLIT_SLACK_BYTES);
	return bytes;
}

/* "HTTP/1.0" or "HTTP/1.1" at `text`, which has exactly VERSION_BYTES bytes. */
static enum http_error parse_version(const char *text, size_t length, int *ret_minor)
{
	if (length != VERSION_BYTES || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' ||
		text[5] < '0' || text[5] > '9' || text[7] < '0' || text[7] > '9')
		return HTTP_ERROR_BAD_REQUEST;
	if (text[5] != '1' || text[7] > '1')
		return HTTP_ERROR_VERSION;
	*ret_minor = text[7] - '0';
	return HTTP_ERROR_NONE;
}

static bool is_target(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte <= ' ' || byte == 0x7f || byte == '#')
			return false;
	}
	return length > 0;
}

/* "METHOD SP target SP HTTP/1.x", `line` without its CRLF; cuts it into strings in place. */
static enum http_error parse_request_line(
	struct request_head *head, char *line, size_t length, const struct head_limits *limits)
{
	char *first = memchr(line, ' ', length);
	char *last = memrchr(line, ' ', length);
	enum http_error error;

	if (!first || first == last || !split_is_token(line, (size_t)(first - line)))
		return HTTP_ERROR_BAD_REQUEST;
	error = parse_version(last + 1, (size_t)(line + length - last - 1), &head->version_minor);
	if (error == HTTP_ERROR_BAD_REQUEST || !is_target(first + 1, (size_t)(last - first - 1)))
		return HTTP_ERROR_BAD_REQUEST;
	if (error != HTTP_ERROR_NONE)
		return error;
	if (is_over((size_t)(last - first - 1), limits->target_bytes))
		return HTTP_ERROR_TARGET_TOO_LONG;
	*first = '\0';
	*last = '\0';
	head->method = line;
	head->target = first + 1;
	return strcmp(head->method, "CONNECT") == 0 ? HTTP_ERROR_NOT_IMPLEMENTED : HTTP_ERROR_NONE;
}

/* uri-host [":" port] in characters; an empty one is allowed (RFC 9112 §3.2). */
static bool is_authority(const char *text, size_t length)
{
	static const char allowed[] = "-._~!$&'()*+,;=%:[]";

	for (size_t i = 0; i < length; i++) {
		char byte = text[i];
		bool is_word = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
			       (byte >= '0' && byte <= '9');

		if (!is_word && !memchr(allowed, byte, sizeof(allowed) - 1))
			return false;
	}
	return true;
}

/*
 * Gives target, forward, path and host their forms. They are made in one further allocation's
 * place: the head's own bytes hold method, target and fields; `made` holds path and host.
 */
static enum http_error settle_target(struct request_head *head, char *made)
{
	size_t length = strlen(head->target);
	size_t authority = 0;
	size_t authority_length = 0;
	size_t rest = 0;
	const struct field *host = fields_find(&head->fields, "Host");
	size_t hosts = fields_count_of(&head->fields, "Host");

	if (hosts > 1 || (hosts == 0 && head->version_minor > 0))
		return HTTP_ERROR_BAD_REQUEST;
	if (host && !is_authority(host->value, host->value_length))
		return HTTP_ERROR_BAD_REQUEST;
	head->path = made;
	head->host = made + length + 2;
	head->forward = head->target;
	if (strcmp(head->target, "*") == 0) {
		if (strcmp(head->method, "OPTIONS") != 0)
			return HTTP_ERROR_BAD_REQUEST;
		memcpy(head->path, "*", 2);
	} else if (head->target[0] == '/') {
		if (!target_path(head->target, length, head->path))
			return HTTP_ERROR_BAD_REQUEST;
	} else {
		if (!target_split_absolute(
			    head->target, length, &authority, &authority_length, &rest) ||
			!is_authority(head->target + authority, authority_length))
			return HTTP_ERROR_BAD_REQUEST;
		/* "http://host?x" and "http://host" have an empty path: "/" is sent (RFC 9112
		 * §3.2.1). The byte before it is free: it is the authority's. */
		head->forward = head->target + rest;
		if (*head->forward != '/') {
			head->forward = made + length + 2 + length + 2;
			head->forward[0] = '/';
			memcpy(head->forward + 1, head->target + rest, length - rest + 1);
		}
		if (!target_path(head->forward, strlen(head->forward), head->path))
			return HTTP_ERROR_BAD_REQUEST;
		memcpy(head->host, head->target + authority, authority_length);
		head->host[authority_length] = '\0';
		return HTTP_ERROR_NONE;
	}
	if (host)
		memcpy(head->host, host->value, host->value_length);
	head->host[host ? host->value_length : 0] = '\0';
	return HTTP_ERROR_NONE;
}

static bool keeps_alive(const struct fields *fields, int version_minor)
{
	if (fields_has_token(fields, "Connection", "close"))
		return false;
	return version_minor > 0 || fields_has_token(fields, "Connection", "keep-alive");
}

static enum http_error settle_expect(struct request_head *head)
{
	bool is_continue;

	if (head->version_minor == 0)
		return HTTP_ERROR_NONE;
	is_continue = fields_has_token(&head->fields, "Expect", "100-continue");
	if (fields_count_of(&head->fields, "Expect") > 1 ||
		(fields_find(&head->fields, "Expect") && !is_continue))
		return HTTP_ERROR_EXPECTATION;
	head->expect_continue = is_continue;
	return HTTP_ERROR_NONE;
}

static enum http_error parse_request(
	struct request_head *head, size_t length, const struct head_limits *limits)
{
	char *line_end = memchr(head->bytes, '\n', length);
	const struct field *host;
	size_t line_length = (size_t)(line_end - head->bytes);
	size_t room;
	enum http_error error;

	if (line_length == 0 || line_end[-1] != '\r')
		return HTTP_ERROR_BAD_REQUEST;
	error = parse_request_line(head, head->bytes, line_length - 1, limits);
	if (error != HTTP_ERROR_NONE)
		return error;
	error = split_fields(&head->fields, line_end + 1, length - line_length - 1, limits->fields);
	if (error != HTTP_ERROR_NONE)
		return error;
	host = fields_find(&head->fields, "Host");
	room = 3 * (strlen(head->target) + 2) + (host ? host->value_length + 1 : 1);
	head->made = mem_alloc(room);
	error = settle_target(head, head->made);
	if (error != HTTP_ERROR_NONE)
		return error;
	error = framing_of_request(&head->fields, head->version_minor, &head->framing);
	if (error != HTTP_ERROR_NONE)
		return error;
	head->keep_alive = keeps_alive(&head->fields, head->version_minor);
	return settle_expect(head);
}

void request_head_finish(struct request_head *head)
{
	fields_finish(&head->fields);
	free(head->bytes);
	free(head->made);
	memset(head, 0, sizeof(*head));
}

void response_head_finish(struct response_head *head)
{
	fields_finish(&head->fields);
	free(head->bytes);
	memset(head, 0, sizeof(*head));
}

enum head_status request_head_read(struct request_head *head, struct evbuffer *input,
	size_t *scanned, const struct head_limits *limits, enum http_error *ret_error)
{
	size_t length;

	if (!skip_empty_lines(input, scanned)) {
		*ret_error = HTTP_ERROR_BAD_REQUEST;
		return HEAD_WRONG;
	}
	length = find_end(input, scanned);
	if (is_over(length ? length : evbuffer_get_length(input), limits->head_bytes)) {
		*ret_error = size_error(input, limits);
		return HEAD_WRONG;
	}
	if (length == 0)
		return HEAD_MORE;
	*scanned = 0;
	head->bytes = take_bytes(input, length);
	*ret_error = parse_request(head, length, limits);
	if (*ret_error == HTTP_ERROR_NONE)
		return HEAD_READY;
	request_head_finish(head);
	return HEAD_WRONG;
}

/* "HTTP/1.x SP 3DIGIT [SP reason]"; cuts it in place. */
static bool parse_status_line(struct response_head *head, char *line, size_t length)
{
	char *status = line + VERSION_BYTES + 1;

	if (length < VERSION_BYTES + 1 + STATUS_DIGITS || line[VERSION_BYTES] != ' ' ||
		parse_version(line, VERSION_BYTES, &head->version_minor) != HTTP_ERROR_NONE)
		return false;
	head->status = 0;
	for (int i = 0; i < STATUS_DIGITS; i++) {
		if (status[i] < '0' || status[i] > '9')
			return false;
		head->status = head->status * 10 + (status[i] - '0');
	}
	if (head->status < STATUS_LEAST || head->status > STATUS_MOST)
		return false;
	line[length] = '\0';
	if (status[STATUS_DIGITS] == ' ')
		head->reason = status + STATUS_DIGITS + 1;
	else if (status[STATUS_DIGITS] == '\0')
		head->reason = status + STATUS_DIGITS;
	else
		return false;
	return split_is_value(head->reason, strlen(head->reason)) &&
	       head->reason + strlen(head->reason) == line + length;
}

static bool parse_response(struct response_head *head, size_t length,
	const struct head_limits *limits, const char *method)
{
	char *line_end = memchr(head->bytes, '\n', length);
	size_t line_length = (size_t)(line_end - head->bytes);

	if (line_length == 0 || line_end[-1] != '\r')
		return false;
	if (!parse_status_line(head, head->bytes, line_length - 1))
		return false;
	if (split_fields(&head->fields, line_end + 1, length - line_length - 1, limits->fields) !=
		HTTP_ERROR_NONE)
		return false;
	head->keep_alive = keeps_alive(&head->fields, head->version_minor);
	return framing_of_response(
		&head->fields, head->version_minor, head->status, method, &head->framing);
}

enum head_status response_head_read(struct response_head *head, struct evbuffer *input,
	size_t *scanned, const struct head_limits *limits, const char *method)
{
	size_t length = find_end(input, scanned);

	if (is_over(length ? length : evbuffer_get_length(input), limits->head_bytes))
		return HEAD_WRONG;
	if (length == 0)
		return HEAD_MORE;
	*scanned = 0;
	head->bytes = take_bytes(input, length);
	if (parse_response(head, length, limits, method))
		return HEAD_READY;
	response_head_finish(head);
	return HEAD_WRONG;
}
