#include "observe/request_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "observe/request_line.h"
#include "json/writer.h"

struct request_log {
	struct sink *sink; /* NULL: off */
	char *path;
	uint64_t dropped; /* by sinks that are gone */
	struct json_writer *writer;
	enum log_operations operations;
};

struct request_log *request_log_create(const char *path, enum log_operations operations)
{
	struct sink *sink = path[0] ? sink_create(path) : NULL;
	struct request_log *log;

	if (path[0] && !sink)
		return NULL;
	log = mem_zalloc(sizeof(*log));
	log->sink = sink;
	log->path = mem_strdup(path);
	log->writer = json_writer_create();
	log->operations = operations;
	return log;
}

void request_log_destroy(struct request_log *log)
{
	if (!log)
		return;
	sink_destroy(log->sink);
	json_writer_destroy(log->writer);
	free(log->path);
	free(log);
}

bool request_log_change(struct request_log *log, const char *path, enum log_operations operations)
{
	if (strcmp(path, log->path) != 0) {
		struct sink *fresh = path[0] ? sink_create(path) : NULL;

		if (path[0] && !fresh)
			return false;
		log->dropped = request_log_dropped(log);
		sink_destroy(log->sink);
		log->sink = fresh;
		free(log->path);
		log->path = mem_strdup(path);
	}
	log->operations = operations;
	return true;
}

void request_log_add(struct request_log *log, const struct record *record)
{
	const char *line;
	size_t length;

	if (!log->sink || (record->is_poll && log->operations != LOG_OPERATIONS_ALL))
		return;
	(void)request_log_line(log, record);
	line = json_writer_get(log->writer, &length);
	sink_add(log->sink, line, length);
}

void request_log_set_rotation(struct request_log *log, int64_t most_bytes, int keep)
{
	if (log->sink)
		sink_set_rotation(log->sink, most_bytes, keep);
}

void request_log_flush(struct request_log *log)
{
	if (log->sink)
		sink_flush(log->sink);
}

void request_log_reopen(struct request_log *log)
{
	if (log->sink)
		sink_reopen(log->sink);
}

uint64_t request_log_dropped(const struct request_log *log)
{
	return log->dropped + (log->sink ? sink_dropped(log->sink) : 0);
}

struct sink_report request_log_report(const struct request_log *log)
{
	return log->sink ? sink_report(log->sink) : (struct sink_report){0};
}

const char *request_log_line(struct request_log *log, const struct record *record)
{
	json_writer_reset(log->writer);
	request_line_write(log->writer, record);
	return json_writer_get(log->writer, NULL);
}
