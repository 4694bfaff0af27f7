#include "http/framing.h"

#include <string.h>
#include <strings.h>

static const char *const error_names[] = {
#define X(symbol, name) name,
	HTTP_ERRORS(X)
#undef X
};

/* What the Transfer-Encoding lines of a message say together. */
enum coding {
	CODING_NONE,
	CODING_CHUNKED,	   /* chunked alone */
	CODING_UNFINISHED, /* others, chunked has yet to come */
	CODING_OTHER,	   /* another coding, then chunked */
	CODING_WRONG,	   /* chunked twice, not last, or an empty list */
};

enum { STATUS_INFORMATIONAL_END = 200, STATUS_NO_CONTENT = 204, STATUS_NOT_MODIFIED = 304 };

const char *http_error_name(enum http_error error)
{
	return error_names[error];
}

static bool is_chunked_word(const char *element, size_t length)
{
	return length == strlen("chunked") && strncasecmp(element, "chunked", length) == 0;
}

/* How the list goes on with one more element. */
static enum coding next_coding(enum coding sofar, const char *element, size_t length)
{
	bool is_chunked = is_chunked_word(element, length);

	if (length == 0)
		return CODING_WRONG;
	switch (sofar) {
	case CODING_NONE:
		return is_chunked ? CODING_CHUNKED : CODING_UNFINISHED;
	case CODING_UNFINISHED:
		return is_chunked ? CODING_OTHER : CODING_UNFINISHED;
	case CODING_CHUNKED: /* something stands behind chunked */
	case CODING_OTHER:
	case CODING_WRONG:
		break;
	}
	return CODING_WRONG;
}

static enum coding read_codings(enum coding coding, const struct field *field)
{
	const char *at = field->value;
	const char *end = field->value + field->value_length;

	for (;;) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *last = comma ? comma : end;

		while (at < last && (*at == ' ' || *at == '\t'))
			at++;
		while (last > at && (last[-1] == ' ' || last[-1] == '\t'))
			last--;
		coding = next_coding(coding, at, (size_t)(last - at));
		if (!comma)
			return coding;
		at = comma + 1;
	}
}

static enum coding coding_of(const struct fields *fields)
{
	enum coding coding = CODING_NONE;

	for (size_t i = 0; i < fields->count; i++) {
		if (field_is(&fields->items[i], "Transfer-Encoding"))
			coding = read_codings(coding, &fields->items[i]);
	}
	return coding == CODING_UNFINISHED ? CODING_WRONG : coding;
}

/* Digits only, no sign, no white space, within 63 bits. */
static bool parse_length(const struct field *field, uint64_t *ret_length)
{
	uint64_t length = 0;

	if (field->value_length == 0)
		return false;
	for (size_t i = 0; i < field->value_length; i++) {
		char digit = field->value[i];

		if (digit < '0' || digit > '9' || __builtin_mul_overflow(length, 10, &length) ||
			__builtin_add_overflow(length, (uint64_t)(digit - '0'), &length) ||
			length > INT64_MAX)
			return false;
	}
	*ret_length = length;
	return true;
}

enum http_error framing_of_request(
	const struct fields *fields, int version_minor, struct framing *ret_framing)
{
	size_t lengths = fields_count_of(fields, "Content-Length");
	enum coding coding = coding_of(fields);
	struct framing framing = {.kind = FRAMING_NONE};

	if (coding != CODING_NONE && (lengths > 0 || version_minor == 0))
		return HTTP_ERROR_BAD_REQUEST;
	if (coding == CODING_WRONG || lengths > 1)
		return HTTP_ERROR_BAD_REQUEST;
	if (coding == CODING_OTHER)
		return HTTP_ERROR_NOT_IMPLEMENTED;
	if (coding == CODING_CHUNKED)
		framing.kind = FRAMING_CHUNKED;
	if (lengths == 1) {
		framing.kind = FRAMING_LENGTH;
		if (!parse_length(fields_find(fields, "Content-Length"), &framing.length))
			return HTTP_ERROR_BAD_REQUEST;
	}
	*ret_framing = framing;
	return HTTP_ERROR_NONE;
}

static bool has_no_body(int status, const char *method)
{
	return status < STATUS_INFORMATIONAL_END || status == STATUS_NO_CONTENT ||
	       status == STATUS_NOT_MODIFIED || strcmp(method, "HEAD") == 0;
}

bool framing_of_response(const struct fields *fields, int version_minor, int status,
	const char *method, struct framing *ret_framing)
{
	size_t lengths = fields_count_of(fields, "Content-Length");
	enum coding coding = coding_of(fields);
	struct framing framing = {.kind = FRAMING_UNTIL_CLOSE};

	if (coding != CODING_NONE &&
		(coding != CODING_CHUNKED || lengths > 0 || version_minor == 0))
		return false;
	if (lengths > 1)
		return false;
	if (coding == CODING_CHUNKED)
		framing.kind = FRAMING_CHUNKED;
	if (lengths == 1) {
		framing.kind = FRAMING_LENGTH;
		if (!parse_length(fields_find(fields, "Content-Length"), &framing.length))
			return false;
	}
	if (has_no_body(status, method))
		framing = (struct framing){.kind = FRAMING_NONE};
	*ret_framing = framing;
	return true;
}
