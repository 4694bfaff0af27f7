/*
 * Asks Ollama by itself: /api/version (is it there, which one) and /api/ps (what is loaded), so
 * that no job is sent into a dying or dead Ollama (PRODUCT 3.10) and warm starts are known (4.1).
 * Made by proxy.c. Small, own exchanges; answers are bounded.
 *
 * up: asked every PROBE_CALM_US while nobody uses it, every PROBE_BUSY_US while jobs run. down or
 * suspected: every PROBE_DOWN_US.
 */
#ifndef SO_BACK_PROBE_H
#define SO_BACK_PROBE_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct pool;
struct probe;
struct residency;

#define PROBE_STATES(X)                                                                           \
	X(UNKNOWN, "unknown") /* at start: not asked yet */                                       \
	X(UP, "up")                                                                               \
	X(SUSPECT, "suspect") /* a connection broke: nothing is sent until a probe is answered */ \
	X(DOWN, "down")

enum probe_state {
#define X(symbol, name) PROBE_##symbol,
	PROBE_STATES(X)
#undef X
};
const char *probe_state_name(enum probe_state state);

struct probe_events {
	/* The state changed, or residency was refreshed. May call any probe function. */
	void (*on_change)(void *arg);
	void *arg;
};

/* `residency` is filled by it: a snapshot an /api/ps answer; forgotten when Ollama goes down. The
 * first probe starts at once. */
struct probe *probe_create(struct event_base *base, struct pool *pool, struct residency *residency,
	const struct probe_events *events);
void probe_destroy(struct probe *probe);
enum probe_state probe_state(const struct probe *probe);
/* UP or UNKNOWN: jobs may be sent. */
bool probe_is_usable(const struct probe *probe);
/* "0.32.15" or NULL. */
const char *probe_version(const struct probe *probe);
/* A connection was refused (DOWN) or ended unexpectedly (SUSPECT): probes at once, then every
 * PROBE_DOWN_US. */
void probe_note_refused(struct probe *probe);
void probe_note_broken(struct probe *probe);
/* An answer's head came: it is up. */
void probe_note_answered(struct probe *probe);
/* Jobs run now: /api/ps is asked more often. */
void probe_set_busy(struct probe *probe, bool is_busy);
/* Ask /api/ps now unless a question is under way. */
void probe_refresh(struct probe *probe);

#endif
