#include "report/bound.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "report/heap.h"

/* More at once than any ring of ours holds. */
enum { WAITING_MOST = 16384 };

#define US_PER_S 1e6

struct bound {
	double slots;
	double now_s;
	double period_s; /* of this busy period */
	double total_s;
	struct heap
		heap; /* key: service time, value: arrival, left: of the service time, seconds */
};

struct bound *bound_create(unsigned slots)
{
	struct bound *bound = mem_zalloc(sizeof(*bound));

	bound->slots = slots;
	heap_init(&bound->heap, WAITING_MOST);
	return bound;
}

void bound_destroy(struct bound *bound)
{
	if (!bound)
		return;
	heap_finish(&bound->heap);
	free(bound);
}

static void end_period(struct bound *bound)
{
	if (bound->period_s > 0)
		bound->total_s += bound->period_s;
	bound->period_s = 0;
}

/* Serves until `until_s`, or until nobody is there. */
static void serve(struct bound *bound, double until_s)
{
	while (bound->heap.count > 0 && bound->now_s < until_s) {
		struct heap_item *job = heap_first(&bound->heap);
		double took = job->left / bound->slots;
		double served, middle;

		if (took > until_s - bound->now_s)
			took = until_s - bound->now_s;
		served = took * bound->slots;
		middle = bound->now_s + took / 2 - (double)job->value / US_PER_S;
		bound->period_s += middle * served / ((double)job->key / US_PER_S);
		bound->now_s += took;
		job->left -= served;
		/* a nanosecond is the dust of the arithmetic */
		if (job->left > 1e-9)
			continue;
		heap_pop(&bound->heap);
		if (bound->heap.count == 0)
			end_period(bound);
	}
}

bool bound_add(struct bound *bound, int64_t arrived_us, int64_t service_us)
{
	double arrived_s = (double)arrived_us / US_PER_S;
	double service_s = (double)service_us / US_PER_S;

	serve(bound, arrived_s);
	if (bound->now_s < arrived_s)
		bound->now_s = arrived_s;
	if (service_us <= 0)
		return true;
	if (heap_is_full(&bound->heap))
		return false;
	heap_push(&bound->heap,
		(struct heap_item){.key = service_us, .value = arrived_us, .left = service_s});
	bound->period_s -= service_s / 2;
	return true;
}

double bound_wait_sum(struct bound *bound)
{
	serve(bound, INFINITY);
	return bound->total_s;
}
