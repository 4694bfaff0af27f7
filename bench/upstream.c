/*
 * A stand-in for Ollama that is only fast, for measuring what stands in front of it. One thread,
 * epoll. POST /api/chat streams num_predict NDJSON lines, one line a chunk and
 * one write a line, as Ollama does, each with the moment at which it was due; every other request
 * gets 291 bytes of JSON, the probes of a proxy what they look for. Prints `listening on ADDR:PORT`
 * to stderr and ends with 0 on SIGTERM.
 */
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
	EVENTS = 512,
	INPUT_BYTES = 128 * 1024, /* a page image of the replay */
	LINE_BYTES = 512,
	SMALL_BYTES = 291,
	BACKLOG = 1024,
	DEFAULT_LINES = 100,
	DECIMAL = 10,
};

struct peer {
	int fd;
	size_t length; /* of input */
	char input[INPUT_BYTES];
	/* a stream */
	struct list link; /* in the upstream's list, the line due next first */
	int64_t due_ns;
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
	int64_t period_ns;
	struct list streams; /* all have the same period: appending keeps the order */
	char small[LINE_BYTES + SMALL_BYTES];
	size_t small_length;
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

static void put_text(struct upstream *upstream, struct peer *peer, const char *body)
{
	char *answer = mem_printf("HTTP/1.1 200 OK\r\nContent-Type: application/json; "
				  "charset=utf-8\r\nContent-Length: %zu\r\n\r\n%s",
		strlen(body), body);

	put(upstream, peer, answer, strlen(answer));
	free(answer);
}

static void put_chunk(struct upstream *upstream, struct peer *peer, const char *line)
{
	char chunk[LINE_BYTES + 16];
	int length = snprintf(chunk, sizeof(chunk), "%zx\r\n%s\r\n", strlen(line), line);

	put(upstream, peer, chunk, (size_t)length);
}

static void put_last_line(struct upstream *upstream, struct peer *peer)
{
	static const char line[] =
		"{\"model\":\"bench\",\"created_at\":\"2026-11-24T10:00:00.000000000Z\","
		"\"message\":"
		"{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\","
		"\"total_duration\":2000000000,\"load_duration\":1000000,\"prompt_eval_count\":5,"
		"\"prompt_eval_duration\":1000000,\"eval_count\":100,\"eval_duration\":1990000000}"
		"\n";

	put_chunk(upstream, peer, line);
	put(upstream, peer, "0\r\n\r\n", strlen("0\r\n\r\n"));
}

static void put_line(struct upstream *upstream, struct peer *peer)
{
	char line[LINE_BYTES];

	snprintf(line, sizeof(line),
		"{\"model\":\"bench\",\"created_at\":\"2026-11-24T10:00:00.000000000Z\","
		"\"message\":"
		"{\"role\":\"assistant\",\"content\":\" "
		"word%d\"},\"bench_ns\":%lld,\"done\":false}\n",
		peer->lines_sent++, (long long)peer->due_ns);
	put_chunk(upstream, peer, line);
}

static void arm(struct upstream *upstream)
{
	const struct peer *peer = LIST_FIRST(&upstream->streams, struct peer, link);
	struct itimerspec when = {0};

	if (peer) {
		when.it_value.tv_sec = peer->due_ns / NS_PER_S;
		when.it_value.tv_nsec = peer->due_ns % NS_PER_S;
	}
	timerfd_settime(upstream->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void send_due_lines(struct upstream *upstream)
{
	struct peer *peer;

	while ((peer = LIST_FIRST(&upstream->streams, struct peer, link)) != NULL &&
		peer->due_ns <= now_ns()) {
		list_remove(&peer->link);
		if (peer->lines_left-- == 0) {
			put_last_line(upstream, peer);
			continue;
		}
		put_line(upstream, peer);
		peer->due_ns += upstream->period_ns;
		list_append(&upstream->streams, &peer->link);
	}
	arm(upstream);
}

static void begin_stream(struct upstream *upstream, struct peer *peer, const char *body)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	static const char key[] = "\"num_predict\":";
	const char *lines = strstr(body, key);

	peer->lines_left = lines ? atoi(lines + strlen(key)) : DEFAULT_LINES;
	peer->lines_sent = 0;
	peer->due_ns = now_ns();
	put(upstream, peer, head, strlen(head));
	/* The first line goes at once; from then on it has its place behind the others. */
	put_line(upstream, peer);
	peer->lines_left--;
	peer->due_ns += upstream->period_ns;
	list_append(&upstream->streams, &peer->link);
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
		put_text(upstream, peer, "{\"version\":\"0.32.15\"}");
	else if (strncmp(head, ps, strlen(ps)) == 0)
		put_text(upstream, peer,
			"{\"models\":[{\"name\":\"bench:latest\",\"model\":\"bench:latest\","
			"\"size\":"
			"1000,\"digest\":\"0\",\"size_vram\":1000,\"context_length\":4096}]}");
	else
		put(upstream, peer, upstream->small, upstream->small_length);
}

/* Answers the complete requests of the input; requests carry a Content-Length or no body. */
static void take_requests(struct upstream *upstream, struct peer *peer)
{
	for (;;) {
		static const char key[] = "\r\ncontent-length:";
		char *end, *field;
		size_t whole;

		peer->input[peer->length] = '\0';
		end = strstr(peer->input, "\r\n\r\n");
		if (!end)
			return;
		end += 2;
		*end = '\0';
		field = strcasestr(peer->input, key);
		*end = '\r';
		end += 2;
		whole = (size_t)(end - peer->input);
		if (field)
			whole += strtoul(field + strlen(key), NULL, DECIMAL);
		if (whole > peer->length)
			return;
		answer(upstream, peer, peer->input, end);
		peer->length -= whole;
		memmove(peer->input, peer->input + whole, peer->length);
	}
}

static void on_readable(struct upstream *upstream, struct peer *peer)
{
	ssize_t got = recv(peer->fd, peer->input + peer->length, INPUT_BYTES - 1 - peer->length, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		drop(peer);
		return;
	}
	peer->length += (size_t)got;
	take_requests(upstream, peer);
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

static void make_small(struct upstream *upstream)
{
	static const char begin[] = "{\"model\":\"bench\",\"embeddings\":[[0.010,0.020";
	static const char end[] = "]],\"total_duration\":2000000,\"load_duration\":1000000,"
				  "\"prompt_eval_count\":2}";
	char body[SMALL_BYTES + 1];

	/* numbers, then spaces, which are JSON too, up to the size */
	memset(body, ' ', SMALL_BYTES);
	body[SMALL_BYTES] = '\0';
	memcpy(body, begin, strlen(begin));
	for (size_t at = strlen(begin); at + strlen(",0.030") + strlen(end) <= SMALL_BYTES;
		at += strlen(",0.030"))
		memcpy(body + at, ",0.030", strlen(",0.030"));
	memcpy(body + SMALL_BYTES - strlen(end), end, strlen(end));
	upstream->small_length = (size_t)snprintf(upstream->small, sizeof(upstream->small),
		"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
		"Content-Length: %d\r\n\r\n%s",
		SMALL_BYTES, body);
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
	int count = epoll_wait(upstream->epoll, events, EVENTS, -1);

	for (int i = 0; i < count; i++) {
		struct peer *peer = events[i].data.ptr;
		uint64_t expirations;

		if (events[i].data.ptr == &upstream->listener) {
			on_connections(upstream);
		} else if (events[i].data.ptr == &upstream->timer) {
			if (read(upstream->timer, &expirations, sizeof(expirations)) > 0)
				send_due_lines(upstream);
		} else {
			if (events[i].events & EPOLLOUT)
				on_writable(upstream, peer);
			if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
				on_readable(upstream, peer);
		}
	}
}

int main(int argc, char **argv)
{
	struct upstream upstream = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
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
	list_init(&upstream.streams);
	upstream.period_ns = NS_PER_S / atoi(argv[2]);
	upstream.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	epoll_ctl(upstream.epoll, EPOLL_CTL_ADD, upstream.timer, &event);
	make_small(&upstream);
	listen_on(&upstream, (uint16_t)atoi(argv[1]));
	while (!is_stopped)
		turn(&upstream);
	return EXIT_SUCCESS;
}
