/*
 * A job of which Ollama said nothing for the time allowed: tells apart what that means
 * (core/liveness), says it to the client and to the watch, and ends the job. Part of relay.
 */
#include <stdlib.h>
#include <string.h>

#include "back/exchange.h"
#include "back/pool.h"
#include "back/probe.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "core/liveness.h"
#include "core/residency.h"
#include "relay/relay_parts.h"

enum { US_PER_S = 1000 * 1000, STATUS_CLIENT_ERROR = 400 };

void relay_note_life(struct relay_job *carried)
{
	if (carried->job.record.model && carried->status < STATUS_CLIENT_ERROR)
		liveness_note(&carried->relay->life, carried->job.record.model, ticker_now_us());
}

static int64_t nearer(int64_t one_us, int64_t other_us)
{
	return one_us > other_us ? one_us : other_us;
}

/* The model's last byte to another job, running or ended. */
static int64_t other_us(const struct relay_job *carried)
{
	const char *model = carried->job.record.model;
	const struct list *node;
	int64_t last_us;

	if (!model)
		return 0;
	last_us = liveness_seen_us(&carried->relay->life, model);
	LIST_EACH(&carried->relay->jobs, node)
	{
		struct job *job = CONTAINER_OF(node, struct job, link);
		const struct relay_job *other = relay_job_of(job);

		if (other == carried || job->state != JOB_STREAMING || !other->exchange ||
			strcmp(job->record.model ? job->record.model : "", model) != 0)
			continue;
		last_us = nearer(last_us, exchange_last_activity_us(other->exchange));
	}
	return last_us;
}

static int64_t silent_since(const struct relay_job *carried)
{
	return nearer(carried->state_since_us, exchange_last_activity_us(carried->exchange));
}

static enum liveness judge(const struct relay_job *carried)
{
	const struct relay_parts *parts = &carried->relay->parts;
	const char *model = carried->job.record.model;
	struct liveness_signs signs = {
		.now_us = ticker_now_us(),
		.since_us = silent_since(carried),
		.is_usable = probe_is_usable(parts->probe),
		.asked_us = residency_asked_us(parts->residency),
		.is_listed = model &&
			     residency_has(parts->residency, model, ticker_now_us()) == KNOWN_TRUE,
		.other_us = other_us(carried),
	};

	return liveness_judge(&signs);
}

static char *words_of(const struct relay_job *carried, enum liveness liveness)
{
	const char *host = pool_host(carried->relay->parts.pool);
	const char *model = carried->job.record.model ? carried->job.record.model : "the model";
	const char *key = carried->job.state == JOB_STREAMING ? "upstream_idle_timeout"
							      : "upstream_first_byte_timeout";
	int64_t silent_s = (ticker_now_us() - silent_since(carried)) / US_PER_S;

	switch (liveness) {
	case LIVENESS_LOADING:
		return mem_printf("Ollama at %s sent nothing for %lld s and has not loaded %s: see "
				  "its log, or raise %s",
			host, (long long)silent_s, model, key);
	case LIVENESS_BUSY:
		return mem_printf("Ollama at %s sent nothing for %lld s while it answered others "
				  "of %s: lower max_concurrent, or raise %s",
			host, (long long)silent_s, model, key);
	case LIVENESS_STUCK:
		return mem_printf("Ollama at %s sent nothing for %lld s although %s is loaded: its "
				  "runner is stuck, unload it or restart Ollama",
			host, (long long)silent_s, model);
	case LIVENESS_DEAD:
		break;
	}
	return mem_printf("Ollama at %s sent nothing for %lld s and answers no probe: restart it",
		host, (long long)silent_s);
}

void relay_end_silent(struct relay_job *carried)
{
	const struct relay_parts *parts = &carried->relay->parts;
	enum liveness liveness = judge(carried);
	char *words = words_of(carried, liveness);

	LOG(WARN, "no answer in time", LOG_TEXT("liveness", liveness_name(liveness)),
		LOG_TEXT("model", carried->job.record.model),
		LOG_TEXT("request_id", carried->job.record.request_id));
	if (parts->on_silent)
		parts->on_silent(parts->arg, &carried->job, liveness);
	relay_fail(carried, OUTCOME_UPSTREAM_TIMEOUT, words);
	free(words);
}
