/*
 * A stand-in for Ollama that is only fast, for measuring what stands in front of it. One thread,
 * epoll. POST /api/chat streams num_predict NDJSON lines, one line a chunk and one write a line, as
 * Ollama does, each with the moment at which it was due; every other request gets 291 bytes of
 * JSON, the probes of a proxy what they look for. What a body may ask for: bench_rate (lines a
 * second; 0: as fast as the socket takes them), bench_lines_per_write (at full speed),
 * bench_delay_us (before the 291 bytes). Prints `listening on ADDR:PORT` to stderr and ends with 0
 * on SIGTERM.
 */
#include "answers.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "base/list.h"
#include "base/memory.h"

enum {
	NS_PER_S = 1000000000,
	NS_PER_US = 1000,
	EVENTS = 512,
	/* A request's head, and of its body what is looked at: options stand at either end of a
	   small one. What is longer is only counted. */
	INPUT_BYTES = 8 * 1024,
	READ_BYTES = 64 * 1024,
	BACKLOG = 4096,
	LINES_PER_WRITE_MOST = 100,
	DEFAULT_LINES = 100,
	DECIMAL = 10,
};

/* What is due next of a peer. */
enum work { WORK_NONE, WORK_LINES, WORK_FAST_LINES, WORK_SMALL };

struct peer {
	int fd;
	/* a request as it comes: its beginning, and how much of its end is not kept */
	size_t length; /* of input */
	size_t whole;  /* 0: the head is not complete */
	size_t passed; /* bytes that were read and not kept */
	char input[INPUT_BYTES + 1];
	/* a stream, or an answer that is delayed */
	enum work work;
	struct list link; /* in `timed`, due next first, or in `fast` */
	int64_t due_ns;
	int64_t period_ns;
	int lines_per_write;
	int lines_left;
	int lines_sent;
	/* what the socket did not take */
	char *unsent;
	size_t unsent_length;
};

struct upstream {
	int epoll;
	int listener;
	int timer;
	int64_t period_ns; /* where the request does not say */
	int64_t armed_ns;
	struct list timed;
	struct list fast;
	char *small;
	/* lines as they go at full speed, made once */
	char block[LINES_PER_WRITE_MOST * ANSWERS_CHUNK_BYTES];
	size_t block_line; /* of one of them */
};

static volatile sig_atomic_t is_stopped;

static void on_signal(int number)
{
	is_stopped = 1;
}

static void fail(const char *what)
{
	fprintf(stderr, "bench-upstream: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void watch(struct upstream *upstream, struct peer *peer, uint32_t what, int operation)
{
	struct epoll_event event = {.events = what, .data.ptr = peer};

	epoll_ctl(upstream->epoll, operation, peer->fd, &event);
}

static void drop(struct peer *peer)
{
	close(peer->fd);
	list_remove(&peer->link);
	free(peer->unsent);
	free(peer);
}

static void keep_unsent(
	struct upstream *upstream, struct peer *peer, const char *bytes, size_t length)
{
	peer->unsent = mem_grow_array(peer->unsent, peer->unsent_length + length, 1);
	memcpy(peer->unsent + peer->unsent_length, bytes, length);
	peer->unsent_length += length;
	watch(upstream, peer, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

/* Errors show when the socket is read. */
static void put(struct upstream *upstream, struct peer *peer, const char *bytes, size_t length)
{
	ssize_t sent = 0;

	if (!peer->unsent_length)
		sent = send(peer->fd, bytes, length, MSG_NOSIGNAL);
	if (sent < 0)
		sent = 0;
	if ((size_t)sent < length)
		keep_unsent(upstream, peer, bytes + sent, length - (size_t)sent);
}

static void on_writable(struct upstream *upstream, struct peer *peer)
{
	ssize_t sent = send(peer->fd, peer->unsent, peer->unsent_length, MSG_NOSIGNAL);

	if (sent <= 0)
		return;
	peer->unsent_length -= (size_t)sent;
	memmove(peer->unsent, peer->unsent + sent, peer->unsent_length);
	if (!peer->unsent_length)
		watch(upstream, peer, EPOLLIN, EPOLL_CTL_MOD);
}

static void put_json(struct upstream *upstream, struct peer *peer, const char *body)
{
	char *answer = answers_json(body);

	put(upstream, peer, answer, strlen(answer));
	free(answer);
}

static void put_last_line(struct upstream *upstream, struct peer *peer)
{
	put(upstream, peer, answers_last, strlen(answers_last));
}

static void put_line(struct upstream *upstream, struct peer *peer)
{
	char chunk[ANSWERS_CHUNK_BYTES];
	size_t length = answers_line(chunk, peer->lines_sent++, peer->due_ns);

	put(upstream, peer, chunk, length);
}

static void arm(struct upstream *upstream)
{
	const struct peer *peer = LIST_FIRST(&upstream->timed, struct peer, link);
	struct itimerspec when = {0};
	int64_t due_ns = peer ? peer->due_ns : 0;

	if (due_ns == upstream->armed_ns)
		return;
	upstream->armed_ns = due_ns;
	when.it_value.tv_sec = due_ns / NS_PER_S;
	when.it_value.tv_nsec = due_ns % NS_PER_S;
	timerfd_settime(upstream->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Mostly all have the same period, and the place is the end. */
static void add_timed(struct upstream *upstream, struct peer *peer)
{
	struct list *after = upstream->timed.previous;

	while (after != &upstream->timed &&
		CONTAINER_OF(after, struct peer, link)->due_ns > peer->due_ns)
		after = after->previous;
	/* appending to "the list that begins at the next one" puts it behind `after` */
	list_append(after->next, &peer->link);
}

static void do_due_work(struct upstream *upstream, struct peer *peer)
{
	if (peer->work == WORK_SMALL) {
		peer->work = WORK_NONE;
		put(upstream, peer, upstream->small, strlen(upstream->small));
		return;
	}
	if (peer->lines_left == 0) {
		peer->work = WORK_NONE;
		put_last_line(upstream, peer);
		return;
	}
	for (int i = 0; i < peer->lines_per_write && peer->lines_left > 0; i++) {
		put_line(upstream, peer);
		peer->lines_left--;
	}
	peer->due_ns += peer->period_ns;
	add_timed(upstream, peer);
}

static void do_all_due_work(struct upstream *upstream)
{
	struct peer *peer;

	while ((peer = LIST_FIRST(&upstream->timed, struct peer, link)) != NULL &&
		peer->due_ns <= now_ns()) {
		list_remove(&peer->link);
		do_due_work(upstream, peer);
	}
	arm(upstream);
}

/* One write for each stream whose socket takes more. */
static void send_fast_lines(struct upstream *upstream)
{
	struct list *node, *following;

	LIST_EACH_SAFE(&upstream->fast, node, following)
	{
		struct peer *peer = CONTAINER_OF(node, struct peer, link);
		int lines = peer->lines_per_write < peer->lines_left ? peer->lines_per_write
								     : peer->lines_left;

		if (peer->unsent_length)
			continue;
		if (lines == 0) {
			list_remove(&peer->link);
			peer->work = WORK_NONE;
			put_last_line(upstream, peer);
			continue;
		}
		put(upstream, peer, upstream->block, (size_t)lines * upstream->block_line);
		peer->lines_left -= lines;
	}
}

/* True: some stream could go on at once. */
static bool is_eager(const struct upstream *upstream)
{
	struct list *node;

	LIST_EACH(&upstream->fast, node)
	{
		if (!CONTAINER_OF(node, struct peer, link)->unsent_length)
			return true;
	}
	return false;
}

/* The number behind "key": in the body. */
static double number_of(const char *body, const char *key, double fallback)
{
	const char *found = strstr(body, key);

	return found ? strtod(found + strlen(key), NULL) : fallback;
}

static void begin_stream(struct upstream *upstream, struct peer *peer, const char *body)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	double rate = number_of(body, "\"bench_rate\":", -1);

	peer->lines_left = (int)number_of(body, "\"num_predict\":", DEFAULT_LINES);
	peer->lines_per_write = (int)number_of(body, "\"bench_lines_per_write\":", 1);
	if (peer->lines_per_write < 1 || peer->lines_per_write > LINES_PER_WRITE_MOST)
		peer->lines_per_write = 1;
	peer->lines_sent = 0;
	peer->due_ns = now_ns();
	put(upstream, peer, head, strlen(head));
	if (rate == 0) {
		peer->work = WORK_FAST_LINES;
		list_append(&upstream->fast, &peer->link);
		return;
	}
	/* The first line goes at once; from then on it has its place behind the others. */
	peer->work = WORK_LINES;
	peer->period_ns = rate > 0 ? (int64_t)(NS_PER_S / rate) : upstream->period_ns;
	do_due_work(upstream, peer);
	arm(upstream);
}

static void begin_small(struct upstream *upstream, struct peer *peer, const char *body)
{
	double delay_us = number_of(body, "\"bench_delay_us\":", 0);

	if (delay_us <= 0) {
		put(upstream, peer, upstream->small, strlen(upstream->small));
		return;
	}
	peer->work = WORK_SMALL;
	peer->due_ns = now_ns() + (int64_t)(delay_us * NS_PER_US);
	add_timed(upstream, peer);
	arm(upstream);
}

static void answer(struct upstream *upstream, struct peer *peer, const char *head, const char *body)
{
	static const char chat[] = "POST /api/chat ";
	static const char version[] = "GET /api/version ";
	static const char ps[] = "GET /api/ps ";

	if (strncmp(head, chat, strlen(chat)) == 0)
		begin_stream(upstream, peer, body);
	else if (strncmp(head, version, strlen(version)) == 0)
		put_json(upstream, peer, "{\"version\":\"0.32.15\"}");
	else if (strncmp(head, ps, strlen(ps)) == 0)
		put_json(upstream, peer,
			"{\"models\":[{\"name\":\"bench:latest\",\"model\":\"bench:latest\","
			"\"size\":"
			"1000,\"digest\":\"0\",\"size_vram\":1000,\"context_length\":4096}]}");
	else
		begin_small(upstream, peer, body);
}

/* How long the request is whose head is complete; 0: not yet. They carry a Content-Length or no
 * body. */
static size_t whole_length(struct peer *peer)
{
	static const char key[] = "\r\ncontent-length:";
	char *end = strstr(peer->input, "\r\n\r\n");
	char *field;
	size_t whole;

	if (!end)
		return 0;
	end += 2;
	*end = '\0';
	field = strcasestr(peer->input, key);
	*end = '\r';
	whole = (size_t)(end + 2 - peer->input);
	return field ? whole + strtoul(field + strlen(key), NULL, DECIMAL) : whole;
}

/* One request at a time: nobody who is measured sends a second one before its answer. */
static void take_bytes(
	struct upstream *upstream, struct peer *peer, const char *bytes, size_t length)
{
	size_t kept = INPUT_BYTES - peer->length;

	if (kept > length)
		kept = length;
	memcpy(peer->input + peer->length, bytes, kept);
	peer->length += kept;
	peer->passed += length - kept;
	peer->input[peer->length] = '\0';
	if (!peer->whole)
		peer->whole = whole_length(peer);
	if (!peer->whole || peer->length + peer->passed < peer->whole)
		return;
	peer->length = peer->passed = peer->whole = 0;
	answer(upstream, peer, peer->input, strstr(peer->input, "\r\n\r\n"));
}

static void on_readable(struct upstream *upstream, struct peer *peer)
{
	static char bytes[READ_BYTES];
	ssize_t got = recv(peer->fd, bytes, sizeof(bytes), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		drop(peer);
		arm(upstream);
		return;
	}
	take_bytes(upstream, peer, bytes, (size_t)got);
}

static void on_connections(struct upstream *upstream)
{
	int fd, on = 1;

	while ((fd = accept4(upstream->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct peer *peer = mem_zalloc(sizeof(*peer));

		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		peer->fd = fd;
		list_init(&peer->link);
		watch(upstream, peer, EPOLLIN, EPOLL_CTL_ADD);
	}
}

static void listen_on(struct upstream *upstream, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &upstream->listener};
	int on = 1;

	upstream->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(upstream->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(upstream->listener, (struct sockaddr *)&address, bytes) < 0 ||
		listen(upstream->listener, BACKLOG) < 0)
		fail("listen");
	getsockname(upstream->listener, (struct sockaddr *)&address, &bytes);
	epoll_ctl(upstream->epoll, EPOLL_CTL_ADD, upstream->listener, &event);
	fprintf(stderr, "listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
}

static void turn(struct upstream *upstream)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(upstream->epoll, events, EVENTS, is_eager(upstream) ? 0 : -1);

	for (int i = 0; i < count; i++) {
		struct peer *peer = events[i].data.ptr;
		uint64_t expirations;

		if (events[i].data.ptr == &upstream->listener) {
			on_connections(upstream);
		} else if (events[i].data.ptr == &upstream->timer) {
			upstream->armed_ns = 0;
			if (read(upstream->timer, &expirations, sizeof(expirations)) > 0)
				do_all_due_work(upstream);
		} else if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
			on_readable(upstream, peer); /* may end it */
		} else {
			on_writable(upstream, peer);
		}
	}
	send_fast_lines(upstream);
}

int main(int argc, char **argv)
{
	static struct upstream upstream;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = &upstream.timer};
	struct sigaction action = {.sa_handler = on_signal};
	struct rlimit limit;

	if (argc != 3) {
		fputs("usage: bench-upstream PORT LINES-PER-SECOND\n", stderr);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	upstream.epoll = epoll_create1(EPOLL_CLOEXEC);
	list_init(&upstream.timed);
	list_init(&upstream.fast);
	upstream.period_ns = NS_PER_S / atoi(argv[2]);
	upstream.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	epoll_ctl(upstream.epoll, EPOLL_CTL_ADD, upstream.timer, &event);
	upstream.small = answers_small();
	upstream.block_line = answers_plain_line(upstream.block);
	for (size_t i = 1; i < LINES_PER_WRITE_MOST; i++)
		(void)answers_plain_line(upstream.block + i * upstream.block_line);
	listen_on(&upstream, (uint16_t)atoi(argv[1]));
	while (!is_stopped)
		turn(&upstream);
	free(upstream.small);
	return EXIT_SUCCESS;
}
