#include "doctor/gather.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask/ask.h"
#include "ask/place.h"
#include "base/memory.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/value.h"
#include "config/where.h"
#include "doctor/answers.h"
#include "doctor/facts.h"

enum {
	STATUS_OK = 200,
	STATUS_UNAVAILABLE = 503,
	STATUS_UNAUTHORIZED = 401,
	STATUS_FORBIDDEN = 403,
	ANSWER_MOST_BYTES = 16 * 1024 * 1024,
};

static const double ms_per_s = 1e3;
static const double ns_per_ms = 1e6;

static enum ask_end get(const struct place *place, const char *target, const char *key,
	struct ask_answer *ret_answer)
{
	const struct ask_request request = {
		.method = "GET",
		.target = target,
		.key = key,
		.answer_most_bytes = ANSWER_MOST_BYTES,
	};

	return ask_send(place, &request, ret_answer);
}

/* One of the endpoints that may want a key. */
static void read_own(struct facts *facts, const struct place *place, const char *key,
	const char *target, bool (*read)(struct facts *, const char *, size_t))
{
	struct ask_answer answer = {0};
	enum ask_end end = get(place, target, key, &answer);
	const char *refusal = NULL;
	char *text;

	if (end != ASK_ANSWERED)
		refusal = ask_end_text(end);
	else if (answer.status == STATUS_UNAUTHORIZED)
		refusal = "it wants an API key";
	else if (answer.status == STATUS_FORBIDDEN)
		refusal = "that is for its own machine and admin keys";
	else if (answer.status != STATUS_OK || !read(facts, answer.body, answer.length))
		refusal = "its answer is none of a shared-ollama";
	if (refusal) {
		text = mem_printf("%s: %s", target, refusal);
		facts_text(&facts->service.refusal, text);
		free(text);
	}
	free(answer.body);
}

static void read_health(struct facts *facts, const struct place *place, const char *key)
{
	struct ask_answer answer = {0};
	enum ask_end end = get(place, "/api/v1/health", key, &answer);
	char *authority = place_authority(place);
	char *trouble = NULL;

	if (end != ASK_ANSWERED)
		trouble = mem_printf("%s: %s", authority, ask_end_text(end));
	else if ((answer.status != STATUS_OK && answer.status != STATUS_UNAVAILABLE) ||
		 !answers_read_health(facts, answer.body, answer.length))
		trouble = mem_printf(
			"%s answered %d, but not as a shared-ollama", authority, answer.status);
	facts->service.trouble = trouble;
	free(answer.body);
	free(authority);
}

void gather_service(struct facts *facts, const struct place *place, const char *key)
{
	struct ask_answer answer = {0};

	read_health(facts, place, key);
	if (facts->service.trouble)
		return;
	read_own(facts, place, key, "/api/v1/queue/stats", answers_read_stats);
	read_own(facts, place, key, "/api/v1/config", answers_read_config);
	/* Neither logged nor counted as a job; a loop shows by its status. */
	if (get(place, "/api/version", key, &answer) == ASK_ANSWERED)
		facts->service.version_status = answer.status;
	free(answer.body);
}

void gather_settings(struct facts *facts, const struct settings *settings)
{
	if (facts->has_settings_in_force)
		return;
	for (size_t i = 0; i < keys_count; i++) {
		char *value = value_print(&keys[i], settings);

		facts_set(facts, keys[i].name, value);
		free(value);
	}
	facts->keys_count = (double)settings->api_keys_count;
}

/* Its clock minus ours; whole seconds are all that a Date has. */
static double skew_of(const char *date)
{
	struct tm parts = {0};

	if (!strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &parts))
		return NAN;
	return difftime(timegm(&parts), time(NULL));
}

static bool find_upstream(const struct facts *facts, struct place *ret_place)
{
	const char *url = facts->service.upstream_url ? facts->service.upstream_url
						      : facts_get(facts, "upstream");
	char *host = NULL;
	const char *unused;
	uint16_t port;
	bool is_tls;

	if (!url || !where_parse_upstream(url, &host, &port, &is_tls, &unused))
		return false;
	if (is_tls) {
		free(host);
		return false;
	}
	*ret_place = (struct place){.host = host, .port = mem_printf("%u", (unsigned)port)};
	return true;
}

static void ask_upstream(struct facts *facts, const struct place *place)
{
	struct facts_upstream *upstream = &facts->upstream;
	struct facts other;
	struct ask_answer answer = {0};
	enum ask_end end = get(place, "/api/version", NULL, &answer);

	upstream->is_asked = true;
	if (end != ASK_ANSWERED) {
		upstream->trouble = mem_strdup(
			end == ASK_REFUSED ? "down: nothing listens there" : ask_end_text(end));
		return;
	}
	if (answer.status == STATUS_OK && !answers_read_version(facts, answer.body, answer.length))
		upstream->trouble = mem_strdup("not answering as Ollama");
	upstream->skew_s = skew_of(answer.date);
	free(answer.body);
	answer.body = NULL;
	facts_init(&other);
	if (get(place, "/api/v1/health", NULL, &answer) == ASK_ANSWERED)
		upstream->is_shared_ollama =
			answers_read_health(&other, answer.body, answer.length);
	facts_finish(&other);
	free(answer.body);
}

void gather_upstream(struct facts *facts)
{
	struct place place = {0};

	/* As the service sees it: a loopback address means its own machine. */
	if (!find_upstream(facts, &place))
		return;
	if (facts->machine.is_here || !place_is_loopback(&place))
		ask_upstream(facts, &place);
	place_finish(&place);
}

static double wall_minus_monotonic_ms(void)
{
	struct timespec wall, even;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &even);
	return (double)(wall.tv_sec - even.tv_sec) * ms_per_s +
	       (double)(wall.tv_nsec - even.tv_nsec) / ns_per_ms;
}

void gather_clock_begin(struct facts *facts)
{
	facts->machine.wall_s = (double)time(NULL);
	facts->machine.step_ms = wall_minus_monotonic_ms();
}

void gather_clock_end(struct facts *facts)
{
	facts->machine.step_ms = wall_minus_monotonic_ms() - facts->machine.step_ms;
}
