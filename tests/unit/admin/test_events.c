#include "admin/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "admin/admin.h"
#include "base/compiler.h"
#include "base/delay.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "front/client.h"
#include "front/reply.h"
#include "json/writer.h"

/* A real loop whose timers fire when the test says; front is played: what each client was sent, and
 * what it has not taken yet. */
enum { CLIENTS = EVENTS_MOST + 1, START = 1000 * 1000 };

struct client {
	const struct client_user *user;
	void *arg;
	size_t unsent;
	int pairs, comments;
	int status; /* of an error */
	bool has_ended, is_cut;
};

static char method[] = "GET";
static struct request_head request = {.method = method};
static struct client played[CLIENTS];
static struct list nobody;
static int views;
static int64_t due_us;

void delay_start(struct event *timer, int64_t wait_us)
{
	const struct timeval at_once = {0, 0};

	due_us = ticker_now_us() + (wait_us > 0 ? wait_us : 0);
	evtimer_add(timer, &at_once);
}

const struct request_head *client_head(const struct client *client)
{
	return &request;
}

void client_accept(struct client *client, const struct client_user *user, void *arg)
{
	client->user = user;
	client->arg = arg;
}

void client_release(struct client *client)
{
	client->user = NULL;
}

void client_abort(struct client *client)
{
	client->user = NULL;
	client->is_cut = true;
}

size_t client_unsent_bytes(const struct client *client)
{
	return client->unsent;
}

void reply_stream_head(struct client *client, const char *content_type, const char *request_id)
{
	assert_string_equal(content_type, "text/event-stream");
}

void reply_data(struct client *client, struct evbuffer *data)
{
	char *text =
		mem_strndup((const char *)evbuffer_pullup(data, -1), evbuffer_get_length(data));

	if (strstr(text, "event: stats\n") && strstr(text, "event: requests\n"))
		client->pairs++;
	else
		client->comments += strcmp(text, ":\n\n") == 0;
	free(text);
	evbuffer_drain(data, evbuffer_get_length(data));
}

void reply_end(struct client *client)
{
	client->has_ended = true;
}

void reply_cut(struct client *client, const char *last_words)
{
	client->is_cut = true;
}

int64_t reply_error(struct client *client, const struct reply_error *error)
{
	client->status = outcome_status(error->outcome);
	return 0;
}

/* What they say is tested with admin. */
void admin_write_stats(struct json_writer *writer, const struct admin_view *view)
{
	json_begin_object(writer, NULL);
	json_end_object(writer);
}

void admin_write_requests(struct json_writer *writer, const struct admin_view *view)
{
	admin_write_stats(writer, view);
}

static struct admin_view on_view(void *arg)
{
	views++;
	return (struct admin_view){.living_jobs = &nobody};
}

struct fixture {
	struct event_base *base;
	struct events *events;
};

static int set_up(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	memset(played, 0, sizeof(played));
	list_init(&nobody);
	views = 0;
	ticker_set_for_test(START, START);
	fixture->base = event_base_new();
	fixture->events = events_create(fixture->base, on_view, NULL);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	events_destroy(fixture->events);
	event_base_free(fixture->base);
	free(fixture);
	return 0;
}

/* The next timer. Returns how long it was waited for. */
static int64_t turn(struct fixture *fixture)
{
	int64_t waited_us = due_us - ticker_now_us();

	ticker_set_for_test(due_us, due_us);
	event_base_loop(fixture->base, EVLOOP_ONCE);
	return waited_us;
}

static void test_the_first_pair_comes_at_once(void **state)
{
	struct fixture *fixture = *state;

	events_answer(fixture->events, &played[0]);
	assert_int_equal(played[0].pairs, 1);
	assert_int_equal(events_count(fixture->events), 1);
}

static void test_nobody_listens_nothing_is_written(void **state)
{
	struct fixture *fixture = *state;

	events_changed(fixture->events);
	assert_int_equal(views, 0);
	assert_int_equal(event_base_loop(fixture->base, EVLOOP_NONBLOCK), 1);
}

static void test_many_changes_are_one_pair_written_once(void **state)
{
	struct fixture *fixture = *state;

	events_answer(fixture->events, &played[0]);
	events_answer(fixture->events, &played[1]);
	for (int i = 0; i < 1000; i++)
		events_changed(fixture->events);
	views = 0;
	assert_int_equal(turn(fixture), EVENTS_PAUSE_US);
	assert_int_equal(views, 1);
	assert_int_equal(played[0].pairs, 2);
	assert_int_equal(played[1].pairs, 2);
}

static void test_a_slow_reader_misses_events(void **state)
{
	struct fixture *fixture = *state;

	events_answer(fixture->events, &played[0]);
	events_answer(fixture->events, &played[1]);
	played[0].unsent = 1;
	events_changed(fixture->events);
	turn(fixture);
	assert_int_equal(played[0].pairs, 1);
	assert_int_equal(played[1].pairs, 2);
	played[0].unsent = 0;
	events_changed(fixture->events);
	turn(fixture);
	assert_int_equal(played[0].pairs, 2);
	assert_int_equal(played[1].pairs, 3);
}

static void test_jobs_that_live_are_news_each_second(void **state)
{
	struct fixture *fixture = *state;
	struct list job;

	list_init(&job);
	list_append(&nobody, &job);
	events_answer(fixture->events, &played[0]);
	assert_int_equal(turn(fixture), EVENTS_BUSY_US);
	assert_int_equal(turn(fixture), EVENTS_BUSY_US);
	assert_int_equal(played[0].pairs, 3);
	/* A change comes sooner. */
	events_changed(fixture->events);
	assert_int_equal(turn(fixture), EVENTS_PAUSE_US);
	assert_int_equal(played[0].pairs, 4);
}

static void test_silence_is_filled_with_comments(void **state)
{
	struct fixture *fixture = *state;

	events_answer(fixture->events, &played[0]);
	assert_int_equal(turn(fixture), EVENTS_QUIET_US);
	assert_int_equal(turn(fixture), EVENTS_QUIET_US);
	assert_int_equal(played[0].pairs, 1);
	assert_int_equal(played[0].comments, 2);
}

static void test_subscribers_are_bounded(void **state)
{
	struct fixture *fixture = *state;

	for (int i = 0; i < CLIENTS; i++)
		events_answer(fixture->events, &played[i]);
	assert_int_equal(events_count(fixture->events), EVENTS_MOST);
	assert_int_equal(played[EVENTS_MOST].status, 503);
	/* One leaves: its place is free. */
	played[0].user->on_left(played[0].arg, OUTCOME_CLIENT_GONE);
	assert_int_equal(events_count(fixture->events), EVENTS_MOST - 1);
	played[EVENTS_MOST].status = 0;
	events_answer(fixture->events, &played[EVENTS_MOST]);
	assert_int_equal(played[EVENTS_MOST].status, 0);
	assert_int_equal(played[EVENTS_MOST].pairs, 1);
}

static void test_a_drain_ends_all_with_the_last_state(void **state)
{
	struct fixture *fixture = *state;

	events_answer(fixture->events, &played[0]);
	events_drain(fixture->events);
	assert_int_equal(played[0].pairs, 2);
	assert_true(played[0].has_ended);
	assert_int_equal(events_count(fixture->events), 0);
	events_answer(fixture->events, &played[1]);
	assert_int_equal(played[1].status, 503);
	/* Drained again at the forced stop. */
	events_drain(fixture->events);
}

static void test_what_is_left_is_cut(void **state)
{
	struct fixture *fixture = *state;

	events_answer(fixture->events, &played[0]);
	events_destroy(fixture->events);
	fixture->events = NULL;
	assert_true(played[0].is_cut);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_the_first_pair_comes_at_once),
		TEST(test_nobody_listens_nothing_is_written),
		TEST(test_many_changes_are_one_pair_written_once),
		TEST(test_a_slow_reader_misses_events),
		TEST(test_jobs_that_live_are_news_each_second),
		TEST(test_silence_is_filled_with_comments),
		TEST(test_subscribers_are_bounded),
		TEST(test_a_drain_ends_all_with_the_last_state),
		TEST(test_what_is_left_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
