/*
 * What the jobs of a runner tell of it as they are sent and end, told in that order: how many of
 * them Ollama seems to have served at once (by their waits, at any level; by the ends of one level)
 * and how fast. Ollama serves first come, first served, in OLLAMA_NUM_PARALLEL places. Used by
 * core/concurrency only; plain data, O(GAUGE_MOST) a call. Times in microseconds.
 */
#ifndef SO_CORE_GAUGE_H
#define SO_CORE_GAUGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Levels over this are neither measured nor chosen. */
enum { GAUGE_MOST = 32 };

struct gauge_end {
	int64_t now_us;
	bool is_good;	       /* a whole answer of a runner that was loaded when it was sent */
	int64_t wait_us;       /* time inside Ollama that it was not served; -1: not told */
	int64_t first_byte_us; /* of a stream; 0: it came as one piece */
	double work;	       /* size in whatever unit, 0: unknown */
};

struct gauge_job {
	const void *who;
	int64_t sent_us;
	int rank;    /* at sending: so many were in flight with it */
	int shuffle; /* of these before it, sent so shortly before that Ollama may have seen them
			in another order */
	bool is_counted;
	bool is_forgotten;		    /* sent before gauge_forget() */
	int64_t reached_us[GAUGE_MOST + 1]; /* since when it had at most this rank */
};

/* Sums over the jobs of a level under the hypothesis that Ollama has so many places. */
struct gauge_places {
	double run_us;
	double log_run;
	double log; /* of the time for one unit of work */
	double log_square;
	int contradictions; /* jobs that were served before they had a place */
};

/* Of the jobs that would have waited if Ollama had so many places, and told how long they did. */
struct gauge_waits {
	double jobs;
	double wait_us;
	double middle_us; /* of what they would have waited with so many places, and with one more
			   */
	double margin_us; /* from there to either */
};

struct gauge {
	struct gauge_job jobs[GAUGE_MOST];
	size_t count;
	/* Of all levels: where the jobs stood tells, not the level. */
	struct gauge_waits waits[GAUGE_MOST];
	bool has_waits;
	double least_wait_us; /* told: what Ollama needs besides for a job that does not wait */
	int level;
	int ends;	/* good ones of jobs sent at this level */
	int top_rank;	/* the most that were in flight */
	int samples;	/* good ends of jobs sent as the last of a full level */
	bool has_sizes; /* of these */
	double work;
	struct gauge_places places[GAUGE_MOST + 1];
	/* of the good ends and of the samples those that told their wait */
	int told;
	int told_full;
};

/* Counts from nothing at this level, for jobs that are sent from now on. */
void gauge_begin(struct gauge *gauge, int level);
/* What the waits told is forgotten, of `places` and more; with 0 also what is in flight. */
void gauge_forget(struct gauge *gauge, int places);
void gauge_sent(struct gauge *gauge, const void *who, int64_t now_us);
/* true: it was a sample. `who` that was never told is nothing. */
bool gauge_ended(struct gauge *gauge, const void *who, const struct gauge_end *end);
/* What the waits say: so many places there are at least, and at most (0: not known). */
void gauge_waits(const struct gauge *gauge, int *ret_least, int *ret_most);
/* The numbers of places that fit what was seen, at most the level; false: too little was seen. */
bool gauge_places(const struct gauge *gauge, int *ret_least, int *ret_most);
/* Work a second, as if of `places` places (0: of the likeliest); 0: nothing was seen. */
double gauge_rate(const struct gauge *gauge, int places);
/* The relative standard error of the rate. Needs samples. */
double gauge_error(const struct gauge *gauge);
/* It is known to about one per cent. */
bool gauge_is_sharp(const struct gauge *gauge);

#endif
