#include "health/health.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask/ask.h"
#include "ask/place.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "json/lookup.h"

enum { EXIT_OK = 0, EXIT_FAIL = 1, STATUS_OK = 200, STATUS_UNAVAILABLE = 503 };

enum item {
	ITEM_STATUS,
	ITEM_PAUSED,
	ITEM_QUEUED,
	ITEM_IN_PROGRESS,
	ITEM_URL,
	ITEM_STATE,
	ITEM_VERSION,
	ITEM_COUNT
};

static const char *const paths[ITEM_COUNT] = {
	[ITEM_STATUS] = "status",
	[ITEM_PAUSED] = "paused",
	[ITEM_QUEUED] = "queued",
	[ITEM_IN_PROGRESS] = "in_progress",
	[ITEM_URL] = "upstream/url",
	[ITEM_STATE] = "upstream/state",
	[ITEM_VERSION] = "upstream/version",
};

/* What came from outside must not steer the terminal. */
static void clean(char *text)
{
	for (; *text; text++) {
		if (!isprint((unsigned char)*text))
			*text = '?';
	}
}

/* false: not the health of a shared-ollama. */
static bool read_health(const char *body, size_t length, struct lookup items[ITEM_COUNT])
{
	for (int i = 0; i < ITEM_COUNT; i++)
		items[i].path = paths[i];
	if (!lookup_read(body, length, items, ITEM_COUNT))
		return false;
	for (int i = 0; i < ITEM_COUNT; i++) {
		if (!items[i].is_found)
			return false;
		clean(items[i].text);
	}
	return true;
}

static bool is(const struct lookup *item, const char *text)
{
	return strcmp(item->text, text) == 0;
}

static char *ok_line(const struct lookup items[ITEM_COUNT])
{
	const char *version = items[ITEM_VERSION].text;
	bool has_version = !is(&items[ITEM_VERSION], "null");

	return mem_printf("ok: accepting requests%s, Ollama%s%s is %s, %s queued, %s in progress",
		is(&items[ITEM_PAUSED], "true") ? " (paused)" : "", has_version ? " " : "",
		has_version ? version : "", items[ITEM_STATE].text, items[ITEM_QUEUED].text,
		items[ITEM_IN_PROGRESS].text);
}

static char *unavailable_line(const char *authority, const struct lookup items[ITEM_COUNT])
{
	if (is(&items[ITEM_STATUS], "draining"))
		return mem_printf(
			"fail: shared-ollama at %s is shutting down and takes no new requests: ask "
			"again after its restart",
			authority);
	if (!is(&items[ITEM_STATE], "up"))
		return mem_printf("fail: not ready: Ollama at %s is %s: start it, or correct "
				  "--upstream",
			items[ITEM_URL].text, items[ITEM_STATE].text);
	return mem_printf("fail: not ready: the queue is full (%s queued): ask again later, or "
			  "raise --max-queue-size",
		items[ITEM_QUEUED].text);
}

char *health_line(
	const char *authority, int status, const char *body, size_t length, bool *ret_is_ok)
{
	struct lookup items[ITEM_COUNT];
	bool is_ours = read_health(body, length, items);

	*ret_is_ok = is_ours && status == STATUS_OK;
	if (*ret_is_ok)
		return ok_line(items);
	if (is_ours && status == STATUS_UNAVAILABLE)
		return unavailable_line(authority, items);
	return mem_printf("fail: %s answered %d, but not as a shared-ollama: give its URL after "
			  "`health`",
		authority, status);
}

int health_run(const char *url, const struct settings *settings)
{
	struct place place = {0};
	struct ask_answer answer = {0};
	bool is_ok = false;
	enum ask_end end;
	char *authority, *error;

	if (!place_find(url, settings, "health", &place, &error)) {
		printf("fail: %s\n", error);
		free(error);
		return EXIT_FAIL;
	}
	authority = place_authority(&place);
	end = ask_get(&place, &answer);
	if (end == ASK_ANSWERED) {
		char *line =
			health_line(authority, answer.status, answer.body, answer.length, &is_ok);

		puts(line);
		free(line);
	} else {
		printf("fail: %s: %s\n", authority, ask_end_text(end));
	}
	free(answer.body);
	free(authority);
	place_finish(&place);
	return is_ok ? EXIT_OK : EXIT_FAIL;
}
