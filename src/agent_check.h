/*
 * Answers HAProxy's agent-check on the addresses of agent_listen: who connects gets one line, e.g.
 * "up 100%\n", how much of the traffic this box can take, and the connection ends. Made by proxy.c,
 * which is asked for the state of the moment; docs/several-boxes.md says what the line means.
 */
#ifndef SO_AGENT_CHECK_H
#define SO_AGENT_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct agent_check;
struct event_base;

struct agent_state {
	uint64_t queued;
	int64_t max_queue_size;
	bool is_draining;
	bool is_paused;
	bool is_upstream_down;
};

/* What HAProxy is told, static text. */
const char *agent_check_line(const struct agent_state *state);

/*
 * `addresses` as the key agent_listen, NULL-terminated; `ask` may be called at any time. NULL: one
 * of them cannot be listened on, `ret_error`, a new string, says why.
 */
MUST_CHECK struct agent_check *agent_check_create(struct event_base *base, char *const *addresses,
	struct agent_state (*ask)(void *arg), void *arg, char **ret_error);
/* NULL is fine. */
void agent_check_destroy(struct agent_check *agent);

/* Another process answers there from now on. */
void agent_check_leave(struct agent_check *agent);

size_t agent_check_count(const struct agent_check *agent);
/* Where it listens: "127.0.0.1:8010". */
const char *agent_check_name(const struct agent_check *agent, size_t index);

#endif
