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
#include "config/rules.h"

enum scheduler_kind { SCHEDULER_FIFO, SCHEDULER_TURNS };
enum concurrency_kind { CONCURRENCY_FIXED, CONCURRENCY_ADAPTIVE };
enum traceparent { TRACEPARENT_OFF, TRACEPARENT_START };
enum log_operations { LOG_OPERATIONS_DEFAULT, LOG_OPERATIONS_ALL };

enum { API_KEY_HASH_BYTES = 32 }; /* SHA-256 */

/* One of the file's `keys`: what its bearer is called and may do. The key itself is not here. */
struct api_key {
	char *name;
	unsigned char hash[API_KEY_HASH_BYTES]; /* of key_salt and the key */
	char *project;				/* NULL: none */
	int64_t rate;				/* requests a minute; 0: no limit */
	enum job_class job_class;		/* UNSET: not said; behind the project's own */
	enum job_class ceiling;			/* UNSET: none */
	double weight;				/* 0: not said; behind the project's own */
	char **allow_paths;			/* as in struct settings; NULL: all */
	char **allow_models;
	bool is_admin;
};

struct settings {
	int references;

	/* where */
	char **listen;	     /* "ADDR:PORT", "https://ADDR:PORT", "unix:PATH"; NULL-terminated */
	char **admin_listen; /* the same, may be empty: own endpoints stay on `listen` */
	char **agent_listen; /* ADDR:PORT for HAProxy's agent-check; may be empty */
	char *upstream;	     /* the URL as given, for messages */
	char *upstream_host; /* without brackets */
	uint16_t upstream_port;
	bool upstream_is_tls;
	char *tls_certificate; /* PEM files; both or neither ("") */
	char *tls_key;
	char *upstream_ca;	  /* PEM file; "": the system's */
	char *request_log;	  /* path; "-": standard output; "": off */
	int64_t request_log_max;  /* bytes; a fuller file is moved aside; 100 MiB */
	int64_t request_log_keep; /* old files that stay; 5 */
	enum log_operations log_operations;
	enum log_level log_level;

	/* who may; lists are NULL-terminated and may be empty */
	char **server_names; /* names in Host beyond the built-in ones */
	char **cors_origins; /* as OLLAMA_ORIGINS */
	char **allow_paths;  /* prefixes or "read-only"; empty: all */
	char **allow_models; /* empty: all */
	char *key_salt;	     /* stands before each key when it is hashed; "" */
	struct api_key *api_keys;
	size_t api_keys_count; /* 0: nobody needs a key */
	struct rules rules;    /* for projects, models, clients and listeners */

	/* what becomes of requests and models, where no rule says otherwise */
	char **preload;	  /* models that are loaded at the start and stay */
	char *keep_alive; /* fit for a JSON string: "30m"; "": none is wanted */
	enum keep_alive_policy keep_alive_policy; /* never UNSET, here and below */
	enum runner_options runner_options;
	char **model_alias; /* "name=target", each name once; may be empty */
	enum heartbeat heartbeat;
	enum traceparent traceparent;
	int64_t heartbeat_interval_ms; /* 10,000 */
	int64_t image_pixels_max;      /* 0: no limit */

	/* queue */
	int64_t max_concurrent;	      /* 3 */
	int64_t max_concurrent_limit; /* 16 */
	int64_t max_queue_size;	      /* 50 */
	int64_t max_reading;	      /* 200 */
	int64_t default_timeout_ms;   /* 60,000; wait in the queue */
	int64_t max_turn_wait_ms;     /* 45,000; a model's oldest job waits so long for its turn */
	enum scheduler_kind scheduler;
	enum concurrency_kind concurrency;

	/* commands for /bin/sh; "": none */
	char *on_upstream_down;
	char *on_runner_stuck;

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

/* The most that an image's limit can be: over any image, and products of it do not overflow. */
#define SETTINGS_PIXELS_MAX (INT64_C(1) << 40)

/* In allow_paths, what stands for the prefixes of all calls that do not change Ollama's models. */
#define SETTINGS_READ_ONLY "read-only"

/* The first of allow_paths that is neither a path nor SETTINGS_READ_ONLY, or NULL. */
const char *settings_wrong_path(char *const *allow_paths);
/* Empty, with one reference, for config/load (and tests) to fill; nobody writes to it afterwards.
 */
struct settings *settings_create(void);
/* Another reference to the same snapshot. */
struct settings *settings_take(struct settings *settings);
/* Gives one reference back; the last one frees. NULL is fine. */
void settings_return(struct settings *settings);

#endif
