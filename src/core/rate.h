/*
 * A limit of requests a minute as a token bucket: it holds a minute's worth, so that a burst of so
 * many passes at once, and fills evenly. Called by front/access for each key with a rate.
 *
 * One number is enough: when the bucket will be full again. Each request moves that moment on by
 * the time that one token needs; it may not lie further ahead than the whole bucket needs.
 */
#ifndef SO_CORE_RATE_H
#define SO_CORE_RATE_H

#include <stdint.h>

#include "base/compiler.h"

struct rate {
	int64_t full_at_us; /* 0: full */
};

/*
 * Takes a token of a bucket of `per_minute` (over 0). 0: taken; else it was empty: whole seconds, 1
 * to 60, until there is one.
 */
MUST_CHECK int rate_take(struct rate *rate, int64_t per_minute, int64_t now_us);

#endif
