/*
 * Asks Ollama by itself: /api/version (is it there, which one) and /api/ps (what is loaded), so
 * that no job is sent into a dying or dead Ollama (PRODUCT 3.10) and warm starts are known (4.1).
 * Made by proxy.c. Small, own exchanges; answers are bounded.
 *
 * up: asked every PROBE_CALM_US while nobody uses it, every PROBE_BUSY_US while jobs run. down or
 * suspected: every PROBE_DOWN_US, after PROBE_LONG_DOWN_US of it every PROBE_LONG_PAUSE_US.
 *
 * State: /api/version answered with anything but 502, 503 or 504 (those come from what stands
 * before a dead Ollama): UP. Refused: DOWN. Broken off, malformed or silent for PROBE_ANSWER_US:
 * SUSPECT, unless it is DOWN. Leaving SUSPECT or DOWN takes an answered probe that was asked after
 * it.
 */
#ifndef SO_BACK_PROBE_H
#define SO_BACK_PROBE_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct pool;
struct probe;
struct residency;

enum {
	PROBE_CALM_US = 5 * 1000 * 1000,
	PROBE_BUSY_US = 1000 * 1000,
	PROBE_DOWN_US = 250 * 1000,
	PROBE_SETTLE_US = 100 * 1000,
	/* Loading and prefill do not delay these answers (FACTS-ollama.md 3: 21 ms at most). */
	PROBE_ANSWER_US = 5 * 1000 * 1000,
	PROBE_LONG_DOWN_US = 10 * 1000 * 1000,
	PROBE_LONG_PAUSE_US = 1000 * 1000,
};

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
	/* The state changed, or residency was refreshed. May call any probe function but
	 * probe_destroy. Never called from inside probe_create. */
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
/* A connection was refused (DOWN) or ended unexpectedly (SUSPECT): probes in the next turn, then
 * every PROBE_DOWN_US. Told again in the same state it changes nothing, but that a broken
 * connection makes a question that is under way worthless. */
void probe_note_refused(struct probe *probe);
void probe_note_broken(struct probe *probe);
/* An answer's head came: it is up, if nothing was known. While it is suspected or down a probe is
 * asked at once instead: a dying Ollama still answers on old connections. */
void probe_note_answered(struct probe *probe);
/* Jobs run now: /api/ps is asked more often. */
void probe_set_busy(struct probe *probe, bool is_busy);
/* Ask /api/ps in a moment: something was asked of Ollama that changes what is loaded, and takes
 * PROBE_SETTLE_US at most (FACTS-ollama 7: an unload 66 ms). */
void probe_refresh_soon(struct probe *probe);
/* Ask /api/ps in the next turn unless a question is under way. */
void probe_refresh(struct probe *probe);

#endif
