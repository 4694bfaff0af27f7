#include "doctor/facts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void facts_init(struct facts *facts)
{
	*facts = (struct facts){
		.service = {.max_concurrent = NAN,
			.concurrency_limit = NAN,
			.cut_prompts = NAN,
			.foreign_count = NAN,
			.log_dropped = NAN,
			.patience_doubted = NAN},
		.upstream = {.skew_s = NAN},
		.machine = {.log_free_bytes = NAN,
			.spool_free_bytes = NAN,
			.descriptors_most = NAN,
			.descriptors_open = NAN,
			.wall_s = NAN,
			.step_ms = NAN},
		.keys_count = NAN,
	};
}

static void finish_service(struct facts_service *service)
{
	free(service->trouble);
	free(service->refusal);
	free(service->status);
	free(service->upstream_url);
	free(service->upstream_state);
	free(service->upstream_version);
	free(service->concurrency_reason);
	free(service->foreign_model);
	words_finish(&service->cut_models);
	words_finish(&service->runner_keys);
	for (size_t i = 0; i < service->runners_count; i++)
		free(service->runners[i].name);
	free(service->runners);
}

void facts_finish(struct facts *facts)
{
	finish_service(&facts->service);
	free(facts->upstream.trouble);
	free(facts->upstream.version);
	free(facts->machine.config_error);
	free(facts->machine.ollama_host);
	free(facts->machine.log_error);
	words_finish(&facts->machine.old_variables);
	for (size_t i = 0; i < facts->settings_count; i++) {
		free(facts->settings[i].name);
		free(facts->settings[i].value);
	}
	free(facts->settings);
	log_tail_finish(&facts->log);
	*facts = (struct facts){0};
}

void facts_set(struct facts *facts, const char *name, const char *value)
{
	struct facts_setting *setting = NULL;

	for (size_t i = 0; i < facts->settings_count; i++) {
		if (strcmp(facts->settings[i].name, name) == 0)
			setting = &facts->settings[i];
	}
	if (!setting) {
		facts->settings = mem_grow_array(
			facts->settings, facts->settings_count + 1, sizeof(*facts->settings));
		setting = &facts->settings[facts->settings_count++];
		*setting = (struct facts_setting){.name = mem_strdup(name)};
	}
	facts_text(&setting->value, value);
}

const char *facts_get(const struct facts *facts, const char *name)
{
	for (size_t i = 0; i < facts->settings_count; i++) {
		if (strcmp(facts->settings[i].name, name) == 0)
			return facts->settings[i].value;
	}
	return NULL;
}

void facts_text(char **text, const char *new_text)
{
	char *copy = mem_strdup(new_text);

	free(*text);
	*text = copy;
}
