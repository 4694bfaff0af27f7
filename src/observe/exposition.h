/*
 * Writes Prometheus' text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/): HELP and TYPE once for each
 * metric, then its samples, one a line. Called by admin for /metrics. Names carry their unit:
 * seconds, bytes, ratio; counters end in _total.
 */
#ifndef SO_OBSERVE_EXPOSITION_H
#define SO_OBSERVE_EXPOSITION_H

#include <stdint.h>

struct evbuffer;
struct ladder;
struct ladder_bounds;

#define METRIC_TYPES(X)       \
	X(COUNTER, "counter") \
	X(GAUGE, "gauge")     \
	X(HISTOGRAM, "histogram")

enum metric_type {
#define X(symbol, name) METRIC_##symbol,
	METRIC_TYPES(X)
#undef X
};

/* What is written: zeroed but for `out`. */
struct exposition {
	struct evbuffer *out;
	const char *name; /* of the metric that was begun */
};

/* At most so many labels stand at a sample; one without a name is left out. Values are valid UTF-8
 * (observe/names); they are escaped here. */
enum { EXPOSITION_LABELS = 2 };
struct label {
	const char *name; /* NULL: none */
	const char *value;
};
struct labels {
	struct label items[EXPOSITION_LABELS];
};

/* One without labels is struct labels {0}. */
#define NO_LABELS ((struct labels){{{0}}})
#define LABEL(name_, value_) ((struct labels){{{(name_), (value_)}}})
#define LABELS(name_, value_, name2, value2) \
	((struct labels){{{(name_), (value_)}, {(name2), (value2)}}})

/* The metric to which the following samples belong. */
void exposition_begin(
	struct exposition *exposition, const char *name, enum metric_type type, const char *help);
void exposition_put(struct exposition *exposition, struct labels labels, double value);
/* Exact: a double is only up to 2^53. */
void exposition_put_count(struct exposition *exposition, struct labels labels, uint64_t value);
/* A histogram's buckets, sum and count, in seconds. */
void exposition_put_ladder(struct exposition *exposition, struct labels labels,
	const struct ladder *ladder, const struct ladder_bounds *bounds);

#endif
