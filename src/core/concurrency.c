#include "core/concurrency.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
	/* Of a full level, until the next one is tried. */
	TOLD_LEAST = 2,
	/* Of a level when only ends are told. */
	SAMPLES_MOST = 24,
	UNSIZED_MOST = 72,
	/* Of the level that a search begins with: too few jobs at once are the only ones that cost
	   throughput, so it is left soon. */
	FIRST_SAMPLES = 4,
	/* Enough to prove a claim. */
	PROOF_SAMPLES = 8,
	/* Samples between looks at the level above: one look is a few per cent of these, and costs
	   no throughput. */
	PROBE_EVERY = 300,
	/* Ends, and two for each place, after which a level that was never full is given up. */
	NOT_FULL_ENDS = 8,
};

/* More jobs at once are worth it when they bring 3 % more: less is hardly measured, and 5 % is what
 * may be lost. */
#define SAME_RATE 0.97
#define BLURRED 0.04
/* A claim that was made from the ends alone may be so much off. */
#define CLAIM_RATE 0.9

static void begin_level(struct concurrency *concurrency, int level)
{
	concurrency->limit = level;
	if (level < concurrency->least_seen)
		concurrency->least_seen = level;
	if (level > concurrency->most_seen)
		concurrency->most_seen = level;
	gauge_begin(&concurrency->gauge, level);
}

static void begin_search(struct concurrency *concurrency, int low, int high, int level)
{
	concurrency->calm = concurrency->limit ? concurrency->limit : level;
	concurrency->is_settled = false;
	concurrency->low = low;
	concurrency->high = high;
	concurrency->claim = 0;
	concurrency->distrusts_ends = false;
	memset(concurrency->rates, 0, sizeof(concurrency->rates));
	begin_level(concurrency, level);
}

int concurrency_limit(struct concurrency *concurrency, int64_t start, int64_t most)
{
	if (most > GAUGE_MOST)
		most = GAUGE_MOST;
	if (start > most)
		start = most;
	if (concurrency->limit == 0) {
		concurrency->most = (int)most;
		concurrency->least_seen = concurrency->most_seen = (int)start;
		snprintf(concurrency->reason, sizeof(concurrency->reason),
			"max_concurrent: nothing is measured yet");
		begin_search(concurrency, 1, (int)most + 1, (int)start);
	}
	if (concurrency->most != most) {
		concurrency->most = (int)most;
		begin_search(concurrency, 1, (int)most + 1,
			concurrency->limit < most ? concurrency->limit : (int)most);
	}
	return concurrency->limit;
}

void concurrency_sent(struct concurrency *concurrency, const void *who, int64_t now_us)
{
	gauge_sent(&concurrency->gauge, who, now_us);
}

void concurrency_forget(struct concurrency *concurrency)
{
	if (concurrency->limit == 0)
		return;
	snprintf(concurrency->reason, sizeof(concurrency->reason),
		"Ollama or its runner began anew: measured again from %d", concurrency->limit);
	gauge_forget(&concurrency->gauge, 0);
	begin_search(concurrency, 1, concurrency->most + 1, concurrency->limit);
}

const char *concurrency_reason(const struct concurrency *concurrency)
{
	return concurrency->reason;
}

static void settle(struct concurrency *concurrency, int level)
{
	concurrency->is_settled = true;
	concurrency->samples = 0;
	begin_level(concurrency, level);
}

static void try_level(struct concurrency *concurrency, int level)
{
	snprintf(concurrency->reason, sizeof(concurrency->reason), "%d at once are tried", level);
	begin_level(concurrency, level);
}

static int clamp(int value, int least, int most)
{
	if (value < least)
		return least;
	return value > most ? most : value;
}

static bool is_open(const struct concurrency *concurrency)
{
	return concurrency->high > concurrency->most;
}

/* The next level that divides what is possible. */
static int next_level(const struct concurrency *concurrency)
{
	int level = concurrency->gauge.level;

	if (is_open(concurrency))
		return clamp(level + level / 2 + 2, 1, concurrency->most);
	return (concurrency->low + concurrency->high) / 2;
}

/* With times inside Ollama. */

static void say_waits(struct concurrency *concurrency)
{
	int level = concurrency->high;

	if (level >= concurrency->most)
		snprintf(concurrency->reason, sizeof(concurrency->reason),
			"no time inside Ollama at %d, the most allowed", level);
	else if (level == 1)
		snprintf(concurrency->reason, sizeof(concurrency->reason),
			"time inside Ollama at 2: one is served at a time");
	else
		snprintf(concurrency->reason, sizeof(concurrency->reason),
			"time inside Ollama at %d, none at %d", level + 1, level);
}

static void settle_by_waits(struct concurrency *concurrency, int level)
{
	concurrency->low = concurrency->high = level;
	say_waits(concurrency);
	settle(concurrency, level);
}

/* As many as there are places, as soon as that is known; until then more, as soon as all at once
 * are served. */
static void decide_by_waits(struct concurrency *concurrency)
{
	int level = concurrency->gauge.level;
	int least;
	int most;

	gauge_waits(&concurrency->gauge, &least, &most);
	if (most && (most < level || !concurrency->is_settled)) {
		settle_by_waits(concurrency, clamp(most, 1, concurrency->most));
		return;
	}
	if (concurrency->is_settled)
		return;
	concurrency->low = clamp(least, 1, level);
	if (least < level || concurrency->gauge.told_full < TOLD_LEAST)
		return;
	if (level == concurrency->most)
		settle_by_waits(concurrency, level);
	else
		try_level(concurrency, next_level(concurrency));
}

/* Without. */

/* Where rates are blurred (sizes are not told) too many at once are the smaller loss. */
static double share_wanted(const struct concurrency *concurrency, int level, double best_error)
{
	double error = hypot(concurrency->errors[level], best_error);

	return error > BLURRED ? SAME_RATE + error : SAME_RATE;
}

/* Not enough. What was measured before and is not sure is better measured again; not what was just
 * now, for that would have no end. */
static bool is_less(
	const struct concurrency *concurrency, int level, double best, double best_error)
{
	double error = hypot(concurrency->errors[level], best_error);

	return level == concurrency->gauge.level ||
	       concurrency->rates[level] < best * (SAME_RATE - error);
}

/* The lowest level that brings as much as any is enough, once a higher one brought no more. */
static void compare_rates(struct concurrency *concurrency)
{
	const double *rates = concurrency->rates;
	double best = 0;
	double best_error = 0;
	int enough = 0;
	int below = 0;
	int topmost = 0;

	for (int level = 1; level <= concurrency->most; level++) {
		if (rates[level] > best) {
			best = rates[level];
			best_error = concurrency->errors[level];
		}
	}
	for (int level = 1; level <= concurrency->most; level++) {
		if (rates[level] <= 0)
			continue;
		topmost = level;
		if (!enough &&
			(rates[level] >= best || rates[level] >= best * share_wanted(concurrency,
										level, best_error)))
			enough = level;
		if (!enough && is_less(concurrency, level, best, best_error))
			below = level;
	}
	if (below + 1 > concurrency->low)
		concurrency->low = below + 1;
	/* The order of the ends is the surer witness. */
	if (enough < concurrency->low)
		enough = concurrency->low;
	if ((enough < topmost || enough == concurrency->most) && enough < concurrency->high)
		concurrency->high = enough;
}

/* What order and times of the ends say of this level. */
static void read_ends(struct concurrency *concurrency, int least, int most)
{
	const struct gauge *gauge = &concurrency->gauge;

	if (concurrency->distrusts_ends)
		return;
	if (least > concurrency->low)
		concurrency->low = least;
	if (most == gauge->level && most == concurrency->most)
		concurrency->high = most;
	if (most >= gauge->level || least != most || most >= concurrency->high)
		return;
	concurrency->claim = most;
	concurrency->claimed_rate = gauge_rate(gauge, most);
}

static void say_ends(struct concurrency *concurrency)
{
	int level = concurrency->high;

	if (level >= concurrency->most)
		snprintf(concurrency->reason, sizeof(concurrency->reason),
			"more is done a second with each more up to %d, the most allowed", level);
	else
		snprintf(concurrency->reason, sizeof(concurrency->reason),
			"no more is done a second by more than %d at once", level);
}

/* The claim's own level was measured: it does what it should, or the ends misled. */
static void prove_claim(struct concurrency *concurrency)
{
	int level = concurrency->gauge.level;
	double rate;

	if (concurrency->claim != level)
		return;
	concurrency->claim = 0;
	rate = concurrency->rates[level];
	if (rate >= CLAIM_RATE * concurrency->claimed_rate) {
		concurrency->low = concurrency->high = level;
		return;
	}
	/* Or everything became slower meanwhile: what was measured before is no measure. */
	memset(concurrency->rates, 0, sizeof(concurrency->rates));
	concurrency->rates[level] = rate;
	concurrency->distrusts_ends = true;
	concurrency->low = 1;
	concurrency->high = concurrency->most + 1;
}

static void go_on_by_ends(struct concurrency *concurrency)
{
	prove_claim(concurrency);
	if (concurrency->low < concurrency->high && !concurrency->claim)
		compare_rates(concurrency);
	if (concurrency->low >= concurrency->high) {
		concurrency->high = clamp(concurrency->high, 1, concurrency->most);
		say_ends(concurrency);
		settle(concurrency, concurrency->high);
		return;
	}
	try_level(concurrency, concurrency->claim ? concurrency->claim : next_level(concurrency));
}

static void decide_by_ends(struct concurrency *concurrency)
{
	const struct gauge *gauge = &concurrency->gauge;
	int least;
	int most;
	bool is_known = gauge_places(gauge, &least, &most);
	bool is_full = gauge->samples >= (gauge->has_sizes ? SAMPLES_MOST : UNSIZED_MOST);
	bool is_proof = concurrency->claim == gauge->level && gauge->samples >= PROOF_SAMPLES &&
			(is_full || gauge_error(gauge) <= BLURRED);
	bool is_first = is_open(concurrency) && gauge->level == concurrency->calm &&
			gauge->samples >= FIRST_SAMPLES;
	bool is_enough = is_full || gauge_is_sharp(gauge) || is_proof || is_first;

	is_known = is_known && !(concurrency->claim == gauge->level);
	if (!is_enough && !(is_known && least == most))
		return;
	concurrency->rates[gauge->level] = gauge_rate(gauge, is_proof ? gauge->level : 0);
	concurrency->errors[gauge->level] = gauge_error(gauge);
	if (is_known)
		read_ends(concurrency, least, most);
	go_on_by_ends(concurrency);
}

static bool tells_waits(const struct gauge *gauge)
{
	return gauge->told > 0 && 2 * gauge->told >= gauge->ends;
}

/* Are there more places meanwhile? */
static void look_above(struct concurrency *concurrency)
{
	const struct gauge *gauge = &concurrency->gauge;
	int level = gauge->level;
	double rate = gauge_rate(gauge, level);
	bool by_waits = tells_waits(gauge);

	gauge_forget(&concurrency->gauge, level);
	begin_search(concurrency, level, concurrency->most + 1,
		clamp(by_waits ? level + 1 : level + level / 2 + 1, 1, concurrency->most));
	if (!by_waits)
		concurrency->rates[level] = rate;
	try_level(concurrency, concurrency->limit);
}

/* Settled too high: many ends at one level are surer than a few at several. */
static bool claims_less(struct concurrency *concurrency)
{
	const struct gauge *gauge = &concurrency->gauge;
	int level = gauge->level;
	double rate;
	int least;
	int most;

	if (tells_waits(gauge) || concurrency->distrusts_ends ||
		!gauge_places(gauge, &least, &most) || most >= level)
		return false;
	rate = gauge_rate(gauge, most);
	begin_search(concurrency, 1, level, level);
	concurrency->claim = most;
	concurrency->claimed_rate = rate;
	try_level(concurrency, most);
	return true;
}

static void watch(struct concurrency *concurrency)
{
	const struct gauge *gauge = &concurrency->gauge;

	if (gauge->samples < SAMPLES_MOST || claims_less(concurrency))
		return;
	if (concurrency->samples >= PROBE_EVERY && gauge->level < concurrency->most)
		look_above(concurrency);
	else
		gauge_begin(&concurrency->gauge, gauge->level);
}

/* The level is not reached by what there is to do: a queue would hide in Ollama below it. */
static void come_down(struct concurrency *concurrency)
{
	const struct gauge *gauge = &concurrency->gauge;
	int level = gauge->top_rank;

	if (gauge->samples > 0 || gauge->ends < NOT_FULL_ENDS + 2 * gauge->level)
		return;
	level = level > concurrency->low ? level : concurrency->low + 1;
	level = level > concurrency->calm ? level : concurrency->calm;
	if (level < gauge->level)
		begin_level(concurrency, level);
}

void concurrency_ended(
	struct concurrency *concurrency, const void *who, const struct gauge_end *end)
{
	const struct gauge *gauge = &concurrency->gauge;
	bool is_sample = gauge_ended(&concurrency->gauge, who, end);

	if (concurrency->limit == 0 || !end->is_good)
		return;
	concurrency->samples += is_sample;
	if (tells_waits(gauge))
		decide_by_waits(concurrency);
	else if (is_sample && !concurrency->is_settled)
		decide_by_ends(concurrency);
	if (!concurrency->is_settled)
		come_down(concurrency);
	else if (is_sample)
		watch(concurrency);
}
