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
	READ_BYTES = 65536,
	EVENTS = 512,
	LINE_BYTES = 1024,
	DECIMAL = 10,
	/* Later than this a reader could see it. */
	LATE_NS = 5 * LOAD_NS_PER_MS,
	/* Longer than any pause of a machine that is worth measuring on. */
	GRACE_S = 20,
};

struct stream {
	struct run *run;
	struct wire wire;
	int64_t due_ns; /* when its request had to be sent */
	int64_t last_ns;
	uint64_t lines;
	unsigned lines_in_chunk;
	size_t line_length;
	char line[LINE_BYTES];
	struct response response;
};

/* Of the time in which all streams run. */
struct window {
	int64_t from_ns;
	int64_t until_ns;
	int64_t cpu_ns; /* at its beginning, then in all; -1: not begun */
	bool is_over;
	uint64_t lines;
};

struct run {
	const struct load_options *options;
	int epoll;
	int timer;
	int open; /* streams that have not ended */
	int next; /* to be sent */
	int64_t begin_ns;
	int64_t now_ns; /* of this read */
	uint64_t lines;
	uint64_t wanted_lines;
	uint64_t chunks;
	uint64_t merged; /* lines that came in a chunk behind another one */
	uint64_t late;
	uint64_t errors;
	struct window window;
	struct stream *streams;
	struct samples first_ns;   /* from the request's due time to the first line */
	struct samples transit_ns; /* from a line's due time to its arrival */
	struct samples gap_ns;	   /* between two lines of a stream */
};

static void count_lines(struct run *run, uint64_t lines)
{
	run->lines += lines;
	if (run->now_ns >= run->window.from_ns && run->now_ns < run->window.until_ns)
		run->window.lines += lines;
}

/* The upstream writes when the line was due, not when it got to it: a delay that hits both ends
 * counts (no coordinated omission). */
static void on_line(struct stream *stream)
{
	static const char key[] = "\"bench_ns\":";
	struct run *run = stream->run;
	const char *stamp;

	stream->line[stream->line_length] = '\0';
	stream->line_length = 0;
	stream->lines_in_chunk++;
	stamp = strstr(stream->line, key);
	if (stamp) {
		int64_t transit_ns = run->now_ns - strtoll(stamp + strlen(key), NULL, DECIMAL);

		samples_add(&run->transit_ns, transit_ns);
		run->late += transit_ns >= LATE_NS;
	} else if (strstr(stream->line, "\"done\":true")) {
		return;
	}
	if (stream->lines == 0)
		samples_add(&run->first_ns, run->now_ns - stream->due_ns);
	else
		samples_add(&run->gap_ns, run->now_ns - stream->last_ns);
	stream->last_ns = run->now_ns;
	stream->lines++;
	count_lines(run, 1);
}

static void on_data(void *arg, const char *bytes, size_t length)
{
	struct stream *stream = arg;

	while (length > 0) {
		const char *end = memchr(bytes, '\n', length);
		size_t piece = end ? (size_t)(end - bytes) : length;
		size_t room = LINE_BYTES - 1 - stream->line_length;
		size_t kept = piece < room ? piece : room;

		memcpy(stream->line + stream->line_length, bytes, kept);
		stream->line_length += kept;
		if (!end)
			return;
		on_line(stream);
		bytes += piece + 1;
		length -= piece + 1;
	}
}

static void on_chunk_end(void *arg)
{
	struct stream *stream = arg;

	stream->run->chunks++;
	if (stream->lines_in_chunk > 1)
		stream->run->merged += stream->lines_in_chunk - 1;
	stream->lines_in_chunk = 0;
}

/* At full speed lines are only counted; the last one of a stream is the final one, which is not
 * asked for. */
static void on_fast_data(void *arg, const char *bytes, size_t length)
{
	struct stream *stream = arg;
	const char *end;

	while ((end = memchr(bytes, '\n', length)) != NULL) {
		stream->lines++;
		stream->lines_in_chunk++;
		length -= (size_t)(end - bytes) + 1;
		bytes = end + 1;
	}
}

static const struct response_events paced_events = {on_data, on_chunk_end};
static const struct response_events fast_events = {on_fast_data, on_chunk_end};

static void end_stream(struct run *run, struct stream *stream)
{
	wire_close(&stream->wire);
	run->open--;
	if (run->options->rate <= 0 && stream->lines > 0)
		count_lines(run, stream->lines - 1);
	if (stream->response.state != RESPONSE_DONE || stream->response.status != LOAD_STATUS_OK)
		run->errors++;
}

static void on_readable(struct run *run, struct stream *stream)
{
	char bytes[READ_BYTES];
	ssize_t got = wire_read(&stream->wire, bytes, sizeof(bytes));

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	run->now_ns = load_now_ns();
	if (got > 0)
		response_feed(&stream->response, bytes, (size_t)got,
			run->options->rate > 0 ? &paced_events : &fast_events, stream);
	if (got <= 0 || stream->response.state == RESPONSE_DONE ||
		stream->response.state == RESPONSE_WRONG)
		end_stream(run, stream);
}

static void send_due(struct run *run, const char *request, size_t length)
{
	while (run->next < run->options->connections &&
		run->streams[run->next].due_ns <= load_now_ns())
		wire_send(&run->streams[run->next++].wire, request, length);
	if (run->next < run->options->connections)
		load_timer_set(run->timer, run->streams[run->next].due_ns);
}

/* All are connected before the first begins; they begin evenly. */
static void connect_all(struct run *run)
{
	const struct load_options *options = run->options;
	int count = options->connections;
	int64_t ramp_ns = (int64_t)(options->ramp * LOAD_NS_PER_S);

	for (int i = 0; i < count; i++) {
		run->streams[i].run = run;
		wire_open(&run->streams[i].wire, options, i);
		load_watch(run->epoll, run->streams[i].wire.fd, EPOLLIN, &run->streams[i]);
	}
	run->begin_ns = load_now_ns() + LOAD_NS_PER_S / 10;
	for (int i = 0; i < count; i++)
		run->streams[i].due_ns = run->begin_ns + (int64_t)i * ramp_ns / count;
	run->window.from_ns = run->begin_ns + (options->rate > 0 ? ramp_ns : 0);
	run->window.until_ns = options->rate > 0
				       ? run->begin_ns + (int64_t)(options->seconds * LOAD_NS_PER_S)
				       : INT64_MAX;
	run->window.cpu_ns = -1;
	run->open = count;
	load_timer_set(run->timer, run->begin_ns);
}

static void look_at_window(struct run *run)
{
	struct window *window = &run->window;
	int64_t now_ns = load_now_ns();

	if (window->cpu_ns < 0 && now_ns >= window->from_ns) {
		window->from_ns = now_ns;
		window->cpu_ns = load_cpu_ns(run->options->pid);
	}
	if (window->cpu_ns >= 0 && !window->is_over && (now_ns >= window->until_ns || !run->open)) {
		window->until_ns = now_ns;
		window->cpu_ns = load_cpu_ns(run->options->pid) - window->cpu_ns;
		window->is_over = true;
	}
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

static void print(struct run *run)
{
	const struct load_options *options = run->options;
	const struct window *window = &run->window;
	double seconds = (double)(window->until_ns - window->from_ns) / LOAD_NS_PER_S;
	double cpu_us = (double)window->cpu_ns / LOAD_NS_PER_US;

	printf(",\"mode\":\"streams\",\"streams\":%d,\"rate\":%.1f,\"lines\":%llu,"
	       "\"missing_lines\":%lld,\"errors\":%llu,\"chunks\":%llu,\"merged_lines\":%llu,"
	       "\"late_lines\":%llu,",
		options->connections, options->rate, (unsigned long long)run->lines,
		(long long)(run->wanted_lines - run->lines), (unsigned long long)run->errors,
		(unsigned long long)run->chunks, (unsigned long long)run->merged,
		(unsigned long long)run->late);
	if (window->is_over && window->lines)
		printf("\"cpu_share\":%.4f,\"cpu_us_per_line\":%.3f,\"lines_per_s\":%.1f,",
			cpu_us / 1e6 / seconds, cpu_us / (double)window->lines,
			(double)window->lines / seconds);
	load_print_memory("rss_kib", options->pid);
	printf(",");
	samples_print(&run->first_ns, "first_us", LOAD_NS_PER_US);
	printf(",");
	samples_print(&run->transit_ns, "transit_us", LOAD_NS_PER_US);
	printf(",");
	samples_print(&run->gap_ns, "gap_us", LOAD_NS_PER_US);
	printf("}\n");
}

static char *make_request(const struct load_options *options, int lines)
{
	char *body = mem_printf("{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":"
				"\"Count up from one.\"}],\"options\":{\"num_predict\":%d},"
				"\"bench_rate\":%g,\"bench_lines_per_write\":%d}",
		options->model, lines, options->rate, options->lines_per_write);
	char *request = mem_printf("POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: "
				   "application/json\r\nContent-Length: %zu\r\n\r\n%s",
		options->path ? options->path : "/api/chat", options->authority, strlen(body),
		body);

	free(body);
	return request;
}

int streams_run(const struct load_options *options)
{
	struct run run = {.options = options,
		.epoll = epoll_create1(EPOLL_CLOEXEC),
		.timer = load_timer(),
		.streams = mem_zalloc_array((size_t)options->connections, sizeof(struct stream))};
	int lines = options->lines ? options->lines : (int)(options->seconds * options->rate);
	char *request = make_request(options, lines);
	int64_t deadline_ns;

	run.wanted_lines = (uint64_t)lines * (uint64_t)options->connections;
	printf("{");
	load_print_memory("rss_kib_before", options->pid);
	load_watch(run.epoll, run.timer, EPOLLIN, NULL);
	connect_all(&run);
	deadline_ns = run.begin_ns +
		      (int64_t)((options->seconds + options->ramp + GRACE_S) * LOAD_NS_PER_S);
	while (run.open > 0 && load_now_ns() < deadline_ns) {
		turn(&run, request, strlen(request));
		look_at_window(&run);
	}
	run.errors += (uint64_t)run.open;
	print(&run);
	for (int i = 0; i < options->connections; i++)
		wire_close(&run.streams[i].wire);
	close(run.timer);
	close(run.epoll);
	samples_finish(&run.first_ns);
	samples_finish(&run.transit_ns);
	samples_finish(&run.gap_ns);
	free(run.streams);
	free(request);
	return run.errors ? EXIT_FAILURE : EXIT_SUCCESS;
}
