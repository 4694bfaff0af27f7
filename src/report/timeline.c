#include "report/timeline.h"

#include <string.h>

/* Nothing is drawn finer. */
static const int64_t WIDTH_LEAST_US = 1000000;

static void merge(struct timeline_column *into, const struct timeline_column *from)
{
	into->arrivals += from->arrivals;
	into->errors += from->errors;
	into->warm += from->warm;
	into->cold += from->cold;
	into->latencies += from->latencies;
	into->waits += from->waits;
	into->latency_ms += from->latency_ms;
	into->wait_ms += from->wait_ms;
}

static void double_width(struct timeline *timeline)
{
	struct timeline_column merged[TIMELINE_COLUMNS] = {{0}};
	int64_t first = timeline->first / 2;

	for (size_t i = 0; i < timeline->used; i++)
		merge(&merged[(timeline->first + (int64_t)i) / 2 - first], &timeline->columns[i]);
	if (timeline->used > 0)
		timeline->used =
			(size_t)((timeline->first + (int64_t)timeline->used - 1) / 2 - first + 1);
	timeline->first = first;
	timeline->width_us *= 2;
	memcpy(timeline->columns, merged, sizeof(merged));
}

/* Makes room for columns before the first one. */
static void shift(struct timeline *timeline, size_t columns)
{
	memmove(timeline->columns + columns, timeline->columns,
		timeline->used * sizeof(timeline->columns[0]));
	memset(timeline->columns, 0, columns * sizeof(timeline->columns[0]));
	timeline->used += columns;
	timeline->first -= (int64_t)columns;
}

struct timeline_column *timeline_at(struct timeline *timeline, int64_t us)
{
	int64_t at;

	if (us < 0)
		us = 0;
	if (timeline->used == 0) {
		timeline->width_us = WIDTH_LEAST_US;
		timeline->first = us / timeline->width_us;
	}
	for (;;) {
		at = us / timeline->width_us - timeline->first;
		if (at >= 0 && at < TIMELINE_COLUMNS)
			break;
		if (at < 0 && -at + (int64_t)timeline->used <= TIMELINE_COLUMNS) {
			shift(timeline, (size_t)-at);
			at = 0;
			break;
		}
		double_width(timeline);
	}
	if ((size_t)at >= timeline->used)
		timeline->used = (size_t)at + 1;
	return &timeline->columns[at];
}
