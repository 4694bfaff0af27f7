/*
 * What the end of a request log shows (PRODUCT 6.1): waits inside Ollama, models that were loaded
 * again after a pause, long prompts, runner keys, times that go backwards. Read by gather, judged
 * by the checks. Lines that are none are skipped: the first one may be half.
 */
#ifndef SO_DOCTOR_LOG_TAIL_H
#define SO_DOCTOR_LOG_TAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "doctor/words.h"

enum {
	/* Some 2,000 lines: the last hours, read in a moment. */
	LOG_TAIL_BYTES = 2 * 1024 * 1024,
	/* A pause after which a load is no swap and no restart of a busy box any more. */
	LOG_TAIL_PAUSE_S = 60,
};

struct log_tail {
	bool is_read;
	size_t lines;
	size_t waits; /* jobs of which Ollama told how long they waited inside it */
	double wait_ms;
	double latency_ms; /* of the same ones, all together */
	size_t reloads;	   /* loads of the very model that was used last, after a pause */
	double shortest_pause_s;
	char *reloaded;	     /* one of these models */
	double prompt_share; /* the longest prompt of its context, 0 to 1 and more */
	double prompt_tokens;
	double prompt_context;
	char *prompt_model;
	struct words runners;
	size_t back_steps;
	double back_s; /* the largest */
	double last_s; /* of the line before */
	char *last_model;
};

/* Zeroed before the first call. Whole lines. */
void log_tail_read(struct log_tail *tail, const char *text, size_t length);
/* The last LOG_TAIL_BYTES of a file. false: it cannot be read. */
bool log_tail_read_file(struct log_tail *tail, const char *path);
void log_tail_finish(struct log_tail *tail);

#endif
