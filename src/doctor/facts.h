/*
 * Everything that the doctor's checks look at: what the service says of itself, what its Ollama
 * answers, the end of its request log, this machine. Filled by answers (JSON), log_tail and gather,
 * judged by the checks. Texts are as they came; a number that nobody told is NAN, a text NULL.
 */
#ifndef SO_DOCTOR_FACTS_H
#define SO_DOCTOR_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "doctor/log_tail.h"
#include "doctor/words.h"

enum { FACTS_RUNNERS_MOST = 64 };

struct facts_runner {
	char *name;
	double vram_share;
	double context_length;
};

/* A setting in force, as GET /api/v1/config or the local configuration says. */
struct facts_setting {
	char *name;
	char *value;
};

/* The service's own answers. */
struct facts_service {
	char *trouble; /* it does not answer, or not as a shared-ollama: why; NULL: it does */
	char *refusal; /* it answers health, but not stats and config: why */
	char *status;  /* healthy, unhealthy, draining */
	bool is_paused;
	char *upstream_url;
	char *upstream_state;
	char *upstream_version;
	bool has_stats;
	double max_concurrent;
	double concurrency_limit;
	char *concurrency_reason;
	double cut_prompts;
	struct words cut_models;
	double foreign_count;
	char *foreign_model;
	double log_dropped;
	double patience_doubted;
	struct facts_runner *runners;
	size_t runners_count;
	struct words runner_keys; /* "llama3:latest num_ctx=8192" */
	int version_status;	  /* of GET /api/version through it; 0: not asked */
};

/* Ollama, asked past the service. */
struct facts_upstream {
	bool is_asked;
	char *trouble; /* NULL: it answers */
	char *version;
	bool is_shared_ollama; /* it answers as one of us */
	double skew_s;	       /* its clock minus ours */
};

struct facts_machine {
	bool is_here; /* the service runs on this machine: the rest is about it */
	char *config_error;
	char *ollama_host;
	struct words old_variables;
	bool log_is_checked;
	char *log_error; /* why the request log cannot be written; NULL: it can */
	double log_free_bytes;
	double spool_free_bytes;
	double descriptors_most;
	double descriptors_open;
	double wall_s;	/* since 1970 */
	double step_ms; /* how much the wall clock went beside the monotonic one meanwhile */
};

struct facts {
	struct facts_service service;
	struct facts_upstream upstream;
	struct facts_machine machine;
	struct facts_setting *settings; /* in force, else the local ones */
	size_t settings_count;
	bool has_settings_in_force;
	double keys_count; /* API keys */
	struct log_tail log;
};

void facts_init(struct facts *facts);
void facts_finish(struct facts *facts);
void facts_set(struct facts *facts, const char *name, const char *value);
/* NULL: not known. */
const char *facts_get(const struct facts *facts, const char *name);
/* Replaces a text by a copy. */
void facts_text(char **text, const char *new_text);

#endif
