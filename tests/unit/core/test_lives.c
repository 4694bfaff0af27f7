/*
 * Seeded lives of jobs in core (STYLE B6.8). LIVES=n sets how many, LIVES_SEED=n runs the one
 * script of that seed. A script that breaks a promise is printed, shrunk, as lines that can be kept
 * here as a test.
 */
#include "lives.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/memory.h"

enum {
	EVENTS_PER_SCRIPT = 3000,
	/* Some 10 s in each kind of build. */
	LIVES_PLAIN = 1000000,
	LIVES_SANITIZED = 400000,
	LIVES_VALGRIND = 20000,
	/* The rarest thing comes once in some thousand lives. */
	LIVES_WITH_EVERYTHING = 100000,
	SEEDS_PER_FAULT = 600,
	/* A bug that one job can show should not need a crowd. */
	SHRUNK_MOST = 60,
	FIFTY = 50,
	SECOND_US = 1000 * 1000,
};

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

static bool is_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

static uint64_t lives_wanted(void)
{
	const char *lives = getenv("LIVES");

	if (lives)
		return strtoull(lives, NULL, 10);
	if (is_under_valgrind())
		return LIVES_VALGRIND;
	return IS_SANITIZED ? LIVES_SANITIZED : LIVES_PLAIN;
}

/* Runs the script of `seed`; shrinks, prints and fails if a promise breaks. */
static void run_seed(uint64_t seed, struct seen *seen)
{
	struct script script;
	const char *broken;
	size_t step = 0;

	script_make(&script, seed, EVENTS_PER_SCRIPT);
	broken = script_run(&script, FAULT_NONE, seen, &step);
	if (broken) {
		fprintf(stderr, "seed %" PRIu64 ", step %zu: %s\n", seed, step, broken);
		script_shrink(&script, FAULT_NONE);
		script_print(&script, broken);
		script_finish(&script);
		fail_msg("LIVES_SEED=%" PRIu64 " repeats it", seed);
	}
	script_finish(&script);
}

static void assert_all_was_seen(const struct seen *seen)
{
	static const enum outcome possible[] = {OUTCOME_SUCCESS, OUTCOME_UPSTREAM_CLIENT_ERROR,
		OUTCOME_UPSTREAM_STATUS, OUTCOME_QUEUE_FULL, OUTCOME_QUEUE_TIMEOUT,
		OUTCOME_NO_TIME_LEFT, OUTCOME_SHUTTING_DOWN, OUTCOME_SHUTTING_DOWN_CUT,
		OUTCOME_BODY_TOO_LARGE, OUTCOME_REQUEST_TIMEOUT, OUTCOME_CLIENT_STALLED,
		OUTCOME_CANCELLED, OUTCOME_UPSTREAM_RESET, OUTCOME_UPSTREAM_MALFORMED,
		OUTCOME_UPSTREAM_TIMEOUT, OUTCOME_UPSTREAM_TRUNCATED, OUTCOME_CLIENT_GONE};

	for (size_t i = 0; i < ARRAY_LENGTH(possible); i++)
		assert_true(seen->outcomes[possible[i]] > 0);
	for (int from = 0; from < JOB_STATE_COUNT; from++) {
		for (int to = 0; to < JOB_STATE_COUNT; to++)
			assert_int_equal(seen->changes[from][to] > 0,
				job_may_become((enum job_state)from, (enum job_state)to));
	}
	assert_true(seen->passes > 0);
	assert_true(seen->loads > 0 && seen->unloads > 0 && seen->trials > 0);
	assert_true(seen->left > 0 && seen->limits_moved > 0);
	assert_true(seen->cuts > 0 && seen->holds > 0 && seen->overdue > 0);
	assert_true(seen->came_back > 0);
	assert_true(seen->preloads > 0 && seen->told > 0);
	assert_true(seen->outranked > 0 && seen->capped > 0);
	assert_true(seen->promoted > 0 && seen->crowded > 0);
	assert_true(seen->retry_after_least > 0);
	assert_true(seen->retry_after_most > 0);
}

static void test_every_promise_holds_in_seeded_lives(void **state)
{
	const char *one = getenv("LIVES_SEED");
	struct seen seen = {0};
	uint64_t wanted = lives_wanted();
	struct timespec begin, now;
	double seconds;

	if (one) {
		run_seed(strtoull(one, NULL, 10), &seen);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (uint64_t seed = 1; seen.lives < wanted; seed++)
		run_seed(seed, &seen);
	clock_gettime(CLOCK_MONOTONIC, &now);
	seconds = (double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) / 1e9;
	print_message("%" PRIu64 " lives, %" PRIu64 " steps, %" PRIu64 " scripts in %.1f s\n",
		seen.lives, seen.steps, seen.scripts, seconds);
	print_message("turns: %" PRIu64 " loads, %" PRIu64 " of them trials, %" PRIu64
		      " unloads, %" PRIu64 " cuts, %" PRIu64 " steps held, %" PRIu64
		      " sendings while another was overdue\n",
		seen.loads, seen.trials, seen.unloads, seen.cuts, seen.holds, seen.overdue);
	print_message("rules: %" PRIu64 " cuts by an interactive job, %" PRIu64
		      " sendings past a capped job, %" PRIu64 " of aged ones, %" PRIu64
		      " refused for their project's or model's places\n",
		seen.outranked, seen.capped, seen.promoted, seen.crowded);
	print_message("for nobody: %" PRIu64 " loads, %" PRIu64 " times a keep_alive\n",
		seen.preloads, seen.told);
	for (int i = 1; i < OUTCOME_COUNT; i++) {
		if (seen.outcomes[i])
			print_message("%10" PRIu64 " %s\n", seen.outcomes[i],
				outcome_name((enum outcome)i));
	}
	if (seen.lives >= LIVES_WITH_EVERYTHING)
		assert_all_was_seen(&seen);
}

/* --- the checks find bugs, and scripts shrink --- */

static const struct {
	const char *name, *message;
} faults[FAULT_COUNT] = {[FAULT_NONE] = {"", ""},
#define X(symbol, name, message) [FAULT_##symbol] = {name, message},
	FAULTS(X)
#undef X
};

/* A script in which the fault shows as the promise that it breaks, shrunk to a few events. */
static bool find_script(struct script *script, enum fault fault)
{
	for (uint64_t seed = 1; seed <= SEEDS_PER_FAULT; seed++) {
		struct seen unseen = {0};
		const char *broken;
		size_t step;

		script_make(script, seed, EVENTS_PER_SCRIPT);
		broken = script_run(script, fault, &unseen, &step);
		if (broken && strncmp(broken, faults[fault].message,
				      strlen(faults[fault].message)) == 0) {
			script_shrink(script, fault);
			if (script->count <= SHRUNK_MOST)
				return true;
		}
		script_finish(script);
	}
	return false;
}

/* Failed assertions are expected: they would look like a failure of this test. */
static int hide_stderr(void)
{
	int kept = dup(STDERR_FILENO);

	fflush(stderr);
	if (!freopen("/dev/null", "w", stderr))
		return -1;
	return kept;
}

static void show_stderr(int kept)
{
	fflush(stderr);
	dup2(kept, STDERR_FILENO);
	close(kept);
}

static void test_every_kind_of_bug_is_found_and_its_script_shrinks(void **state)
{
	for (int fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
		struct script script;
		struct seen unseen = {0};
		size_t step;
		int kept = hide_stderr();
		bool found = find_script(&script, (enum fault)fault);

		show_stderr(kept);
		if (!found)
			fail_msg("not found: %s", faults[fault].name);
		print_message("%2zu events show \"%s\"\n", script.count, faults[fault].name);
		assert_in_range(script.count, 1, SHRUNK_MOST);
		/* It is the fault that breaks the promise, not the script. */
		assert_null(script_run(&script, FAULT_NONE, &unseen, &step));
		script_finish(&script);
	}
}

/* --- scripts kept from failures, as script_print() wrote them, or written by hand --- */

/* An attempt that timed out kept its slot. */
static struct event kept_slot_leaked[] = {
	{EVENT_ARRIVE, 99545603, 2450431689, 336613},
	{EVENT_GO_ON, 479232801, 561957184, 396887},
	{EVENT_ARRIVE, 1502054404, 1980127093, 772669},
	{EVENT_ARRIVE, 2546534241, 3154090037, 190860},
	{EVENT_GO_ON, 1065009835, 3491480942, 975713},
};

/* Ollama came back in the moment in which the deadline passed. */
static struct event kept_sent_late[] = {
	{EVENT_ARRIVE, 4215132910, 1647181142, 1823349},
	{EVENT_GO_ON, 3278707011, 3774997467, 413829},
	{EVENT_GO_ON, 3253850347, 2341201690, 1580327},
	{EVENT_UPSTREAM, 2825452332, 2017547386, 5373621},
};

/* A refused dispatch began the whole wait anew. */
static struct event kept_wait_renewed[] = {
	{EVENT_ARRIVE, 3198885908, 589044930, 277149},
	{EVENT_GO_ON, 468280731, 65616043, 28461},
	{EVENT_UPSTREAM, 3867850936, 1401632515, 1778736},
	{EVENT_GO_ON, 3640430712, 3249839797, 356894},
	{EVENT_UPSTREAM, 3491171333, 2745716197, 4188426},
};

static void test_kept_scripts_still_tell_the_bug_from_the_program(void **state)
{
	static const struct {
		enum fault fault;
		struct script script;
	} kept[] = {
		{FAULT_SLOT_LEAKED, {1, kept_slot_leaked, ARRAY_LENGTH(kept_slot_leaked)}},
		{FAULT_SENT_LATE, {33, kept_sent_late, ARRAY_LENGTH(kept_sent_late)}},
		{FAULT_WAIT_RENEWED, {1, kept_wait_renewed, ARRAY_LENGTH(kept_wait_renewed)}},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(kept); i++) {
		struct seen unseen = {0};
		const char *broken;
		size_t at;

		assert_null(script_run(&kept[i].script, FAULT_NONE, &unseen, &at));
		broken = script_run(&kept[i].script, kept[i].fault, &unseen, &at);
		assert_non_null(broken);
		assert_non_null(strstr(broken, faults[kept[i].fault].message));
		assert_int_equal(at, kept[i].script.count - 1);
	}
}

/* `how` of events whose timers are in time and whose dispatch is not refused at once: see
 * world_step(); its last two digits are the chance that decides. */
#define HOW(chance) (150995000U + (chance))
#define BODY_COMPLETE HOW(50)
#define CONNECTED HOW(0)
#define HEAD_OK HOW(0)
#define LAST_BYTE HOW(50)
#define ALL_SENT HOW(0)
#define OLLAMA_GONE HOW(0) /* a multiple of 8 */

static struct world *small_world(struct seen *seen)
{
	struct settings settings = {
		.max_concurrent = 3,
		.max_concurrent_limit = 3,
		.max_queue_size = FIFTY,
		.default_timeout_ms = 60000,
		.upstream_connect_timeout_ms = 5000,
		.upstream_first_byte_timeout_ms = 10000,
		.upstream_idle_timeout_ms = 10000,
	};

	return world_create(&settings, FAULT_NONE, seen);
}

static void step(struct world *world, enum event_kind kind, uint32_t how, uint32_t after_us)
{
	world_step(world, &(struct event){kind, 0, how, after_us});
	if (world->broken)
		fail_msg("step %zu: %s", world->step, world->broken);
}

static void send_job(struct world *world)
{
	step(world, EVENT_ARRIVE, HOW(0), 1);
	step(world, EVENT_GO_ON, BODY_COMPLETE, 1);
}

static void test_a_whole_life_goes_through_every_state(void **state)
{
	static const struct {
		enum job_state next;
		uint32_t how;
	} path[] = {
		{JOB_CONNECTING, BODY_COMPLETE}, /* it waits for nobody */
		{JOB_AWAITING, CONNECTED},
		{JOB_STREAMING, HEAD_OK},
		{JOB_FLUSHING, LAST_BYTE},
		{JOB_DONE, ALL_SENT},
	};
	struct seen seen = {0};
	struct world *world = small_world(&seen);

	step(world, EVENT_ARRIVE, HOW(0), 1);
	assert_int_equal(world->in_state_count[JOB_READING], 1);
	for (size_t i = 0; i < ARRAY_LENGTH(path); i++) {
		step(world, EVENT_GO_ON, path[i].how, 1);
		if (path[i].next != JOB_DONE)
			assert_int_equal(world->in_state_count[path[i].next], 1);
	}
	assert_int_equal(world->tally.ended[COUNTER_COMPLETED], 1);
	world_stop(world);
	assert_null(world->broken);
	world_destroy(world);
}

/* The old service refused everything for ever after its fiftieth time-out. */
static void test_timeouts_leave_no_slot_behind(void **state)
{
	struct seen seen = {0};
	struct world *world = small_world(&seen);

	for (int i = 0; i < 2 * FIFTY; i++) {
		send_job(world);
		step(world, EVENT_GO_ON, CONNECTED, 1);
		step(world, EVENT_WAIT, HOW(0), 10 * SECOND_US);
		assert_int_equal(world->tally.in_progress, 0);
	}
	assert_int_equal(seen.outcomes[OUTCOME_UPSTREAM_TIMEOUT], 2 * FIFTY);
	send_job(world);
	assert_int_equal(world->tally.in_progress, 1);
	world_stop(world);
	assert_null(world->broken);
	world_destroy(world);
}

/* Nobody is told late: the bound fires when it is due, not at the queue's head. */
static void test_waiting_jobs_expire_while_ollama_is_down(void **state)
{
	struct seen seen = {0};
	struct world *world = small_world(&seen);

	step(world, EVENT_UPSTREAM, OLLAMA_GONE, 1);
	assert_false(world->upstream_usable);
	for (int i = 0; i < FIFTY; i++)
		send_job(world);
	assert_int_equal(world->tally.queued, FIFTY);
	send_job(world);
	assert_int_equal(seen.outcomes[OUTCOME_QUEUE_FULL], 1);
	step(world, EVENT_WAIT, HOW(0), 59 * SECOND_US);
	assert_int_equal(world->tally.queued, FIFTY);
	step(world, EVENT_WAIT, HOW(0), 2 * SECOND_US);
	assert_int_equal(world->tally.queued, 0);
	assert_int_equal(world->tally.ended[COUNTER_TIMEOUT], FIFTY);
	world_stop(world);
	assert_null(world->broken);
	world_destroy(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_life_goes_through_every_state),
		cmocka_unit_test(test_timeouts_leave_no_slot_behind),
		cmocka_unit_test(test_waiting_jobs_expire_while_ollama_is_down),
		cmocka_unit_test(test_kept_scripts_still_tell_the_bug_from_the_program),
		cmocka_unit_test(test_every_kind_of_bug_is_found_and_its_script_shrinks),
		cmocka_unit_test(test_every_promise_holds_in_seeded_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
