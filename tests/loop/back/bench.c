#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "back/pool.h"
#include "base/graveyard.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"

enum { PATIENCE_S = 20, SETTLE_US = 20 * 1000, FIELDS_MOST = 16 };

static void turn(struct bench *bench, int flags)
{
	ticker_new_turn();
	event_base_loop(bench->base, EVLOOP_ONCE | flags);
	graveyard_run(bench->graveyard);
}

void bench_start(struct bench *bench, const struct peer_step *const *scripts)
{
	bench_start_with(bench, scripts, 0);
}

void bench_start_with(
	struct bench *bench, const struct peer_step *const *scripts, int64_t max_concurrent)
{
	static char host[] = "127.0.0.1";
	struct event_config *config = event_config_new();
	struct settings settings = {.upstream_host = host};

	signal(SIGPIPE, SIG_IGN);
	/* As proxy.c makes it. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	*bench = (struct bench){.base = event_base_new_with_config(config)};
	event_config_free(config);
	assert_non_null(bench->base);
	bench->graveyard = graveyard_create();
	bench->peer = peer_create(bench->base, host, 0, scripts);
	settings.upstream_port = peer_port(bench->peer);
	settings.max_concurrent_limit = max_concurrent;
	bench->pool = pool_create(bench->base, bench->graveyard, &settings);
}

void bench_stop(struct bench *bench)
{
	pool_destroy(bench->pool);
	graveyard_destroy(bench->graveyard);
	peer_destroy(bench->peer);
	event_base_free(bench->base);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	*(bool *)arg = true;
}

void bench_run(struct bench *bench, bool (*is_done)(void *arg), void *arg)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	bool is_late = false;
	struct event *deadline = evtimer_new(bench->base, on_deadline, &is_late);

	event_add(deadline, &patience);
	/* The tail of the turn in which the test itself did something. */
	graveyard_run(bench->graveyard);
	while (!is_late && !is_done(arg))
		turn(bench, 0);
	event_free(deadline);
	assert_false(is_late);
}

void bench_settle(struct bench *bench)
{
	const struct timeval pause = {.tv_usec = SETTLE_US};
	bool is_over = false;
	struct event *deadline = evtimer_new(bench->base, on_deadline, &is_over);

	event_add(deadline, &pause);
	graveyard_run(bench->graveyard);
	while (!is_over)
		turn(bench, 0);
	event_free(deadline);
}

#ifdef __SANITIZE_ADDRESS__
/* What was freed stays in AddressSanitizer's quarantine. */
size_t bench_rss_bytes(void)
{
	return 0;
}
#else
size_t bench_rss_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*u %lu", &pages), 1);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}
#endif

void user_init(struct user *user, struct bench *bench)
{
	*user = (struct user){.bench = bench, .body = evbuffer_new()};
}

void user_finish(struct user *user)
{
	evbuffer_free(user->body);
	free(user->reason);
	free(user->fields);
}

void user_cancel(struct user *user)
{
	if (user->exchange)
		exchange_cancel(user->exchange);
	if (user->tunnel)
		tunnel_cancel(user->tunnel);
	user->exchange = NULL;
	user->tunnel = NULL;
	user->ends = -1; /* none may come any more */
}

void user_resume(struct user *user)
{
	if (user->exchange)
		exchange_resume(user->exchange);
	if (user->tunnel)
		tunnel_resume(user->tunnel);
}

static void at(struct user *user, enum moment moment)
{
	if (user->ends != 0)
		user->events_after_end++;
	if (user->pause_at == moment && user->exchange)
		exchange_pause(user->exchange);
	if (user->pause_at == moment && user->tunnel)
		tunnel_pause(user->tunnel);
	if (user->cancel_at == moment)
		user_cancel(user);
}

static void on_connected(void *arg)
{
	struct user *user = arg;

	user->connected++;
	at(user, MOMENT_CONNECTED);
}

static void on_interim(void *arg, int status, const struct fields *fields)
{
	struct user *user = arg;

	assert_int_equal(user->heads, 0);
	user->interims++;
	user->interim_status = status;
	user->interim_fields = fields->count;
	at(user, MOMENT_INTERIM);
}

static void on_head(void *arg, const struct exchange_head *head)
{
	struct user *user = arg;
	char *fields = mem_strdup("");

	for (size_t i = 0; i < head->fields->count; i++) {
		const struct field *field = &head->fields->items[i];
		char *more = mem_printf("%s%.*s: %.*s\n", fields, (int)field->name_length,
			field->name, (int)field->value_length, field->value);

		free(fields);
		fields = more;
	}
	user->heads++;
	user->status = head->status;
	user->reason = mem_strdup(head->reason);
	user->fields = fields;
	user->framing = head->framing;
	at(user, MOMENT_HEAD);
}

static void on_data(void *arg, struct evbuffer *data)
{
	struct user *user = arg;
	size_t length = evbuffer_get_length(data);

	assert_true(length > 0);
	assert_int_equal(user->heads, 1);
	if (user->data_calls < (int)ARRAY_LENGTH(user->data_sizes))
		user->data_sizes[user->data_calls] = length;
	user->data_calls++;
	user->body_bytes += length;
	if (!user->drops_body)
		evbuffer_add_buffer(user->body, data);
	at(user, MOMENT_DATA);
}

static void on_room(void *arg)
{
	struct user *user = arg;

	user->rooms++;
}

static void on_end(void *arg, enum exchange_end end)
{
	struct user *user = arg;

	if (user->ends != 0)
		user->events_after_end++;
	user->ends++;
	user->end = end;
	user->had_heard = user->exchange && exchange_has_heard(user->exchange);
	if (user->cancel_at == MOMENT_END && user->exchange)
		exchange_cancel(user->exchange);
	if (user->cancel_at == MOMENT_END && user->tunnel)
		tunnel_cancel(user->tunnel);
	user->exchange = NULL;
	user->tunnel = NULL;
}

static bool fill_body(void *arg, struct evbuffer *out)
{
	struct user *user = arg;

	user->fills++;
	if (user->send)
		evbuffer_add(out, user->send, strlen(user->send));
	for (uint64_t left = user->send_fill; left > 0;) {
		static char fill[64 * 1024];
		size_t length = left < sizeof(fill) ? (size_t)left : sizeof(fill);

		evbuffer_add(out, fill, length);
		left -= length;
	}
	return !user->cannot_fill;
}

static void make_fields(struct fields *fields, const char *const *texts)
{
	for (; texts && *texts; texts++) {
		const char *colon = strchr(*texts, ':');
		const char *value = colon + 1 + strspn(colon + 1, " ");

		fields_add(fields, *texts, (size_t)(colon - *texts), value, strlen(value));
	}
}

bool user_try(struct user *user, const char *method, const char *target, const char *const *texts)
{
	static const struct exchange_events events = {
		on_connected, on_interim, on_head, on_data, on_end};
	struct fields fields = {0};
	struct exchange_request request = {
		.method = method,
		.target = target,
		.fields = &fields,
		.fill_body = fill_body,
		.body_bytes = user->send ? strlen(user->send) : user->send_fill,
		.has_body = user->send || user->send_fill,
	};

	make_fields(&fields, texts);
	user->exchange = exchange_start(user->bench->pool, &request, &events, user);
	fields_finish(&fields);
	return user->exchange != NULL;
}

void user_ask_with(
	struct user *user, const char *method, const char *target, const char *const *texts)
{
	assert_true(user_try(user, method, target, texts));
}

void user_ask(struct user *user, const char *method, const char *target)
{
	user_ask_with(user, method, target, NULL);
}

void user_open_tunnel(struct user *user, const char *method, const char *target,
	const char *const *texts, struct framing framing)
{
	static const struct tunnel_events events = {
		on_connected, on_interim, on_head, on_data, on_room, on_end};
	struct fields fields = {0};
	struct tunnel_request request = {method, target, &fields, framing};

	make_fields(&fields, texts);
	user->tunnel = tunnel_start(user->bench->pool, &request, &events, user);
	fields_finish(&fields);
	assert_non_null(user->tunnel);
}

bool user_has_ended(void *arg)
{
	const struct user *user = arg;

	return user->ends != 0;
}

void user_run(struct user *user)
{
	bench_run(user->bench, user_has_ended, user);
	bench_settle(user->bench);
	assert_int_equal(user->ends, 1);
	assert_int_equal(user->events_after_end, 0);
}

const char *user_body(struct user *user)
{
	evbuffer_add(user->body, "", 1);
	return (const char *)evbuffer_pullup(user->body, -1);
}
