#include "health/ask.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "base/memory.h"
#include "build_config.h"
#include "health/place.h"
#include "http/head.h"

enum {
	MS_PER_S = 1000,
	NS_PER_MS = 1000 * 1000,
	READ_BYTES = 4096,
	/* Ours has some 300 bytes. */
	ANSWER_MOST_BYTES = 64 * 1024,
	FIELDS_MOST = 100,
};

static const char *const end_texts[] = {
#define X(symbol, text) text,
	ASK_ENDS(X)
#undef X
};

const char *ask_end_text(enum ask_end end)
{
	return end_texts[end];
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

/* false: the limit is over. */
static bool wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd target = {.fd = fd, .events = events};
	int ready;

	do {
		int64_t left_ms = deadline_ms - now_ms();

		if (left_ms <= 0)
			return false;
		ready = poll(&target, 1, (int)left_ms);
	} while (ready == 0 || (ready < 0 && errno == EINTR));
	return ready > 0;
}

static enum ask_end end_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return ASK_REFUSED;
	case ETIMEDOUT:
		return ASK_SLOW;
	default:
		return ASK_UNREACHABLE;
	}
}

/* A connected, non-blocking socket, or -1 with `ret_end`. */
static int connect_to(const struct addrinfo *address, int64_t deadline_ms, enum ask_end *ret_end)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t bytes = sizeof(int);
	int error = 0;

	if (fd < 0) {
		*ret_end = ASK_UNREACHABLE;
		return -1;
	}
	if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
		return fd;
	error = errno;
	if (error == EINPROGRESS) {
		if (!wait_for(fd, POLLOUT, deadline_ms))
			error = ETIMEDOUT;
		else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
			error = errno;
		if (error == 0)
			return fd;
	}
	close(fd);
	*ret_end = end_of(error);
	return -1;
}

static bool send_request(int fd, const struct place *place, int64_t deadline_ms)
{
	char *authority = place_authority(place);
	char *request = mem_printf("GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: shared-ollama/%s\r\n"
				   "Accept: application/json\r\n\r\n",
		place->target, authority, SHARED_OLLAMA_VERSION);
	size_t length = strlen(request);
	size_t done = 0;

	while (done < length && wait_for(fd, POLLOUT, deadline_ms)) {
		ssize_t sent = send(fd, request + done, length - done, MSG_NOSIGNAL);

		if (sent > 0)
			done += (size_t)sent;
		else if (errno != EINTR && errno != EAGAIN)
			break;
	}
	free(request);
	free(authority);
	return done == length;
}

/* An answer that is coming. */
struct reading {
	struct evbuffer *input;
	struct response_head head;
	size_t scanned;
	bool has_head;
};

/* Looks at what has come. true: `ret_end` is known. */
static bool judge(struct reading *reading, bool is_closed, enum ask_end *ret_end)
{
	static const struct head_limits limits = {
		.head_bytes = ANSWER_MOST_BYTES, .fields = FIELDS_MOST};
	struct response_head *head = &reading->head;
	size_t length;

	*ret_end = ASK_BROKEN;
	if (!reading->has_head) {
		enum head_status status =
			response_head_read(head, reading->input, &reading->scanned, &limits, "GET");

		if (status != HEAD_READY)
			return status == HEAD_WRONG || is_closed;
		reading->has_head = true;
	}
	length = evbuffer_get_length(reading->input);
	/* Asked by HTTP/1.0, nobody may answer in chunks. */
	if (head->framing.kind == FRAMING_CHUNKED || length > ANSWER_MOST_BYTES)
		return true;
	if (head->framing.kind == FRAMING_NONE ||
		(head->framing.kind == FRAMING_LENGTH && length >= head->framing.length) ||
		(head->framing.kind == FRAMING_UNTIL_CLOSE && is_closed)) {
		*ret_end = ASK_ANSWERED;
		return true;
	}
	return is_closed;
}

static enum ask_end receive(int fd, struct reading *reading, int64_t deadline_ms)
{
	enum ask_end end = ASK_BROKEN;
	ssize_t got;

	do {
		char bytes[READ_BYTES];

		if (!wait_for(fd, POLLIN, deadline_ms))
			return ASK_SLOW;
		got = recv(fd, bytes, sizeof(bytes), 0);
		if (got < 0 && errno != EINTR && errno != EAGAIN)
			return ASK_BROKEN;
		if (got > 0)
			evbuffer_add(reading->input, bytes, (size_t)got);
	} while (!judge(reading, got == 0, &end));
	return end;
}

static enum ask_end talk(
	int fd, const struct place *place, int64_t deadline_ms, struct ask_answer *ret_answer)
{
	struct reading reading = {.input = evbuffer_new()};
	enum ask_end end = ASK_BROKEN;

	if (send_request(fd, place, deadline_ms))
		end = receive(fd, &reading, deadline_ms);
	else if (now_ms() >= deadline_ms)
		end = ASK_SLOW;
	if (end == ASK_ANSWERED) {
		ret_answer->status = reading.head.status;
		ret_answer->length = evbuffer_get_length(reading.input);
		ret_answer->body = mem_zalloc(ret_answer->length + 1);
		evbuffer_remove(reading.input, ret_answer->body, ret_answer->length);
	}
	response_head_finish(&reading.head);
	evbuffer_free(reading.input);
	return end;
}

enum ask_end ask_get(const struct place *place, struct ask_answer *ret_answer)
{
	const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
	int64_t deadline_ms;
	struct addrinfo *addresses = NULL;
	enum ask_end end = ASK_UNREACHABLE;
	int fd = -1;

	if (getaddrinfo(place->host, place->port, &wanted, &addresses) != 0)
		return ASK_UNKNOWN_NAME;
	deadline_ms = now_ms() + ASK_LIMIT_MS;
	for (const struct addrinfo *address = addresses; address && fd < 0;
		address = address->ai_next)
		fd = connect_to(address, deadline_ms, &end);
	freeaddrinfo(addresses);
	if (fd < 0)
		return end;
	end = talk(fd, place, deadline_ms, ret_answer);
	close(fd);
	return end;
}
