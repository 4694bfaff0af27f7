#include "load.h"
#include "response.h"
#include "samples.h"
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/memory.h"

enum { READ_BYTES = 16384, EVENTS = 256 };

struct slot {
	struct wire wire;
	int number;
	const char *request;
	size_t unsent; /* of the request: a TLS handshake comes first */
	int64_t begun_ns;
	struct response response;
};

struct run {
	const struct load_options *options;
	char **requests; /* one for each project */
	int epoll;
	bool is_measuring;
	uint64_t answers;
	uint64_t errors;
	uint64_t reconnects;
	struct samples latency_ns;
};

static void connect_slot(struct run *run, struct slot *slot)
{
	wire_open(&slot->wire, run->options, slot->number);
	load_watch(run->epoll, slot->wire.fd, EPOLLIN, slot);
}

static void send_rest(struct slot *slot)
{
	size_t length = strlen(slot->request);

	while (slot->unsent > 0) {
		ssize_t sent = wire_write(
			&slot->wire, slot->request + length - slot->unsent, slot->unsent);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0) {
			/* plain: the socket's buffer takes a small request, or it is broken, which
			 * shows when it is read */
			return;
		}
		slot->unsent -= (size_t)sent;
	}
}

static void send_next(struct slot *slot)
{
	response_begin(&slot->response);
	slot->unsent = strlen(slot->request);
	slot->begun_ns = load_now_ns();
	send_rest(slot);
}

/* A new connection is part of its request's time. */
static void reconnect(struct run *run, struct slot *slot)
{
	int64_t begun_ns = load_now_ns();

	run->reconnects += run->is_measuring;
	wire_close(&slot->wire);
	connect_slot(run, slot);
	send_next(slot);
	slot->begun_ns = begun_ns;
}

static void on_answer(struct run *run, struct slot *slot)
{
	if (run->is_measuring) {
		run->answers++;
		run->errors += slot->response.status != LOAD_STATUS_OK;
		samples_add(&run->latency_ns, load_now_ns() - slot->begun_ns);
	}
	if (slot->response.closes || run->options->is_new)
		reconnect(run, slot);
	else
		send_next(slot);
}

static void on_readable(struct run *run, struct slot *slot)
{
	char bytes[READ_BYTES];
	ssize_t got;

	if (slot->unsent > 0)
		send_rest(slot);
	got = wire_read(&slot->wire, bytes, sizeof(bytes));
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		if (slot->unsent > 0) /* this read ended the handshake */
			send_rest(slot);
		return;
	}
	if (got > 0) {
		response_feed(&slot->response, bytes, (size_t)got, NULL, NULL);
		if (slot->response.state == RESPONSE_DONE)
			on_answer(run, slot);
		else if (slot->response.state == RESPONSE_WRONG)
			load_fail("answer");
		return;
	}
	/* broken off */
	run->errors += run->is_measuring;
	reconnect(run, slot);
}

static void run_until(struct run *run, int64_t end_ns)
{
	while (load_now_ns() < end_ns) {
		struct epoll_event events[EVENTS];
		int count = epoll_wait(run->epoll, events, EVENTS, 100);

		for (int i = 0; i < count; i++)
			on_readable(run, events[i].data.ptr);
	}
}

static void print(const struct run *run, int64_t cpu_ns, int64_t elapsed_ns)
{
	const struct load_options *options = run->options;

	printf("{\"mode\":\"small\",\"connections\":%d,\"requests\":%llu,"
	       "\"errors\":%llu,\"reconnects\":%llu,\"requests_per_s\":%.1f,",
		options->connections, (unsigned long long)run->answers,
		(unsigned long long)run->errors, (unsigned long long)run->reconnects,
		(double)run->answers * LOAD_NS_PER_S / (double)elapsed_ns);
	printf("\"cpu_us_per_request\":%.3f,\"cpu_share\":%.4f,",
		run->answers ? (double)cpu_ns / LOAD_NS_PER_US / (double)run->answers : 0,
		(double)cpu_ns / (double)elapsed_ns);
	samples_print(&run->latency_ns, "latency_us", LOAD_NS_PER_US);
	printf("}\n");
}

int small_run(const struct load_options *options)
{
	struct run run = {.options = options};
	struct slot *slots;
	int64_t started_ns, cpu_ns;
	int kinds = options->projects > 0 ? options->projects : 1;

	if (options->rate_per_second > 0)
		return open_run(options);
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	run.requests = mem_zalloc_array((size_t)kinds, sizeof(*run.requests));
	for (int i = 0; i < kinds; i++)
		run.requests[i] = load_request(options, i);
	slots = mem_zalloc_array((size_t)options->connections, sizeof(*slots));
	for (int i = 0; i < options->connections; i++) {
		slots[i].number = i;
		slots[i].request = run.requests[i % kinds];
		connect_slot(&run, &slots[i]);
		send_next(&slots[i]);
	}
	run_until(&run, load_now_ns() + (int64_t)(options->warmup * LOAD_NS_PER_S));
	cpu_ns = load_cpu_ns(options->pid);
	started_ns = load_now_ns();
	run.is_measuring = true;
	run_until(&run, started_ns + (int64_t)(options->seconds * LOAD_NS_PER_S));
	print(&run, load_cpu_ns(options->pid) - cpu_ns, load_now_ns() - started_ns);
	for (int i = 0; i < options->connections; i++)
		wire_close(&slots[i].wire);
	for (int i = 0; i < kinds; i++)
		free(run.requests[i]);
	close(run.epoll);
	samples_finish(&run.latency_ns);
	free(run.requests);
	free(slots);
	return run.answers ? EXIT_SUCCESS : EXIT_FAILURE;
}
