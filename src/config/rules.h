/*
 * What the file says of projects, models, clients and listeners (PRODUCT 5): lists of groups, e.g.
 * projects = ( { name = "Docling_Machine"; class = "batch"; max_queue_size = 300; } ). Part of
 * struct settings; read by config/groups, asked by core/policy. A member that is absent is 0, NULL
 * or _UNSET: what holds for everybody holds.
 */
#ifndef SO_CONFIG_RULES_H
#define SO_CONFIG_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct group_list;
struct settings;

/* Between jobs of one runner the higher goes first (PRODUCT 3.4). */
enum job_class { CLASS_UNSET, CLASS_BATCH, CLASS_NORMAL, CLASS_INTERACTIVE };
/* "batch"; NULL: unset. */
const char *job_class_name(enum job_class job_class);

/* What tells a waiting client that it still waits (PRODUCT 3.9). */
enum heartbeat {
	HEARTBEAT_UNSET,
	HEARTBEAT_OFF,
	HEARTBEAT_PROCESSING, /* 102: commits no status */
	HEARTBEAT_BODY,	      /* comments, empty chunks or spaces: commits status 200 */
};

/* What becomes of num_ctx and the other runner options in a request (PRODUCT 5). */
enum runner_options {
	RUNNER_OPTIONS_UNSET,
	RUNNER_OPTIONS_PASS,
	RUNNER_OPTIONS_STRIP,
	RUNNER_OPTIONS_SET,
};

/* What becomes of a client's own keep_alive. */
enum keep_alive_policy {
	KEEP_ALIVE_UNSET,
	KEEP_ALIVE_PASS,
	KEEP_ALIVE_OVERRIDE, /* it is replaced by keep_alive */
	KEEP_ALIVE_CAP,	     /* a longer one is */
};

/* The words of these four in the file, in their order from the one after UNSET; NULL-terminated. */
extern const char *const rules_classes[];
extern const char *const rules_heartbeats[];
extern const char *const rules_runner_options[];
extern const char *const rules_keep_alive_policies[];

enum { RULE_RUNNER_OPTIONS = 6 }; /* in the order of enum peek_option */

struct project_rule {
	char *name;
	enum job_class job_class;
	enum job_class ceiling;	    /* X-Priority may not lead above it */
	double weight;		    /* share of the slots beside the others; 0: not said */
	int64_t max_concurrent;	    /* 0: no limit of its own, here and below */
	int64_t max_queue_size;	    /* waiting jobs */
	int64_t default_timeout_ms; /* -1: as for everybody; 0: no limit */
	int64_t patience_ms;	    /* -1: not said; 0: its clients never give up */
	char *keep_alive;	    /* as in a request: "30m"; NULL */
	enum heartbeat heartbeat;
	int64_t image_pixels_max; /* -1: as for everybody; 0: no limit */
};

struct model_rule {
	char *name; /* any spelling of it */
	int64_t max_concurrent;
	int64_t max_queue_size;
	int64_t default_timeout_ms; /* -1: as for everybody */
	char *keep_alive;
	enum runner_options runner_options;
	bool has_option[RULE_RUNNER_OPTIONS]; /* for RUNNER_OPTIONS_SET */
	int64_t option[RULE_RUNNER_OPTIONS];
};

/* For clients that can be known only by what they call themselves. */
struct agent_rule {
	char *user_agent; /* the beginning of User-Agent, without regard to case; NULL: any */
	char *path;	  /* the request's path (an alias's: where it leads) begins so; NULL: any */
	char *project;
	enum job_class job_class;
	int64_t patience_ms; /* -1: not said; 0: it never gives up */
	enum heartbeat heartbeat;
};

struct listener_rule {
	char *listen; /* one of `listen`, spelled the same */
	char *project;
	char **allow_paths; /* as in struct settings; NULL: all */
	char **allow_models;
};

struct rules {
	struct project_rule *projects;
	size_t projects_count;
	struct model_rule *models;
	size_t models_count;
	struct agent_rule *agents;
	size_t agents_count;
	struct listener_rule *listeners;
	size_t listeners_count;
};

/* The four lists, as config/groups reads, shows and frees them. */
extern const struct group_list rules_projects;
extern const struct group_list rules_models;
extern const struct group_list rules_agents;
extern const struct group_list rules_listeners;

/*
 * What the lists cannot see alone: each listener of a rule is one of settings->listen. NULL or a
 * new text that says what is wrong.
 */
char *rules_check(const struct settings *settings);

#endif
