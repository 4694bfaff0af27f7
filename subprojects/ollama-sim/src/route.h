/*
 * Which function answers a request: Ollama's table of methods and paths, its 404, 405 and
 * redirects, its CORS and Host checks, and the control endpoints below /sim/. conn.c asks once a
 * request.
 */
#ifndef SIM_ROUTE_H
#define SIM_ROUTE_H

#include <stdbool.h>

#include "body.h"

struct conn;

struct route {
	const char *method; /* "*": any */
	const char *path;   /* a trailing "*": what begins so */
	enum body_mode mode;
	/* The head is there, the body not: true if it was answered already. NULL: wait for the
	 * body. */
	bool (*on_head)(struct conn *conn);
	/* The body is complete. Answers, now or later. NULL where on_head always answers. */
	void (*on_request)(struct conn *conn);
};

/* Never NULL. */
const struct route *route_find(struct conn *conn);

#endif
