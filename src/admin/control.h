/*
 * The calls that change something (PRODUCT 1.3, 3.8): pause, resume, cancel by id. Who may is
 * asked of front/access; what is done goes through struct admin_calls, which proxy.c fills, so that
 * admin knows neither relay nor the conductor. Called by admin.c.
 */
#ifndef SO_ADMIN_CONTROL_H
#define SO_ADMIN_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct events;
struct route;

/* What a pause, a resume or now holds. */
struct admin_pause {
	bool paused;
	bool unload; /* models are to be unloaded once nothing runs */
	uint64_t queued;
	uint64_t in_progress;
};

/* Live as long as the proxy. */
struct admin_calls {
	struct admin_pause (*pause)(void *arg, bool unload);
	struct admin_pause (*resume)(void *arg);
	/* How many jobs with this id were ended; ids that clients chose may come twice. */
	size_t (*cancel)(void *arg, const char *id);
	struct events *events; /* takes the client of GET /api/v1/events */
	void *arg;
};

/* The route's endpoint is one of these; its method is allowed. */
bool control_is_meant(const struct route *route);
/* Takes the request and answers it, a pause when its body has come. 403 for who may not. */
void control_answer(
	const struct admin_calls *calls, struct client *client, const struct route *route);

#endif
