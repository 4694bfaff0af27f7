#include "samples.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/memory.h"

void samples_add(struct samples *samples, int64_t value)
{
	if (samples->count == samples->capacity) {
		samples->capacity = samples->capacity ? samples->capacity * 2 : 1024;
		samples->values =
			mem_grow_array(samples->values, samples->capacity, sizeof(int64_t));
	}
	samples->values[samples->count++] = value;
}

void samples_finish(struct samples *samples)
{
	free(samples->values);
	*samples = (struct samples){0};
}

static int compare(const void *one, const void *other)
{
	int64_t a = *(const int64_t *)one;
	int64_t b = *(const int64_t *)other;

	return (a > b) - (a < b);
}

void samples_print(struct samples *samples, const char *key, double divisor)
{
	static const struct {
		const char *key;
		double fraction;
	} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1}};

	printf("\"%s\":", key);
	if (!samples->count) {
		printf("null");
		return;
	}
	qsort(samples->values, samples->count, sizeof(int64_t), compare);
	for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++) {
		size_t index = (size_t)(quantiles[i].fraction * (double)(samples->count - 1));

		printf("%s\"%s\":%.3f", i ? "," : "{", quantiles[i].key,
			(double)samples->values[index] / divisor);
	}
	printf("}");
}
