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
};

struct spool {
	size_t memory_limit;
	const char *directory;
	struct evbuffer *memory;	       /* all of the body, until there is a file */
	int file;			       /* -1: none yet, or owned by the segment */
	struct evbuffer_file_segment *segment; /* the whole file, from the first sending on */
	uint64_t bytes;
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
	if (spool->segment)
		evbuffer_file_segment_free(
			spool->segment); /* closes the file with the last reference */
	if (spool->file >= 0)
		close(spool->file);
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
	spool->file = open(spool->directory, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, FILE_MODE);
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

	assert(!spool->segment); /* the body was sent: it must not grow */
	spool->bytes += length;
	if (spool->file < 0 && (!spool->memory_limit || spool->bytes <= spool->memory_limit))
		return keep(spool, data);
	if (spool->file < 0 && !(open_file(spool) && write_all(spool, spool->memory)))
		return false;
	return write_all(spool, data);
}

uint64_t spool_bytes(const struct spool *spool)
{
	return spool->bytes;
}

/* From here on the file belongs to the segment, which the buffers share. */
static bool make_segment(struct spool *spool)
{
	spool->segment = evbuffer_file_segment_new(spool->file, 0, (ev_off_t)spool->bytes,
		EVBUF_FS_CLOSE_ON_FREE | EVBUF_FS_DISABLE_SENDFILE | EVBUF_FS_DISABLE_LOCKING);
	if (!spool->segment) {
		report(spool, "cannot map a request body", errno);
		return false;
	}
	spool->file = -1;
	return true;
}

bool spool_send(struct spool *spool, struct evbuffer *out)
{
	if (spool->file < 0 && !spool->segment)
		return evbuffer_add_buffer_reference(out, spool->memory) == 0;
	if (!spool->segment && !make_segment(spool))
		return false;
	for (uint64_t at = 0; at < spool->bytes; at += PIECE_BYTES) {
		uint64_t left = spool->bytes - at;

		if (evbuffer_add_file_segment(out, spool->segment, (ev_off_t)at,
			    (ev_off_t)(left < PIECE_BYTES ? left : PIECE_BYTES)) != 0)
			return false;
	}
	return true;
}
