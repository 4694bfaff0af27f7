#include "http/head.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/buffer.h>

#include "base/memory.h"
#include "base/pieces.h"
#include "http/split.h"
#include "http/target.h"

enum {
	/* What stands in a request line beside the target: a method (the longest registered one has
	   17 letters), two blanks, the version, CR. A longer line is refused before it is whole. */
	LINE_REST_BYTES = 64,
	/* "Connection: close, te, ..." names a few fields. Each field of a head is looked up among
	   them, so that thousands would cost seconds. */
	CONNECTION_OPTIONS_MOST = 32,
	/* Pieces of the buffer that are looked at in one go. */
	EXTENTS_MOST = 8,
	STATUS_LEAST = 100,
	STATUS_MOST = 599,
	STATUS_DIGITS = 3,
	VERSION_BYTES = 8, /* "HTTP/1.1" */
};

static const char response_begin[] = "HTTP/1.";

/* How much of a head's end stands in front of a byte. */
enum end_match { END_NOTHING, END_LF, END_LF_CR };

/* The place behind the empty line if it is in these bytes, else NULL. Goes on from `match`. */
static const char *find_end_in(const char *bytes, size_t length, enum end_match *match)
{
	const char *at = bytes;
	const char *end = bytes + length;

	while (at < end) {
		if (*match == END_NOTHING) {
			at = memchr(at, '\n', (size_t)(end - at));
			if (!at)
				return NULL;
			*match = END_LF;
		} else if (*at == '\n') {
			return at + 1;
		} else {
			*match = *at == '\r' && *match == END_LF ? END_LF_CR : END_NOTHING;
		}
		at++;
	}
	return NULL;
}

size_t response_head_end(const char *bytes, size_t length, int *match)
{
	enum end_match so_far = *match;
	const char *end = find_end_in(bytes, length, &so_far);

	*match = so_far;
	return end ? (size_t)(end - bytes) : 0;
}

/*
 * Finds the end of the head: the byte behind the empty line. 0: not there yet. Bare LFs end lines
 * here too, the checks refuse them later.
 */
static size_t find_end(struct evbuffer *input, size_t *scanned)
{
	struct evbuffer_iovec extents[EXTENTS_MOST];
	struct evbuffer_ptr place;
	size_t length = evbuffer_get_length(input);
	/* An end may lie across the border of what was scanned. */
	size_t at = *scanned > 3 ? *scanned - 3 : 0;
	enum end_match match = END_NOTHING;

	while (at < length && evbuffer_ptr_set(input, &place, at, EVBUFFER_PTR_SET) == 0) {
		int count = evbuffer_peek(input, -1, &place, extents, EXTENTS_MOST);

		for (int i = 0; i < count && i < EXTENTS_MOST; i++) {
			const char *bytes = extents[i].iov_base;
			const char *end = find_end_in(bytes, extents[i].iov_len, &match);

			if (end)
				return at + (size_t)(end - bytes);
			at += extents[i].iov_len;
		}
	}
	*scanned = length;
	return 0;
}

/*
 * Drops empty lines in front (RFC 9112 §2.2). Any number: they cost no memory, and the time in
 * which a client may send no request bounds them.
 */
static void skip_empty_lines(struct evbuffer *input, size_t *scanned)
{
	char front[2];

	while (evbuffer_copyout(input, front, sizeof(front)) == sizeof(front) &&
		memcmp(front, "\r\n", sizeof(front)) == 0) {
		evbuffer_drain(input, sizeof(front));
		*scanned = 0;
	}
}

static bool is_over(size_t value, size_t limit)
{
	return limit > 0 && value > limit;
}

/* Takes the head's bytes out of the input, NUL-terminated and with room behind (htparser looks one
 * byte past its end). NULL: there is no memory for a head of this size, which the peer chose. */
static char *take_bytes(struct evbuffer *input, size_t length)
{
	char *bytes = mem_try_alloc(length + SPLIT_SLACK_BYTES);

	if (!bytes)
		return NULL;
	evbuffer_copyout(input, bytes, length);
	pieces_wipe(input, length);
	evbuffer_drain(input, length);
	memset(bytes + length, 0, SPLIT_SLACK_BYTES);
	return bytes;
}

/* "HTTP/1.0" or "HTTP/1.1"; HTTP/0.9 never said its name, so that "HTTP/0.9" is an error. */
static enum http_error parse_version(const char *text, size_t length, int *ret_minor)
{
	if (length != VERSION_BYTES || memcmp(text, "HTTP/", 5) != 0 || text[6] != '.' ||
		text[5] < '1' || text[5] > '9' || text[7] < '0' || text[7] > '9')
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

/* What can be said of a request line of which `length` bytes are there, LF not among them. */
static enum http_error check_line_size(char first, size_t length, const struct head_limits *limits)
{
	if (!split_is_token(&first, 1))
		return HTTP_ERROR_BAD_REQUEST;
	if (limits->target_bytes > 0 && length > limits->target_bytes + LINE_REST_BYTES)
		return HTTP_ERROR_TARGET_TOO_LONG;
	return is_over(length, limits->head_bytes) ? HTTP_ERROR_HEAD_TOO_LARGE : HTTP_ERROR_NONE;
}

/* "METHOD SP target SP HTTP/1.x CR"; cuts it into strings in place. */
static enum http_error parse_request_line(
	struct request_head *head, char *line, size_t length, const struct head_limits *limits)
{
	char *first;
	char *last;
	enum http_error error = check_line_size(line[0], length, limits);

	if (error != HTTP_ERROR_NONE)
		return error;
	if (line[--length] != '\r')
		return HTTP_ERROR_BAD_REQUEST;
	first = memchr(line, ' ', length);
	last = memrchr(line, ' ', length);
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

/*
 * What can be said of a head that is not whole yet: whoever speaks TLS, SSH or HTTP/0.9 to us never
 * sends an empty line and would wait for the time-out. A line that was whole at the last call is
 * not looked at again. The answers are those that the whole head would get.
 */
static enum http_error check_begin(
	struct evbuffer *input, size_t scanned_before, const struct head_limits *limits)
{
	struct evbuffer_ptr end = evbuffer_search_eol(input, NULL, NULL, EVBUFFER_EOL_LF);
	size_t length = evbuffer_get_length(input);
	struct request_head head = {0};
	enum http_error error;
	char first;
	char *line;

	if (evbuffer_copyout(input, &first, 1) < 1 || (first == '\r' && length == 1))
		return HTTP_ERROR_NONE; /* perhaps an empty line */
	if (end.pos < 0 || end.pos == 0)
		return check_line_size(first, length, limits);
	length = (size_t)end.pos;
	if (length < scanned_before)
		return HTTP_ERROR_NONE;
	error = check_line_size(first, length, limits);
	if (error != HTTP_ERROR_NONE)
		return error;
	line = mem_alloc(length);
	evbuffer_copyout(input, line, length);
	error = parse_request_line(&head, line, length, limits);
	free(line);
	return error;
}

/* Host's value; "" without one or where it is empty, which RFC 9112 §3.2 allows. `host` has room
 * for it. */
static enum http_error settle_host(const struct request_head *head, char *host)
{
	const struct field *field = fields_find(&head->fields, "Host");
	size_t count = fields_count_of(&head->fields, "Host");

	if (count > 1 || (count == 0 && head->version_minor > 0))
		return HTTP_ERROR_BAD_REQUEST;
	if (field && field->value_length > 0 &&
		!target_is_authority(field->value, field->value_length))
		return HTTP_ERROR_BAD_REQUEST;
	if (field)
		memcpy(host, field->value, field->value_length);
	host[field ? field->value_length : 0] = '\0';
	return HTTP_ERROR_NONE;
}

/*
 * "http://host[:port][/path][?query]": the authority becomes the host, the rest goes on. `forward`
 * has room for the target and one byte more.
 */
static enum http_error settle_absolute(struct request_head *head, char *forward)
{
	size_t length = strlen(head->target);
	size_t authority;
	size_t authority_length;
	size_t rest;

	if (!target_split_absolute(head->target, length, &authority, &authority_length, &rest) ||
		!target_is_authority(head->target + authority, authority_length))
		return HTTP_ERROR_BAD_REQUEST;
	memcpy(head->host, head->target + authority, authority_length);
	head->host[authority_length] = '\0';
	head->forward = head->target + rest;
	if (head->forward[0] == '\0' && strcmp(head->method, "OPTIONS") == 0) {
		head->forward = memcpy(forward, "*", 2); /* RFC 9112 §3.2.4 */
	} else if (head->forward[0] != '/') {
		/* an empty path is "/" (RFC 9112 §3.2.1) */
		forward[0] = '/';
		memcpy(forward + 1, head->target + rest, length - rest + 1);
		head->forward = forward;
	}
	return HTTP_ERROR_NONE;
}

/*
 * "/@NAME/api/chat": the name is set aside, the rest goes on as it is; a rest without a path is
 * "/". `forward` as above, `name` has room for the target. false: a broken escape in the name.
 */
static bool settle_name(struct request_head *head, char *forward, char *name)
{
	size_t start;
	size_t length;
	size_t rest;

	if (!target_split_name(head->forward, &start, &length, &rest))
		return true;
	if (!target_path(head->forward + start, length, name))
		return false;
	head->name = name;
	head->forward += rest;
	if (head->forward[0] == '/')
		return true;
	memcpy(forward + 1, head->forward, strlen(head->forward) + 1);
	forward[0] = '/';
	head->forward = forward;
	return true;
}

/* Gives forward, path and host their forms, all in `made`. */
static enum http_error settle_target(struct request_head *head)
{
	const struct field *host = fields_find(&head->fields, "Host");
	size_t target_room = strlen(head->target) + 2; /* one more byte and the NUL */
	enum http_error error;

	head->made = mem_alloc(4 * target_room + (host ? host->value_length : 0));
	head->path = head->made;
	head->host = head->made + 3 * target_room;
	head->forward = head->target;
	error = settle_host(head, head->host);
	if (error == HTTP_ERROR_NONE && head->target[0] != '/' && strcmp(head->target, "*") != 0)
		error = settle_absolute(head, head->made + target_room);
	if (error != HTTP_ERROR_NONE)
		return error;
	if (strcmp(head->forward, "*") == 0 && strcmp(head->method, "OPTIONS") != 0)
		return HTTP_ERROR_BAD_REQUEST;
	if (!settle_name(head, head->made + target_room, head->made + 2 * target_room))
		return HTTP_ERROR_BAD_REQUEST;
	return target_path(head->forward, strlen(head->forward), head->path)
		       ? HTTP_ERROR_NONE
		       : HTTP_ERROR_BAD_REQUEST;
}

static bool keeps_alive(const struct fields *fields, int version_minor)
{
	if (fields_has_token(fields, "Connection", "close"))
		return false;
	return version_minor > 0 || fields_has_token(fields, "Connection", "keep-alive");
}

static bool has_sane_connection(const struct fields *fields)
{
	return fields_count_elements(fields, "Connection") <= CONNECTION_OPTIONS_MOST;
}

/* One line with 100-continue alone; HTTP/1.0 did not know it (RFC 9110 §10.1.1). */
static enum http_error settle_expect(struct request_head *head)
{
	static const char expected[] = "100-continue";
	const struct field *expect = fields_find(&head->fields, "Expect");

	if (head->version_minor == 0 || !expect)
		return HTTP_ERROR_NONE;
	if (fields_count_of(&head->fields, "Expect") > 1 ||
		expect->value_length != strlen(expected) ||
		strncasecmp(expect->value, expected, strlen(expected)) != 0)
		return HTTP_ERROR_EXPECTATION;
	head->expect_continue = true;
	return HTTP_ERROR_NONE;
}

static enum http_error parse_request(
	struct request_head *head, size_t length, const struct head_limits *limits)
{
	char *line_end = memchr(head->bytes, '\n', length);
	size_t line_length = (size_t)(line_end - head->bytes);
	enum http_error error = parse_request_line(head, head->bytes, line_length, limits);

	if (error != HTTP_ERROR_NONE)
		return error;
	error = split_fields(&head->fields, line_end + 1, length - line_length - 1, limits->fields);
	if (error != HTTP_ERROR_NONE)
		return error;
	if (!has_sane_connection(&head->fields))
		return HTTP_ERROR_BAD_REQUEST;
	error = settle_target(head);
	if (error != HTTP_ERROR_NONE)
		return error;
	error = framing_of_request(&head->fields, head->version_minor, &head->framing);
	if (error != HTTP_ERROR_NONE)
		return error;
	head->keep_alive = keeps_alive(&head->fields, head->version_minor);
	return settle_expect(head);
}

void request_head_forget_field(struct request_head *head, size_t at)
{
	const struct field *field = &head->fields.items[at];

	explicit_bzero(head->bytes + (field->value - head->bytes), field->value_length);
	fields_remove(&head->fields, at);
}

void request_head_finish(struct request_head *head)
{
	fields_finish(&head->fields);
	if (head->bytes)
		explicit_bzero(head->bytes, head->bytes_length);
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
	enum http_error error = HTTP_ERROR_NONE;
	size_t scanned_before;
	size_t length;

	skip_empty_lines(input, scanned);
	scanned_before = *scanned;
	length = find_end(input, scanned);
	if (is_over(length ? length : evbuffer_get_length(input), limits->head_bytes)) {
		/* the line's own error goes first: a slower client would have met it */
		error = check_begin(input, scanned_before, limits);
		if (error == HTTP_ERROR_NONE)
			error = HTTP_ERROR_HEAD_TOO_LARGE;
	} else if (length == 0) {
		error = check_begin(input, scanned_before, limits);
		if (error == HTTP_ERROR_NONE)
			return HEAD_MORE;
	} else {
		*scanned = 0;
		head->bytes = take_bytes(input, length);
		head->bytes_length = head->bytes ? length : 0;
		error = head->bytes ? parse_request(head, length, limits)
				    : HTTP_ERROR_HEAD_TOO_LARGE;
		if (error == HTTP_ERROR_NONE)
			return HEAD_READY;
		request_head_finish(head);
	}
	*ret_error = error;
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
	const struct head_limits *limits, const char *method, bool is_alone)
{
	char *line_end = memchr(head->bytes, '\n', length);
	size_t line_length = (size_t)(line_end - head->bytes);
	enum http_error error;

	if (line_length == 0 || line_end[-1] != '\r')
		return false;
	if (!parse_status_line(head, head->bytes, line_length - 1))
		return false;
	error = (is_alone ? split_fields_alone : split_fields)(
		&head->fields, line_end + 1, length - line_length - 1, limits->fields);
	if (error != HTTP_ERROR_NONE)
		return false;
	if (!has_sane_connection(&head->fields))
		return false;
	head->keep_alive = keeps_alive(&head->fields, head->version_minor);
	return framing_of_response(
		&head->fields, head->version_minor, head->status, method, &head->framing);
}

/* Something that does not speak HTTP/1 is known by its first bytes. */
bool response_head_may_begin(const char *bytes, size_t length)
{
	if (length > sizeof(response_begin) - 1)
		length = sizeof(response_begin) - 1;
	return memcmp(bytes, response_begin, length) == 0;
}

static bool begins_like_response(struct evbuffer *input)
{
	char front[sizeof(response_begin) - 1];
	ssize_t got = evbuffer_copyout(input, front, sizeof(front));

	return got <= 0 || response_head_may_begin(front, (size_t)got);
}

bool response_head_parse(struct response_head *head, const char *bytes, size_t length,
	const struct head_limits *limits, const char *method)
{
	if (is_over(length, limits->head_bytes) || !response_head_may_begin(bytes, length))
		return false;
	head->bytes = mem_alloc(length + SPLIT_SLACK_BYTES);
	memcpy(head->bytes, bytes, length);
	memset(head->bytes + length, 0, SPLIT_SLACK_BYTES);
	if (parse_response(head, length, limits, method, true))
		return true;
	response_head_finish(head);
	return false;
}

enum head_status response_head_read(struct response_head *head, struct evbuffer *input,
	size_t *scanned, const struct head_limits *limits, const char *method)
{
	size_t length = find_end(input, scanned);

	if (is_over(length ? length : evbuffer_get_length(input), limits->head_bytes) ||
		!begins_like_response(input))
		return HEAD_WRONG;
	if (length == 0)
		return HEAD_MORE;
	*scanned = 0;
	head->bytes = take_bytes(input, length);
	if (head->bytes && parse_response(head, length, limits, method, false))
		return HEAD_READY;
	response_head_finish(head);
	return HEAD_WRONG;
}
