/*
 * How many jobs may run on one runner at once (PRODUCT 3.1, 3.7): the fixed number or what
 * core/concurrency found, and the places in Ollama that a client which left during prefill still
 * keeps busy (FACTS-ollama.md 7: until its batch is over; /api/ps does not tell). Each runner has
 * one; without turns there is one for all. Owned and asked by the scheduler. Microseconds.
 */
#ifndef SO_CORE_LANE_H
#define SO_CORE_LANE_H

#include <stdbool.h>
#include <stdint.h>

struct job;
struct lane;
struct settings;

/* What a whole answer told; durations in nanoseconds as Ollama sends them, -1: not told. */
struct lane_answer {
	int64_t now_us;
	bool was_loaded;       /* the runner, when the job was sent; else its times say nothing */
	int64_t wait_ns;       /* inside Ollama, neither loading nor served */
	int64_t first_byte_us; /* of a stream; 0: it came as one piece */
	int64_t prompt_tokens;
	int64_t prompt_ns;
	int64_t tokens;
};

/* For people; the reason is valid until the lane is used again. */
struct lane_report {
	int64_t limit;
	int64_t least; /* ever */
	int64_t most;
	const char *reason;
};

struct lane *lane_create(void);
/* NULL is fine. */
void lane_destroy(struct lane *lane);

/* All runners together. */
int64_t lane_total(const struct settings *settings);
/* What a lane begins with. */
int64_t lane_start(const struct settings *settings);
int64_t lane_limit(struct lane *lane, const struct settings *settings);
struct lane_report lane_report(struct lane *lane, const struct settings *settings);
/* How many places are taken when `running` jobs run. */
uint64_t lane_busy(struct lane *lane, uint64_t running, int64_t now_us);
/* The next moment in which fewer are taken without an end; 0: none. After lane_busy(). */
int64_t lane_look_again_us(const struct lane *lane);

/* The job is sent at its record's dispatched_us. */
void lane_sent(struct lane *lane, const struct job *job);
/* Its whole answer came; before lane_released(). */
void lane_answered(struct lane *lane, const struct job *job, const struct lane_answer *answer);
/* It was sent and holds its slot no longer. */
void lane_released(struct lane *lane, const struct job *job, int64_t now_us);
/* It was sent, and its client left before anything came back: Ollama may still be busy with it.
 * `batch` 0: Ollama's own size. */
void lane_left(struct lane *lane, const struct job *job, int64_t batch, int64_t now_us);
/* Ollama was restarted, or the runner is gone without our doing. */
void lane_forget(struct lane *lane);

#endif
