/*
 * Carries out what the scheduler decides: asks it in each turn's tail until it has nothing more,
 * dispatches by relay, looks, unloads and loads by back/loader, and tells the results to core and
 * to the jobs that wait for them. Made by proxy.c.
 */
#ifndef SO_CONDUCTOR_H
#define SO_CONDUCTOR_H

#include <stdbool.h>

#include "core/scheduler.h"

struct conductor;
struct event_base;
struct passes;
struct pool;
struct probe;
struct relay;
struct stats;
struct tally;
struct watch;

/* proxy.c owns it all, it outlives the conductor. */
struct conductor_parts {
	struct event_base *base;
	struct pool *pool;
	struct probe *probe;
	struct residency *residency;
	struct ring *ring;
	struct scheduler *scheduler;
	struct relay *relay;
	struct passes *passes;
	const struct tally *tally;
	struct stats *stats;
	struct watch *watch; /* hears of loads that take too long */
	/* The scheduler should be asked in this turn's tail. */
	void (*on_changed)(void *arg);
	void *arg;
};

struct conductor *conductor_create(const struct conductor_parts *parts, struct settings *settings);
/* What it asked of Ollama is cut. NULL is fine. */
void conductor_destroy(struct conductor *conductor);
/* From now on; models that are new in `preload` are loaded. */
void conductor_set_settings(struct conductor *conductor, struct settings *settings);
/* The turn's tail, only when something changed: what the scheduler lets go, until it has nothing
 * more. */
void conductor_send(struct conductor *conductor);
/* After it: clients whose patience cannot last, unloads of a pause, keep_alive, passes that gave
 * way.
 */
void conductor_look_after(struct conductor *conductor);
/* The probe's state or what is loaded changed. */
void conductor_probe_changed(struct conductor *conductor);
/*
 * PAUSE (PRODUCT 3.8): nothing is sent until conductor_resume(); what runs goes on. With `unload`
 * what is loaded then is unloaded by us, once nothing runs.
 */
void conductor_pause(struct conductor *conductor, bool unload);
void conductor_resume(struct conductor *conductor);
bool conductor_is_paused(const struct conductor *conductor);
/* Models are still to be unloaded. */
bool conductor_is_unloading(const struct conductor *conductor);
/* An upgrade: another process shares Ollama and holds so many slots of the same max_concurrent. */
void conductor_set_company(
	struct conductor *conductor, enum scheduler_company company, uint64_t others);
bool conductor_has_company(const struct conductor *conductor);
/* A model is being unloaded or loaded. */
bool conductor_is_moving(const struct conductor *conductor);
/* What the scheduler sees now. */
struct scheduler_view conductor_view(const struct conductor *conductor);

#endif
