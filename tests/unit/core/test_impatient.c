/*
 * Impatient clients against the whole of core, simulated (FACTS: 60 at once with 20 s each; lost
 * when all are accepted 87 %, with places and re-test 0 to 7 %). Clients obey Retry-After, five
 * times, and leave after 20 s without an answer. Fake time in ticks; seeded, so that every run is
 * the same.
 */
#include "core/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/settings.h"
#include "core/job.h"
#include "core/places.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/scheduler.h"

enum {
	CLIENTS = 60,
	RETRIES = 5,
	TICK_US = 20 * 1000,
	PATIENCE_US = 20 * 1000 * 1000,
	US_PER_S = 1000 * 1000,
	END_US = 900 * US_PER_S,
	MODELS = 2,
};

/* What of the rule is in force; each includes those before it. */
enum rule { ACCEPT_ALL, ESTIMATE, KEEP_PLACES, TEST_AGAIN };

struct variant {
	enum scheduler_kind scheduler;
	unsigned slots;
	double service_s; /* mean; each takes half to three halves of it */
	double load_s;
	unsigned models;
	double arrive_s; /* over which the clients come */
	uint64_t seed;
	bool is_cold; /* nothing is loaded */
	bool is_new;  /* and it is not known how long a job takes */
};

enum client_state { AWAY, IN, SERVED, LOST };

struct client {
	struct job job;
	enum client_state state;
	int64_t comes_us;
	int64_t came_us; /* the last time */
	int64_t ends_us; /* of its service */
	int tries;
	uint64_t body;
	unsigned model;
};

struct sim {
	const struct variant *variant;
	enum rule rule;
	uint64_t random;
	struct settings settings;
	struct tally tally;
	struct ring *ring;
	struct scheduler *scheduler;
	struct residency *residency;
	struct places places;
	struct list living;
	struct client clients[CLIENTS];
	struct runner *loading;
	int64_t load_end_us;
	int64_t load_since_us;
	bool is_loaded[MODELS];
	int64_t now_us;
	bool is_due;
	int overtaken; /* by a later first arrival, though its place was kept */
};

static const char *const models[MODELS] = {"a", "b"};

/* 0 to 1. SplitMix64. */
static double chance(struct sim *sim)
{
	uint64_t mixed = sim->random += 0x9e3779b97f4a7c15;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
	return (double)((mixed ^ (mixed >> 31)) >> 11) / 9007199254740992.0;
}

static struct scheduler_view view_of(const struct sim *sim)
{
	return (struct scheduler_view){
		.now_us = sim->now_us,
		.upstream_usable = true,
		.residency = sim->residency,
		.ring = sim->ring,
		.settings = &sim->settings,
		.in_progress = sim->tally.in_progress,
		.living = &sim->living,
		.places = &sim->places,
	};
}

static void tell_residency(struct sim *sim)
{
	residency_begin(sim->residency);
	for (unsigned i = 0; i < MODELS; i++) {
		if (sim->is_loaded[i])
			residency_add(sim->residency, models[i], 1, 1, 4096);
	}
	residency_end(sim->residency, sim->now_us);
}

static void end(struct sim *sim, struct client *client, enum outcome outcome)
{
	struct job *job = &client->job;

	if (job->in_ring)
		ring_remove(sim->ring, job);
	if (job->state == JOB_STREAMING) {
		int64_t held_us = sim->now_us - job->record.dispatched_us;

		scheduler_slot_freed(sim->scheduler, job, held_us);
		scheduler_released(sim->scheduler, job, held_us, sim->now_us);
		sim->is_due = true;
	}
	job_load_ended(job, sim->now_us);
	job->record.outcome = outcome;
	job_set_state(job, JOB_DONE);
	job_finish(job);
}

static void refuse(struct sim *sim, struct client *client)
{
	struct job *job = &client->job;
	int64_t service_us = scheduler_expected_us(sim->scheduler, job);
	int retry_after = patience_retry_after(job, job->start_us, service_us);

	if (sim->rule >= KEEP_PLACES)
		places_keep(&sim->places, job, retry_after, sim->now_us);
	end(sim, client, OUTCOME_NO_TIME_LEFT);
	client->comes_us = sim->now_us + (int64_t)retry_after * US_PER_S;
	client->state = client->tries > RETRIES ? LOST : AWAY;
}

static void come(struct sim *sim, struct client *client)
{
	static const struct peek_result seen;
	struct job *job = &client->job;

	client->state = IN;
	client->tries++;
	client->came_us = sim->now_us;
	job_init(job, &sim->tally);
	list_append(&sim->living, &job->link);
	job->record.arrived_us = job->record.body_complete_us = sim->now_us;
	job->record.model = mem_strdup(models[client->model]);
	job->record.project = mem_strdup("Docling_Machine");
	job->body_hash = client->body;
	if (sim->rule > ACCEPT_ALL)
		job->policy.patience_us = PATIENCE_US;
	assert_true(ring_put(sim->ring, job));
	scheduler_enter(sim->scheduler, &sim->settings, job, &seen, sim->now_us);
	places_claim(&sim->places, job, sim->now_us);
	patience_update(job, scheduler_expected_us(sim->scheduler, job));
	if (sim->rule < TEST_AGAIN)
		job->patience_due_us = 0;
	job->queued_since_us = sim->now_us;
	if (scheduler_is_loading(sim->scheduler, job))
		job_load_begun(job, sim->now_us);
	job_set_state(job, JOB_QUEUED);
	sim->is_due = true;
}

static void send(struct sim *sim, struct job *job)
{
	struct client *client = CONTAINER_OF(job, struct client, job);

	for (size_t i = 0; i < ring_count(sim->ring); i++) {
		const struct job *other = ring_at(sim->ring, i);

		sim->overtaken += other->state == JOB_QUEUED && other->runner == job->runner &&
				  other->came_us < job->came_us;
	}
	job->record.dispatched_us = sim->now_us;
	scheduler_sent(sim->scheduler, job);
	job_set_state(job, JOB_CONNECTING);
	job_set_state(job, JOB_AWAITING);
	ring_remove(sim->ring, job);
	job_set_state(job, JOB_STREAMING);
	client->ends_us =
		sim->now_us + (int64_t)(sim->variant->service_s * US_PER_S * (0.5 + chance(sim)));
}

static unsigned number_of(const struct runner *runner)
{
	return strcmp(runner->model, "a:latest") == 0 ? 0 : 1;
}

static void begin_load(struct sim *sim, struct runner *runner)
{
	sim->loading = runner;
	sim->is_due = true;
	sim->load_since_us = sim->now_us;
	sim->load_end_us = sim->now_us + (int64_t)(sim->variant->load_s * US_PER_S);
	for (size_t i = 0; i < ring_count(sim->ring); i++) {
		struct job *job = ring_at(sim->ring, i);

		if (job->runner == runner)
			job_load_begun(job, sim->now_us);
	}
}

static void end_load(struct sim *sim)
{
	/* One fits. */
	memset(sim->is_loaded, 0, sizeof(sim->is_loaded));
	sim->is_loaded[number_of(sim->loading)] = true;
	tell_residency(sim);
	for (size_t i = 0; i < ring_count(sim->ring); i++)
		job_load_ended(ring_at(sim->ring, i), sim->now_us);
	sim->loading = NULL;
	scheduler_loaded(
		sim->scheduler, sim->now_us - sim->load_since_us, sim->now_us, sim->now_us);
	sim->is_due = true;
}

static void schedule(struct sim *sim)
{
	for (;;) {
		struct scheduler_view view = view_of(sim);
		struct scheduler_answer answer = scheduler_next(sim->scheduler, &view);

		switch (answer.verdict) {
		case SCHEDULER_NOTHING:
			return;
		case SCHEDULER_DISPATCH:
			send(sim, answer.job);
			break;
		case SCHEDULER_LOOK:
			scheduler_looked(sim->scheduler, RUNNER_GENERATES, sim->now_us);
			break;
		case SCHEDULER_UNLOAD:
			sim->is_loaded[number_of(answer.runner)] = false;
			tell_residency(sim);
			scheduler_unloaded(sim->scheduler, sim->now_us);
			break;
		case SCHEDULER_LOAD:
			begin_load(sim, answer.runner);
			break;
		case SCHEDULER_FREE:
			sim->is_loaded[number_of(answer.runner)] = false;
			tell_residency(sim);
			break;
		}
	}
}

/* As relay does it in each turn's tail. */
static void test_patience(struct sim *sim)
{
	struct scheduler_view view = view_of(sim);

	if (!sim->is_due || sim->rule == ACCEPT_ALL)
		return;
	sim->is_due = false;
	scheduler_forecast(sim->scheduler, &view);
	for (int i = 0; i < CLIENTS; i++) {
		struct client *client = &sim->clients[i];
		struct job *job = &client->job;
		int64_t service_us;

		if (client->state != IN || job->state != JOB_QUEUED)
			continue;
		service_us = scheduler_expected_us(sim->scheduler, job);
		patience_update(job, service_us);
		job->is_late = !scheduler_loads_for(sim->scheduler, job) &&
			       (sim->rule >= TEST_AGAIN || client->came_us == sim->now_us) &&
			       patience_is_late(job, sim->now_us, job->start_us, service_us);
		if (sim->rule < TEST_AGAIN)
			job->patience_due_us = 0;
	}
	view.all_are_back = true;
	scheduler_forecast(sim->scheduler, &view);
	for (int i = 0; i < CLIENTS; i++) {
		struct client *client = &sim->clients[i];

		if (client->state == IN && client->job.is_late)
			refuse(sim, client);
	}
}

static void tick(struct sim *sim)
{
	for (int i = 0; i < CLIENTS; i++) {
		struct client *client = &sim->clients[i];

		if (client->state == AWAY && client->comes_us <= sim->now_us)
			come(sim, client);
		if (client->state != IN)
			continue;
		if (client->job.state == JOB_STREAMING && client->ends_us <= sim->now_us) {
			client->state = SERVED;
			end(sim, client, OUTCOME_SUCCESS);
		} else if (client->came_us + PATIENCE_US <= sim->now_us) {
			client->state = LOST;
			end(sim, client, OUTCOME_CLIENT_GONE);
		} else if (client->job.state == JOB_QUEUED &&
			   job_is_over(&client->job, sim->now_us)) {
			struct scheduler_view view = view_of(sim);

			view.all_are_back = true;
			scheduler_forecast(sim->scheduler, &view);
			refuse(sim, client);
		}
	}
	if (sim->loading && sim->load_end_us <= sim->now_us)
		end_load(sim);
	schedule(sim);
	test_patience(sim);
}

static bool is_over(const struct sim *sim)
{
	for (int i = 0; i < CLIENTS; i++) {
		if (sim->clients[i].state == AWAY || sim->clients[i].state == IN)
			return false;
	}
	return true;
}

/* The box was in use before: what a job takes is known. */
static void warm_up(struct sim *sim)
{
	static const struct peek_result seen;

	for (unsigned i = 0; i < sim->variant->models; i++) {
		struct job job;

		job_init(&job, &sim->tally);
		job.record.model = mem_strdup(models[i]);
		job.record.project = mem_strdup("before");
		scheduler_enter(sim->scheduler, &sim->settings, &job, &seen, sim->now_us);
		scheduler_slot_freed(
			sim->scheduler, &job, (int64_t)(sim->variant->service_s * US_PER_S));
		job.record.outcome = OUTCOME_SUCCESS;
		job_set_state(&job, JOB_DONE);
		job_finish(&job);
	}
}

/* The share of clients that got no answer. */
static double lost(const struct variant *variant, enum rule rule)
{
	struct sim *sim = mem_zalloc(sizeof(*sim));
	int count = 0;

	sim->variant = variant;
	sim->rule = rule;
	sim->random = variant->seed;
	sim->settings = (struct settings){.max_concurrent = variant->slots,
		.scheduler = variant->scheduler,
		.max_turn_wait_ms = 45000};
	sim->ring = ring_create(CLIENTS + variant->slots);
	sim->scheduler = scheduler_create();
	sim->residency = residency_create();
	sim->now_us = US_PER_S;
	sim->is_loaded[0] = !variant->is_cold;
	list_init(&sim->living);
	if (!variant->is_new)
		warm_up(sim);
	tell_residency(sim);
	for (int i = 0; i < CLIENTS; i++) {
		sim->clients[i].body = (uint64_t)i;
		sim->clients[i].model = (unsigned)i % variant->models;
		sim->clients[i].comes_us =
			sim->now_us + i + 1 + (int64_t)(chance(sim) * variant->arrive_s * US_PER_S);
	}
	for (; sim->now_us < END_US && !is_over(sim); sim->now_us += TICK_US)
		tick(sim);
	assert_true(is_over(sim));
	for (int i = 0; i < CLIENTS; i++)
		count += sim->clients[i].state == LOST;
	assert_int_equal(rule >= KEEP_PLACES ? sim->overtaken : 0, 0);
	assert_true(tally_adds_up(&sim->tally));
	ring_destroy(sim->ring);
	scheduler_destroy(sim->scheduler);
	residency_destroy(sim->residency);
	free(sim);
	return (double)count / CLIENTS;
}

/* slots, mean service, load, models, over so many seconds, seed */
static const struct variant variants[] = {
	{SCHEDULER_FIFO, 3, 6, 0, 1, 0, 1},
	{SCHEDULER_FIFO, 3, 4, 0, 1, 0, 2},
	{SCHEDULER_FIFO, 1, 2, 0, 1, 0, 3},
	{SCHEDULER_FIFO, 3, 6, 0, 1, 5, 4},
	{SCHEDULER_TURNS, 3, 6, 0, 1, 0, 5},
	{SCHEDULER_TURNS, 4, 8, 0, 1, 0, 6},
	{SCHEDULER_TURNS, 3, 3, 5, 2, 0, 7},
	{SCHEDULER_TURNS, 3, 5, 3, 2, 2, 8},
};

static void test_most_are_lost_when_all_are_accepted(void **state)
{
	assert_true(lost(&variants[0], ACCEPT_ALL) > 0.8);
	assert_true(lost(&variants[4], ACCEPT_ALL) > 0.8);
}

/* They are told to come back while the model is loaded, and it is loaded for them. */
static void test_a_load_that_takes_longer_than_anybody_waits(void **state)
{
	const struct variant cold = {SCHEDULER_TURNS, 3, 4, 30, 1, 0, 9, .is_cold = true};
	const struct variant swapped = {SCHEDULER_TURNS, 3, 4, 30, 2, 0, 10, .is_cold = true};

	/* How long it takes is not known before the first load. */
	assert_true(lost(&cold, ACCEPT_ALL) >= 1);
	assert_true(lost(&cold, TEST_AGAIN) <= 0.1);
	assert_true(lost(&swapped, TEST_AGAIN) <= 0.1);
}

/* The first sixty ever: all estimates are guesses at first. */
static void test_nothing_was_measured(void **state)
{
	double sum = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(variants); i++) {
		struct variant fresh = variants[i];
		double share;

		fresh.is_new = true;
		share = lost(&fresh, TEST_AGAIN);
		print_message("variant %zu: lost %.2f\n", i, share);
		sum += share;
	}
	assert_true(sum / (double)ARRAY_LENGTH(variants) <= 0.07);
}

static void test_few_are_lost_by_the_whole_rule(void **state)
{
	double sum[TEST_AGAIN + 1] = {0};

	for (size_t i = 0; i < ARRAY_LENGTH(variants); i++) {
		double share[TEST_AGAIN + 1];

		for (int rule = ACCEPT_ALL; rule <= TEST_AGAIN; rule++) {
			share[rule] = lost(&variants[i], (enum rule)rule);
			sum[rule] += share[rule];
		}
		print_message("variant %zu: lost %.2f, %.2f, %.2f, %.2f\n", i, share[ACCEPT_ALL],
			share[ESTIMATE], share[KEEP_PLACES], share[TEST_AGAIN]);
		assert_true(share[TEST_AGAIN] <= 0.07);
		assert_true(share[ACCEPT_ALL] > 0.6);
	}
	/* Each part of the rule is worth something. */
	assert_true(sum[ESTIMATE] < sum[ACCEPT_ALL]);
	assert_true(sum[KEEP_PLACES] < sum[ESTIMATE]);
	assert_true(sum[TEST_AGAIN] < sum[KEEP_PLACES]);
	assert_true(sum[TEST_AGAIN] / (double)ARRAY_LENGTH(variants) <= 0.01);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_most_are_lost_when_all_are_accepted),
		cmocka_unit_test(test_a_load_that_takes_longer_than_anybody_waits),
		cmocka_unit_test(test_nothing_was_measured),
		cmocka_unit_test(test_few_are_lost_by_the_whole_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
