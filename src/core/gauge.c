#include "core/gauge.h"

#include <math.h>
#include <string.h>

enum {
	/* Sent so shortly one after the other, two may change places on their way. */
	SHUFFLE_US = 2000,
	/* One contradiction may be such a pair, or a job that left unseen. */
	CONTRADICTIONS_MOST = 1,
	SAMPLES_LEAST = 8,
	SHARP_LEAST = 6,
	/* Of a job's stay, divided by the level, this part is its run at least. */
	RUN_LEAST = 8,
	US_PER_S = 1000 * 1000,
};

/* Below a spread of one per cent it is the clocks that differ, not the hypotheses. */
#define VARIANCE_FLOOR 1e-4
/* Twice the difference of log-likelihoods that makes a hypothesis implausible: about 1 in 150. */
#define IMPLAUSIBLE 7.0
#define SHARP_ERROR 0.01

void gauge_begin(struct gauge *gauge, int level)
{
	size_t count = gauge->count;

	memset((char *)gauge + offsetof(struct gauge, level), 0,
		sizeof(*gauge) - offsetof(struct gauge, level));
	gauge->level = level;
	for (size_t i = 0; i < count; i++)
		gauge->jobs[i].is_counted = false;
}

void gauge_sent(struct gauge *gauge, const void *who, int64_t now_us)
{
	struct gauge_job *job = &gauge->jobs[gauge->count];

	if (gauge->count == GAUGE_MOST)
		return;
	*job = (struct gauge_job){.who = who, .sent_us = now_us, .is_counted = true};
	for (size_t i = 0; i < gauge->count; i++)
		job->shuffle += gauge->jobs[i].sent_us + SHUFFLE_US > now_us;
	job->rank = (int)++gauge->count;
	for (int rank = job->rank; rank <= GAUGE_MOST; rank++)
		job->reached_us[rank] = now_us;
}

static int rank_at(const struct gauge_job *job, int rank_now, int64_t at_us)
{
	int rank = rank_now;

	while (rank < job->rank && job->reached_us[rank] > at_us)
		rank++;
	return rank;
}

static void remove_job(struct gauge *gauge, size_t index, int64_t now_us)
{
	gauge->count--;
	memmove(&gauge->jobs[index], &gauge->jobs[index + 1],
		(gauge->count - index) * sizeof(gauge->jobs[0]));
	for (size_t i = index; i < gauge->count; i++)
		gauge->jobs[i].reached_us[i + 1] = now_us;
}

static void add_waits(struct gauge *gauge, double whole_us, double wait_us, bool is_full)
{
	gauge->all_told++;
	gauge->all_wait_us += wait_us;
	gauge->all_whole_us += whole_us;
	if (!is_full)
		return;
	gauge->told++;
	gauge->wait_us += wait_us;
	gauge->whole_us += whole_us;
}

/* It was being served at that time, though so many had come before it. */
static void add_contradictions(struct gauge *gauge, const struct gauge_job *job, int rank)
{
	for (int places = 1; places < rank - job->shuffle; places++)
		gauge->places[places].contradictions++;
}

static void add_sample(
	struct gauge *gauge, const struct gauge_job *job, const struct gauge_end *end, int rank_now)
{
	bool has_size = end->work > 0;
	double work = has_size ? end->work : 1;
	double least_us = (double)(end->now_us - job->sent_us + 1) / (RUN_LEAST * gauge->level);

	if (gauge->samples == 0)
		gauge->has_sizes = has_size;
	if (has_size != gauge->has_sizes)
		return;
	gauge->samples++;
	gauge->work += work;
	for (int places = 1; places <= gauge->level; places++) {
		struct gauge_places *sum = &gauge->places[places];
		double run_us = (double)(end->now_us - job->reached_us[places]);
		double log_time;

		/* Ends in one moment, or before it had begun: a hypothesis must not win by runs of
		 * nothing (it falls by contradiction). */
		if (places < rank_now || run_us < least_us)
			run_us = least_us;
		log_time = log(run_us / work);
		sum->run_us += run_us;
		sum->log_run += log(run_us);
		sum->log += log_time;
		sum->log_square += log_time * log_time;
	}
}

bool gauge_ended(struct gauge *gauge, const void *who, const struct gauge_end *end)
{
	struct gauge_job job;
	int samples = gauge->samples;
	size_t index = 0;
	bool is_full;

	while (index < gauge->count && gauge->jobs[index].who != who)
		index++;
	if (index == gauge->count)
		return false;
	job = gauge->jobs[index];
	remove_job(gauge, index, end->now_us);
	if (!end->is_good || !job.is_counted || job.rank > gauge->level)
		return false;
	gauge->ends++;
	if (job.rank > gauge->top_rank)
		gauge->top_rank = job.rank;
	is_full = job.rank == gauge->level;
	if (end->wait_us >= 0)
		add_waits(gauge, (double)end->whole_us, (double)end->wait_us, is_full);
	add_contradictions(gauge, &job, (int)index + 1);
	if (end->first_byte_us)
		add_contradictions(gauge, &job, rank_at(&job, (int)index + 1, end->first_byte_us));
	if (is_full)
		add_sample(gauge, &job, end, (int)index + 1);
	return gauge->samples > samples;
}

double gauge_serving(const struct gauge *gauge)
{
	if (gauge->whole_us <= 0)
		return gauge->level;
	return gauge->level * (1 - gauge->wait_us / gauge->whole_us);
}

static double variance(const struct gauge *gauge, int places)
{
	const struct gauge_places *sum = &gauge->places[places];
	double mean = sum->log / gauge->samples;
	double found = sum->log_square / gauge->samples - mean * mean;

	return found > VARIANCE_FLOOR ? found : VARIANCE_FLOOR;
}

static bool is_contradicted(const struct gauge *gauge, int places)
{
	return gauge->places[places].contradictions > CONTRADICTIONS_MOST;
}

/* Minus the log-likelihood of the ends for one job, when times for a unit of work are lognormal. */
static double unlikelihood(const struct gauge *gauge, int places)
{
	return log(variance(gauge, places)) / 2 + gauge->places[places].log_run / gauge->samples;
}

static int likeliest(const struct gauge *gauge)
{
	int best = gauge->level;

	for (int places = gauge->level - 1; places >= 1; places--) {
		if (!is_contradicted(gauge, places) &&
			unlikelihood(gauge, places) < unlikelihood(gauge, best))
			best = places;
	}
	return best;
}

bool gauge_places(const struct gauge *gauge, int *ret_least, int *ret_most)
{
	double best;
	int least = gauge->level + 1;
	int most = 0;

	if (gauge->samples < SAMPLES_LEAST)
		return false;
	best = unlikelihood(gauge, likeliest(gauge));
	for (int places = 1; places <= gauge->level; places++) {
		bool is_plausible =
			2 * gauge->samples * (unlikelihood(gauge, places) - best) <= IMPLAUSIBLE;

		if (is_contradicted(gauge, places) ||
			(!is_plausible && variance(gauge, places) > VARIANCE_FLOOR))
			continue;
		least = places < least ? places : least;
		most = places;
	}
	if (most == 0) /* all are contradicted: more are served than are in flight at most */
		least = most = gauge->level;
	*ret_least = least;
	*ret_most = most;
	return true;
}

double gauge_rate(const struct gauge *gauge, int places)
{
	if (gauge->samples == 0)
		return 0;
	if (places == 0)
		places = likeliest(gauge);
	return places * gauge->work / gauge->places[places].run_us * US_PER_S;
}

double gauge_error(const struct gauge *gauge)
{
	return sqrt(variance(gauge, likeliest(gauge)) / gauge->samples);
}

bool gauge_is_sharp(const struct gauge *gauge)
{
	/* Jobs of one size come in rounds: a whole one is seen. */
	if (gauge->samples < SHARP_LEAST || gauge->samples < gauge->level)
		return false;
	return gauge_error(gauge) <= SHARP_ERROR;
}
