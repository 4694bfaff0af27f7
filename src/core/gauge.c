#include "core/gauge.h"

#include <math.h>
#include <string.h>

enum {
	/* Sent so shortly one after the other, two may change places on their way. */
	SHUFFLE_US = 2000,
	/* One contradiction may be such a pair, or a job that left unseen. */
	CONTRADICTIONS_MOST = 1,
	SAMPLES_LEAST = 8,
	/* Jobs that prove one place more, and that prove that there is none: a mistake upwards is
	   seen at the next level, one downwards costs throughput. */
	MORE_LEAST = 1,
	NO_MORE_LEAST = 6,
	/* Older ones count half when there are so many: what changes is seen after some more. */
	WAITS_MOST = 16,
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
/* So far from the middle towards either side the waits are clear: halfway. */
#define CLEAR 0.5

void gauge_begin(struct gauge *gauge, int level)
{
	size_t count = gauge->count;

	memset((char *)gauge + offsetof(struct gauge, level), 0,
		sizeof(*gauge) - offsetof(struct gauge, level));
	gauge->level = level;
	for (size_t i = 0; i < count; i++)
		gauge->jobs[i].is_counted = false;
}

void gauge_forget(struct gauge *gauge, int places)
{
	for (int i = places; i < GAUGE_MOST; i++)
		gauge->waits[i] = (struct gauge_waits){0};
	if (places > 0)
		return;
	gauge->has_waits = false;
	for (size_t i = 0; i < gauge->count; i++)
		gauge->jobs[i].is_forgotten = true;
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

/* How long it would have waited with so many places; `rank` is the one it had at its end. */
static double wait_with(const struct gauge_job *job, int places, int rank, int64_t now_us)
{
	if (places < rank)
		return (double)(now_us - job->sent_us);
	return (double)(job->reached_us[places] - job->sent_us);
}

/* Two that were sent in one moment may be served the other way round: sums over both hardly differ.
 */
static void add_waits(
	struct gauge *gauge, const struct gauge_job *job, int rank, const struct gauge_end *end)
{
	double wait_us = (double)end->wait_us;

	if (!gauge->has_waits || wait_us < gauge->least_wait_us)
		gauge->least_wait_us = wait_us;
	gauge->has_waits = true;
	wait_us -= gauge->least_wait_us;
	for (int places = 1; places < GAUGE_MOST && places < job->rank; places++) {
		struct gauge_waits *sum = &gauge->waits[places];
		double with = wait_with(job, places, rank, end->now_us);
		double with_more = wait_with(job, places + 1, rank, end->now_us);

		if (sum->jobs >= WAITS_MOST) {
			sum->jobs /= 2;
			sum->wait_us /= 2;
			sum->middle_us /= 2;
			sum->margin_us /= 2;
		}
		sum->jobs += with > with_more;
		sum->wait_us += wait_us;
		sum->middle_us += (with + with_more) / 2;
		sum->margin_us += (with - with_more) / 2;
	}
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
	if (!end->is_good || job.is_forgotten)
		return false;
	if (end->wait_us >= 0)
		add_waits(gauge, &job, (int)index + 1, end);
	if (!job.is_counted || job.rank > gauge->level)
		return false;
	gauge->ends++;
	gauge->told += end->wait_us >= 0;
	if (job.rank > gauge->top_rank)
		gauge->top_rank = job.rank;
	is_full = job.rank == gauge->level;
	gauge->told_full += is_full && end->wait_us >= 0;
	add_contradictions(gauge, &job, (int)index + 1);
	if (end->first_byte_us)
		add_contradictions(gauge, &job, rank_at(&job, (int)index + 1, end->first_byte_us));
	if (is_full)
		add_sample(gauge, &job, end, (int)index + 1);
	return gauge->samples > samples;
}

void gauge_waits(const struct gauge *gauge, int *ret_least, int *ret_most)
{
	*ret_least = 1;
	*ret_most = 0;
	for (int places = 1; places < GAUGE_MOST; places++) {
		const struct gauge_waits *sum = &gauge->waits[places];
		double less_us = sum->middle_us - sum->wait_us;

		if (sum->jobs >= NO_MORE_LEAST && less_us < -CLEAR * sum->margin_us) {
			*ret_most = places;
			return;
		}
		if (sum->jobs >= MORE_LEAST && less_us > CLEAR * sum->margin_us)
			*ret_least = places + 1;
	}
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
