#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "ask/printable.h"
#include "base/memory.h"
#include "top/frame.h"
#include "top/snapshot.h"
#include "top/view.h"

/* Two of header, heading, a job, two of foot: a lower screen shows the first of them. */
enum { LEAST_ROWS = 6 };

struct fixture {
	struct snapshot now;
	struct view view;
	struct frame_input input;
	struct frame frame;
};

static void set_up(struct fixture *fixture, size_t columns, size_t rows)
{
	*fixture = (struct fixture){0};
	view_init(&fixture->view);
	assert_true(snapshot_read_stats(&fixture->now, stats_answer, strlen(stats_answer)));
	assert_true(snapshot_read_jobs(&fixture->now, jobs_answer, strlen(jobs_answer)));
	fixture->input = (struct frame_input){
		.snapshot = &fixture->now,
		.view = &fixture->view,
		.url = "http://box:8000",
		.clock = "14:31:03",
		.utf8 = true,
		.columns = columns,
		.rows = rows,
	};
}

static void make(struct fixture *fixture)
{
	frame_finish(&fixture->frame);
	frame_make(&fixture->input, &fixture->frame);
}

static void tear_down(struct fixture *fixture)
{
	frame_finish(&fixture->frame);
	view_finish(&fixture->view);
	snapshot_finish(&fixture->now);
}

/* The line that has this text, or NULL. */
static const struct frame_line *line_with(const struct fixture *fixture, const char *text)
{
	for (size_t i = 0; i < fixture->frame.count; i++) {
		if (strstr(fixture->frame.lines[i].text, text))
			return &fixture->frame.lines[i];
	}
	return NULL;
}

static void test_all_of_it_stands_in_a_printed_frame(void **state)
{
	static const char *const expected[] = {
		"shared-ollama top  http://box:8000  up 1:02:03  14:31:03  PAUSED",
		"Ollama  0.32.15 up at http://127.0.0.1:11434",
		"Queue   2 queued of 50, 1 in progress of 5, 0 reading; raised",
		"Ended   7 completed, 0 failed, 3 rejected, 0 timed out, 0 cancelled",
		"Waits   mean 7.5 s, median 10.7 s, p90 17.8 s, p99 -, longest 17.8 s",
		"Answers mean 17.1 s, 57 % warm, 1 loads of 6.0 s",
		"Turn    serving llama3:latest for 8.1 s, 12 served, 7 left",
		"Loaded  llama3:latest 7.8 GiB, 50 % on the GPU, context 4096",
		"Used by zoo 75 %, a/b 25 %",
		"Foreign traffic: another program uses this Ollama past the queue, last with "
		"phi4:latest 12.5 s ago",
		"Cut prompts: 3 were longer than the context; raise num_ctx",
		"Log lines lost: 4 could not be written",
		"ID     PROJECT    CLASS  MODEL  OPERATION STATE        AGE   WAIT PLACE FORECAST "
		"TOKENS TOK/S REASON",
		"run    zoo        normal llama3 chat      streaming 12.1 s   5 ms     -        -  "
		"   "
		"12  41.2 -",
		"first  \\x1b[2Jant normal llama3 chat      queued    900 ms 900 ms     1    1.7 s "
		"     "
		"-     - waits for a free slot",
		"second bee        batch  llama3 chat      queued    11.0 s 100 ms     2        -  "
		"    "
		"-     - waits too",
	};
	struct fixture fixture;

	set_up(&fixture, 0, 0);
	make(&fixture);
	assert_int_equal(fixture.frame.count, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < fixture.frame.count; i++)
		assert_string_equal(fixture.frame.lines[i].text, expected[i]);
	assert_int_equal(line_with(&fixture, "Loaded")->look, FRAME_ALARM);
	assert_int_equal(line_with(&fixture, "Foreign")->look, FRAME_ALARM);
	/* what was a quarter of an hour ago is over */
	fixture.now.foreign_age_s = 901;
	fixture.now.cut_prompts = fixture.now.log_dropped = 0;
	make(&fixture);
	assert_int_equal(fixture.frame.count, sizeof(expected) / sizeof(expected[0]) - 3);
	tear_down(&fixture);
}

static void check_fits(struct fixture *fixture, size_t columns, size_t rows)
{
	fixture->input.columns = columns;
	fixture->input.rows = rows;
	make(fixture);
	assert_true(fixture->frame.count <= (rows > LEAST_ROWS ? rows : LEAST_ROWS));
	for (size_t i = 0; i < fixture->frame.count; i++)
		assert_true(printable_columns(fixture->frame.lines[i].text, true) <= columns);
}

static void test_no_turn_is_said_in_words(void **state)
{
	struct fixture fixture;

	set_up(&fixture, 0, 0);
	free(fixture.now.turn_runner);
	fixture.now.turn_runner = NULL;
	make(&fixture);
	assert_non_null(line_with(&fixture, "Turn    no model has work"));
	tear_down(&fixture);
}

static void test_every_size_of_screen_is_kept_to(void **state)
{
	struct fixture fixture;

	set_up(&fixture, 80, 24);
	free(fixture.now.jobs[0].project);
	fixture.now.jobs[0].project =
		mem_strdup("\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c"
			   "\xab\xe7\x8c\xab"
			   "\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab\xe7\x8c\xab");
	for (size_t columns = 1; columns < 130; columns++)
		check_fits(&fixture, columns, 24);
	for (size_t rows = 1; rows < 40; rows++)
		check_fits(&fixture, 80, rows);
	tear_down(&fixture);
}

static void test_the_keys_stand_in_the_last_line(void **state)
{
	struct fixture fixture;

	set_up(&fixture, 80, 24);
	make(&fixture);
	assert_int_equal(fixture.frame.count, 24);
	assert_int_equal(fixture.frame.lines[23].look, FRAME_KEYS);
	tear_down(&fixture);
}

static void test_the_selected_one_is_shown_in_full(void **state)
{
	struct fixture fixture;

	set_up(&fixture, 60, 24);
	view_key(&fixture.view, &fixture.now, VIEW_KEY_DOWN);
	view_key(&fixture.view, &fixture.now, VIEW_KEY_DOWN);
	make(&fixture);
	assert_int_equal(line_with(&fixture, "first ")->look, FRAME_SELECTED);
	assert_string_equal(fixture.frame.lines[22].text, "first  waits for a free slot");
	view_key(&fixture.view, &fixture.now, 'c');
	make(&fixture);
	assert_string_equal(fixture.frame.lines[22].text,
		"Cancel first of \\x1b[2Jant? y: yes, any other key: no");
	tear_down(&fixture);
}

static void test_trouble_stands_above_the_last_known_state(void **state)
{
	struct fixture fixture;

	set_up(&fixture, 80, 24);
	fixture.input.trouble = "nothing listens there";
	make(&fixture);
	assert_string_equal(fixture.frame.lines[0].text, "http://box:8000: nothing listens there");
	assert_int_equal(fixture.frame.lines[0].look, FRAME_ALARM);
	assert_non_null(line_with(&fixture, "second"));
	tear_down(&fixture);
}

static void test_without_utf8_all_is_ascii(void **state)
{
	struct fixture fixture;

	set_up(&fixture, 40, 24);
	fixture.input.utf8 = false;
	free(fixture.now.jobs[0].id);
	fixture.now.jobs[0].id = mem_strdup("Z\xc3\xbcrich-0123456789-0123456789");
	make(&fixture);
	assert_non_null(line_with(&fixture, "Z?rich-012345~"));
	for (size_t i = 0; i < fixture.frame.count; i++) {
		for (const char *at = fixture.frame.lines[i].text; *at; at++)
			assert_true((unsigned char)*at >= ' ' && (unsigned char)*at < 0x7f);
	}
	fixture.input.utf8 = true;
	make(&fixture);
	assert_non_null(line_with(&fixture, "Z\xc3\xbcrich-012345\xe2\x80\xa6"));
	tear_down(&fixture);
}

static void test_columns_scroll_and_mark_the_sorted_one(void **state)
{
	struct fixture fixture;

	set_up(&fixture, 80, 24);
	view_key(&fixture.view, &fixture.now, VIEW_KEY_RIGHT);
	for (int i = 0; i <= VIEW_AGE; i++)
		view_key(&fixture.view, &fixture.now, '>');
	make(&fixture);
	assert_null(line_with(&fixture, "PROJECT"));
	assert_non_null(line_with(&fixture, "ID     CLASS"));
	assert_non_null(line_with(&fixture, "AGEv"));
	view_key(&fixture.view, &fixture.now, 'R');
	make(&fixture);
	assert_non_null(line_with(&fixture, "AGE^"));
	tear_down(&fixture);
}

static void test_help_takes_the_screen(void **state)
{
	struct fixture fixture;

	set_up(&fixture, 80, 24);
	view_key(&fixture.view, &fixture.now, 'h');
	make(&fixture);
	assert_non_null(line_with(&fixture, "cancel the selected request"));
	assert_null(line_with(&fixture, "Queue"));
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_it_stands_in_a_printed_frame),
		cmocka_unit_test(test_no_turn_is_said_in_words),
		cmocka_unit_test(test_every_size_of_screen_is_kept_to),
		cmocka_unit_test(test_the_keys_stand_in_the_last_line),
		cmocka_unit_test(test_the_selected_one_is_shown_in_full),
		cmocka_unit_test(test_trouble_stands_above_the_last_known_state),
		cmocka_unit_test(test_without_utf8_all_is_ascii),
		cmocka_unit_test(test_columns_scroll_and_mark_the_sorted_one),
		cmocka_unit_test(test_help_takes_the_screen),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
