#include "core/beat.h"

#include <string.h>
#include <strings.h>

#include "base/compiler.h"

static const char *const content_types[BEAT_COUNT] = {
#define X(symbol, type) [BEAT_##symbol] = (type),
	BEATS(X)
#undef X
};

/* They take an interim answer for the final one (Python's http.client knows none but 100). */
static const char *const no_interim[] = {"python-requests/", "python-urllib3/", "Python-urllib/"};

const char *beat_content_type(enum beat beat)
{
	return content_types[beat];
}

static bool bears_interim(const struct record *record, int minor)
{
	if (minor == 0)
		return false;
	for (size_t i = 0; record->user_agent && i < ARRAY_LENGTH(no_interim); i++) {
		if (strncasecmp(record->user_agent, no_interim[i], strlen(no_interim[i])) == 0)
			return false;
	}
	return true;
}

static enum beat choose_body(const struct record *record)
{
	/* Its answer may be plain text or sound. */
	if (record->operation == OPERATION_TRANSCRIBE)
		return BEAT_NONE;
	if (record->stream != KNOWN_TRUE)
		return BEAT_SPACE;
	if (record->family != API_NATIVE)
		return BEAT_COMMENT;
	if (record->operation == OPERATION_CHAT)
		return BEAT_CHAT_LINE;
	/* Embeddings are never streamed, whatever the body says. */
	return record->operation == OPERATION_GENERATE ? BEAT_GENERATE_LINE : BEAT_SPACE;
}

enum beat beat_choose(enum heartbeat wish, const struct record *record, bool has_json, int minor)
{
	switch (wish) {
	case HEARTBEAT_PROCESSING:
		return bears_interim(record, minor) ? BEAT_PROCESSING : BEAT_NONE;
	case HEARTBEAT_BODY:
		return has_json ? choose_body(record) : BEAT_NONE;
	case HEARTBEAT_UNSET:
	case HEARTBEAT_OFF:
		break;
	}
	return BEAT_NONE;
}

bool beat_fits(enum beat beat, enum tap_format format)
{
	switch (beat) {
	case BEAT_NONE:
	case BEAT_PROCESSING:
	case BEAT_COUNT:
		return true;
	case BEAT_COMMENT:
		return format == TAP_SSE;
	case BEAT_CHAT_LINE:
	case BEAT_GENERATE_LINE:
		/* An empty request is answered with one object though it asked for a stream. */
		return format == TAP_NDJSON || format == TAP_JSON;
	case BEAT_SPACE:
		return format == TAP_JSON;
	}
	return false;
}
