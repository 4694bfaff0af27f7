/*
 * Time. Simulated durations (milliseconds of the configuration, keep_alive) are divided by the
 * factor of --time-scale when they are waited for; everything that is reported is measured, so that
 * answers and wall clock agree.
 */
#ifndef SIM_PACE_H
#define SIM_PACE_H

#include <stdint.h>
#include <sys/time.h>

#include "bytes.h"

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)
/* keep_alive -1: Go's largest duration; expires_at is then in the year 2319 or so. */
#define PACE_FOREVER INT64_MAX

void pace_set_scale(double factor);
/* Real nanoseconds for so many simulated ones. PACE_FOREVER stays. */
int64_t pace_scaled(double simulated_ns);
/* Monotonic, in real nanoseconds. */
int64_t pace_now(void);
/* Wall clock, in nanoseconds since 1970. */
int64_t pace_wall(void);
struct timeval pace_timeval(int64_t real_ns);

/* RFC 3339 with nanoseconds, trailing zeros cut as Go cuts them; 2026-11-23T22:26:39.376451188Z */
void pace_add_stamp(struct bytes *bytes, int64_t wall_ns);
/* The same of a moment so long after; PACE_FOREVER gives Go's year 2319 or so. */
void pace_add_stamp_after(struct bytes *bytes, int64_t wall_ns, int64_t after_ns);
/* "Mon, 23 Nov 2026 22:26:39 GMT" of now; valid until the next call. */
const char *pace_http_date(void);

/* Pseudo-random, the same in each run. */
uint32_t pace_random(uint32_t below);

#endif
