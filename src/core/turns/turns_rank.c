/* Where each waiting job stands, all at once (PRODUCT 6.6): sorted, so that a list of all of them
 * costs no more than O(jobs log jobs + keys log keys). */
#include <stdlib.h>

#include "base/memory.h"
#include "core/ring.h"
#include "core/turns/turns_parts.h"

/* One of the ring's waiting jobs. */
struct standing {
	struct job *job;
	enum job_class job_class; /* age included */
	bool is_ready;		  /* it may go, as far as it depends on itself */
	const void *line;	  /* those in the same one wait for the same slot or turn */
	/* Its project's counter when those of the project that go before it were served. */
	double served_us;
};

/* When the turn of a runner comes: what is loaded, what is being loaded, then as turns_choose(). */
enum turn_rank { RANK_LOADED, RANK_TARGET, RANK_URGENT, RANK_OTHERS };

/* A runner that jobs wait for. */
struct turn_order {
	struct runner *runner;
	enum turn_rank rank;
	double index;
};

static int by_order(const void *one, const void *other)
{
	const struct turn_order *a = one;
	const struct turn_order *b = other;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->rank == RANK_URGENT)
		return turns_is_more_urgent(b->runner, a->runner) -
		       turns_is_more_urgent(a->runner, b->runner);
	if (a->rank == RANK_OTHERS)
		return (a->index < b->index) - (a->index > b->index);
	return 0;
}

static size_t collect_runners(
	struct turns *turns, const struct scheduler_view *view, struct turn_order orders[])
{
	bool is_any_lower = turns_is_any_lower(turns);
	struct list *node;
	size_t count = 0;

	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner->survey.waiting == 0)
			continue;
		orders[count++] = (struct turn_order){
			.runner = runner,
			.rank = runner->is_resident			      ? RANK_LOADED
				: runner == turns->target		      ? RANK_TARGET
				: turns_is_urgent(runner, view, is_any_lower) ? RANK_URGENT
									      : RANK_OTHERS,
			.index = turns_index(turns, runner, view),
		};
	}
	return count;
}

/* How many wait for runners that are served before it. */
static void count_ahead(struct turns *turns, const struct scheduler_view *view)
{
	struct turn_order *orders = mem_zalloc_array(turns->runners.count + 1, sizeof(*orders));
	size_t count = collect_runners(turns, view, orders);
	uint64_t ahead = 0;
	uint64_t same = 0; /* of the runners of this order */

	qsort(orders, count, sizeof(*orders), by_order);
	for (size_t i = 0; i < count; i++) {
		struct runner *runner = orders[i].runner;

		if (i > 0 && by_order(&orders[i - 1], &orders[i]) < 0) {
			ahead += same;
			same = 0;
		}
		if (!runner->is_resident)
			runner->survey.ahead = ahead;
		same += runner->survey.waiting;
	}
	free(orders);
}

static int compare_class_and_arrival(const struct standing *a, const struct standing *b)
{
	if (a->job_class != b->job_class)
		return a->job_class > b->job_class ? -1 : 1;
	if (a->job->came_us != b->job->came_us)
		return a->job->came_us < b->job->came_us ? -1 : 1;
	return a->job->before < b->job->before ? -1 : 1;
}

static int by_project(const void *one, const void *other)
{
	const struct standing *a = one;
	const struct standing *b = other;

	if (a->job->share != b->job->share)
		return a->job->share < b->job->share ? -1 : 1;
	if (a->line != b->line)
		return (uintptr_t)a->line < (uintptr_t)b->line ? -1 : 1;
	return compare_class_and_arrival(a, b);
}

/* As turns_goes_before(), each with the counter that its project will have. */
static int by_service(const void *one, const void *other)
{
	const struct standing *a = one;
	const struct standing *b = other;

	if (a->job_class == b->job_class &&
		(a->served_us < b->served_us || a->served_us > b->served_us))
		return a->served_us < b->served_us ? -1 : 1;
	return compare_class_and_arrival(a, b);
}

static const void *line_of(const struct turns *turns, const struct job *job)
{
	if (turns_is_loose(job))
		return NULL;
	return job->runner->is_resident ? (const void *)turns : job->runner;
}

/* The projects go on by turns: each job that is served moves its project's counter. */
static void foresee_shares(const struct turns *turns, struct standing standings[], size_t count)
{
	double ahead_us = 0; /* of the same project and line */

	qsort(standings, count, sizeof(*standings), by_project);
	for (size_t i = 0; i < count; i++) {
		struct standing *standing = &standings[i];
		const struct share *share = standing->job->share;

		if (i == 0 || standings[i - 1].job->share != share ||
			standings[i - 1].line != standing->line)
			ahead_us = 0;
		standing->served_us = share->served_us + ahead_us;
		if (standing->is_ready)
			ahead_us += turns_service_us(turns, standing->job) /
				    standing->job->policy.weight;
	}
}

/* All that wait; those of the survey, which stand in the same order, are ready. */
static size_t collect_jobs(
	const struct turns *turns, const struct scheduler_view *view, struct standing standings[])
{
	const struct turns_survey *survey = &turns->survey;
	size_t total = ring_count(view->ring);
	size_t ready = 0;
	size_t count = 0;

	for (size_t i = 0; i < total; i++) {
		struct job *job = ring_at(view->ring, i);
		struct standing *standing = &standings[count];

		if (job->state != JOB_QUEUED)
			continue;
		job->before = i; /* until they are sorted */
		standing->job = job;
		standing->line = line_of(turns, job);
		standing->is_ready = ready < survey->count && survey->ready[ready].job == job;
		standing->job_class = standing->is_ready ? survey->ready[ready].job_class
							 : turns_class(job, view);
		ready += standing->is_ready;
		count++;
	}
	return count;
}

/* Those that wait for the same go one after the other: for a runner's turn, or, where it is loaded,
 * for a slot, which those without a runner take first. */
static void count_before(const struct standing standings[], size_t count)
{
	uint64_t all_loose = 0;
	uint64_t loose = 0;
	uint64_t resident = 0;

	for (size_t i = 0; i < count; i++)
		all_loose += standings[i].is_ready && turns_is_loose(standings[i].job);
	for (size_t i = 0; i < count; i++) {
		struct job *job = standings[i].job;
		bool is_loose = turns_is_loose(job);
		uint64_t *passed = is_loose		      ? &loose
				   : job->runner->is_resident ? &resident
							      : &job->runner->survey.passed;

		job->before = *passed;
		if (!is_loose && job->runner->is_resident)
			job->before += all_loose;
		*passed += standings[i].is_ready;
	}
}

void turns_rank_all(struct turns *turns, const struct scheduler_view *view)
{
	struct standing *standings =
		mem_zalloc_array(ring_count(view->ring) + 1, sizeof(*standings));
	size_t count = collect_jobs(turns, view, standings);

	count_ahead(turns, view);
	foresee_shares(turns, standings, count);
	qsort(standings, count, sizeof(*standings), by_service);
	count_before(standings, count);
	free(standings);
}
