#include "io/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "base/log.h"
#include "base/memory.h"

enum {
	/* Buffers with less are copied: an evbuffer costs at least 512 bytes, however little it
	   holds. */
	COPIED_BYTES = 16384,
	/* Pieces of an evbuffer that are looked at in one go. */
	PIECES_MOST = 64,
	FILE_MODE = 0600,
	/* Of a file in one piece of a buffer: TLS encrypts a piece in one go, and says how far it
	   is only at its end. */
	PIECE_BYTES = 256 * 1024,
	/* libevent moves no more than an int can say in one go. */
	MOVED_BYTES = 1 << 30,
};

/* `removed` bytes at `at` are sent as `text`. */
struct splice {
	uint64_t at;
	uint64_t removed;
	char *text;
	size_t length;
};

struct spool {
	size_t memory_limit;
	const char *directory;
	struct evbuffer *memory; /* all of the body, until there is a file */
	int file;		 /* -1: none yet */
	bool is_sent;		 /* once at least */
	uint64_t bytes;		 /* as it came */
	struct splice *splices;	 /* in ascending order */
	size_t splices_count;
	uint64_t sent_bytes; /* with the splices */
};

struct spool *spool_create(size_t memory_limit, const char *directory)
{
	struct spool *spool = mem_zalloc(sizeof(*spool));

	spool->memory_limit = memory_limit;
	spool->directory = directory;
	spool->file = -1;
	spool->memory = evbuffer_new();
	if (!spool->memory)
		mem_out(0);
	return spool;
}

void spool_destroy(struct spool *spool)
{
	if (!spool)
		return;
	evbuffer_free(spool->memory); /* buffers with references to it keep it */
	if (spool->file >= 0)
		close(spool->file); /* buffers with pieces of it have them mapped */
	for (size_t i = 0; i < spool->splices_count; i++)
		free(spool->splices[i].text);
	free(spool->splices);
	free(spool);
}

static void report(const struct spool *spool, const char *message, int error)
{
	LOG(WARN, message, LOG_TEXT("directory", spool->directory),
		LOG_TEXT("error", strerror(error)), LOG_NUMBER("bytes", spool->bytes));
}

/* For file systems without O_TMPFILE (NFS, overlayfs on old kernels). -1 and errno on failure. */
static int open_and_unlink(const char *directory)
{
	char *path = mem_printf("%s/shared-ollama.XXXXXX", directory);
	int file = mkostemp(path, O_CLOEXEC); /* mode 0600 */

	if (file >= 0)
		unlink(path);
	free(path);
	return file;
}

static bool open_file(struct spool *spool)
{
	/* A file system that waits for others (NFS, FUSE) may be interrupted by our own signals. */
	do {
		spool->file =
			open(spool->directory, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, FILE_MODE);
	} while (spool->file < 0 && errno == EINTR);
	/* Kernels and file systems that do not know O_TMPFILE see a directory opened for writing.
	 */
	if (spool->file < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		spool->file = open_and_unlink(spool->directory);
	if (spool->file < 0)
		report(spool, "cannot create a file for a request body", errno);
	return spool->file >= 0;
}

/* Writes and drains all of `data`. */
static bool write_all(struct spool *spool, struct evbuffer *data)
{
	while (evbuffer_get_length(data) > 0) {
		int written = evbuffer_write(data, spool->file);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0) {
			report(spool, "cannot write a request body to its file",
				written < 0 ? errno : ENOSPC);
			return false;
		}
	}
	return true;
}

/* Packs `data` into the last buffer of the memory. */
static bool copy(struct spool *spool, struct evbuffer *data)
{
	while (evbuffer_get_length(data) > 0) {
		struct evbuffer_iovec pieces[PIECES_MOST];
		int count = evbuffer_peek(data, -1, NULL, pieces, PIECES_MOST);
		size_t done = 0;

		for (int i = 0; i < count && i < PIECES_MOST; i++) {
			if (evbuffer_add(spool->memory, pieces[i].iov_base, pieces[i].iov_len) != 0)
				return false;
			done += pieces[i].iov_len;
		}
		evbuffer_drain(data, done);
	}
	return true;
}

static bool keep(struct spool *spool, struct evbuffer *data)
{
	if (evbuffer_get_length(data) < COPIED_BYTES)
		return copy(spool, data);
	return evbuffer_add_buffer(spool->memory, data) == 0;
}

bool spool_append(struct spool *spool, struct evbuffer *data)
{
	size_t length = evbuffer_get_length(data);

	assert(!spool->is_sent); /* the body must not grow */
	assert(spool->splices_count == 0);
	spool->bytes += length;
	spool->sent_bytes += length;
	if (spool->file < 0 && (!spool->memory_limit || spool->bytes <= spool->memory_limit))
		return keep(spool, data);
	if (spool->file < 0 && !(open_file(spool) && write_all(spool, spool->memory)))
		return false;
	return write_all(spool, data);
}

uint64_t spool_bytes(const struct spool *spool)
{
	return spool->sent_bytes;
}

void spool_splice(
	struct spool *spool, uint64_t at, uint64_t removed, const char *text, size_t length)
{
	const struct splice *last =
		spool->splices_count ? &spool->splices[spool->splices_count - 1] : NULL;

	assert(!last || last->at + last->removed <= at);
	assert(at <= spool->bytes && removed <= spool->bytes - at);
	spool->splices =
		mem_grow_array(spool->splices, spool->splices_count + 1, sizeof(*spool->splices));
	spool->splices[spool->splices_count++] =
		(struct splice){at, removed, mem_strndup(text, length), length};
	spool->sent_bytes += length - removed;
}

/*
 * Adds a piece of the file, mapped until it is sent: what was sent takes no memory any more. No
 * sendfile: libevent 2.1.12 takes its EAGAIN for the end of the connection.
 */
static bool send_piece(
	const struct spool *spool, uint64_t at, uint64_t length, struct evbuffer *out)
{
	struct evbuffer_file_segment *segment = evbuffer_file_segment_new(spool->file, (ev_off_t)at,
		(ev_off_t)length, EVBUF_FS_DISABLE_SENDFILE | EVBUF_FS_DISABLE_LOCKING);
	bool is_added;

	if (!segment) {
		report(spool, "cannot map a request body", errno);
		return false;
	}
	is_added = evbuffer_add_file_segment(out, segment, 0, (ev_off_t)length) == 0;
	evbuffer_file_segment_free(segment); /* the buffer has it now */
	return is_added;
}

/* The body as it came, read from its beginning to its end while it is sent. */
struct reading {
	struct spool *spool;
	struct evbuffer *memory; /* what is left of it; NULL: it is in the file */
	uint64_t at;
};

/* Adds the bytes up to `end` to `out`. */
static bool send_until(struct reading *reading, uint64_t end, struct evbuffer *out)
{
	uint64_t left = end - reading->at;

	reading->at = end;
	while (left > 0) {
		uint64_t most = reading->memory ? MOVED_BYTES : PIECE_BYTES;
		uint64_t piece = left < most ? left : most;
		bool is_fine = reading->memory ? evbuffer_remove_buffer(
							 reading->memory, out, piece) == (int)piece
					       : send_piece(reading->spool, end - left, piece, out);

		if (!is_fine)
			return false;
		left -= piece;
	}
	return true;
}

static bool skip_until(struct reading *reading, uint64_t end)
{
	uint64_t length = end - reading->at;

	reading->at = end;
	return !reading->memory || evbuffer_drain(reading->memory, length) == 0;
}

static bool send_spliced(struct reading *reading, struct evbuffer *out)
{
	const struct spool *spool = reading->spool;

	for (size_t i = 0; i < spool->splices_count; i++) {
		const struct splice *splice = &spool->splices[i];

		if (!send_until(reading, splice->at, out) ||
			evbuffer_add(out, splice->text, splice->length) != 0 ||
			!skip_until(reading, splice->at + splice->removed))
			return false;
	}
	return send_until(reading, spool->bytes, out);
}

bool spool_send(struct spool *spool, struct evbuffer *out)
{
	struct reading reading = {.spool = spool};
	bool is_sent;

	spool->is_sent = true;
	if (spool->file >= 0)
		return send_spliced(&reading, out);
	if (spool->splices_count == 0)
		return evbuffer_add_buffer_reference(out, spool->memory) == 0;
	reading.memory = evbuffer_new();
	is_sent = reading.memory &&
		  evbuffer_add_buffer_reference(reading.memory, spool->memory) == 0 &&
		  send_spliced(&reading, out);
	if (reading.memory)
		evbuffer_free(reading.memory);
	return is_sent;
}
