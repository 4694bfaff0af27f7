/*
 * What holds for one request (PRODUCT 5): the settings with the rules for its project, its client
 * and, once the body is read, its model laid over them. Made by relay for each job, kept in it;
 * points into the settings that the job came under.
 */
#ifndef SO_CORE_POLICY_H
#define SO_CORE_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/rules.h"
#include "core/match.h"

struct api_key;
struct settings;

struct policy {
	enum job_class job_class; /* never UNSET */
	double weight;		  /* over 0 */
	int64_t timeout_ms;	  /* the longest wait in the queue; 0: no limit */
	int64_t patience_us;	  /* from the complete head to the answer's end; 0: not known */
	enum heartbeat heartbeat; /* never UNSET */
	int64_t image_pixels_max; /* 0: no limit, here and below */

	/* of the project together */
	int64_t project_max_concurrent;
	int64_t project_max_queue_size;
	const char *project_keep_alive; /* its rule's; NULL: the model's or everybody's holds */

	/* of the model together; policy_add_model() */
	int64_t model_max_concurrent;
	int64_t model_max_queue_size;
	const struct model_rule *model; /* NULL: none */
};

/* What a complete head tells. */
struct policy_request {
	const char *project;	   /* record.project */
	const struct api_key *key; /* NULL: none was shown */
	struct match_agent agent;
	const char *priority; /* X-Priority, else X-Queue-Priority; needs no NUL; NULL: none */
	size_t priority_length;
	int64_t announced_us; /* the patience that the client's own fields tell; 0: none */
};

/* What holds without any rule. */
void policy_init(struct policy *policy, const struct settings *settings);
/*
 * Lays over it what holds for this request. Of each thing the first that says it counts:
 * class: project, key, agent, X-Priority; then not above the ceilings of project and key.
 * weight: project, key. patience: the client's fields, project, agent. heartbeat: project, agent.
 * Agents are those of the file in their order, then the built-in ones.
 */
void policy_add_request(struct policy *policy, const struct settings *settings,
	const struct policy_request *request);
/* The body told which model it is for; NULL: none could be read. */
void policy_add_model(struct policy *policy, const struct settings *settings, const char *model);

/*
 * How many of a project and of a model may run together is one number for all their requests: that
 * of the rules in force, also for one that came under others (a reload).
 */
void policy_renew_caps(struct policy *policy, const struct settings *in_force, const char *project,
	const char *model);

/* interactive or high, normal, batch or low, in any case; UNSET: another word. */
enum job_class policy_class_of(const char *word, size_t length);

#endif
