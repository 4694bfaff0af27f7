/*
 * What holds for one request (PRODUCT 5): the settings with the rules for its project, its client
 * and, once the body is read, its model laid over them. Made by relay for each job, kept in it;
 * points into the settings that the job came under.
 */
#ifndef SO_CORE_POLICY_H
#define SO_CORE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "config/rules.h"

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
	const char *project_keep_alive; /* NULL: none wanted */

	/* of the model together; policy_add_model() */
	int64_t model_max_concurrent;
	int64_t model_max_queue_size;
	const struct model_rule *model; /* NULL: none */
};

/* What holds without any rule. */
void policy_init(struct policy *policy, const struct settings *settings);
/* The body told which model it is for; NULL: none could be read. */
void policy_add_model(struct policy *policy, const struct settings *settings, const char *model);

#endif
