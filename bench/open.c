/* The open loop of `small`: load.h. */
#include "load.h"
#include "response.h"
#include "samples.h"
#include "wire.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/memory.h"

enum {
	READ_BYTES = 16384,
	EVENTS = 256,
	/* After the last arrival: what is not answered then is told as such. */
	GRACE_S = 10,
	/* Bits of a random number that a double holds. */
	MANTISSA_BITS = 53,
};

struct slot {
	struct wire wire;
	bool is_busy;
	int64_t due_ns; /* of the request under way */
	struct response response;
};

struct run {
	const struct load_options *options;
	char *request;
	size_t request_length;
	int epoll;
	int timer;
	struct slot *slots;
	struct slot **idle; /* connections without a request, a stack */
	int idle_count;
	int connected; /* of slots; they are connected as they are needed */
	int64_t *due_ns;
	size_t arrivals;
	size_t next;	 /* not sent */
	size_t answered; /* or broken */
	int64_t measured_from_ns;
	uint64_t requests; /* of those that are measured */
	uint64_t errors;
	uint64_t waited; /* found no connection free */
	struct samples latency_ns;
};

/* A Poisson process: the gaps are exponential. */
static void plan(struct run *run)
{
	const struct load_options *options = run->options;
	double total_s = options->warmup + options->seconds;
	uint64_t random = options->seed;
	int64_t begin_ns = load_now_ns() + LOAD_NS_PER_S / 10;
	double at_s = 0;

	run->measured_from_ns = begin_ns + (int64_t)(options->warmup * LOAD_NS_PER_S);
	for (;;) {
		double even = ldexp(
			(double)(load_draw(&random) >> (64 - MANTISSA_BITS)) + 1, -MANTISSA_BITS);

		at_s -= log(even) / options->rate_per_second;
		if (at_s >= total_s)
			return;
		run->due_ns = mem_grow_array(run->due_ns, run->arrivals + 1, sizeof(*run->due_ns));
		run->due_ns[run->arrivals++] = begin_ns + (int64_t)(at_s * LOAD_NS_PER_S);
	}
}

static struct slot *free_slot(struct run *run)
{
	struct slot *slot;

	if (run->idle_count)
		return run->idle[--run->idle_count];
	if (run->connected == run->options->connections)
		return NULL;
	slot = &run->slots[run->connected];
	wire_open(&slot->wire, run->options, run->connected++);
	load_watch(run->epoll, slot->wire.fd, EPOLLIN, slot);
	return slot;
}

static void send_due(struct run *run)
{
	while (run->next < run->arrivals && run->due_ns[run->next] <= load_now_ns()) {
		struct slot *slot = free_slot(run);

		if (!slot)
			return; /* the next answer calls again */
		slot->is_busy = true;
		slot->due_ns = run->due_ns[run->next++];
		run->waited += load_now_ns() - slot->due_ns > LOAD_NS_PER_MS;
		response_begin(&slot->response);
		wire_send(&slot->wire, run->request, run->request_length);
	}
	if (run->next < run->arrivals)
		load_timer_set(run->timer, run->due_ns[run->next]);
}

static void end_request(struct run *run, struct slot *slot, bool is_fine)
{
	slot->is_busy = false;
	run->answered++;
	if (slot->due_ns >= run->measured_from_ns) {
		run->requests++;
		run->errors += !is_fine;
		samples_add(&run->latency_ns, load_now_ns() - slot->due_ns);
	}
	if (slot->response.state != RESPONSE_DONE || slot->response.closes ||
		run->options->is_new) {
		wire_close(&slot->wire);
		wire_open(&slot->wire, run->options, (int)(slot - run->slots));
		load_watch(run->epoll, slot->wire.fd, EPOLLIN, slot);
	}
	run->idle[run->idle_count++] = slot;
	send_due(run);
}

static void on_readable(struct run *run, struct slot *slot)
{
	char bytes[READ_BYTES];
	ssize_t got = wire_read(&slot->wire, bytes, sizeof(bytes));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (!slot->is_busy) {
		/* a kept connection that the other side gave up */
		wire_close(&slot->wire);
		wire_open(&slot->wire, run->options, (int)(slot - run->slots));
		load_watch(run->epoll, slot->wire.fd, EPOLLIN, slot);
		return;
	}
	if (got > 0)
		response_feed(&slot->response, bytes, (size_t)got, NULL, NULL);
	if (got <= 0 || slot->response.state == RESPONSE_DONE ||
		slot->response.state == RESPONSE_WRONG)
		end_request(run, slot,
			slot->response.state == RESPONSE_DONE &&
				slot->response.status == LOAD_STATUS_OK);
}

static void turn(struct run *run)
{
	struct epoll_event ready[EVENTS];
	int count = epoll_wait(run->epoll, ready, EVENTS, 100);

	for (int i = 0; i < count; i++) {
		uint64_t expirations;

		if (ready[i].data.ptr)
			on_readable(run, ready[i].data.ptr);
		else if (read(run->timer, &expirations, sizeof(expirations)) > 0)
			send_due(run);
	}
}

static void print(const struct run *run, int64_t cpu_ns, int64_t elapsed_ns)
{
	printf("{\"mode\":\"open\",\"connections\":%d,\"rate_per_second\":%.1f,\"arrivals\":%zu,"
	       "\"requests\":%llu,\"unanswered\":%zu,\"errors\":%llu,\"waited\":%llu,",
		run->options->connections, run->options->rate_per_second, run->arrivals,
		(unsigned long long)run->requests, run->arrivals - run->answered,
		(unsigned long long)(run->errors + run->arrivals - run->answered),
		(unsigned long long)run->waited);
	printf("\"cpu_us_per_request\":%.3f,\"cpu_share\":%.4f,",
		run->answered ? (double)cpu_ns / LOAD_NS_PER_US / (double)run->answered : 0,
		(double)cpu_ns / (double)elapsed_ns);
	samples_print(&run->latency_ns, "latency_us", LOAD_NS_PER_US);
	printf("}\n");
}

int open_run(const struct load_options *options)
{
	struct run run = {.options = options, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	size_t count = (size_t)options->connections;
	int64_t begun_ns = load_now_ns();
	int64_t cpu_ns = load_cpu_ns(options->pid);
	int64_t end_ns;

	run.timer = load_timer();
	run.slots = mem_zalloc_array(count, sizeof(*run.slots));
	run.idle = mem_zalloc_array(count, sizeof(struct slot *));
	run.request = load_request(options, 0);
	run.request_length = strlen(run.request);
	plan(&run);
	load_watch(run.epoll, run.timer, EPOLLIN, NULL);
	if (run.arrivals)
		load_timer_set(run.timer, run.due_ns[0]);
	end_ns = begun_ns +
		 (int64_t)((options->warmup + options->seconds + GRACE_S) * LOAD_NS_PER_S);
	while (run.answered < run.arrivals && load_now_ns() < end_ns)
		turn(&run);
	print(&run, load_cpu_ns(options->pid) - cpu_ns, load_now_ns() - begun_ns);
	for (int i = 0; i < run.connected; i++)
		wire_close(&run.slots[i].wire);
	close(run.timer);
	close(run.epoll);
	samples_finish(&run.latency_ns);
	free(run.due_ns);
	free(run.idle);
	free(run.slots);
	free(run.request);
	return run.requests ? EXIT_SUCCESS : EXIT_FAILURE;
}
