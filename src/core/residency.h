/*
 * Which models are loaded in Ollama, as far as /api/ps and our own traffic tell, and whether a
 * request ran warm or cold (PRODUCT 4.1, FACTS-ollama.md 3 "Rule"). back/probe's answers and
 * relay's observations are handed in; relay and admin ask.
 */
#ifndef SO_CORE_RESIDENCY_H
#define SO_CORE_RESIDENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/record.h"

struct residency;

/* "2026-11-24T15:04:05.123456789+01:00" */
enum { RESIDENT_EXPIRES_BYTES = 40 };

struct resident {
	char *name;   /* canonical, see residency_canonical() */
	int64_t size; /* bytes; -1: unknown */
	int64_t size_vram;
	int64_t context_length;
	/* expires_at as /api/ps writes it, cut: it moves when somebody uses the model; "": unknown
	 */
	char expires_at[RESIDENT_EXPIRES_BYTES];
	int64_t expires_us; /* the same, monotonic; 0: not known */
};

/* Somebody else uses this Ollama: a model was used or loaded while nothing of ours was under way
 * (PRODUCT 6.2). */
struct residency_foreign {
	uint64_t count;	   /* snapshots that showed it */
	int64_t seen_us;   /* the last of them; 0: none */
	const char *model; /* whose use it showed; NULL: none */
};

/* What Ollama may go on with when a client has left: the batch of a prompt at hand (FACTS-ollama
 * 7). It takes seconds at most where a part runs on the CPU. */
enum { RESIDENCY_OWN_US = 10 * 1000 * 1000 };

struct residency *residency_create(void);
void residency_destroy(struct residency *residency);

/*
 * "x", "x:latest", "X" and "registry.ollama.ai/library/x" are one model. Writes at most `bytes`
 * bytes with NUL; a longer name is cut.
 */
void residency_canonical(const char *model, char *ret_name, size_t bytes);

/* A new answer of /api/ps, all of it: begin, one add for each model, end. */
void residency_begin(struct residency *residency);
void residency_add(struct residency *residency, const char *name, int64_t size, int64_t size_vram,
	int64_t context_length);
void residency_end(struct residency *residency, int64_t now_us);
/* Between add and end: of the model that was added last. */
void residency_add_expiry(struct residency *residency, const char *expires_at);
void residency_add_expiry_us(struct residency *residency, int64_t expires_us);
/* Before end: when we last asked Ollama for something that may use or load a model (what still runs
 * is being asked now); 0: never. Such a use is ours for RESIDENCY_OWN_US more. */
void residency_note_own_use(struct residency *residency, int64_t used_us);
struct residency_foreign residency_foreign(const struct residency *residency);
/* The snapshot that is being added was asked for at `asked_us`: what happened later is not in it.
 * Told before residency_end(), else the moment of the answer counts. */
void residency_asked(struct residency *residency, int64_t asked_us);
/* When the last snapshot was asked for; 0: nothing is known. */
int64_t residency_asked_us(const struct residency *residency);
/* It is what Ollama said last, without what our own traffic told since. */
bool residency_is_snapshot(const struct residency *residency);
/* Grows with each restart: residency_forget(), or what residency_doubt() says. */
uint64_t residency_epoch(const struct residency *residency);
/* Ollama may have been restarted: if the next snapshot misses a model that was there it was, and
 * the epoch grows. */
void residency_doubt(struct residency *residency);
/* The upstream was asked for it and gave no such answer: it has no /api/ps that works. Known until
 * a snapshot comes, over restarts too. */
void residency_note_mute(struct residency *residency);
bool residency_is_mute(const struct residency *residency);
/* Grows whenever something of this may have changed. */
uint64_t residency_version(const struct residency *residency);
/*
 * A job that was sent at `sent_us` waited for a load that was over at `loaded_us`. true: a load
 * that no other job has told of; false: it was sent before a load ended that is known already, so
 * it shared that one.
 */
bool residency_note_load(
	struct residency *residency, const char *model, int64_t sent_us, int64_t loaded_us);
/* Ollama was restarted or cannot be asked: nothing is known. */
void residency_forget(struct residency *residency);
/* The model answered just now, so it is loaded. */
void residency_note_used(struct residency *residency, const char *model);
/* It was unloaded by a request that passed by. */
void residency_note_unloaded(struct residency *residency, const char *model);

/* KNOWN_TRUE: loaded by what is known now; KNOWN_NOT: no snapshot younger than 10 s. */
enum known residency_has(const struct residency *residency, const char *model, int64_t now_us);
/* Of the loaded runner of this name, as /api/ps said last; -1: it is not listed or did not say.
 * NULL has none. */
int64_t residency_context_length(const struct residency *residency, const char *model);
size_t residency_count(const struct residency *residency);
const struct resident *residency_at(const struct residency *residency, size_t index);

/*
 * The rule of FACTS-ollama.md 3: `load_duration` in ns (-1: the answer has none), `listed` what was
 * known at dispatch.
 */
enum known residency_judge(int64_t load_duration, int64_t request_bytes, enum known listed);
/*
 * The same for an answer without load_duration (/v1, /api/embeddings): `first_byte_ns` after its
 * dispatch it began. Sooner than any load: warm, whatever is listed (a copy runs under another
 * name); later says nothing, so it is what was listed.
 */
enum known residency_judge_silent(int64_t first_byte_ns, int64_t request_bytes, enum known listed);

#endif
