#include "core/outcome.h"

#include "base/compiler.h"

struct outcome_row {
	const char *name;
	int status;
	const char *word;
	enum counter counter;
	const char *text;
};

static const struct outcome_row rows[OUTCOME_COUNT] = {
	[OUTCOME_NONE] = {"NONE", 0, "", COUNTER_COMPLETED, ""},
#define X(symbol, status, word, counter, text) \
	[OUTCOME_##symbol] = {#symbol, status, word, COUNTER_##counter, text},
	OUTCOMES(X)
#undef X
};

static const char *const counter_names[] = {
#define X(symbol, name) name,
	COUNTERS(X)
#undef X
};

enum {
	STATUS_CLIENT_ERROR = 400,
	STATUS_SERVER_ERROR = 500,
	STATUS_TOO_MANY_REQUESTS = 429,
	STATUS_UNAVAILABLE = 503
};

const char outcome_no_means[] = "shared-ollama has no descriptors, memory or disk left for this: "
				"try again after the seconds in "
				"Retry-After, and raise its limits";

enum outcome outcome_of_status(int status)
{
	if (status >= STATUS_SERVER_ERROR)
		return OUTCOME_UPSTREAM_STATUS;
	return status >= STATUS_CLIENT_ERROR ? OUTCOME_UPSTREAM_CLIENT_ERROR : OUTCOME_SUCCESS;
}

const char *counter_name(enum counter counter)
{
	return counter_names[counter];
}

const char *outcome_name(enum outcome outcome)
{
	return rows[outcome].name;
}

int outcome_status(enum outcome outcome)
{
	return rows[outcome].status;
}

const char *outcome_word(enum outcome outcome)
{
	return rows[outcome].word[0] ? rows[outcome].word : NULL;
}

enum counter outcome_counter(enum outcome outcome)
{
	return rows[outcome].counter;
}

const char *outcome_text(enum outcome outcome)
{
	return rows[outcome].text;
}

bool outcome_has_retry_after(enum outcome outcome)
{
	int status = rows[outcome].status;

	return status == STATUS_TOO_MANY_REQUESTS || status == STATUS_UNAVAILABLE;
}
