#include "top/feed.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask/ask.h"
#include "ask/place.h"
#include "base/memory.h"
#include "json/lookup.h"

enum {
	PERIOD_MS = 1000,
	/* An answer of a healthy service takes a few milliseconds. */
	SLOW_MS = 1500,
	ANSWER_MOST_BYTES = 64 * 1024 * 1024,
	STATUS_OK = 200,
	STATUS_UNAUTHORIZED = 401,
	STATUS_FORBIDDEN = 403,
	STATUS_NOT_FOUND = 404,
};

enum half { HALF_STATS, HALF_JOBS, HALF_COUNT };

static const char *const targets[HALF_COUNT] = {
	[HALF_STATS] = "/api/v1/queue/stats",
	[HALF_JOBS] = "/api/v1/queue/requests",
};

struct feed {
	const struct place *place;
	const char *key;
	struct snapshot snapshot;
	bool is_read[HALF_COUNT];
	struct enquiry *asked; /* for `half`; NULL: nothing is asked now */
	enum half half;
	int64_t asked_ms; /* when the last one began */
	int64_t due_ms;	  /* of the next round */
	char *trouble;
	char *slow;
	struct enquiry *action;
	char *done; /* what to say when the action was carried out */
	char *news;
};

static void set(char **text, char *new_text)
{
	free(*text);
	*text = new_text;
}

static struct enquiry *start(const struct feed *feed, const char *method, const char *target)
{
	const struct ask_request request = {
		.method = method,
		.target = target,
		.key = feed->key,
		.answer_most_bytes = ANSWER_MOST_BYTES,
	};

	return enquiry_start(feed->place, &request);
}

struct feed *feed_create(const struct place *place, const char *key)
{
	struct feed *feed = mem_zalloc(sizeof(*feed));

	feed->place = place;
	feed->key = key;
	return feed;
}

void feed_destroy(struct feed *feed)
{
	if (!feed)
		return;
	enquiry_destroy(feed->asked);
	enquiry_destroy(feed->action);
	snapshot_finish(&feed->snapshot);
	free(feed->trouble);
	free(feed->slow);
	free(feed->done);
	free(feed->news);
	free(feed);
}

size_t feed_polls(
	const struct feed *feed, struct pollfd polls[FEED_POLLS_MOST], int *ret_timeout_ms)
{
	const struct enquiry *all[FEED_POLLS_MOST] = {feed->asked, feed->action};
	int64_t left_ms = feed->due_ms - enquiry_now_ms();
	size_t count = 0;

	/* While something is asked: how slow it is has to be told. */
	*ret_timeout_ms = feed->asked || feed->action ? PERIOD_MS / 4
			  : left_ms > 0		      ? (int)left_ms
						      : 0;
	for (size_t i = 0; i < FEED_POLLS_MOST; i++) {
		struct pollfd *target = &polls[count];

		if (!all[i])
			continue;
		*target = (struct pollfd){0};
		target->fd = enquiry_fd(all[i], &target->events);
		count++;
	}
	return count;
}

static char *refusal(int status)
{
	if (status == STATUS_UNAUTHORIZED)
		return mem_strdup(
			"it wants an API key: give it as SHARED_OLLAMA_KEY or after --key");
	if (status == STATUS_FORBIDDEN)
		return mem_strdup("that is for this machine or an admin key alone: give one as "
				  "SHARED_OLLAMA_KEY or after --key");
	if (status == STATUS_NOT_FOUND)
		return mem_strdup("its own endpoints are not here: give the URL of shared-ollama, "
				  "or of its --admin-listen");
	return mem_printf("it answered %d, but not as a shared-ollama: give its URL", status);
}

/* What the half that was asked for has become. Returns NULL or what is wrong. */
static char *take_half(struct feed *feed)
{
	struct ask_answer answer = {0};
	enum ask_end end = enquiry_take(feed->asked, &answer);
	bool is_good;

	if (end != ASK_ANSWERED)
		return mem_strdup(ask_end_text(end));
	is_good = answer.status == STATUS_OK;
	if (is_good && feed->half == HALF_STATS)
		is_good = snapshot_read_stats(&feed->snapshot, answer.body, answer.length);
	else if (is_good)
		is_good = snapshot_read_jobs(&feed->snapshot, answer.body, answer.length);
	free(answer.body);
	return is_good ? NULL : refusal(answer.status);
}

/* true: something is new. */
static bool step_asked(struct feed *feed)
{
	char *error;

	if (!feed->asked) {
		if (enquiry_now_ms() < feed->due_ms)
			return false;
		feed->asked_ms = enquiry_now_ms();
		feed->due_ms = feed->asked_ms + PERIOD_MS;
		feed->half = HALF_STATS;
		feed->asked = start(feed, "GET", targets[HALF_STATS]);
	}
	if (!enquiry_step(feed->asked))
		return false;
	error = take_half(feed);
	enquiry_destroy(feed->asked);
	feed->asked = NULL;
	feed->is_read[feed->half] = feed->is_read[feed->half] || !error;
	if (!error && feed->half == HALF_STATS) {
		feed->half = HALF_JOBS;
		feed->asked_ms = enquiry_now_ms();
		feed->asked = start(feed, "GET", targets[HALF_JOBS]);
		return step_asked(feed);
	}
	set(&feed->trouble, error);
	return true;
}

/* The text of our own error bodies, or NULL. */
static char *error_in(const struct ask_answer *answer)
{
	struct lookup error = {.path = "error"};

	if (!lookup_read(answer->body, answer->length, &error, 1) || !error.is_found)
		return NULL;
	return mem_strdup(error.text);
}

static bool step_action(struct feed *feed)
{
	struct ask_answer answer = {0};
	enum ask_end end;

	if (!feed->action || !enquiry_step(feed->action))
		return false;
	end = enquiry_take(feed->action, &answer);
	if (end != ASK_ANSWERED) {
		set(&feed->news, mem_strdup(ask_end_text(end)));
	} else if (answer.status == STATUS_OK) {
		set(&feed->news, feed->done);
		feed->done = NULL;
	} else {
		char *text = answer.status == STATUS_NOT_FOUND ? error_in(&answer) : NULL;

		set(&feed->news, text ? text : refusal(answer.status));
	}
	free(answer.body);
	enquiry_destroy(feed->action);
	feed->action = NULL;
	set(&feed->done, NULL);
	feed_refresh(feed);
	return true;
}

bool feed_step(struct feed *feed)
{
	bool is_acted = step_action(feed);

	return step_asked(feed) || is_acted;
}

const struct snapshot *feed_snapshot(const struct feed *feed)
{
	return &feed->snapshot;
}

bool feed_is_complete(const struct feed *feed)
{
	return feed->is_read[HALF_STATS] && feed->is_read[HALF_JOBS];
}

const char *feed_trouble(struct feed *feed)
{
	int64_t silent_ms = enquiry_now_ms() - feed->asked_ms;

	if (feed->trouble || !feed->asked || silent_ms < SLOW_MS)
		return feed->trouble;
	set(&feed->slow, mem_printf("no answer for %lld s", (long long)(silent_ms / PERIOD_MS)));
	return feed->slow;
}

void feed_refresh(struct feed *feed)
{
	feed->due_ms = 0;
}

/* Takes over `target` and `done`. */
static bool act(struct feed *feed, const char *method, char *target, char *done)
{
	bool is_free = !feed->action;

	if (is_free) {
		feed->action = start(feed, method, target);
		set(&feed->done, done);
	} else {
		free(done);
	}
	free(target);
	return is_free;
}

/* As a segment of a path (RFC 3986 2.3): an id is what a client wrote. */
static char *encode(const char *id)
{
	enum { ENCODED_BYTES = 3 };
	char *out = mem_zalloc_array(strlen(id) + 1, ENCODED_BYTES);
	size_t used = 0;

	for (; *id; id++) {
		unsigned char byte = (unsigned char)*id;

		if (byte < 0x80 && (isalnum(byte) || strchr("-._~", byte)))
			out[used++] = (char)byte;
		else
			used += (size_t)sprintf(out + used, "%%%02X", byte);
	}
	return out;
}

bool feed_cancel(struct feed *feed, const char *id)
{
	char *encoded = encode(id);
	char *target = mem_printf("/api/v1/queue/requests/%s", encoded);

	free(encoded);
	return act(feed, "DELETE", target, mem_printf("cancelled %s", id));
}

bool feed_pause(struct feed *feed, bool unload)
{
	return act(feed, "POST", mem_printf("/api/v1/queue/pause%s", unload ? "?unload=1" : ""),
		mem_strdup(unload ? "paused; the models are unloaded once nothing runs"
				  : "paused: r resumes"));
}

bool feed_resume(struct feed *feed)
{
	return act(feed, "POST", mem_strdup("/api/v1/queue/resume"), mem_strdup("resumed"));
}

char *feed_take_news(struct feed *feed)
{
	char *news = feed->news;

	feed->news = NULL;
	return news;
}
