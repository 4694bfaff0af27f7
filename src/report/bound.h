/*
 * The average wait below which no scheduler could go, with the arrivals and service times of the
 * log and so many requests at once, even if it knew all of them beforehand and could interrupt them
 * at no cost. Loads cost nothing here. Called by report/traffic; seconds.
 *
 * How: let one machine, as fast as all slots together, always serve the job of the shortest service
 * time that is there. No schedule on `slots` slots has a smaller sum of mean busy times, and a job
 * that has one slot at most ends half its service time after its mean busy time at the earliest
 * (Goemans' mean busy time relaxation). What that leaves above the service times is the wait. It is
 * summed over busy periods, each at least 0. A job that is left out only makes the bound lower.
 */
#ifndef SO_REPORT_BOUND_H
#define SO_REPORT_BOUND_H

#include <stdbool.h>
#include <stdint.h>

struct bound;

struct bound *bound_create(unsigned slots);
void bound_destroy(struct bound *bound);
/* In order of arrival; microseconds. false: left out, too many are waiting. */
bool bound_add(struct bound *bound, int64_t arrived_us, int64_t service_us);
/* Of all jobs so far; ends them. */
double bound_wait_sum(struct bound *bound);

#endif
