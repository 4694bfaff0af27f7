/*
 * logs/requests.jsonl: one JSON object a line for each job and pass that ended (PRODUCT 6.1). Lines
 * are collected and written at the turn's end in one write; never torn, never waited for. Told by
 * proxy.c through struct record_events.
 */
#ifndef SO_OBSERVE_REQUEST_LOG_H
#define SO_OBSERVE_REQUEST_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "config/settings.h"
#include "core/record.h"
#include "observe/sink.h"

struct request_log;

/* `path` "-": standard output, "": off (then nothing is written). The folder is made if it is
 * missing. NULL: cannot be opened, errno says why. */
MUST_CHECK struct request_log *request_log_create(const char *path, enum log_operations operations);
/* Writes what is left. NULL is fine. */
void request_log_destroy(struct request_log *log);
void request_log_add(struct request_log *log, const struct record *record);
/* A reload: another target, if it is another. The rotation is to be set anew. false: it cannot be
 * opened, errno says why; nothing has changed. */
MUST_CHECK bool request_log_change(
	struct request_log *log, const char *path, enum log_operations operations);
/* A file of `most_bytes` (0: never) is moved aside, `keep` old ones stay (PRODUCT 6.1). */
void request_log_set_rotation(struct request_log *log, int64_t most_bytes, int keep);
/* In the turn's tail. */
void request_log_flush(struct request_log *log);
/* For logrotate: close and open the path again. */
void request_log_reopen(struct request_log *log);
/* Lines that could not be written (disk full, pipe full). */
uint64_t request_log_dropped(const struct request_log *log);
/* Lines, and the time that writing them took; all 0 when it is off. */
struct sink_report request_log_report(const struct request_log *log);
/* The line of one record, NUL-terminated without newline, valid until the next call (tests,
 * request_log_add). */
const char *request_log_line(struct request_log *log, const struct record *record);

#endif
