/* Places of all waiting jobs at once: the same as counted one by one, and not in quadratic time:
 * what is asked of jobs and pairs of jobs is counted by wrapping it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/memory.h"
#include "config/settings.h"
#include "core/job.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/scheduler.h"
#include "core/turns/turns_parts.h"

enum {
	WAITING = 1000,
	KEYS = 20,
	LOOSE_EACH = 50, /* one of so many has no model, so no runner */
	PROJECTS = 7,
	NOW_US = 1000 * 1000 * 1000,
	/* n log2 n is 9,966: two sorts, and a dozen looks at each job. */
	STEPS_MOST = 2 * 9966 + 12 * WAITING,
	INDICES_MOST = 4 * KEYS, /* its order, and the choice of the next key */
};

static size_t steps, indices;
static int (*compare_pair)(const void *one, const void *other);

bool __real_turns_goes_before(const struct job *one, enum job_class one_class,
	const struct job *other, enum job_class other_class);
bool __wrap_turns_goes_before(const struct job *one, enum job_class one_class,
	const struct job *other, enum job_class other_class);
bool __real_turns_is_loose(const struct job *job);
bool __wrap_turns_is_loose(const struct job *job);
struct job *__real_ring_at(const struct ring *ring, size_t index);
struct job *__wrap_ring_at(const struct ring *ring, size_t index);
void __real_qsort(
	void *items, size_t count, size_t bytes, int (*compare)(const void *, const void *));
void __wrap_qsort(
	void *items, size_t count, size_t bytes, int (*compare)(const void *, const void *));
double __real_turns_index(
	const struct turns *turns, const struct runner *runner, const struct scheduler_view *view);
double __wrap_turns_index(
	const struct turns *turns, const struct runner *runner, const struct scheduler_view *view);

bool __wrap_turns_goes_before(const struct job *one, enum job_class one_class,
	const struct job *other, enum job_class other_class)
{
	steps++;
	return __real_turns_goes_before(one, one_class, other, other_class);
}

bool __wrap_turns_is_loose(const struct job *job)
{
	steps++;
	return __real_turns_is_loose(job);
}

struct job *__wrap_ring_at(const struct ring *ring, size_t index)
{
	steps++;
	return __real_ring_at(ring, index);
}

static int count_pair(const void *one, const void *other)
{
	steps++;
	return compare_pair(one, other);
}

void __wrap_qsort(
	void *items, size_t count, size_t bytes, int (*compare)(const void *, const void *))
{
	compare_pair = compare;
	__real_qsort(items, count, bytes, count_pair);
}

double __wrap_turns_index(
	const struct turns *turns, const struct runner *runner, const struct scheduler_view *view)
{
	indices++;
	return __real_turns_index(turns, runner, view);
}

struct scene {
	struct job jobs[WAITING];
	struct tally tally;
	struct settings settings;
	struct scheduler_view view;
	struct scheduler *scheduler;
	struct ring *ring;
	struct residency *residency;
};

static void enter(struct scene *scene, int i)
{
	struct job *job = &scene->jobs[i];

	job_init(job, &scene->tally);
	if (i % LOOSE_EACH != 0)
		job->record.model = mem_printf("m%d", i * 13 % KEYS);
	job->record.project = mem_printf("p%d", i * 5 % PROJECTS);
	/* not in the order of the ring, as if some had come back to their places */
	job->record.body_complete_us = NOW_US - WAITING + i * 389 % WAITING;
	job->policy.job_class = (enum job_class)(CLASS_BATCH + i % CLASS_INTERACTIVE);
	job->policy.weight = 1 + i % 3;
	job->policy.project_max_concurrent = i * 5 % PROJECTS == 0;
	scheduler_enter(scene->scheduler, &scene->settings, job, NULL, NOW_US);
	job->share->served_us = i * 5 % PROJECTS % 3;
	assert_true(ring_put(scene->ring, job));
	job_set_state(job, JOB_QUEUED);
}

/* Two of twenty keys are loaded; one project runs as many as it may. */
static int setup(void **state)
{
	struct scene *scene = mem_zalloc(sizeof(*scene));

	scene->settings = (struct settings){.max_concurrent = 2, .scheduler = SCHEDULER_TURNS};
	scene->ring = ring_create(WAITING);
	scene->residency = residency_create();
	scene->scheduler = scheduler_create();
	scene->view = (struct scheduler_view){
		.now_us = NOW_US,
		.upstream_usable = true,
		.residency = scene->residency,
		.ring = scene->ring,
		.settings = &scene->settings,
		.in_progress = 2,
	};
	residency_begin(scene->residency);
	residency_add(scene->residency, "m0", 1, 1, 4096);
	residency_add(scene->residency, "m7", 1, 1, 4096);
	residency_end(scene->residency, NOW_US);
	for (int i = 0; i < WAITING; i++)
		enter(scene, i);
	for (int i = 0; i < KEYS; i++) {
		assert_int_equal(
			scheduler_next(scene->scheduler, &scene->view).verdict, SCHEDULER_LOOK);
		scheduler_looked(scene->scheduler, RUNNER_GENERATES, NOW_US);
	}
	scheduler_next(scene->scheduler, &scene->view);
	scene->jobs[0].groups[GROUP_PROJECT]->running = 1;
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	scene->jobs[0].groups[GROUP_PROJECT]->running = 0;
	for (int i = 0; i < WAITING; i++) {
		ring_remove(scene->ring, &scene->jobs[i]);
		job_finish(&scene->jobs[i]);
	}
	ring_destroy(scene->ring);
	residency_destroy(scene->residency);
	scheduler_destroy(scene->scheduler);
	free(scene);
	return 0;
}

static bool wait_for_the_same(const struct job *one, const struct job *other)
{
	if (!one->runner || !other->runner)
		return one->runner == other->runner;
	return one->runner == other->runner ||
	       (one->runner->is_resident && other->runner->is_resident);
}

/* Of one project. */
static bool is_earlier_of_project(const struct job *one, const struct job *other)
{
	if (one->policy.job_class != other->policy.job_class)
		return one->policy.job_class > other->policy.job_class;
	return one->came_us < other->came_us;
}

/* What its project will have used when its turn comes. */
static double used_by_then_us(const struct scene *scene, const struct job *job)
{
	double used_us = job->share->served_us;

	for (int i = 0; i < WAITING; i++) {
		const struct job *other = &scene->jobs[i];

		if (other != job && other->share == job->share && !job_is_capped(other) &&
			wait_for_the_same(other, job) && is_earlier_of_project(other, job))
			used_us += (double)scheduler_expected_us(scene->scheduler, NULL) /
				   other->policy.weight;
	}
	return used_us;
}

static double used_us[WAITING];

static bool is_earlier(const struct scene *scene, const struct job *one, const struct job *other)
{
	double a_us = used_us[one - scene->jobs];
	double b_us = used_us[other - scene->jobs];

	if (one->policy.job_class == other->policy.job_class && (a_us < b_us || a_us > b_us))
		return a_us < b_us;
	return is_earlier_of_project(one, other);
}

static uint64_t counted_before(const struct scene *scene, const struct job *job)
{
	uint64_t count = 0;

	for (int i = 0; i < WAITING; i++) {
		const struct job *other = &scene->jobs[i];

		if (other == job || job_is_capped(other))
			continue;
		if (!other->runner && job->runner)
			count += job->runner->is_resident;
		else if (wait_for_the_same(other, job))
			count += is_earlier(scene, other, job);
	}
	return count;
}

static void test_places_are_as_counted_one_by_one(void **state)
{
	struct scene *scene = *state;

	scheduler_rank(scene->scheduler, &scene->view);
	for (int i = 0; i < WAITING; i++)
		used_us[i] = used_by_then_us(scene, &scene->jobs[i]);
	for (int i = 0; i < WAITING; i++)
		assert_int_equal(scene->jobs[i].before, counted_before(scene, &scene->jobs[i]));
}

static void test_a_list_of_all_is_not_quadratic(void **state)
{
	struct scene *scene = *state;
	char reason[SCHEDULER_REASON_BYTES];

	steps = indices = 0;
	scheduler_rank(scene->scheduler, &scene->view);
	for (int i = 0; i < WAITING; i++)
		assert_true(scheduler_explain(
				    scene->scheduler, &scene->view, &scene->jobs[i], reason) > 0);
	assert_in_range(steps, WAITING, STEPS_MOST);
	assert_in_range(indices, KEYS - 2, INDICES_MOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_places_are_as_counted_one_by_one, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_list_of_all_is_not_quadratic, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
