#include "report/traffic.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "report/bound.h"
#include "report/heap.h"

enum {
	/* Requests that end within the window after one that ended are put into order: the longest
	   wait and run of our defaults, and as many as a busy box has in that time. */
	ORDER_MOST = 32768,
	ORDER_WINDOW_S = 1800,
	/* The busiest minute is counted up to so many requests. */
	MINUTE_MOST = 65536,
	MINUTE_S = 60,
	/* Requests that follow each other sooner than this belong to one burst. */
	BURST_GAP_S = 5,
	RUNNING_MOST = 4096,
	MORE_SLOTS = 2,
	US_PER_S = 1000 * 1000,
};

#define US_PER_MS 1e3

/* For these numbers of slots the least wait is computed along the way, since how many ran at once
 * is known at the end only; between two of them the higher one is right too, only lower. */
static const unsigned slot_counts[] = {1, 2, 3, 4, 5, 6, 8, 12, 16, 32, 64};

enum { SLOT_COUNTS = sizeof(slot_counts) / sizeof(slot_counts[0]) };

/* Puts into order what is nearly so. */
struct order {
	struct heap heap;
	int64_t newest_us; /* the latest end that was seen */
	int64_t passed_us; /* the key that was let go last */
};

struct traffic {
	struct order arrivals;
	struct order jobs; /* value: service time */
	struct order runs; /* value: end */
	struct heap running;
	int64_t blur_us;
	struct bound *bounds[SLOT_COUNTS];
	int64_t *minute; /* a ring of the arrivals of the last 60 s */
	size_t minute_first;
	size_t minute_count;
	int64_t burst_first_us;
	int64_t burst_last_us;
	uint64_t burst_size;
	struct traffic_result result;
};

struct traffic *traffic_create(int64_t blur_us)
{
	struct traffic *traffic = mem_zalloc(sizeof(*traffic));

	traffic->blur_us = blur_us;
	heap_init(&traffic->arrivals.heap, ORDER_MOST);
	heap_init(&traffic->jobs.heap, ORDER_MOST);
	heap_init(&traffic->runs.heap, ORDER_MOST);
	heap_init(&traffic->running, RUNNING_MOST);
	for (size_t i = 0; i < SLOT_COUNTS; i++)
		traffic->bounds[i] = bound_create(slot_counts[i]);
	traffic->minute = mem_zalloc_array(MINUTE_MOST, sizeof(*traffic->minute));
	return traffic;
}

void traffic_destroy(struct traffic *traffic)
{
	if (!traffic)
		return;
	heap_finish(&traffic->arrivals.heap);
	heap_finish(&traffic->jobs.heap);
	heap_finish(&traffic->runs.heap);
	heap_finish(&traffic->running);
	for (size_t i = 0; i < SLOT_COUNTS; i++)
		bound_destroy(traffic->bounds[i]);
	free(traffic->minute);
	free(traffic);
}

static void count_minute(struct traffic *traffic, int64_t us)
{
	while (traffic->minute_count > 0 &&
		us - traffic->minute[traffic->minute_first] >= (int64_t)MINUTE_S * US_PER_S) {
		traffic->minute_first = (traffic->minute_first + 1) % MINUTE_MOST;
		traffic->minute_count--;
	}
	if (traffic->minute_count < MINUTE_MOST) {
		size_t at = (traffic->minute_first + traffic->minute_count++) % MINUTE_MOST;

		traffic->minute[at] = us;
	}
	if (traffic->minute_count > traffic->result.peak_a_minute)
		traffic->result.peak_a_minute = traffic->minute_count;
}

/* A single request is no burst. */
static void end_burst(struct traffic *traffic)
{
	struct traffic_result *result = &traffic->result;

	if (traffic->burst_size < 2)
		return;
	result->bursts++;
	result->burst_requests += traffic->burst_size;
	if (traffic->burst_size > result->largest_burst)
		result->largest_burst = traffic->burst_size;
	spread_add(&result->burst_ms,
		(double)(traffic->burst_last_us - traffic->burst_first_us) / US_PER_MS);
}

static void count_burst(struct traffic *traffic, int64_t us)
{
	if (traffic->burst_size > 0 &&
		us - traffic->burst_last_us > (int64_t)BURST_GAP_S * US_PER_S) {
		end_burst(traffic);
		if (traffic->burst_size > 1)
			spread_add(&traffic->result.pause_ms,
				(double)(us - traffic->burst_last_us) / US_PER_MS);
		traffic->burst_size = 0;
	}
	if (traffic->burst_size++ == 0)
		traffic->burst_first_us = us;
	traffic->burst_last_us = us;
}

static void on_arrival(struct traffic *traffic, struct heap_item item)
{
	traffic->result.arrivals++;
	count_minute(traffic, item.key);
	count_burst(traffic, item.key);
}

static void on_job(struct traffic *traffic, struct heap_item item)
{
	for (size_t i = 0; i < SLOT_COUNTS; i++)
		bound_add(traffic->bounds[i], item.key, item.value);
}

static void on_run(struct traffic *traffic, struct heap_item item)
{
	struct heap *running = &traffic->running;

	while (running->count > 0 && heap_first(running)->key <= item.key + traffic->blur_us)
		heap_pop(running);
	if (!heap_is_full(running))
		heap_push(running, (struct heap_item){.key = item.value});
	if (running->count > traffic->result.at_once)
		traffic->result.at_once = running->count;
}

typedef void handler(struct traffic *traffic, struct heap_item item);

static void pass(struct traffic *traffic, struct order *order, handler *on_item)
{
	struct heap_item item = heap_pop(&order->heap);

	order->passed_us = item.key;
	on_item(traffic, item);
}

/* false: it comes too late to be put into order. */
static bool put(struct traffic *traffic, struct order *order, struct heap_item item,
	int64_t ended_us, handler *on_item)
{
	if (item.key < order->passed_us)
		return false;
	if (ended_us > order->newest_us)
		order->newest_us = ended_us;
	if (heap_is_full(&order->heap))
		pass(traffic, order, on_item);
	if (item.key < order->passed_us)
		return false;
	heap_push(&order->heap, item);
	while (order->heap.count > 0 &&
		heap_first(&order->heap)->key <
			order->newest_us - (int64_t)ORDER_WINDOW_S * US_PER_S)
		pass(traffic, order, on_item);
	return true;
}

void traffic_add_arrival(struct traffic *traffic, int64_t arrived_us, int64_t ended_us)
{
	if (!put(traffic, &traffic->arrivals, (struct heap_item){.key = arrived_us}, ended_us,
		    on_arrival))
		traffic->result.late++;
}

void traffic_add_run(struct traffic *traffic, int64_t arrived_us, int64_t began_us,
	int64_t ended_us, int64_t service_us)
{
	/* One that is late is missing from a bound, which stays one, and from a maximum. */
	put(traffic, &traffic->jobs, (struct heap_item){.key = arrived_us, .value = service_us},
		ended_us, on_job);
	put(traffic, &traffic->runs, (struct heap_item){.key = began_us, .value = ended_us},
		ended_us, on_run);
}

static void pass_all(struct traffic *traffic, struct order *order, handler *on_item)
{
	while (order->heap.count > 0)
		pass(traffic, order, on_item);
}

/* 0: more slots than were tried; none may have had to wait. */
static double least_wait(const struct traffic *traffic, uint64_t slots)
{
	for (size_t i = 0; i < SLOT_COUNTS; i++) {
		if (slot_counts[i] >= slots)
			return bound_wait_sum(traffic->bounds[i]);
	}
	return 0;
}

const struct traffic_result *traffic_finish(struct traffic *traffic)
{
	struct traffic_result *result = &traffic->result;

	pass_all(traffic, &traffic->arrivals, on_arrival);
	pass_all(traffic, &traffic->jobs, on_job);
	pass_all(traffic, &traffic->runs, on_run);
	end_burst(traffic);
	result->least_wait_sum_s = NAN;
	result->least_wait_sum_more_s = NAN;
	if (result->at_once > 0) {
		result->least_wait_sum_s = least_wait(traffic, result->at_once);
		result->least_wait_sum_more_s = least_wait(traffic, result->at_once + MORE_SLOTS);
	}
	return result;
}
