/*
 * What a person sees at start on a terminal (PRODUCT 8): upstream and its version, what is loaded,
 * limits, log, and the line to copy. Printed once, when the first probe was answered or has failed.
 * Made by proxy.c.
 */
#ifndef SO_BANNER_H
#define SO_BANNER_H

#include <stdbool.h>

struct banner;
struct pool;
struct probe;
struct residency;
struct settings;

/* Asks the upstream whether it is the simulated one. `listening` is where clients reach us,
 * "127.0.0.1:8000" or "unix:PATH". */
struct banner *banner_create(struct pool *pool, struct probe *probe, struct residency *residency,
	struct settings *settings, const char *listening, bool is_tls);
/* NULL is fine. */
void banner_destroy(struct banner *banner);
void banner_probe_changed(struct banner *banner);

#endif
