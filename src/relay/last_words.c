#include "relay/last_words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "front/reply.h"

char *last_words_text(enum outcome outcome, const char *host)
{
	static const char subject[] = "Ollama ";
	const char *text = outcome_text(outcome);

	if (strncmp(text, subject, sizeof(subject) - 1) == 0)
		return mem_printf("Ollama at %s %s", host, text + sizeof(subject) - 1);
	return mem_strdup(text);
}

void last_words_cut(struct client *client, const struct tap *tap, enum tap_format format,
	enum api_family family, const char *text)
{
	bool is_sse = format == TAP_SSE;
	char *line = NULL;

	if ((is_sse || format == TAP_NDJSON) && (!tap || tap_is_at_line_end(tap)))
		line = reply_error_line(family, is_sse, text);
	reply_cut(client, line);
	free(line);
}
