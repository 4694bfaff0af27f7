#include "observe/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "observe/rotate.h"

enum {
	/* About 1,500 lines: what a reader of a pipe may be behind. */
	BUFFER_BYTES = 1024 * 1024,
	/* poll() promises room for this much in a pipe, so a blocking one does not block. */
	PIECE_BYTES = PIPE_BUF,
	/* Lines name clients and projects: not for everybody. */
	FILE_MODE = 0640,
	FOLDER_MODE = 0750,
	US_PER_S = 1000 * 1000,
	US_PER_MS = 1000,
	NS_PER_US = 1000,
};

struct sink {
	char *path;
	int fd;
	bool is_file;	   /* regular: writes wait for no reader */
	bool is_torn;	   /* the beginning of the first line is in the file already */
	bool is_failing;   /* the last write failed */
	int64_t size;	   /* of a regular file */
	int64_t rotate_at; /* 0: never */
	int rotate_keep;
	bool is_socket;
	struct sink_report report;
	size_t length;
	char *bytes;
};

static bool is_standard_output(const char *path)
{
	return strcmp(path, "-") == 0;
}

/* Makes the folders above `path`. Errors show when the file is opened. */
static void make_folders(const char *path)
{
	char *folder = mem_strdup(path);

	for (char *slash = strchr(folder + 1, '/'); folder[0] && slash;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(folder, FOLDER_MODE);
		*slash = '/';
	}
	free(folder);
}

static int open_standard_output(void)
{
	struct stat status;

	if (fstat(STDOUT_FILENO, &status) == 0 &&
		(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) {
		int fd = open(
			"/proc/self/fd/1", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

		if (fd >= 0)
			return fd;
	}
	/* A file must keep the offset that it shares with the shell; a socket cannot be opened. */
	return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

static int open_target(const char *path)
{
	if (is_standard_output(path))
		return open_standard_output();
	make_folders(path);
	return open(
		path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, FILE_MODE);
}

/* A file that cannot be read may end anywhere: an empty line does no harm. */
static bool ends_with_newline(const char *path, off_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char last = '\0';
	bool ends;

	if (fd < 0)
		return false;
	ends = pread(fd, &last, 1, size - 1) == 1 && last == '\n';
	close(fd);
	return ends;
}

/* The target is new: what was begun in the old one is not gone on with here. */
static void take_target(struct sink *sink, int fd)
{
	struct stat status;

	sink->fd = fd;
	if (fstat(fd, &status) != 0)
		status.st_mode = 0;
	sink->is_file = S_ISREG(status.st_mode);
	sink->is_socket = S_ISSOCK(status.st_mode);
	sink->size = sink->is_file ? status.st_size : 0;
	if (!sink->is_file || status.st_size == 0 || is_standard_output(sink->path) ||
		ends_with_newline(sink->path, status.st_size))
		return;
	memmove(sink->bytes + 1, sink->bytes, sink->length);
	sink->bytes[0] = '\n';
	sink->length++;
	sink->is_torn = true;
}

struct sink *sink_create(const char *path)
{
	int fd = open_target(path);
	struct sink *sink;

	if (fd < 0)
		return NULL;
	sink = mem_zalloc(sizeof(*sink));
	sink->path = mem_strdup(path);
	/* and the newline of take_target() */
	sink->bytes = mem_alloc(BUFFER_BYTES + 1);
	take_target(sink, fd);
	return sink;
}

static bool is_writable(const struct sink *sink, int wait_ms)
{
	struct pollfd target = {.fd = sink->fd, .events = POLLOUT};

	/* An error is for write() to tell. */
	return sink->is_file || (poll(&target, 1, wait_ms) == 1 && target.revents);
}

/* A socket (the journal's) is shared too, and may have less room than poll() promises. */
static ssize_t write_piece(const struct sink *sink, const char *bytes, size_t length)
{
	if (sink->is_socket)
		return send(sink->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(sink->fd, bytes, length);
}

/* Writes what the target takes. The errno that stopped it: 0 or EAGAIN, or a failure. */
static int write_all(const struct sink *sink, size_t *ret_done)
{
	size_t done = 0;
	int error = 0;

	while (done < sink->length && !error) {
		size_t piece = sink->length - done;
		ssize_t written;

		if (!sink->is_file && piece > PIECE_BYTES)
			piece = PIECE_BYTES;
		if (!is_writable(sink, 0)) {
			error = EAGAIN;
			break;
		}
		written = write_piece(sink, sink->bytes + done, piece);
		if (written > 0)
			done += (size_t)written;
		else if (written == 0)
			error = ENOSPC;
		else if (errno != EINTR)
			error = errno == EWOULDBLOCK ? EAGAIN : errno;
	}
	*ret_done = done;
	return error;
}

static void consume(struct sink *sink, size_t done)
{
	if (done == 0)
		return;
	sink->is_torn = sink->bytes[done - 1] != '\n';
	sink->size += (int64_t)done;
	sink->length -= done;
	memmove(sink->bytes, sink->bytes + done, sink->length);
}

static size_t count_lines(const char *bytes, size_t length)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += bytes[i] == '\n';
	return count;
}

/* The rest of a line that was begun. */
static size_t torn_length(const struct sink *sink)
{
	const char *end = sink->is_torn ? memchr(sink->bytes, '\n', sink->length) : NULL;

	return end ? (size_t)(end - sink->bytes) + 1 : 0;
}

static void drop_lines(struct sink *sink, int error)
{
	size_t kept = torn_length(sink);

	sink->report.dropped += count_lines(sink->bytes + kept, sink->length - kept);
	sink->length = kept;
	sink->is_failing = true;
	LOG(WARN, "the request log cannot be written: lines are dropped",
		LOG_TEXT("path", sink->path), LOG_TEXT("reason", strerror(error)),
		LOG_NUMBER("dropped", sink->report.dropped));
}

void sink_set_rotation(struct sink *sink, int64_t most_bytes, int keep)
{
	sink->rotate_at = most_bytes;
	sink->rotate_keep = keep;
}

/* A file that cannot be moved is tried again only after it has grown by as much once more. */
static void rotate(struct sink *sink)
{
	if (!rotate_files(sink->path, sink->rotate_keep)) {
		LOG(WARN, "the request log cannot be moved aside", LOG_TEXT("path", sink->path),
			LOG_TEXT("reason", strerror(errno)));
		sink->size = 0;
		return;
	}
	sink_reopen(sink);
}

static bool is_full(const struct sink *sink)
{
	return sink->is_file && sink->rotate_at > 0 && sink->size >= sink->rotate_at &&
	       sink->length == 0 && !is_standard_output(sink->path);
}

/* The ticker's time stands still in a turn. */
static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

static void note_write(struct sink *sink, int64_t took_us)
{
	sink->report.writes++;
	sink->report.write_us += took_us;
	if (took_us > sink->report.write_most_us)
		sink->report.write_most_us = took_us;
}

static void flush(struct sink *sink)
{
	size_t done;
	int error = write_all(sink, &done);

	consume(sink, done);
	if (error && error != EAGAIN) {
		drop_lines(sink, error);
	} else if (done > 0 && sink->is_failing) {
		sink->is_failing = false;
		LOG(INFO, "the request log is written again", LOG_TEXT("path", sink->path),
			LOG_NUMBER("dropped", sink->report.dropped));
	}
	if (is_full(sink))
		rotate(sink);
}

void sink_flush(struct sink *sink)
{
	int64_t began_us;

	if (sink->length == 0)
		return;
	began_us = now_us();
	flush(sink);
	note_write(sink, now_us() - began_us);
}

/* For the line and its newline. */
static bool has_room(const struct sink *sink, size_t length)
{
	return sink->length < BUFFER_BYTES && length < BUFFER_BYTES - sink->length;
}

void sink_add(struct sink *sink, const char *line, size_t length)
{
	sink->report.lines++;
	if (!has_room(sink, length))
		sink_flush(sink);
	if (!has_room(sink, length)) {
		sink->report.dropped++;
		LOG(WARN, "the request log's reader is too slow: lines are dropped",
			LOG_TEXT("path", sink->path), LOG_NUMBER("dropped", sink->report.dropped));
		return;
	}
	memcpy(sink->bytes + sink->length, line, length);
	sink->bytes[sink->length + length] = '\n';
	sink->length += length + 1;
}

/* A line whose end never gets into the old file. */
static void forget_torn_line(struct sink *sink)
{
	size_t length = torn_length(sink);

	/* Only its newline is missing: the line is whole. */
	if (length > 1)
		sink->report.dropped++;
	sink->length -= length;
	memmove(sink->bytes, sink->bytes + length, sink->length);
	sink->is_torn = false;
}

void sink_reopen(struct sink *sink)
{
	int fd;

	if (is_standard_output(sink->path))
		return;
	sink_flush(sink);
	fd = open_target(sink->path);
	if (fd < 0) {
		LOG(ERROR, "the request log cannot be opened again: the old file is kept",
			LOG_TEXT("path", sink->path), LOG_TEXT("reason", strerror(errno)));
		return;
	}
	close(sink->fd);
	forget_torn_line(sink);
	take_target(sink, fd);
}

void sink_destroy(struct sink *sink)
{
	int64_t deadline_us = now_us() + (int64_t)SINK_LAST_MS * US_PER_MS;
	int64_t left_ms = SINK_LAST_MS;

	if (!sink)
		return;
	sink_flush(sink);
	while (sink->length > 0 && !sink->is_failing && left_ms > 0 &&
		is_writable(sink, (int)left_ms)) {
		sink_flush(sink);
		left_ms = (deadline_us - now_us()) / US_PER_MS;
	}
	close(sink->fd);
	free(sink->bytes);
	free(sink->path);
	free(sink);
}

uint64_t sink_dropped(const struct sink *sink)
{
	return sink->report.dropped;
}

struct sink_report sink_report(const struct sink *sink)
{
	struct sink_report report = sink->report;

	report.waiting_bytes = sink->length;
	return report;
}
