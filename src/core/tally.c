#include "core/tally.h"

static uint64_t sum_of(const uint64_t ended[COUNTER_COUNT])
{
	uint64_t sum = 0;

	for (int i = 0; i < COUNTER_COUNT; i++)
		sum += ended[i];
	return sum;
}

bool tally_adds_up(const struct tally *tally)
{
	return tally->received == tally->reading + tally->queued + tally->in_progress +
					  tally->flushing + sum_of(tally->ended);
}

bool pass_tally_adds_up(const struct pass_tally *tally)
{
	return tally->received == tally->in_progress + sum_of(tally->ended);
}
