#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/memory.h"
#include "load.h"
#include "response.h"
#include "samples.h"
#include "wire.h"

enum {
	READ_BYTES = 16384,
	EVENTS = 256,
	/* Of real time: nothing may take longer. */
	GRACE_S = 300,
	FIRST_ERROR = 400,
};

struct request {
	int64_t due_ns;
	char *text;
	size_t sent;
	size_t length;
	struct wire wire;
	struct response *response; /* while it is under way */
};

struct run {
	const struct load_options *options;
	int epoll;
	int timer;
	struct planned *planned;
	struct request *requests;
	size_t count;
	size_t next;
	size_t ended;
	size_t successes;
	size_t errors;
	size_t broken;
	struct samples latency_ns;
	struct samples first_ns; /* from the due time to the first byte of an answer */
};

static void end_request(struct run *run, struct request *request, bool is_whole)
{
	wire_close(&request->wire);
	free(request->text);
	request->text = NULL;
	run->ended++;
	samples_add(&run->latency_ns, load_now_ns() - request->due_ns);
	if (!is_whole)
		run->broken++;
	else if (request->response->status < FIRST_ERROR)
		run->successes++;
	else
		run->errors++;
	free(request->response);
	request->response = NULL;
}

/* Bodies may be longer than what the socket takes at once; others go on meanwhile. */
static void on_writable(struct run *run, struct request *request)
{
	ssize_t sent = wire_write(
		&request->wire, request->text + request->sent, request->length - request->sent);

	if (sent > 0)
		request->sent += (size_t)sent;
	if (request->sent == request->length)
		load_watch_change(run->epoll, request->wire.fd, EPOLLIN, request);
}

static void send_due(struct run *run)
{
	while (run->next < run->count && run->requests[run->next].due_ns <= load_now_ns()) {
		struct request *request = &run->requests[run->next];

		request->text = plan_request(&run->planned[run->next], run->options->authority);
		request->length = strlen(request->text);
		request->response = mem_zalloc(sizeof(*request->response));
		wire_open(&request->wire, run->options, (int)run->next++);
		load_watch(run->epoll, request->wire.fd, EPOLLIN | EPOLLOUT, request);
		on_writable(run, request);
	}
	if (run->next < run->count)
		load_timer_set(run->timer, run->requests[run->next].due_ns);
}

static void on_readable(struct run *run, struct request *request)
{
	char bytes[READ_BYTES];
	ssize_t got = wire_read(&request->wire, bytes, sizeof(bytes));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0) {
		if (request->response->state == RESPONSE_HEAD && !request->response->head_length)
			samples_add(&run->first_ns, load_now_ns() - request->due_ns);
		response_feed(request->response, bytes, (size_t)got, NULL, NULL);
		if (request->response->state == RESPONSE_DONE)
			end_request(run, request, true);
		return;
	}
	end_request(run, request,
		request->response->is_until_close && request->response->state == RESPONSE_BODY);
}

static void turn(struct run *run)
{
	struct epoll_event ready[EVENTS];
	int count = epoll_wait(run->epoll, ready, EVENTS, 100);

	for (int i = 0; i < count; i++) {
		struct request *request = ready[i].data.ptr;
		uint64_t expirations;

		if (!request) {
			if (read(run->timer, &expirations, sizeof(expirations)) > 0)
				send_due(run);
			continue;
		}
		if (ready[i].events & EPOLLOUT && request->sent < request->length)
			on_writable(run, request);
		if (ready[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			on_readable(run, request);
	}
}

static void print(const struct run *run)
{
	double scale = run->options->time_scale;

	printf("{\"mode\":\"replay\",\"time_scale\":%.1f,\"requests\":%zu,\"successes\":%zu,"
	       "\"errors\":%zu,\"broken\":%zu,\"unanswered\":%zu,",
		scale, run->count, run->successes, run->errors, run->broken,
		run->count - run->ended);
	samples_print(&run->latency_ns, "latency_ms", LOAD_NS_PER_MS / scale);
	printf(",");
	samples_print(&run->first_ns, "first_ms", LOAD_NS_PER_MS / scale);
	printf("}\n");
}

int replay_run(const struct load_options *options)
{
	struct run run = {.options = options, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	int64_t begin_ns, deadline_ns;

	run.planned = plan_read(options->plan, &run.count);
	if (!run.count)
		load_fail("empty plan");
	run.requests = mem_zalloc_array(run.count, sizeof(*run.requests));
	run.timer = load_timer();
	begin_ns = load_now_ns() + LOAD_NS_PER_S / 10;
	for (size_t i = 0; i < run.count; i++)
		run.requests[i].due_ns = begin_ns + (int64_t)(run.planned[i].due_ms *
							      LOAD_NS_PER_MS / options->time_scale);
	deadline_ns = run.requests[run.count - 1].due_ns + (int64_t)GRACE_S * LOAD_NS_PER_S;
	load_watch(run.epoll, run.timer, EPOLLIN, NULL);
	load_timer_set(run.timer, run.requests[0].due_ns);
	while (run.ended < run.count && load_now_ns() < deadline_ns)
		turn(&run);
	print(&run);
	for (size_t i = 0; i < run.count; i++) {
		wire_close(&run.requests[i].wire);
		free(run.requests[i].text);
		free(run.requests[i].response);
	}
	close(run.timer);
	close(run.epoll);
	samples_finish(&run.latency_ns);
	samples_finish(&run.first_ns);
	free(run.requests);
	plan_free(run.planned, run.count);
	return run.ended == run.count && !run.broken ? EXIT_SUCCESS : EXIT_FAILURE;
}
