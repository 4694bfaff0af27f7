/*
 * Faults on demand: POST /sim/faults adds a rule, each request whose path it names takes one off
 * its count. What a fault does to the answer stands in mischief.c (before the answer, and while it
 * is written) and job.c (the runner's).
 */
#ifndef SIM_FAULTS_H
#define SIM_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mem.h"

#define FAULT_KINDS(X)                                \
	X(NONE, "none")                               \
	X(RESET_BEFORE_HEAD, "reset_before_head")     \
	X(CLOSE_BEFORE_HEAD, "close_before_head")     \
	X(STALL_BEFORE_HEAD, "stall_before_head")     \
	X(SILENT, "silent")                           \
	X(MALFORMED_HEAD, "malformed_head")           \
	X(EARLY_413, "early_413")                     \
	X(HALF_HEAD, "half_head")                     \
	X(STATUS_500, "status_500")                   \
	X(HEADER_103, "header_103")                   \
	X(DIE_MID_STREAM, "die_mid_stream")           \
	X(RESET_MID_STREAM, "reset_mid_stream")       \
	X(STALL_MID_STREAM, "stall_mid_stream")       \
	X(MALFORMED_CHUNK, "malformed_chunk")         \
	X(TRUNCATE, "truncate")                       \
	X(GARBAGE_AFTER_END, "garbage_after_end")     \
	X(CLOSE_IDLE, "close_idle")                   \
	X(NO_LENGTH_KEEPALIVE, "no_length_keepalive") \
	X(BIG_HEAD, "big_head")                       \
	X(BIG_CHUNK, "big_chunk")                     \
	X(RUNNER_KILLED, "runner_killed")             \
	X(LOAD_FAIL, "load_fail")                     \
	X(REPEAT_LIMIT, "repeat_limit")

enum fault_kind {
#define X(name, text) FAULT_##name,
	FAULT_KINDS(X)
#undef X
};

const char *fault_kind_name(enum fault_kind kind);
/* False for an unknown name. */
MUST_CHECK bool fault_kind_parse(const char *name, enum fault_kind *ret_kind);

struct fault {
	enum fault_kind kind;
	unsigned after_lines; /* for those in mid-stream */
	int64_t ms;	      /* of a stall; 0 = for ever. Not divided by the time scale */
	size_t bytes;	      /* of big_head and big_chunk */
};

struct fault_rule {
	TAILQ_ENTRY(fault_rule) link;
	char *path; /* "*": any but /sim/ */
	struct fault fault;
	uint64_t left;
};

TAILQ_HEAD(fault_list, fault_rule);

void faults_add(
	struct fault_list *list, const char *path, const struct fault *fault, uint64_t count);
/* The fault for a request on this path; kind NONE if there is none. */
struct fault faults_take(struct fault_list *list, const char *path);
void faults_clear(struct fault_list *list);

#endif
