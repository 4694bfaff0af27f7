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

enum {
	READ_BYTES = 16384,
	EVENTS = 256,
	/* Of one write, so that the connections take turns. */
	WRITE_BYTES = 256 * 1024,
	/* Longer than any pause of a machine that is worth measuring on. */
	LIMIT_S = 60,
	/* Between two looks at the memory; a look takes some 20 us. */
	LOOK_NS = 2 * LOAD_NS_PER_MS,
};

struct sender {
	struct wire wire;
	size_t sent;
	int left; /* requests */
	int64_t begun_ns;
	struct response response;
};

struct run {
	const struct load_options *options;
	int epoll;
	int open;
	char *request;
	size_t length;
	uint64_t answers;
	int64_t looked_ns;
	int64_t anonymous_kib; /* the most that was seen */
	uint64_t errors;
	struct samples time_ns;
};

/* A page image as base64, which no program has to understand; the PNG's head tells a size. */
static void make_request(struct run *run)
{
	static const char png[] = "iVBORw0KGgoAAAANSUhEUgAAAzsAASRCAIAAAA";
	const struct load_options *options = run->options;
	char *begin = mem_printf("{\"model\":\"%s\",\"stream\":false,\"prompt\":\"what is "
				 "this?\",\"images\":[\"",
		options->model);
	size_t bytes = (size_t)options->bytes;
	size_t image = bytes - strlen(begin) - strlen("\"]}");
	char *filling = mem_alloc(image + 1);
	const char *path = options->path ? options->path : "/api/generate";

	memset(filling, 'A', image);
	memcpy(filling, png, strlen(png));
	filling[image] = '\0';
	run->request = mem_printf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r"
				  "\nContent-Length: %zu\r\n\r\n%s%s\"]}",
		path, options->authority, bytes, begin, filling);
	run->length = strlen(run->request);
	free(filling);
	free(begin);
}

static void end_sender(struct run *run, struct sender *sender)
{
	wire_close(&sender->wire);
	run->errors += (uint64_t)sender->left;
	sender->left = 0;
	run->open--;
}

static void begin_request(struct run *run, struct sender *sender)
{
	response_begin(&sender->response);
	sender->sent = 0;
	sender->begun_ns = load_now_ns();
	load_watch_change(run->epoll, sender->wire.fd, EPOLLIN | EPOLLOUT, sender);
}

static void on_writable(struct run *run, struct sender *sender)
{
	size_t piece = run->length - sender->sent;
	ssize_t sent;

	if (piece > WRITE_BYTES)
		piece = WRITE_BYTES;
	sent = wire_write(&sender->wire, run->request + sender->sent, piece);
	if (sent > 0)
		sender->sent += (size_t)sent;
	if (sender->sent == run->length)
		load_watch_change(run->epoll, sender->wire.fd, EPOLLIN, sender);
}

static void on_readable(struct run *run, struct sender *sender)
{
	char bytes[READ_BYTES];
	ssize_t got = wire_read(&sender->wire, bytes, sizeof(bytes));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0)
		response_feed(&sender->response, bytes, (size_t)got, NULL, NULL);
	if (got <= 0 || sender->response.state == RESPONSE_WRONG) {
		end_sender(run, sender);
	} else if (sender->response.state == RESPONSE_DONE) {
		samples_add(&run->time_ns, load_now_ns() - sender->begun_ns);
		run->answers++;
		run->errors += sender->response.status != LOAD_STATUS_OK;
		if (--sender->left == 0 || sender->response.closes)
			end_sender(run, sender);
		else
			begin_request(run, sender);
	}
}

/* The kernel keeps the highest of all resident pages, not of these. */
static void look_at_memory(struct run *run)
{
	int64_t now_ns = load_now_ns();
	int64_t kib;

	if (now_ns - run->looked_ns < LOOK_NS)
		return;
	run->looked_ns = now_ns;
	kib = load_anonymous_kib(run->options->pid);
	if (kib > run->anonymous_kib)
		run->anonymous_kib = kib;
}

static void turn(struct run *run)
{
	struct epoll_event ready[EVENTS];
	int count = epoll_wait(run->epoll, ready, EVENTS, 100);

	for (int i = 0; i < count; i++) {
		struct sender *sender = ready[i].data.ptr;

		if (ready[i].events & EPOLLOUT && sender->sent < run->length)
			on_writable(run, sender);
		if (ready[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			on_readable(run, sender);
	}
}

int bodies_run(const struct load_options *options)
{
	struct run run = {.options = options, .epoll = epoll_create1(EPOLL_CLOEXEC)};
	struct sender *senders =
		mem_zalloc_array((size_t)options->connections, sizeof(struct sender));
	int64_t begun_ns, cpu_ns, elapsed_ns;
	int64_t anonymous_kib = load_anonymous_kib(options->pid);

	make_request(&run);
	printf("{\"mode\":\"bodies\",\"connections\":%d,\"bytes\":%d,", options->connections,
		options->bytes);
	load_print_memory("rss_kib_before", options->pid);
	for (int i = 0; i < options->connections; i++) {
		senders[i].left = options->requests;
		wire_open(&senders[i].wire, options, i);
		load_watch(run.epoll, senders[i].wire.fd, EPOLLIN, &senders[i]);
	}
	run.open = options->connections;
	cpu_ns = load_cpu_ns(options->pid);
	begun_ns = load_now_ns();
	for (int i = 0; i < options->connections; i++)
		begin_request(&run, &senders[i]);
	while (run.open > 0 && load_now_ns() < begun_ns + (int64_t)LIMIT_S * LOAD_NS_PER_S) {
		turn(&run);
		look_at_memory(&run);
	}
	elapsed_ns = load_now_ns() - begun_ns;
	cpu_ns = load_cpu_ns(options->pid) - cpu_ns;
	printf(",");
	load_print_memory("rss_kib", options->pid);
	printf(",\"anonymous_growth_kib\":%lld",
		run.anonymous_kib > anonymous_kib ? (long long)(run.anonymous_kib - anonymous_kib)
						  : 0);
	printf(",\"requests\":%llu,\"errors\":%llu,\"ms_per_body\":%.3f,\"cpu_ms_per_body\":%.3f,",
		(unsigned long long)run.answers,
		(unsigned long long)run.errors + (uint64_t)run.open,
		run.answers ? (double)elapsed_ns / LOAD_NS_PER_MS / (double)run.answers : 0,
		run.answers ? (double)cpu_ns / LOAD_NS_PER_MS / (double)run.answers : 0);
	samples_print(&run.time_ns, "time_ms", LOAD_NS_PER_MS);
	printf("}\n");
	for (int i = 0; i < options->connections; i++)
		wire_close(&senders[i].wire);
	close(run.epoll);
	samples_finish(&run.time_ns);
	free(run.request);
	free(senders);
	return run.answers ? EXIT_SUCCESS : EXIT_FAILURE;
}
