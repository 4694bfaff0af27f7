#include "doctor/checks.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "doctor/facts.h"

enum {
	STATUS_LOOP = 508,
	/* The oldest Ollama whose answers were looked at: 0.24. */
	OLDEST_MAJOR = 0,
	OLDEST_MINOR = 24,
	/* So many jobs say something about the usual one. */
	WAITS_LEAST = 5,
	/* One load after a pause may be a restart of Ollama. */
	RELOADS_LEAST = 2,
};

/* A wait inside Ollama is one: shorter is its own work between the steps (FACTS: 30 ms). */
static const double inside_ms = 250;
static const double inside_share = 0.1;
/* Of the context: the next page or the next turn of a chat is cut. */
static const double near_share = 0.9;
static const double percent = 100;

static const char *const check_names[] = {
#define X(symbol, name, function) name,
	CHECKS(X)
#undef X
};
static const char *const verdict_names[] = {
#define X(symbol, name) name,
	VERDICTS(X)
#undef X
};

const char *check_name(enum check check)
{
	return check_names[check];
}

const char *verdict_name(enum verdict verdict)
{
	return verdict_names[verdict];
}

struct finding check_run(enum check check, const struct facts *facts)
{
	static struct finding (*const functions[])(const struct facts *) = {
#define X(symbol, name, function) function,
		CHECKS(X)
#undef X
	};

	return functions[check](facts);
}

struct finding finding_make(enum verdict verdict, const char *fix, const char *format, ...)
{
	struct finding finding = {.verdict = verdict, .fix = fix};
	va_list list;
	int length;

	va_start(list, format);
	length = vasprintf(&finding.text, format, list);
	va_end(list);
	if (length < 0)
		mem_out(strlen(format));
	return finding;
}

static bool is(const char *text, const char *other)
{
	return text && strcmp(text, other) == 0;
}

/* Why the service's figures are not there. */
static struct finding no_stats(const struct facts *facts)
{
	if (facts->service.trouble)
		return finding_make(
			VERDICT_UNSURE, NULL, "cannot tell: the service does not answer");
	if (facts->service.refusal)
		return finding_make(
			VERDICT_UNSURE, NULL, "cannot tell: %s", facts->service.refusal);
	return finding_make(VERDICT_UNSURE, NULL, "cannot tell: this version does not say");
}

struct finding check_service(const struct facts *facts)
{
	const struct facts_service *service = &facts->service;

	if (service->trouble)
		return finding_make(VERDICT_FAIL,
			"start shared-ollama, or give the URL at which it serves: shared-ollama "
			"doctor http://HOST:PORT",
			"%s", service->trouble);
	if (is(service->status, "draining"))
		return finding_make(VERDICT_WARN, "wait for its restart, then ask again",
			"it is shutting down and takes no new requests");
	if (service->refusal)
		return finding_make(VERDICT_WARN,
			"give an admin key as SHARED_OLLAMA_KEY, or run doctor on the machine of "
			"the service",
			"it serves, but does not show its figures: %s", service->refusal);
	if (service->is_paused)
		return finding_make(VERDICT_WARN,
			"resume: curl -X POST URL/api/v1/queue/resume, or r in shared-ollama top",
			"it is paused: requests wait and none is started");
	return finding_make(VERDICT_OK, NULL, "it answers and takes requests");
}

/* true: older than what was looked at. */
static bool is_old(const char *version)
{
	char *end;
	long major = strtol(version, &end, 10);
	long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;

	return major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR);
}

struct finding check_upstream(const struct facts *facts)
{
	const struct facts_service *service = &facts->service;
	const struct facts_upstream *upstream = &facts->upstream;
	const char *version =
		service->upstream_version ? service->upstream_version : upstream->version;
	const char *url =
		service->upstream_url ? service->upstream_url : facts_get(facts, "upstream");
	bool is_down = service->trouble ? upstream->is_asked && upstream->trouble
					: !is(service->upstream_state, "up");

	if (service->trouble && !upstream->is_asked)
		return finding_make(VERDICT_UNSURE, NULL,
			"cannot tell: neither the service nor Ollama could be asked");
	if (is_down)
		return finding_make(VERDICT_FAIL,
			"start Ollama (systemctl start ollama), or correct --upstream",
			"Ollama at %s is %s", url ? url : "-",
			service->trouble ? upstream->trouble : service->upstream_state);
	if (!version)
		return finding_make(VERDICT_UNSURE, NULL,
			"Ollama at %s answers; which version it is was not told", url ? url : "-");
	if (is_old(version))
		return finding_make(VERDICT_WARN,
			"update Ollama: what older ones answer was never looked at",
			"Ollama at %s is %s, older than 0.24", url ? url : "-", version);
	return finding_make(VERDICT_OK, NULL, "Ollama %s at %s answers", version, url ? url : "-");
}

struct finding check_own_loop(const struct facts *facts)
{
	if (facts->service.version_status == STATUS_LOOP)
		return finding_make(VERDICT_FAIL,
			"set --upstream to Ollama's own address, usually http://127.0.0.1:11434",
			"a request comes back to the service: its upstream leads to itself");
	if (facts->upstream.is_asked && facts->upstream.is_shared_ollama)
		return finding_make(VERDICT_WARN,
			"set --upstream to Ollama's own address: two queues in a row know nothing "
			"of each other",
			"the upstream is a shared-ollama, not Ollama");
	if (facts->service.version_status || (facts->upstream.is_asked && !facts->upstream.trouble))
		return finding_make(VERDICT_OK, NULL, "the upstream is not shared-ollama itself");
	return finding_make(VERDICT_UNSURE, NULL, "cannot tell: nothing could be asked");
}

/* How many Ollama works at once, against how many it is sent. */
struct finding check_parallelism(const struct facts *facts)
{
	const struct facts_service *service = &facts->service;
	const struct log_tail *log = &facts->log;
	double mean_ms = log->waits ? log->wait_ms / (double)log->waits : 0;
	bool is_inside = log->waits >= WAITS_LEAST && mean_ms >= inside_ms &&
			 log->wait_ms >= inside_share * log->latency_ms;
	double limit = isnan(service->concurrency_limit) ? service->max_concurrent
							 : service->concurrency_limit;

	if (is_inside)
		return finding_make(VERDICT_WARN,
			"set OLLAMA_NUM_PARALLEL of Ollama to at least max_concurrent if the GPU "
			"has room for it, or --concurrency adaptive, or a lower --max-concurrent",
			"%zu requests waited %.1f s inside Ollama on average: it runs fewer at "
			"once than it is sent",
			log->waits, mean_ms / 1e3);
	if (log->waits >= WAITS_LEAST)
		return finding_make(VERDICT_OK, NULL,
			"%zu requests waited %.0f ms inside Ollama on average", log->waits,
			mean_ms);
	if (service->concurrency_reason && !isnan(limit))
		return finding_make(
			VERDICT_OK, NULL, "%.0f at once: %s", limit, service->concurrency_reason);
	if (!service->has_stats)
		return no_stats(facts);
	return finding_make(VERDICT_UNSURE, NULL,
		"cannot tell: too few requests in the log say how long they waited inside Ollama");
}

/* A model that stands twice among the keys: the part before the first blank. */
static char *twice(const struct words *keys)
{
	struct words models = {0};
	char *found = NULL;

	for (size_t i = 0; !found && i < keys->count; i++) {
		char *model = mem_strndup(keys->items[i], strcspn(keys->items[i], " "));

		if (words_have(&models, model))
			found = model;
		else
			words_add(&models, model);
		if (found != model)
			free(model);
	}
	words_finish(&models);
	return found;
}

struct finding check_runner_keys(const struct facts *facts)
{
	struct finding finding;
	char *model = twice(&facts->log.runners);

	if (!model)
		model = twice(&facts->service.runner_keys);
	if (model) {
		finding = finding_make(VERDICT_WARN,
			"give all clients the same num_ctx, or let the service see to it: "
			"--runner-options strip, or set with a rule for the model "
			"(docs/policies.md)",
			"%s is asked for with different runner options: Ollama loads it anew at "
			"each change",
			model);
		free(model);
		return finding;
	}
	if (facts->log.is_read || facts->service.has_stats)
		return finding_make(
			VERDICT_OK, NULL, "no model is used with two sets of runner options");
	return no_stats(facts);
}

struct finding check_keep_alive(const struct facts *facts)
{
	const struct log_tail *log = &facts->log;
	const char *keep_alive = facts_get(facts, "keep_alive");

	if (!log->is_read)
		return finding_make(
			VERDICT_UNSURE, NULL, "cannot tell: the request log cannot be read here");
	if (log->reloads >= RELOADS_LEAST)
		return finding_make(VERDICT_WARN,
			"--keep-alive 30m (longer than the pauses), or --preload for models that "
			"should always be there",
			"%zu times %s had to be loaded again after a pause, the shortest of %.0f "
			"s%s%s",
			log->reloads, log->reloaded, log->shortest_pause_s,
			keep_alive && *keep_alive ? "; keep_alive is " : "",
			keep_alive && *keep_alive ? keep_alive : "");
	return finding_make(VERDICT_OK, NULL, "models stay loaded between bursts of requests");
}

struct finding check_context(const struct facts *facts)
{
	static const char fix[] =
		"a larger num_ctx for the model (a rule with runner_options = set, or "
		"OLLAMA_CONTEXT_LENGTH of Ollama), or shorter prompts";
	const struct facts_service *service = &facts->service;
	const struct log_tail *log = &facts->log;
	struct finding finding;
	char *models;

	if (service->cut_prompts > 0) {
		models = words_join(&service->cut_models);
		finding = finding_make(VERDICT_WARN, fix,
			"%.0f prompts were cut silently to fit the context: %s",
			service->cut_prompts, models);
		free(models);
		return finding;
	}
	if (log->prompt_share >= near_share)
		return finding_make(VERDICT_WARN, fix,
			"the longest prompt had %.0f of %.0f tokens (%s): a longer one will be cut",
			log->prompt_tokens, log->prompt_context, log->prompt_model);
	if (!service->has_stats && !log->is_read)
		return no_stats(facts);
	if (log->prompt_share > 0)
		return finding_make(VERDICT_OK, NULL,
			"the longest prompt had %.0f of %.0f tokens (%s)", log->prompt_tokens,
			log->prompt_context, log->prompt_model);
	return finding_make(VERDICT_OK, NULL, "no cut prompt was seen");
}

struct finding check_gpu(const struct facts *facts)
{
	const struct facts_service *service = &facts->service;

	for (size_t i = 0; i < service->runners_count; i++) {
		const struct facts_runner *runner = &service->runners[i];

		if (runner->vram_share < 1)
			return finding_make(VERDICT_WARN,
				"a smaller model, quantization or num_ctx, or fewer models at once "
				"(OLLAMA_MAX_LOADED_MODELS): what is on the CPU slows all of it",
				"%.0f %% of %s is on the GPU, the rest runs on the CPU",
				runner->vram_share * percent, runner->name);
	}
	if (!service->has_stats)
		return no_stats(facts);
	if (service->runners_count == 0)
		return finding_make(VERDICT_UNSURE, NULL, "cannot tell: no model is loaded now");
	return finding_make(VERDICT_OK, NULL, "all that is loaded is on the GPU");
}

struct finding check_foreign(const struct facts *facts)
{
	const struct facts_service *service = &facts->service;

	if (!service->has_stats || isnan(service->foreign_count))
		return no_stats(facts);
	if (service->foreign_count > 0)
		return finding_make(VERDICT_WARN,
			"let those programs use the service's URL as OLLAMA_HOST, and let Ollama "
			"listen on loopback only",
			"somebody uses Ollama past the service: seen %.0f times, last with %s",
			service->foreign_count,
			service->foreign_model ? service->foreign_model : "an unknown model");
	return finding_make(VERDICT_OK, NULL, "nobody was seen to use Ollama past the service");
}

struct finding check_patience(const struct facts *facts)
{
	const struct facts_service *service = &facts->service;

	if (!service->has_stats || isnan(service->patience_doubted))
		return no_stats(facts);
	if (service->patience_doubted > 0)
		return finding_make(VERDICT_WARN,
			"a longer time-out in those clients, or their real patience in a rule for "
			"the project (docs/configuration.md)",
			"%.0f requests announced less patience than such requests take",
			service->patience_doubted);
	return finding_make(VERDICT_OK, NULL, "clients wait as long as their requests take");
}
