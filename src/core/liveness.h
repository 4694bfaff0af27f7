/*
 * What a request that was silent for too long tells of Ollama: dead, loading, busy or stuck. Ollama
 * answers /api/ps within 21 ms while it loads or computes, and lists a model when its load is over
 * (FACTS-ollama.md 3), so an answered /api/ps is life, and a listed model that says nothing to
 * anybody is stuck. Asked by relay before a job ends as upstream_timeout. No I/O.
 */
#ifndef SO_CORE_LIVENESS_H
#define SO_CORE_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

#define LIVENESSES(X)                                                                \
	X(DEAD, "dead")	      /* Ollama answers no probe */                          \
	X(LOADING, "loading") /* it answers, the model is not up */                  \
	X(BUSY, "busy")	      /* others of the same model were answered meanwhile */ \
	X(STUCK, "stuck")     /* the model is up and answers nobody */

enum liveness {
#define X(symbol, name) LIVENESS_##symbol,
	LIVENESSES(X)
#undef X
};
const char *liveness_name(enum liveness liveness);

enum {
	/* While jobs run /api/ps is asked about every second and may take 5 s; twice that and some
	   more is no answer. */
	LIVENESS_ASKED_US = 15 * 1000 * 1000,
	/* Models of which it is known when they last answered; far more than fit on a box. */
	LIVENESS_MODELS = 16,
};

struct liveness_signs {
	int64_t now_us;
	int64_t since_us; /* the silence began */
	bool is_usable;	  /* no probe is owed */
	int64_t asked_us; /* the last /api/ps that was answered was asked; 0: none */
	bool is_listed;	  /* the model, by it */
	int64_t other_us; /* the model's last byte to anybody; 0: none */
};
enum liveness liveness_judge(const struct liveness_signs *signs);

/* When models last answered somebody. A zeroed struct knows nothing. */
struct liveness_memory {
	struct {
		char *model; /* NULL: free */
		int64_t at_us;
	} seen[LIVENESS_MODELS];
};
void liveness_finish(struct liveness_memory *memory);
void liveness_note(struct liveness_memory *memory, const char *model, int64_t now_us);
/* 0: never, as far as is known. */
int64_t liveness_seen_us(const struct liveness_memory *memory, const char *model);

#endif
