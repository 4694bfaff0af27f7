/*
 * What a running service says of itself at one moment: its stats and its list of living requests
 * (docs/api.md), as numbers and texts. Filled by feed, shown by frame. Texts are as they came, not
 * yet safe for a terminal; a number that is null or absent is NAN, a text NULL.
 */
#ifndef SO_TOP_SNAPSHOT_H
#define SO_TOP_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* X(member, path in the stats) */
#define SNAPSHOT_NUMBERS(X)                                 \
	X(queued, "queued")                                 \
	X(in_progress, "in_progress")                       \
	X(reading, "reading")                               \
	X(flushing, "flushing")                             \
	X(completed, "completed")                           \
	X(failed, "failed")                                 \
	X(rejected, "rejected")                             \
	X(timeout, "timeout")                               \
	X(cancelled, "cancelled")                           \
	X(max_concurrent, "max_concurrent")                 \
	X(max_queue_size, "max_queue_size")                 \
	X(wait_mean_ms, "avg_wait_time_ms")                 \
	X(wait_max_ms, "max_wait_time_ms")                  \
	X(wait_p50_ms, "wait_time_ms/p50")                  \
	X(wait_p90_ms, "wait_time_ms/p90")                  \
	X(wait_p99_ms, "wait_time_ms/p99")                  \
	X(latency_mean_ms, "latency_ms/mean")               \
	X(warm_rate, "warm_start_rate")                     \
	X(loads, "model_loads")                             \
	X(load_ms, "load_time_ms")                          \
	X(concurrency_limit, "concurrency/limit")           \
	X(turn_since_ms, "turn/since_ms")                   \
	X(turn_served, "turn/served")                       \
	X(turn_left, "turn/left")                           \
	X(foreign_count, "upstream/foreign_activity/count") \
	X(foreign_age_s, "upstream/foreign_activity/age_s") \
	X(cut_prompts, "cut_prompts/count")                 \
	X(log_dropped, "request_log_dropped")               \
	X(uptime_s, "uptime_s")

#define SNAPSHOT_TEXTS(X)                                   \
	X(upstream_url, "upstream/url")                     \
	X(upstream_state, "upstream/state")                 \
	X(upstream_version, "upstream/version")             \
	X(foreign_model, "upstream/foreign_activity/model") \
	X(turn_state, "turn/state")                         \
	X(turn_runner, "turn/runner")                       \
	X(turn_next, "turn/next")                           \
	X(concurrency_reason, "concurrency/reason")         \
	X(paused, "paused") /* "true" or "false" */

#define SNAPSHOT_RUNNER_NUMBERS(X)  \
	X(size_vram, "size_vram")   \
	X(vram_share, "vram_share") \
	X(context_length, "context_length")

#define SNAPSHOT_JOB_TEXTS(X)     \
	X(id, "id")               \
	X(project, "project")     \
	X(class, "class")         \
	X(model, "model")         \
	X(operation, "operation") \
	X(state, "state")         \
	X(reason, "reason")

#define SNAPSHOT_JOB_NUMBERS(X)       \
	X(age_ms, "age_ms")           \
	X(wait_ms, "wait_ms")         \
	X(place, "place")             \
	X(forecast_ms, "forecast_ms") \
	X(tokens, "tokens")           \
	X(tokens_per_s, "tokens_per_s")

#define NUMBER(member, path) double member;
#define TEXT(member, path) char *member;

/* More do not fit on a screen, and not on a box. */
enum { SNAPSHOT_RUNNERS_MOST = 64, SNAPSHOT_PROJECTS_MOST = 128, SNAPSHOT_JOBS_MOST = 100 * 1000 };

struct snapshot_runner {
	char *name;
	SNAPSHOT_RUNNER_NUMBERS(NUMBER)
};

/* One that has used Ollama. */
struct snapshot_project {
	char *name;
	double served_s;
};

struct snapshot_job {
	SNAPSHOT_JOB_TEXTS(TEXT)
	SNAPSHOT_JOB_NUMBERS(NUMBER)
};

struct snapshot {
	SNAPSHOT_NUMBERS(NUMBER)
	SNAPSHOT_TEXTS(TEXT)
	struct snapshot_runner *runners;
	size_t runners_count;
	struct snapshot_project *projects; /* who used most stands first */
	size_t projects_count;
	bool has_stats;
	struct snapshot_job *jobs; /* in the order of the service: running, then by place */
	size_t jobs_count;
};

#undef NUMBER
#undef TEXT

/* A zeroed snapshot is empty. */
void snapshot_finish(struct snapshot *snapshot);
/* Replaces its half. false: not such an answer of a shared-ollama; nothing was changed. */
MUST_CHECK bool snapshot_read_stats(struct snapshot *snapshot, const char *json, size_t length);
MUST_CHECK bool snapshot_read_jobs(struct snapshot *snapshot, const char *json, size_t length);

#endif
