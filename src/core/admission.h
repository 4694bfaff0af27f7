/*
 * May this request come in (PRODUCT 1.7, 2, 3.1), and when should a refused one try again? Answers
 * questions, changes nothing. Asked by relay at a complete head, while a body grows and when it is
 * complete.
 */
#ifndef SO_CORE_ADMISSION_H
#define SO_CORE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/outcome.h"
#include "core/tally.h"

struct job_group;
struct policy;
struct settings;

struct admission {
	const struct settings *settings;
	const struct tally *tally;
	uint64_t bodies_bytes; /* of all kept bodies together */
	uint64_t startable; /* waiting jobs that the scheduler will start in this turn's tail: their
			       places count as free */
	int64_t slots;	    /* how many run at once; 0: max_concurrent */
	bool draining;
};

/* At a complete head; `length` of the announced body, 0 if unknown or none. OUTCOME_NONE: come in.
 */
enum outcome admission_at_head(const struct admission *admission, uint64_t length);
/* The job's body has `bytes` now. */
enum outcome admission_at_body(const struct admission *admission, uint64_t bytes);
/* The body is complete: is there a place? */
enum outcome admission_at_queue(const struct admission *admission);
/* Is there a place among those of its project and of its model (scheduler_groups())? */
enum outcome admission_at_groups(const struct admission *admission, const struct policy *policy,
	const struct job_group *project, const struct job_group *model);
/* Whole seconds, 1 to 60: when a place should be free, from the queue's length and `service_us`,
 * the mean time a job holds its slot (0: unknown). */
int admission_retry_after(const struct admission *admission, int64_t service_us);

#endif
