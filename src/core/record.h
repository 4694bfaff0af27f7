/*
 * Everything that is written down about one job or pass (PRODUCT 6.1), filled while it lives by
 * relay and pass, read by observe when it ends. Plain data: no pointers into other objects but the
 * strings it owns.
 */
#ifndef SO_CORE_RECORD_H
#define SO_CORE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/outcome.h"
#include "core/route.h"

enum { RECORD_ID_BYTES = 65, RECORD_IP_BYTES = 64, RECORD_WORD_BYTES = 64 };

/* A question whose answer may not be known. */
enum known { KNOWN_NOT, KNOWN_FALSE, KNOWN_TRUE };

struct record {
	bool is_job;
	bool is_poll; /* logged only with log_operations = all */
	enum operation operation;
	enum api_family family;
	char request_id[RECORD_ID_BYTES];
	char client_ip[RECORD_IP_BYTES];
	char *project; /* as sent, at most 128 bytes */
	char *model;   /* NULL: none read */
	char *method;
	char *path; /* decoded, without the query */
	char *user_agent;
	char *traceparent;

	/* monotonic microseconds; 0: not reached */
	int64_t arrived_us; /* the head was complete */
	int64_t body_complete_us;
	int64_t dispatched_us; /* the last time it left the queue */
	int64_t first_byte_us; /* first byte of the answer's body from Ollama */
	int64_t ended_us;
	/* summed over stays in the queue, retries included */
	int64_t queue_wait_us;
	int64_t load_wait_us; /* part of queue_wait_us: our own load (PRODUCT 3.6); -1: none */

	enum outcome outcome;
	char *error_message; /* NULL on success */
	int http_status;     /* what was sent; 0: nothing */
	enum known stream;
	enum known warm; /* model_warm_start */
	bool is_load; /* cold, and the first to tell of this load: jobs that shared it count once */
	int attempts; /* times sent upstream */
	bool patience_doubted; /* what its client announced is less than such a job takes */

	/* from the request body; -1: unknown */
	int64_t request_bytes;
	int64_t images_count;
	int64_t images_bytes;
	int64_t images_pixels;
	uint32_t images_width; /* of the largest; 0: unknown */
	uint32_t images_height;

	/* from the answer; -1: unknown; nanoseconds as Ollama sends them */
	int64_t response_bytes; /* body bytes sent to the client, without chunk framing */
	int64_t total_duration;
	int64_t load_duration;
	int64_t prompt_eval_count;
	int64_t prompt_eval_duration;
	int64_t eval_count;
	int64_t eval_duration;

	/* filled by later layers; -1 / KNOWN_NOT / NULL: unknown */
	int64_t context_length;
	enum known prompt_truncated;
	char *priority;
	char *runner;
};

/* All unknown, nothing owned. */
void record_init(struct record *record);
/* Frees the strings. */
void record_finish(struct record *record);

/* total − load − prompt_eval − eval: the wait inside Ollama in nanoseconds; -1 where the answer
 * does not say. */
int64_t record_upstream_wait(const struct record *record);
/* From complete head to end. */
int64_t record_latency_us(const struct record *record);

/* What observers are told (STYLE B1.1): once for each record, when it has ended. proxy.c connects
 * it. */
struct record_events {
	void (*on_ended)(void *arg, const struct record *record);
	void *arg;
};

#endif
