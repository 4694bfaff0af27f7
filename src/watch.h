/*
 * Calls the operator's commands (PRODUCT 3.10, 5): on_upstream_down when a job waits for an Ollama
 * that cannot be reached or answers no probe, on_runner_stuck when a runner neither answers nor
 * loads in its time. Made by proxy.c, which asks it in the turn's tail; relay and the conductor
 * tell of silence. How often a command may run is io/command's.
 */
#ifndef SO_WATCH_H
#define SO_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/liveness.h"

struct event_base;
struct probe;
struct settings;
struct tally;
struct watch;

/* A restart that is over sooner needs no help. */
enum { WATCH_DOWN_US = 1000 * 1000 };

struct watch *watch_create(struct event_base *base, const struct probe *probe,
	const struct tally *tally, struct settings *settings);
/* A command that runs goes on. NULL is fine. */
void watch_destroy(struct watch *watch);
void watch_set_settings(struct watch *watch, struct settings *settings);
/* Something changed: does a job wait for an Ollama that is down? One that is paused waits for its
 * operator. */
void watch_look(struct watch *watch, bool is_paused);
/* A job or a load got nothing in the time allowed. `runner` is the key or NULL; `model` NULL: of no
 * known runner. */
void watch_silence(
	struct watch *watch, const char *model, const char *runner, enum liveness liveness);

#endif
