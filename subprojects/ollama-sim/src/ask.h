/*
 * What a request asks of a model, read out of its JSON body: the fields that the endpoints share.
 * Errors are Ollama's words. Called by the endpoint modules.
 */
#ifndef SIM_ASK_H
#define SIM_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"
#include "mem.h"

struct model;
struct settings;

#define ASK_ERROR_BYTES 256
/* num_keep of Ollama's default options. */
#define ASK_DEFAULT_KEEP 4

enum thinking { THINK_DEFAULT, THINK_OFF, THINK_ON };

/* What makes a runner another runner: a request that differs reloads it. */
struct runner_key {
	long num_ctx;
	long num_batch;
	long num_gpu; /* -1: what the runner has */
	long main_gpu;
	long num_thread;
	int use_mmap; /* -1: not said */
	bool shifts;
};

struct ask {
	bool streams;
	bool has_keep_alive;
	int64_t keep_alive; /* real ns, PACE_FOREVER */
	struct runner_key key;
	long num_predict; /* -1: none */
	long num_keep;
	bool truncates;
	bool is_raw;
	bool wants_usage;
	bool wants_logprobs;
	long top_logprobs;
	enum thinking thinking;
};

/* Each returns false with Ollama's error text. */
MUST_CHECK bool ask_read_native(struct ask *ask, yajl_val body, const struct model *model,
	const struct settings *settings, char error[ASK_ERROR_BYTES]);
/* The same defaults for /v1, whose bodies carry none of it but a limit of tokens under this key. */
void ask_read_v1(struct ask *ask, yajl_val body, const struct model *model,
	const struct settings *settings, const char *limit_key);
/* Do the runner and this request agree? */
bool ask_same_runner(const struct runner_key *runner, const struct runner_key *wanted);
/* A JSON keep_alive: number of seconds, Go duration, null. */
MUST_CHECK bool ask_keep_alive(
	yajl_val node, bool *ret_given, int64_t *ret_ns, char error[ASK_ERROR_BYTES]);
/* A "think" that is true or a level ("low", "medium", "high"), false, or missing. */
enum thinking ask_thinking(yajl_val node);
/* Checks that string fields are strings, as Go's decoder does: "json: cannot unmarshal number into
 * Go struct field …". */
MUST_CHECK bool ask_check_types(yajl_val body, const char *go_struct, char error[ASK_ERROR_BYTES]);

#endif
