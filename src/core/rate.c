#include "core/rate.h"

enum { US_PER_S = 1000 * 1000, US_PER_MINUTE = 60 * US_PER_S };

int rate_take(struct rate *rate, int64_t per_minute, int64_t now_us)
{
	int64_t token_us = US_PER_MINUTE / per_minute;
	int64_t bucket_us = token_us * per_minute;
	int64_t full_at_us = rate->full_at_us > now_us ? rate->full_at_us : now_us;
	int64_t over_us = full_at_us + token_us - now_us - bucket_us;

	if (over_us <= 0) {
		rate->full_at_us = full_at_us + token_us;
		return 0;
	}
	/* over by one token at most, and that is a minute at most */
	return (int)((over_us + US_PER_S - 1) / US_PER_S);
}
