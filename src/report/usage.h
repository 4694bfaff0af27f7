/*
 * What a group of requests (all, a project, a model, a project's requests for a model) did: counts,
 * spreads of latency and wait, tokens, and the evidence that findings need. A zeroed one is empty.
 * Called by report/analysis; read by report/tables and report/findings.
 */
#ifndef SO_REPORT_USAGE_H
#define SO_REPORT_USAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "report/line.h"
#include "report/spread.h"

/* What a line means, worked out once. NAN, -1: unknown. */
struct derived {
	bool is_success;
	bool is_job;	    /* it had a wait: passes have none */
	bool has_run;	    /* it was sent to Ollama, and when is known */
	double wait_ms;	    /* in the queue and, where Ollama tells, inside Ollama */
	double load_ms;	    /* of a cold start, as far as the line tells */
	double service_ms;  /* latency without the wait; a load is part of it */
	double first_ms;    /* from arrival to the first token, whether it was sent then or not */
	double pixels;	    /* an image; where there is a prompt count beside it */
	double text_tokens; /* of that prompt, at most */
	int64_t arrived_us;
};

void derive(const struct line *line, struct derived *ret_derived);

/* Requests that nobody waited for: the words of docs' error_type. */
#define USAGE_UNHEARD(X)         \
	X(GONE, "client_gone")   \
	X(LATE, "queue_timeout") \
	X(EARLY, "no_time_left")

enum usage_unheard {
#define X(symbol, word) UNHEARD_##symbol,
	USAGE_UNHEARD(X)
#undef X
		UNHEARD_COUNT
};

/* Prompts with one image, by its pixels: bucket i holds those from 2^(i/2) on. */
enum { PIXEL_BUCKETS = 56 };

struct usage_images {
	uint64_t jobs; /* whose prompt tokens are known */
	double pixels;
	double tokens;	    /* of their prompts */
	double text_tokens; /* of these, at most */
	uint64_t timed;	    /* of these the prompt's time is known as well */
	double timed_prompt_ms;
	double timed_service_ms;
	uint32_t bucket_jobs[PIXEL_BUCKETS];
	float bucket_tokens[PIXEL_BUCKETS];
	uint64_t widest; /* of the largest image */
	uint64_t highest;
};

struct usage {
	uint64_t requests;
	uint64_t successes;
	uint64_t jobs;
	uint64_t warm; /* successes, as cold and unknown */
	uint64_t cold;
	uint64_t truncated;
	uint64_t unheard[UNHEARD_COUNT];
	uint64_t unstreamed; /* long answers in one piece whose first token came early */
	uint64_t upstream_waits;
	double unstreamed_ms;
	double unstreamed_first_ms;
	double unheard_service_ms;
	double upstream_wait_ms;
	double service_ms; /* slots were taken for so long */
	double prompt_tokens;
	double prompt_most;
	double context_most; /* of a cut prompt */
	double generation_tokens;
	double timed_prompt_tokens; /* with their time: speeds */
	double timed_prompt_ms;
	double timed_generation_tokens;
	double timed_generation_ms;
	struct spread latency;
	struct spread wait;
	struct spread service; /* of successes */
	struct spread gone;    /* how long clients that left had waited */
	struct usage_images images;
};

void usage_add(struct usage *usage, const struct line *line, const struct derived *derived);
/* NAN: nothing is known. */
double usage_warm_share(const struct usage *usage);
double usage_prompt_speed(const struct usage *usage);	  /* tokens a second */
double usage_generation_speed(const struct usage *usage); /* tokens a second */
uint64_t usage_unheard(const struct usage *usage);

#endif
