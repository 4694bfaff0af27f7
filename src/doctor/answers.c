#include "doctor/answers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "doctor/facts.h"
#include "json/lookup.h"
#include "json/walk.h"

enum { HEALTH_STATUS, HEALTH_PAUSED, HEALTH_URL, HEALTH_STATE, HEALTH_VERSION, HEALTH_COUNT };

bool answers_read_health(struct facts *facts, const char *json, size_t length)
{
	struct lookup items[HEALTH_COUNT] = {
		[HEALTH_STATUS] = {.path = "status"},
		[HEALTH_PAUSED] = {.path = "paused"},
		[HEALTH_URL] = {.path = "upstream/url"},
		[HEALTH_STATE] = {.path = "upstream/state"},
		[HEALTH_VERSION] = {.path = "upstream/version"},
	};
	struct facts_service *service = &facts->service;

	if (!lookup_read(json, length, items, HEALTH_COUNT))
		return false;
	for (int i = 0; i < HEALTH_COUNT; i++) {
		if (!items[i].is_found)
			return false;
	}
	facts_text(&service->status, items[HEALTH_STATUS].text);
	service->is_paused = strcmp(items[HEALTH_PAUSED].text, "true") == 0;
	facts_text(&service->upstream_url, items[HEALTH_URL].text);
	facts_text(&service->upstream_state, items[HEALTH_STATE].text);
	if (strcmp(items[HEALTH_VERSION].text, "null") != 0)
		facts_text(&service->upstream_version, items[HEALTH_VERSION].text);
	return true;
}

/* A text or number of the stats, where it goes. */
static void put_number(double *number, enum walk_kind kind, const char *text)
{
	if (kind == WALK_NUMBER)
		*number = strtod(text, NULL);
}

static void add_runner(struct facts_service *service, const char *name)
{
	if (service->runners_count == FACTS_RUNNERS_MOST)
		return;
	service->runners = mem_grow_array(
		service->runners, service->runners_count + 1, sizeof(*service->runners));
	service->runners[service->runners_count++] = (struct facts_runner){
		.name = mem_strdup(name), .vram_share = NAN, .context_length = NAN};
}

/* true: it was one of a list's. */
static bool put_in_list(
	struct facts_service *service, const char *path, enum walk_kind kind, const char *text)
{
	struct facts_runner *runner =
		service->runners_count ? &service->runners[service->runners_count - 1] : NULL;

	if (strcmp(path, "runners/*/name") == 0)
		add_runner(service, text);
	else if (runner && strcmp(path, "runners/*/vram_share") == 0)
		put_number(&runner->vram_share, kind, text);
	else if (runner && strcmp(path, "runners/*/context_length") == 0)
		put_number(&runner->context_length, kind, text);
	else if (strcmp(path, "turn/keys/*/runner") == 0)
		words_add(&service->runner_keys, text);
	else if (strcmp(path, "cut_prompts/models/*/name") == 0)
		words_add(&service->cut_models, text);
	else
		return false;
	return true;
}

static void on_stats(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	struct facts_service *service = &((struct facts *)arg)->service;
	const struct {
		const char *path;
		double *number;
		char **text;
	} members[] = {
		{"max_concurrent", &service->max_concurrent, NULL},
		{"concurrency/limit", &service->concurrency_limit, NULL},
		{"concurrency/reason", NULL, &service->concurrency_reason},
		{"cut_prompts/count", &service->cut_prompts, NULL},
		{"upstream/foreign_activity/count", &service->foreign_count, NULL},
		{"upstream/foreign_activity/model", NULL, &service->foreign_model},
		{"request_log_dropped", &service->log_dropped, NULL},
		{"patience_doubted", &service->patience_doubted, NULL},
	};
	char *copy;

	if (kind == WALK_NULL)
		return;
	copy = mem_strndup(text, length);
	if (!put_in_list(service, path, kind, copy)) {
		for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
			if (strcmp(members[i].path, path) != 0)
				continue;
			if (members[i].number)
				put_number(members[i].number, kind, copy);
			else
				facts_text(members[i].text, copy);
		}
	}
	free(copy);
}

bool answers_read_stats(struct facts *facts, const char *json, size_t length)
{
	facts->service.has_stats =
		walk_object(json, length, on_stats, facts) && !isnan(facts->service.max_concurrent);
	return facts->service.has_stats;
}

struct config_reading {
	struct facts *facts;
	char *name; /* of the setting whose value comes next */
	double keys;
};

static void on_config(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	struct config_reading *reading = arg;
	char *copy = mem_strndup(text, length);

	if (strcmp(path, "settings/*/name") == 0)
		facts_text(&reading->name, copy);
	else if (strcmp(path, "settings/*/value") == 0 && reading->name)
		facts_set(reading->facts, reading->name, copy);
	else if (strcmp(path, "keys/*/name") == 0)
		reading->keys++;
	free(copy);
}

bool answers_read_config(struct facts *facts, const char *json, size_t length)
{
	struct config_reading reading = {.facts = facts};
	bool is_good = walk_object(json, length, on_config, &reading) && reading.name;

	free(reading.name);
	if (!is_good)
		return false;
	facts->keys_count = reading.keys;
	facts->has_settings_in_force = true;
	return true;
}

bool answers_read_version(struct facts *facts, const char *json, size_t length)
{
	struct lookup version = {.path = "version"};

	if (!lookup_read(json, length, &version, 1) || !version.is_found)
		return false;
	facts_text(&facts->upstream.version, version.text);
	return true;
}
