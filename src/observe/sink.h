/*
 * A file, pipe or terminal that takes whole lines, a turn's worth in one write, and never lets the
 * loop wait. Called by request_log.
 *
 * A line that was cut by a full disk or pipe is completed before the next one begins; lines behind
 * it are dropped whole. Regular files are opened with O_APPEND; what does not end with a newline
 * (a crash, another writer) gets one first, so that no two lines are ever glued together. Standard
 * output that is a pipe or a terminal is opened anew, so that O_NONBLOCK is ours alone: the file
 * description is shared with the shell and must not change. The program ignores SIGPIPE
 * and SIGXFSZ.
 */
#ifndef SO_OBSERVE_SINK_H
#define SO_OBSERVE_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct sink;

/* `path` "-": standard output. Missing folders are made. NULL: cannot be opened, errno says why. */
MUST_CHECK struct sink *sink_create(const char *path);
/* Writes what is left; a pipe may take SINK_LAST_MS for it. NULL is fine. */
void sink_destroy(struct sink *sink);
/* `line` without its newline; dropped where there is no room for it. */
void sink_add(struct sink *sink, const char *line, size_t length);
/* Writes what was added, as much as the target takes now. A target that fails (ENOSPC, EIO, EPIPE)
 * drops it, which is counted and said on stderr; the next flush tries again. */
void sink_flush(struct sink *sink);
/*
 * From now on a regular file that has grown to `most_bytes` is moved aside (observe/rotate) and
 * begun anew, between two lines; `keep` old ones stay. most_bytes 0: never.
 */
void sink_set_rotation(struct sink *sink, int64_t most_bytes, int keep);
/* Opens the path again (logrotate moved the file). If that fails, the old file stays. */
void sink_reopen(struct sink *sink);
/* Lines that were dropped. */
uint64_t sink_dropped(const struct sink *sink);

/* What it did since it was made. */
struct sink_report {
	uint64_t lines; /* that were added, those that were dropped included */
	uint64_t dropped;
	uint64_t writes;	/* flushes that had something to write */
	int64_t write_us;	/* the loop's time that they took, rotation included */
	int64_t write_most_us;	/* the longest of them */
	uint64_t waiting_bytes; /* not taken by the target yet */
};
struct sink_report sink_report(const struct sink *sink);

/* A reader that is alive takes 1 MiB in this time; one that is not must not hold up the end. */
enum { SINK_LAST_MS = 1000 };

#endif
