#include "core/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "aborts.h"
#include "base/compiler.h"
#include "core/ring.h"

enum {
	LINE_BYTES = 512,
	COLUMNS_MOST = 8,
};

/* STYLE B4, by hand: rows are "from", columns "to", in the order of the life. */
static const bool expected[JOB_STATE_COUNT][JOB_STATE_COUNT] = {
	/*		   R  Q  C  A  S  F  D */
	[JOB_READING] = {0, 1, 0, 0, 0, 0, 1},
	[JOB_QUEUED] = {0, 0, 1, 0, 0, 0, 1},
	[JOB_CONNECTING] = {0, 1, 0, 1, 0, 0, 1},
	[JOB_AWAITING] = {0, 1, 0, 0, 1, 0, 1},
	[JOB_STREAMING] = {0, 0, 0, 0, 0, 1, 1},
	[JOB_FLUSHING] = {0, 0, 0, 0, 0, 0, 1},
	[JOB_DONE] = {0, 0, 0, 0, 0, 0, 0},
};

static struct tally tally;
static struct job job;

/* A new job that went along the life up to `state`; for DONE it was served. */
static void bring_to(enum job_state state)
{
	tally = (struct tally){0};
	job_init(&job, &tally);
	while (job.state != state) {
		if (job.state == JOB_FLUSHING)
			job.record.outcome = OUTCOME_SUCCESS;
		job_set_state(&job, (enum job_state)(job.state + 1));
	}
}

static uint64_t gauge_of(enum job_state state)
{
	switch (state) {
	case JOB_READING:
		return tally.reading;
	case JOB_QUEUED:
		return tally.queued;
	case JOB_CONNECTING:
	case JOB_AWAITING:
	case JOB_STREAMING:
		return tally.in_progress;
	case JOB_FLUSHING:
		return tally.flushing;
	case JOB_DONE:
	case JOB_STATE_COUNT:
		break;
	}
	return tally.ended[COUNTER_COMPLETED] + tally.ended[COUNTER_FAILED] +
	       tally.ended[COUNTER_REJECTED] + tally.ended[COUNTER_TIMEOUT] +
	       tally.ended[COUNTER_CANCELLED];
}

static void test_job_begins_reading_and_is_received(void **state)
{
	memset(&job, 0x5a, sizeof(job));
	tally = (struct tally){0};
	job_init(&job, &tally);
	assert_int_equal(job.state, JOB_READING);
	assert_int_equal(job.reply, REPLY_NONE);
	assert_true(job.record.is_job);
	assert_false(job.in_ring);
	assert_int_equal(job.deadline_us, 0);
	assert_int_equal(job.refused, 0);
	assert_int_equal(job.broken, 0);
	assert_true(list_is_empty(&job.link));
	assert_int_equal(tally.received, 1);
	assert_int_equal(tally.reading, 1);
	assert_true(tally_adds_up(&tally));
	job_finish(&job);
}

static void test_allowed_changes_are_those_of_the_style(void **state)
{
	for (int from = 0; from < JOB_STATE_COUNT; from++) {
		for (int to = 0; to < JOB_STATE_COUNT; to++)
			assert_int_equal(job_may_become((enum job_state)from, (enum job_state)to),
				expected[from][to]);
	}
}

/* Client gone, cancel and expiry lead from every state to DONE; DONE is entered once (I6). */
static void test_every_living_state_can_end_and_the_end_is_final(void **state)
{
	for (int from = 0; from < JOB_DONE; from++)
		assert_true(job_may_become((enum job_state)from, JOB_DONE));
	for (int to = 0; to < JOB_STATE_COUNT; to++)
		assert_false(job_may_become(JOB_DONE, (enum job_state)to));
}

/* I1 and I7: each allowed change moves the job from one counter to another, nothing else. */
static void test_allowed_changes_move_the_counters(void **state)
{
	for (int from = 0; from < JOB_STATE_COUNT; from++) {
		for (int to = 0; to < JOB_STATE_COUNT; to++) {
			if (!expected[from][to])
				continue;
			bring_to((enum job_state)from);
			if (to == JOB_DONE)
				job.record.outcome = OUTCOME_CLIENT_GONE;
			job_set_state(&job, (enum job_state)to);
			assert_int_equal(job.state, to);
			assert_int_equal(gauge_of((enum job_state)to), 1);
			assert_int_equal(tally.received, 1);
			assert_true(tally_adds_up(&tally));
			job_finish(&job);
		}
	}
}

static void change(void *to)
{
	job_set_state(&job, *(const enum job_state *)to);
}

static void test_every_other_change_is_a_failed_assertion(void **state)
{
	for (int from = 0; from < JOB_STATE_COUNT; from++) {
		for (int to = 0; to < JOB_STATE_COUNT; to++) {
			enum job_state into = (enum job_state)to;

			if (expected[from][to])
				continue;
			bring_to((enum job_state)from);
			job.record.outcome = OUTCOME_SUCCESS;
			assert_true(aborts(change, &into));
			job_finish(&job);
		}
	}
}

/* I6: the end has an outcome. */
static void test_job_does_not_end_without_an_outcome(void **state)
{
	enum job_state done = JOB_DONE;

	for (int from = 0; from < JOB_DONE; from++) {
		bring_to((enum job_state)from);
		assert_true(aborts(change, &done));
		job_finish(&job);
	}
}

static void test_counters_that_do_not_hold_the_job_are_a_failed_assertion(void **state)
{
	enum job_state queued = JOB_QUEUED;

	bring_to(JOB_READING);
	tally.reading = 0;
	assert_true(aborts(change, &queued));
	job_finish(&job);
}

static void test_end_is_counted_by_its_outcome(void **state)
{
	for (int outcome = 1; outcome < OUTCOME_COUNT; outcome++) {
		for (int counter = 0; counter < COUNTER_COUNT; counter++) {
			bring_to(JOB_STREAMING);
			job.record.outcome = (enum outcome)outcome;
			job_set_state(&job, JOB_DONE);
			assert_int_equal(tally.ended[counter],
				outcome_counter((enum outcome)outcome) == (enum counter)counter);
			job_finish(&job);
		}
	}
}

/* I3 and I2. */
static void test_slot_and_place_follow_from_the_state(void **state)
{
	static const bool slot[JOB_STATE_COUNT] = {
		[JOB_CONNECTING] = true, [JOB_AWAITING] = true, [JOB_STREAMING] = true};
	static const bool place[JOB_STATE_COUNT] = {
		[JOB_QUEUED] = true, [JOB_CONNECTING] = true, [JOB_AWAITING] = true};

	for (int in = 0; in < JOB_STATE_COUNT; in++) {
		bring_to((enum job_state)in);
		assert_int_equal(job_holds_slot(&job), slot[in]);
		assert_int_equal(job_belongs_in_ring(&job), place[in]);
		assert_int_equal(tally.in_progress, slot[in]);
		job_finish(&job);
	}
}

static void test_retry_waits_again_and_gives_its_slot_back(void **state)
{
	bring_to(JOB_CONNECTING);
	job_set_state(&job, JOB_QUEUED);
	assert_int_equal(tally.queued, 1);
	assert_int_equal(tally.in_progress, 0);
	job_set_state(&job, JOB_CONNECTING);
	job_set_state(&job, JOB_AWAITING);
	job_set_state(&job, JOB_QUEUED);
	assert_int_equal(tally.queued, 1);
	assert_int_equal(tally.in_progress, 0);
	assert_int_equal(tally.received, 1);
	assert_true(tally_adds_up(&tally));
	job_finish(&job);
}

static void leave_as_pass(void *arg)
{
	job_leave_as_pass(&job);
}

static void test_mere_unload_leaves_uncounted_and_only_while_reading(void **state)
{
	bring_to(JOB_READING);
	job_leave_as_pass(&job);
	assert_int_equal(job.state, JOB_DONE);
	assert_int_equal(tally.received, 0);
	assert_int_equal(tally.reading, 0);
	assert_int_equal(gauge_of(JOB_DONE), 0);
	assert_true(tally_adds_up(&tally));
	job_finish(&job);
	for (int in = JOB_QUEUED; in < JOB_STATE_COUNT; in++) {
		bring_to((enum job_state)in);
		assert_true(aborts(leave_as_pass, NULL));
		job_finish(&job);
	}
}

static void finish(void *arg)
{
	job_finish(arg);
}

static void test_job_in_the_ring_cannot_be_finished(void **state)
{
	struct ring *ring = ring_create(1);

	bring_to(JOB_QUEUED);
	assert_true(ring_put(ring, &job));
	assert_true(aborts(finish, &job));
	ring_remove(ring, &job);
	job_finish(&job);
	ring_destroy(ring);
}

static void test_finish_takes_the_job_out_of_its_list(void **state)
{
	struct list jobs;

	list_init(&jobs);
	bring_to(JOB_READING);
	list_append(&jobs, &job.link);
	job_finish(&job);
	assert_true(list_is_empty(&jobs));
}

static void test_states_have_names(void **state)
{
	static const char *const names[] = {
		"reading", "queued", "connecting", "awaiting", "streaming", "flushing", "done"};

	assert_int_equal(ARRAY_LENGTH(names), JOB_STATE_COUNT);
	for (int i = 0; i < JOB_STATE_COUNT; i++)
		assert_string_equal(job_state_name((enum job_state)i), names[i]);
}

/* --- docs/job-states.md says what job.c does --- */

/* Cuts "| a | b | c |" into trimmed cells; returns how many. */
static int cut_row(char *line, char *cells[COLUMNS_MOST])
{
	int count = 0;
	char *rest = line + 1;
	char *end;

	if (line[0] != '|')
		return 0;
	while (count < COLUMNS_MOST && (end = strchr(rest, '|')) != NULL) {
		*end = '\0';
		rest += strspn(rest, " ");
		cells[count] = rest;
		rest = end;
		while (rest > cells[count] && rest[-1] == ' ')
			*--rest = '\0';
		rest = end + 1;
		count++;
	}
	return count;
}

/* READING ... DONE as in the document; JOB_STATE_COUNT: none of them. */
static enum job_state state_of(const char *word)
{
	static const char *const symbols[] = {
#define X(symbol, name) #symbol,
		JOB_STATES(X)
#undef X
	};

	for (int i = 0; i < JOB_STATE_COUNT; i++) {
		if (strcmp(word, symbols[i]) == 0)
			return (enum job_state)i;
	}
	return JOB_STATE_COUNT;
}

/* Calls `row` for each table row below the heading `heading`; returns how many. */
static int read_table(
	const char *heading, void (*row)(char *cells[], int count, void *arg), void *arg)
{
	FILE *file = fopen(JOB_STATES_DOC, "r");
	char line[LINE_BYTES];
	char *cells[COLUMNS_MOST];
	bool inside = false;
	int rows = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#')
			inside = strcmp(line, heading) == 0;
		if (!inside || line[0] != '|')
			continue;
		/* the table's own heading and the line below it */
		if (strncmp(line, "| ---", 5) == 0 || strncmp(line, "| state", 7) == 0 ||
			strncmp(line, "| from", 6) == 0)
			continue;
		row(cells, cut_row(line, cells), arg);
		rows++;
	}
	fclose(file);
	return rows;
}

static void note_change(char *cells[], int count, void *arg)
{
	bool(*documented)[JOB_STATE_COUNT] = arg;
	enum job_state from, to;

	assert_int_equal(count, 4);
	from = state_of(cells[0]);
	to = state_of(cells[2]);
	assert_int_not_equal(from, JOB_STATE_COUNT);
	assert_int_not_equal(to, JOB_STATE_COUNT);
	assert_true(strlen(cells[1]) > 0);
	assert_true(strlen(cells[3]) > 0);
	documented[from][to] = true;
}

static void test_document_lists_exactly_the_allowed_changes(void **state)
{
	bool documented[JOB_STATE_COUNT][JOB_STATE_COUNT] = {{false}};

	assert_true(read_table("## Changes", note_change, documented) >= 12);
	for (int from = 0; from < JOB_STATE_COUNT; from++) {
		for (int to = 0; to < JOB_STATE_COUNT; to++)
			assert_int_equal(documented[from][to],
				job_may_become((enum job_state)from, (enum job_state)to));
	}
}

static void check_state_row(char *cells[], int count, void *arg)
{
	int *next = arg;
	enum job_state in;

	assert_int_equal(count, 6);
	in = state_of(cells[0]);
	assert_int_equal(in, *next);
	bring_to(in);
	assert_string_equal(cells[2], job_belongs_in_ring(&job) ? "yes" : "no");
	assert_string_equal(cells[3], job_holds_slot(&job) ? "yes" : "no");
	job_finish(&job);
	(*next)++;
}

static void test_document_says_of_each_state_its_place_and_slot(void **state)
{
	int next = 0;

	assert_int_equal(read_table("## States", check_state_row, &next), JOB_STATE_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_job_begins_reading_and_is_received),
		cmocka_unit_test(test_allowed_changes_are_those_of_the_style),
		cmocka_unit_test(test_every_living_state_can_end_and_the_end_is_final),
		cmocka_unit_test(test_allowed_changes_move_the_counters),
		cmocka_unit_test(test_every_other_change_is_a_failed_assertion),
		cmocka_unit_test(test_job_does_not_end_without_an_outcome),
		cmocka_unit_test(test_counters_that_do_not_hold_the_job_are_a_failed_assertion),
		cmocka_unit_test(test_end_is_counted_by_its_outcome),
		cmocka_unit_test(test_slot_and_place_follow_from_the_state),
		cmocka_unit_test(test_retry_waits_again_and_gives_its_slot_back),
		cmocka_unit_test(test_mere_unload_leaves_uncounted_and_only_while_reading),
		cmocka_unit_test(test_job_in_the_ring_cannot_be_finished),
		cmocka_unit_test(test_finish_takes_the_job_out_of_its_list),
		cmocka_unit_test(test_states_have_names),
		cmocka_unit_test(test_document_lists_exactly_the_allowed_changes),
		cmocka_unit_test(test_document_says_of_each_state_its_place_and_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
