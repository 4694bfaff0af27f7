/*
 * The configuration in force: one immutable, counted snapshot. config/load makes it from the key
 * table (config/keys.h); everybody else reads fields. A job keeps the snapshot it came under
 * (settings_take), a reload makes a new one. 0 = no limit everywhere.
 */
#ifndef SO_CONFIG_SETTINGS_H
#define SO_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

enum scheduler_kind { SCHEDULER_FIFO, SCHEDULER_TURNS };
enum concurrency_kind { CONCURRENCY_FIXED };
enum log_operations { LOG_OPERATIONS_DEFAULT, LOG_OPERATIONS_ALL };

struct settings {
	int references;

	/* where */
	char **listen;	     /* "ADDR:PORT", "[ADDR]:PORT"; NULL-terminated */
	char *upstream;	     /* the URL as given, for messages */
	char *upstream_host; /* without brackets */
	uint16_t upstream_port;
	char *request_log;	  /* path; "-": standard output; "": off */
	int64_t request_log_max;  /* bytes; a fuller file is moved aside; 100 MiB */
	int64_t request_log_keep; /* old files that stay; 5 */
	enum log_operations log_operations;
	enum log_level log_level;

	/* queue */
	int64_t max_concurrent;	      /* 3 */
	int64_t max_concurrent_limit; /* 16 */
	int64_t max_queue_size;	      /* 50 */
	int64_t max_reading;	      /* 200 */
	int64_t default_timeout_ms;   /* 60,000; wait in the queue */
	int64_t max_turn_wait_ms;     /* 45,000; a model's oldest job waits so long for its turn */
	enum scheduler_kind scheduler;
	enum concurrency_kind concurrency;

	/* time limits, milliseconds */
	int64_t header_timeout_ms;		/* 30,000 */
	int64_t body_timeout_ms;		/* 60,000 between bytes */
	int64_t idle_timeout_ms;		/* 300,000 */
	int64_t write_timeout_ms;		/* 300,000 */
	int64_t upstream_connect_timeout_ms;	/* 5,000 */
	int64_t upstream_first_byte_timeout_ms; /* 600,000 */
	int64_t upstream_idle_timeout_ms;	/* 300,000 between bytes */
	int64_t drain_timeout_ms;		/* 60,000 */

	/* sizes, bytes */
	int64_t body_max;      /* 100 MiB */
	int64_t body_memory;   /* 1 MiB */
	int64_t body_total;    /* 2 GiB */
	int64_t head_max;      /* 64 KiB */
	char *spool_directory; /* for bodies over body_memory; default: $TMPDIR, else /var/tmp */

	/* counts */
	int64_t max_connections;	     /* 20,000 */
	int64_t max_connections_per_address; /* 0 */
};

/* Empty, with one reference, for config/load (and tests) to fill; nobody writes to it afterwards.
 */
struct settings *settings_create(void);
/* Another reference to the same snapshot. */
struct settings *settings_take(struct settings *settings);
/* Gives one reference back; the last one frees. NULL is fine. */
void settings_return(struct settings *settings);

#endif
