#include "ask/enquiry.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "ask/place.h"
#include "base/memory.h"
#include "build_config.h"
#include "http/fields.h"
#include "http/head.h"

enum {
	MS_PER_S = 1000,
	NS_PER_MS = 1000 * 1000,
	READ_BYTES = 16 * 1024,
	HEAD_MOST_BYTES = 64 * 1024,
	FIELDS_MOST = 100,
};

enum step { STEP_CONNECTING, STEP_SENDING, STEP_READING, STEP_ENDED };

struct enquiry {
	enum step step;
	enum ask_end end;
	int fd;
	int64_t deadline_ms;
	struct addrinfo *addresses;
	const struct addrinfo *next; /* to be tried */
	char *method;
	char *bytes; /* the request; has the key: overwritten before it is freed */
	size_t bytes_length;
	size_t sent;
	size_t answer_most_bytes;
	struct evbuffer *input;
	struct response_head head;
	size_t scanned;
	bool has_head;
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

bool ask_key_is_sane(const char *key)
{
	for (const char *at = key; *at; at++) {
		if ((unsigned char)*at <= ' ' || (unsigned char)*at >= '\x7f')
			return false;
	}
	return *key != '\0';
}

int64_t enquiry_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

static void close_socket(struct enquiry *enquiry)
{
	if (enquiry->fd >= 0)
		close(enquiry->fd);
	enquiry->fd = -1;
}

static void finish(struct enquiry *enquiry, enum ask_end end)
{
	close_socket(enquiry);
	enquiry->step = STEP_ENDED;
	enquiry->end = end;
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

/* Tries the addresses from `next` on, until one is connecting; the last one's error counts. */
static void connect_next(struct enquiry *enquiry, enum ask_end end)
{
	close_socket(enquiry);
	for (; enquiry->next; enquiry->next = enquiry->next->ai_next) {
		const struct addrinfo *address = enquiry->next;

		enquiry->fd =
			socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (enquiry->fd < 0) {
			end = ASK_UNREACHABLE;
			continue;
		}
		if (connect(enquiry->fd, address->ai_addr, address->ai_addrlen) == 0 ||
			errno == EINPROGRESS) {
			enquiry->next = address->ai_next;
			enquiry->step = STEP_CONNECTING;
			return;
		}
		end = end_of(errno);
		close_socket(enquiry);
	}
	finish(enquiry, end);
}

struct enquiry *enquiry_start(const struct place *place, const struct ask_request *request)
{
	const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
	struct enquiry *enquiry = mem_zalloc(sizeof(*enquiry));
	char *authority = place_authority(place);

	enquiry->fd = -1;
	enquiry->input = evbuffer_new();
	if (!enquiry->input)
		mem_out(sizeof(*enquiry));
	enquiry->method = mem_strdup(request->method);
	enquiry->answer_most_bytes = request->answer_most_bytes;
	enquiry->bytes = mem_printf("%s %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: shared-ollama/%s\r\n"
				    "Accept: application/json\r\n%s%s%s%s\r\n",
		request->method, request->target, authority, SHARED_OLLAMA_VERSION,
		request->key ? "Authorization: Bearer " : "", request->key ? request->key : "",
		request->key ? "\r\n" : "",
		strcmp(request->method, "POST") == 0 ? "Content-Length: 0\r\n" : "");
	enquiry->bytes_length = strlen(enquiry->bytes);
	free(authority);
	if (getaddrinfo(place->host, place->port, &wanted, &enquiry->addresses) != 0) {
		enquiry->addresses = NULL;
		finish(enquiry, ASK_UNKNOWN_NAME);
		return enquiry;
	}
	enquiry->deadline_ms = enquiry_now_ms() + ASK_LIMIT_MS;
	enquiry->next = enquiry->addresses;
	connect_next(enquiry, ASK_UNREACHABLE);
	return enquiry;
}

int enquiry_fd(const struct enquiry *enquiry, short *ret_events)
{
	*ret_events = enquiry->step == STEP_READING ? POLLIN : POLLOUT;
	return enquiry->fd;
}

int enquiry_left_ms(const struct enquiry *enquiry)
{
	int64_t left_ms = enquiry->deadline_ms - enquiry_now_ms();

	return left_ms > 0 ? (int)left_ms : 0;
}

/* true: the socket has something for us. */
static bool is_ready(const struct enquiry *enquiry)
{
	struct pollfd target = {.fd = enquiry->fd};

	enquiry_fd(enquiry, &target.events);
	return poll(&target, 1, 0) > 0;
}

static void check_connected(struct enquiry *enquiry)
{
	int error = 0;
	socklen_t bytes = sizeof(error);

	if (getsockopt(enquiry->fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0)
		error = errno;
	if (error)
		connect_next(enquiry, end_of(error));
	else
		enquiry->step = STEP_SENDING;
}

static void send_more(struct enquiry *enquiry)
{
	ssize_t sent = send(enquiry->fd, enquiry->bytes + enquiry->sent,
		enquiry->bytes_length - enquiry->sent, MSG_NOSIGNAL);

	if (sent > 0)
		enquiry->sent += (size_t)sent;
	else if (errno != EINTR && errno != EAGAIN)
		finish(enquiry, ASK_BROKEN);
	if (enquiry->sent == enquiry->bytes_length)
		enquiry->step = STEP_READING;
}

/* Looks at what has come. */
static void judge(struct enquiry *enquiry, bool is_closed)
{
	const struct head_limits limits = {.head_bytes = HEAD_MOST_BYTES, .fields = FIELDS_MOST};
	const struct framing *framing = &enquiry->head.framing;
	size_t length;

	if (!enquiry->has_head) {
		enum head_status status = response_head_read(&enquiry->head, enquiry->input,
			&enquiry->scanned, &limits, enquiry->method);

		if (status == HEAD_WRONG || (status == HEAD_MORE && is_closed))
			finish(enquiry, ASK_BROKEN);
		if (status != HEAD_READY)
			return;
		enquiry->has_head = true;
	}
	length = evbuffer_get_length(enquiry->input);
	/* Asked by HTTP/1.0, nobody may answer in chunks. */
	if (framing->kind == FRAMING_CHUNKED || length > enquiry->answer_most_bytes)
		finish(enquiry, ASK_BROKEN);
	else if (framing->kind == FRAMING_NONE ||
		 (framing->kind == FRAMING_LENGTH && length >= framing->length) ||
		 (framing->kind == FRAMING_UNTIL_CLOSE && is_closed))
		finish(enquiry, ASK_ANSWERED);
	else if (is_closed)
		finish(enquiry, ASK_BROKEN);
}

static void read_more(struct enquiry *enquiry)
{
	char bytes[READ_BYTES];
	ssize_t got = recv(enquiry->fd, bytes, sizeof(bytes), 0);

	if (got < 0) {
		if (errno != EINTR && errno != EAGAIN)
			finish(enquiry, ASK_BROKEN);
		return;
	}
	if (got > 0 && evbuffer_add(enquiry->input, bytes, (size_t)got) != 0)
		mem_out((size_t)got);
	judge(enquiry, got == 0);
}

bool enquiry_step(struct enquiry *enquiry)
{
	while (enquiry->step != STEP_ENDED) {
		if (!is_ready(enquiry)) {
			if (enquiry_left_ms(enquiry) == 0)
				finish(enquiry, ASK_SLOW);
			break;
		}
		switch (enquiry->step) {
		case STEP_CONNECTING:
			check_connected(enquiry);
			break;
		case STEP_SENDING:
			send_more(enquiry);
			break;
		case STEP_READING:
			read_more(enquiry);
			break;
		case STEP_ENDED:
			break;
		}
	}
	return enquiry->step == STEP_ENDED;
}

enum ask_end enquiry_take(struct enquiry *enquiry, struct ask_answer *ret_answer)
{
	const struct field *date;

	if (enquiry->end != ASK_ANSWERED)
		return enquiry->end;
	date = fields_find(&enquiry->head.fields, "Date");
	*ret_answer = (struct ask_answer){.status = enquiry->head.status};
	if (date)
		snprintf(ret_answer->date, sizeof(ret_answer->date), "%.*s",
			(int)date->value_length, date->value);
	ret_answer->length = evbuffer_get_length(enquiry->input);
	ret_answer->body = mem_zalloc(ret_answer->length + 1);
	evbuffer_remove(enquiry->input, ret_answer->body, ret_answer->length);
	return ASK_ANSWERED;
}

void enquiry_destroy(struct enquiry *enquiry)
{
	if (!enquiry)
		return;
	close_socket(enquiry);
	if (enquiry->addresses)
		freeaddrinfo(enquiry->addresses);
	response_head_finish(&enquiry->head);
	evbuffer_free(enquiry->input);
	explicit_bzero(enquiry->bytes, enquiry->bytes_length);
	free(enquiry->bytes);
	free(enquiry->method);
	free(enquiry);
}
