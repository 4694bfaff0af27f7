#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "lives.h"

enum { PER_CENT = 100 };

struct random {
	uint64_t state;
};

/* SplitMix64: any seed is a good one. */
static uint32_t next_random(struct random *random)
{
	uint64_t mixed = random->state += 0x9e3779b97f4a7c15;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
	return (uint32_t)((mixed ^ (mixed >> 31)) >> 32);
}

static uint32_t between(struct random *random, uint32_t least, uint32_t most)
{
	return least + next_random(random) % (most - least + 1);
}

/* The limit in milliseconds, or in one of five scripts none. */
static int64_t time_limit(struct random *random, uint32_t least, uint32_t most)
{
	int64_t limit = between(random, least, most);

	return between(random, 1, 5) == 1 ? 0 : limit;
}

/* The limit in bytes, or in two of three scripts none. */
static int64_t size_limit(struct random *random, uint32_t least, uint32_t most)
{
	int64_t limit = between(random, least, most);

	return between(random, 1, 3) == 1 ? limit : 0;
}

/* Small enough that each limit is met in some scripts. */
static struct settings make_settings(struct random *random, uint64_t seed)
{
	struct settings settings = {0};
	uint32_t wide = between(random, 0, 9) == 0;

	settings.max_concurrent = between(random, 1, wide ? 16 : 4);
	settings.max_concurrent_limit = between(random, 1, 16);
	settings.max_queue_size = between(random, 1, wide ? 50 : 16);
	settings.max_reading = between(random, 0, wide ? 60 : 20);
	settings.default_timeout_ms = time_limit(random, 500, 60000);
	settings.upstream_connect_timeout_ms = time_limit(random, 100, 5000);
	settings.upstream_first_byte_timeout_ms = time_limit(random, 500, 60000);
	settings.upstream_idle_timeout_ms = time_limit(random, 500, 60000);
	settings.body_max = size_limit(random, 60000, 150000);
	settings.body_total = size_limit(random, 300000, 1000000);
	settings.max_turn_wait_ms = time_limit(random, 200, 45000);
	settings.concurrency = seed % 8 >= 4 ? CONCURRENCY_ADAPTIVE : CONCURRENCY_FIXED;
	settings.scheduler = seed % 4 >= 2 ? SCHEDULER_TURNS : SCHEDULER_FIFO;
	world_make_own(&settings, seed);
	return settings;
}

/* How often each kind comes, per cent; what is left goes on. */
static void make_shares(struct random *random, uint32_t shares[EVENT_KIND_COUNT])
{
	memset(shares, 0, EVENT_KIND_COUNT * sizeof(shares[0]));
	shares[EVENT_ARRIVE] = between(random, 8, 19);
	shares[EVENT_LEAVE] = between(random, 0, 4);
	shares[EVENT_CANCEL] = between(random, 0, 2);
	shares[EVENT_GATE] = between(random, 0, 1);
	shares[EVENT_UPSTREAM] = between(random, 1, 5);
	shares[EVENT_PASS] = 1;
	shares[EVENT_SNAPSHOT] = between(random, 0, 1);
	shares[EVENT_UNLOAD] = between(random, 0, 1);
	shares[EVENT_WAIT] = between(random, 0, 4);
	shares[EVENT_LOADER] = between(random, 4, 16);
}

static enum event_kind choose_kind(struct random *random, const uint32_t shares[EVENT_KIND_COUNT])
{
	uint32_t chance = between(random, 0, PER_CENT - 1);

	for (int kind = 0; kind < EVENT_KIND_COUNT; kind++) {
		if (chance < shares[kind])
			return (enum event_kind)kind;
		chance -= shares[kind];
	}
	return EVENT_GO_ON;
}

void script_make(struct script *script, uint64_t seed, size_t count)
{
	struct random random = {~seed};
	uint32_t shares[EVENT_KIND_COUNT];
	uint32_t most_us;

	script->seed = seed;
	script->count = count;
	script->events = mem_zalloc_array(count, sizeof(script->events[0]));
	make_shares(&random, shares);
	/* From busy to slow: 1 ms to 4 s; jobs live for some ten events. */
	most_us = 1000U << between(&random, 0, 12);
	for (size_t i = 0; i < count; i++) {
		struct event *event = &script->events[i];

		event->kind = choose_kind(&random, shares);
		event->which = next_random(&random);
		event->how = next_random(&random);
		event->after_us = between(&random, 0, most_us);
	}
	/* In one script of three the end comes slowly. */
	if (count > 0 && seed % 3 == 0)
		script->events[count - count / 10 - 1].kind = EVENT_DRAIN;
}

void script_finish(struct script *script)
{
	free(script->events);
}

/* A failed assertion in core is a broken promise like others: it shrinks as well. */
static sigjmp_buf assertion_failed;

static void on_abort(int number)
{
	siglongjmp(assertion_failed, 1);
}

static void run_events(struct world *world, const struct script *script)
{
	while (!world->broken && world->step < script->count)
		world_step(world, &script->events[world->step]);
	if (!world->broken)
		world_stop(world);
}

const char *script_run(
	const struct script *script, enum fault fault, struct seen *seen, size_t *ret_step)
{
	struct random random = {script->seed};
	struct settings settings = make_settings(&random, script->seed);
	struct world *world = world_create(&settings, fault, seen);
	struct sigaction action = {.sa_handler = on_abort};
	struct sigaction old_action;
	const char *broken;

	rules_make(&world->rules, script->seed);
	world->has_patience = script->seed / 16 % 2 == 1;
	sigaction(SIGABRT, &action, &old_action);
	if (sigsetjmp(assertion_failed, 1) == 0)
		run_events(world, script);
	else
		world->broken = "assertion failed in core";
	sigaction(SIGABRT, &old_action, NULL);
	broken = world->broken;
	if (broken)
		*ret_step = world->step < script->count ? world->step : script->count - 1;
	world_destroy(world);
	seen->scripts++;
	return broken;
}

static bool still_breaks(
	const struct script *script, enum fault fault, const char *promise, size_t *ret_step)
{
	struct seen unseen = {0};
	const char *broken = script_run(script, fault, &unseen, ret_step);

	return broken && strcmp(broken, promise) == 0;
}

/* `script` without `length` events from `at`, in `shorter`, which has room for all; their time may
 * pass nevertheless. */
static void leave_out(struct script *shorter, const struct script *script, size_t at, size_t length,
	bool keeps_time)
{
	size_t behind = script->count - at - length;

	shorter->seed = script->seed;
	shorter->count = at + behind;
	memcpy(shorter->events, script->events, at * sizeof(script->events[0]));
	memcpy(shorter->events + at, script->events + at + length,
		behind * sizeof(script->events[0]));
	for (size_t i = at; keeps_time && behind > 0 && i < at + length; i++)
		shorter->events[at].after_us += script->events[i].after_us;
}

/* One pass with pieces of `length` events; true: some were not needed. */
static bool shrink_by(struct script *script, enum fault fault, const char *promise, size_t length)
{
	struct script shorter = {
		.events = mem_zalloc_array(script->count, sizeof(script->events[0]))};
	bool is_shorter = false;
	size_t step;

	for (size_t at = 0; script->count > length && at + length <= script->count;) {
		bool breaks;

		leave_out(&shorter, script, at, length, false);
		breaks = still_breaks(&shorter, fault, promise, &step);
		if (!breaks) {
			leave_out(&shorter, script, at, length, true);
			breaks = still_breaks(&shorter, fault, promise, &step);
		}
		if (!breaks) {
			at += length;
			continue;
		}
		is_shorter = true;
		script->count = shorter.count;
		memcpy(script->events, shorter.events, shorter.count * sizeof(script->events[0]));
	}
	script_finish(&shorter);
	return is_shorter;
}

void script_shrink(struct script *script, enum fault fault)
{
	struct seen unseen = {0};
	size_t step = 0;
	const char *promise = script_run(script, fault, &unseen, &step);
	size_t length;

	if (!promise)
		return;
	script->count = step + 1;
	for (length = script->count / 2; length > 1; length /= 2)
		shrink_by(script, fault, promise, length);
	while (shrink_by(script, fault, promise, 1))
		;
}

void script_print(const struct script *script, const char *broken)
{
	fprintf(stderr, "seed %" PRIu64 ": %s; with these %zu events:\n", script->seed, broken,
		script->count);
	for (size_t i = 0; i < script->count; i++) {
		const struct event *event = &script->events[i];

		fprintf(stderr, "\t{EVENT_%s, %" PRIu32 ", %" PRIu32 ", %" PRIu32 "},\n",
			event_kind_name(event->kind), event->which, event->how, event->after_us);
	}
}
