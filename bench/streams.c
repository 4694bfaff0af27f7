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

enum {
	NS_PER_S = 1000000000,
	READ_BYTES = 16384,
	EVENTS = 512,
	LINE_BYTES = 1024,
	STATUS_OK = 200,
	DECIMAL = 10,
	/* Longer than any pause of a machine that is worth measuring on. */
	GRACE_S = 20,
};

#define NS_PER_US 1000.0

struct stream {
	struct run *run;
	int fd;
	int64_t due_ns; /* when its request had to be sent */
	int64_t last_ns;
	uint64_t lines;
	unsigned lines_in_chunk;
	size_t line_length;
	char line[LINE_BYTES];
	struct response response;
};

struct run {
	const struct load_options *options;
	int epoll;
	int timer;
	int open; /* streams that have not ended */
	int next; /* to be sent */
	int64_t period_ns;
	int64_t now_ns; /* of this read */
	uint64_t lines;
	uint64_t wanted_lines;
	uint64_t merged; /* lines that came in a chunk behind another one */
	uint64_t late;	 /* lines that came a period or more after they were due */
	uint64_t errors;
	struct stream *streams;
	struct samples first_ns;   /* from the request's due time to the first line */
	struct samples transit_ns; /* from a line's due time to its arrival */
	struct samples gap_ns;	   /* between two lines of a stream */
};

/* The upstream writes when the line was due, not when it got to it: a delay that hits both ends
 * counts (no coordinated omission). */
static void on_line(struct stream *stream)
{
	static const char key[] = "\"bench_ns\":";
	struct run *run = stream->run;
	const char *stamp;
	int64_t transit_ns;

	stream->line[stream->line_length] = '\0';
	stream->line_length = 0;
	stream->lines_in_chunk++;
	stamp = strstr(stream->line, key);
	if (!stamp)
		return; /* the final line */
	transit_ns = run->now_ns - strtoll(stamp + strlen(key), NULL, DECIMAL);
	samples_add(&run->transit_ns, transit_ns);
	run->late += transit_ns >= run->period_ns;
	if (stream->lines == 0)
		samples_add(&run->first_ns, run->now_ns - stream->due_ns);
	else
		samples_add(&run->gap_ns, run->now_ns - stream->last_ns);
	stream->last_ns = run->now_ns;
	stream->lines++;
	run->lines++;
}

static void on_data(void *arg, const char *bytes, size_t length)
{
	struct stream *stream = arg;

	for (size_t i = 0; i < length; i++) {
		if (bytes[i] == '\n')
			on_line(stream);
		else if (stream->line_length < LINE_BYTES - 1)
			stream->line[stream->line_length++] = bytes[i];
	}
}

static void on_chunk_end(void *arg)
{
	struct stream *stream = arg;

	if (stream->lines_in_chunk > 1)
		stream->run->merged += stream->lines_in_chunk - 1;
	stream->lines_in_chunk = 0;
}

static const struct response_events events = {on_data, on_chunk_end};

static void end_stream(struct run *run, struct stream *stream)
{
	close(stream->fd);
	stream->fd = -1;
	run->open--;
	if (stream->response.state != RESPONSE_DONE || stream->response.status != STATUS_OK)
		run->errors++;
}

static void on_readable(struct run *run, struct stream *stream)
{
	char bytes[READ_BYTES];
	ssize_t got = recv(stream->fd, bytes, sizeof(bytes), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	run->now_ns = load_now_ns();
	if (got > 0)
		response_feed(&stream->response, bytes, (size_t)got, &events, stream);
	if (got <= 0 || stream->response.state == RESPONSE_DONE ||
		stream->response.state == RESPONSE_WRONG)
		end_stream(run, stream);
}

static void send_due(struct run *run, const char *request, size_t length)
{
	while (run->next < run->options->connections &&
		run->streams[run->next].due_ns <= load_now_ns())
		load_send(run->streams[run->next++].fd, request, length);
	if (run->next < run->options->connections)
		load_timer_set(run->timer, run->streams[run->next].due_ns);
}

/* All are connected before the first begins; they begin evenly in one second. */
static void connect_all(struct run *run)
{
	int count = run->options->connections;
	int64_t begin_ns;

	for (int i = 0; i < count; i++) {
		run->streams[i].run = run;
		run->streams[i].fd = load_connect(run->options);
		load_watch(run->epoll, run->streams[i].fd, &run->streams[i]);
	}
	begin_ns = load_now_ns() + NS_PER_S / 10;
	for (int i = 0; i < count; i++)
		run->streams[i].due_ns = begin_ns + (int64_t)i * NS_PER_S / count;
	run->open = count;
	load_timer_set(run->timer, begin_ns);
}

static void turn(struct run *run, const char *request, size_t length)
{
	struct epoll_event ready[EVENTS];
	int count = epoll_wait(run->epoll, ready, EVENTS, 100);

	for (int i = 0; i < count; i++) {
		struct stream *stream = ready[i].data.ptr;
		uint64_t expirations;

		if (stream) {
			on_readable(run, stream);
			continue;
		}
		if (read(run->timer, &expirations, sizeof(expirations)) > 0)
			send_due(run, request, length);
	}
}

static void print(struct run *run, int64_t cpu_ns, int64_t elapsed_ns)
{
	const struct load_options *options = run->options;

	printf("{\"mode\":\"streams\",\"streams\":%d,\"rate\":%.1f,\"lines\":%llu,"
	       "\"missing_lines\":%lld,\"errors\":%llu,\"merged_lines\":%llu,\"late_lines\":%llu,",
		options->connections, options->rate, (unsigned long long)run->lines,
		(long long)(run->wanted_lines - run->lines), (unsigned long long)run->errors,
		(unsigned long long)run->merged, (unsigned long long)run->late);
	printf("\"cpu_share\":%.4f,\"cpu_us_per_line\":%.3f,", (double)cpu_ns / (double)elapsed_ns,
		run->lines ? (double)cpu_ns / NS_PER_US / (double)run->lines : 0);
	samples_print(&run->first_ns, "first_us", NS_PER_US);
	printf(",");
	samples_print(&run->transit_ns, "transit_us", NS_PER_US);
	printf(",");
	samples_print(&run->gap_ns, "gap_us", NS_PER_US);
	printf("}\n");
}

int streams_run(const struct load_options *options)
{
	struct run run = {.options = options,
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.timer = load_timer(),
		.period_ns = (int64_t)(NS_PER_S / options->rate),
		.streams = mem_zalloc_array((size_t)options->connections, sizeof(struct stream))};
	int lines = (int)(options->seconds * options->rate);
	char *body = mem_printf("{\"model\":\"bench\",\"messages\":[{\"role\":\"user\",\"content\":"
				"\"go\"}],\"options\":{\"num_predict\":%d}}",
		lines);
	char *request = mem_printf("POST /api/chat HTTP/1.1\r\nHost: %s\r\nContent-Type: "
				   "application/json\r\nContent-Length: %zu\r\n\r\n%s",
		options->authority, strlen(body), body);
	int64_t started_ns = load_now_ns();
	int64_t cpu_ns = load_cpu_ns(options->pid);
	int64_t deadline_ns =
		started_ns + (int64_t)((options->seconds + 1 + GRACE_S) * (double)NS_PER_S);

	run.wanted_lines = (uint64_t)lines * (uint64_t)options->connections;
	load_watch(run.epoll, run.timer, NULL);
	connect_all(&run);
	while (run.open > 0 && load_now_ns() < deadline_ns)
		turn(&run, request, strlen(request));
	run.errors += (uint64_t)run.open;
	print(&run, load_cpu_ns(options->pid) - cpu_ns, load_now_ns() - started_ns);
	for (int i = 0; i < options->connections; i++) {
		if (run.streams[i].fd >= 0)
			close(run.streams[i].fd);
	}
	close(run.timer);
	close(run.epoll);
	samples_finish(&run.first_ns);
	samples_finish(&run.transit_ns);
	samples_finish(&run.gap_ns);
	free(run.streams);
	free(request);
	free(body);
	return run.errors ? EXIT_FAILURE : EXIT_SUCCESS;
}
