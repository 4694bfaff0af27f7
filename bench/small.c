#include "load.h"
#include "response.h"
#include "samples.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/memory.h"

enum { NS_PER_S = 1000000000, READ_BYTES = 16384, EVENTS = 256, STATUS_OK = 200 };

#define NS_PER_US 1000.0

struct slot {
	int fd;
	int64_t sent_ns;
	struct response response;
};

struct run {
	const struct load_options *options;
	char *request;
	size_t request_length;
	int epoll;
	bool is_measuring;
	uint64_t requests;
	uint64_t errors;
	uint64_t reconnects;
	struct samples latency_ns;
};

static void send_next(struct run *run, struct slot *slot)
{
	response_begin(&slot->response);
	slot->sent_ns = load_now_ns();
	load_send(slot->fd, run->request, run->request_length);
}

static void connect_slot(struct run *run, struct slot *slot)
{
	slot->fd = load_connect(run->options);
	load_watch(run->epoll, slot->fd, slot);
	send_next(run, slot);
}

static void on_answer(struct run *run, struct slot *slot)
{
	if (run->is_measuring) {
		run->requests++;
		run->errors += slot->response.status != STATUS_OK;
		samples_add(&run->latency_ns, load_now_ns() - slot->sent_ns);
	}
	if (slot->response.closes) {
		run->reconnects++;
		close(slot->fd);
		connect_slot(run, slot);
	} else {
		send_next(run, slot);
	}
}

static void on_readable(struct run *run, struct slot *slot)
{
	char bytes[READ_BYTES];
	ssize_t got = recv(slot->fd, bytes, sizeof(bytes), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
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
	run->reconnects++;
	close(slot->fd);
	connect_slot(run, slot);
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

int small_run(const struct load_options *options)
{
	static const char body[] = "{\"model\":\"bench\",\"input\":\"ping\"}";
	struct run run = {.options = options, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	struct slot *slots = mem_zalloc_array((size_t)options->connections, sizeof(*slots));
	int64_t started_ns, ended_ns, cpu_ns;

	run.request =
		mem_printf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
			   "Content-Length: %zu\r\n\r\n%s",
			options->path, options->authority, strlen(body), body);
	run.request_length = strlen(run.request);
	for (int i = 0; i < options->connections; i++)
		connect_slot(&run, &slots[i]);
	run_until(&run, load_now_ns() + (int64_t)(options->warmup * NS_PER_S));
	cpu_ns = load_cpu_ns(options->pid);
	started_ns = load_now_ns();
	run.is_measuring = true;
	run_until(&run, started_ns + (int64_t)(options->seconds * NS_PER_S));
	ended_ns = load_now_ns();
	cpu_ns = load_cpu_ns(options->pid) - cpu_ns;
	printf("{\"mode\":\"small\",\"path\":\"%s\",\"connections\":%d,\"requests\":%llu,"
	       "\"errors\":%llu,\"reconnects\":%llu,\"requests_per_s\":%.1f,",
		options->path, options->connections, (unsigned long long)run.requests,
		(unsigned long long)run.errors, (unsigned long long)run.reconnects,
		(double)run.requests * NS_PER_S / (double)(ended_ns - started_ns));
	printf("\"cpu_us_per_request\":%.3f,\"cpu_share\":%.4f,",
		run.requests ? (double)cpu_ns / NS_PER_US / (double)run.requests : 0,
		(double)cpu_ns / (double)(ended_ns - started_ns));
	samples_print(&run.latency_ns, "latency_us", NS_PER_US);
	printf("}\n");
	for (int i = 0; i < options->connections; i++)
		close(slots[i].fd);
	close(run.epoll);
	samples_finish(&run.latency_ns);
	free(run.request);
	free(slots);
	return run.requests ? EXIT_SUCCESS : EXIT_FAILURE;
}
