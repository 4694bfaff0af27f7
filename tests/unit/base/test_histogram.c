#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/compiler.h"

/* Values up to here stand in buckets of at most 5 %. */
static const int64_t RANGE_END = 41800000000;

static int compare(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

	return (a > b) - (a < b);
}

static void test_empty_gives_zero(void **state)
{
	struct histogram histogram = {0};

	assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
	assert_int_equal(histogram_quantile(&histogram, 1), 0);
	assert_true(histogram_mean(&histogram) == 0);
}

static void test_bounds_grow_by_at_most_five_percent(void **state)
{
	for (unsigned i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
		int64_t lowest = i ? histogram_bound(i - 1) + 1 : 0;
		int64_t width = histogram_bound(i) + 1 - lowest;

		assert_true(width >= 1);
		assert_true(width == 1 || (double)width <= 0.05 * (double)lowest);
	}
	assert_true(histogram_bound(HISTOGRAM_BUCKETS - 2) > RANGE_END);
	assert_true(histogram_bound(HISTOGRAM_BUCKETS - 1) == INT64_MAX);
}

/* Each value is counted in the bucket whose bounds contain it, edges included. */
static void test_values_fall_into_their_buckets(void **state)
{
	for (unsigned i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
		struct histogram histogram = {0};

		histogram_add(&histogram, i ? histogram_bound(i - 1) + 1 : 0);
		histogram_add(&histogram, histogram_bound(i));
		assert_int_equal(histogram.buckets[i], 2);
	}
}

static void test_negative_counts_as_zero_and_huge_in_the_last(void **state)
{
	struct histogram histogram = {0};

	histogram_add(&histogram, -5);
	assert_int_equal(histogram.buckets[0], 1);
	assert_int_equal(histogram.max, 0);
	histogram_add(&histogram, INT64_MAX);
	assert_int_equal(histogram.buckets[HISTOGRAM_BUCKETS - 1], 1);
	assert_true(histogram_quantile(&histogram, 0.99) == INT64_MAX);
}

static void test_one_value_is_every_quantile(void **state)
{
	static const int64_t values[] = {0, 1, 19, 20, 1234567, 41000000000, 50000000000};

	for (unsigned i = 0; i < ARRAY_LENGTH(values); i++) {
		struct histogram histogram = {0};

		histogram_add(&histogram, values[i]);
		assert_true(histogram_quantile(&histogram, 0) == values[i]);
		assert_true(histogram_quantile(&histogram, 0.5) == values[i]);
		assert_true(histogram_quantile(&histogram, 1) == values[i]);
		assert_true(histogram_mean(&histogram) == (double)values[i]);
	}
}

static void test_quantiles_are_within_five_percent_of_exact_ones(void **state)
{
	enum { COUNT = 20000 };
	static const double fractions[] = {0.01, 0.25, 0.5, 0.9, 0.99, 0.999};
	int64_t *values = calloc(COUNT, sizeof(*values));
	struct histogram histogram = {0};
	uint64_t random = 42;
	double sum = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		/* xorshift64, then a random number of its bits: many magnitudes */
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		values[i] = (int64_t)((random >> 30) >> (random % 30));
		sum += (double)values[i];
		histogram_add(&histogram, values[i]);
	}
	qsort(values, COUNT, sizeof(*values), compare);
	for (unsigned i = 0; i < ARRAY_LENGTH(fractions); i++) {
		int64_t exact = values[(unsigned)(fractions[i] * COUNT) - 1];
		int64_t got = histogram_quantile(&histogram, fractions[i]);

		assert_true(llabs(got - exact) <= exact / 20);
	}
	assert_true(histogram_quantile(&histogram, 1) == values[COUNT - 1]);
	assert_true(histogram.max == values[COUNT - 1]);
	assert_true(histogram.count == COUNT);
	assert_true(histogram_mean(&histogram) == sum / COUNT);
	free(values);
}

static void test_median_of_four_is_the_second(void **state)
{
	struct histogram histogram = {0};

	for (int64_t value = 1; value <= 4; value++)
		histogram_add(&histogram, value);
	assert_int_equal(histogram_quantile(&histogram, 0.5), 2);
	assert_int_equal(histogram_quantile(&histogram, 0.51), 3);
}

static void test_what_was_apart_is_as_if_it_had_come_together(void **state)
{
	struct histogram all = {0}, one = {0}, other = {0};

	for (int64_t value = 1; value <= 1000; value++) {
		histogram_add(&all, value * value);
		histogram_add(value % 3 ? &one : &other, value * value);
	}
	histogram_merge(&one, &other);
	assert_memory_equal(&one, &all, sizeof(all));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_gives_zero),
		cmocka_unit_test(test_bounds_grow_by_at_most_five_percent),
		cmocka_unit_test(test_values_fall_into_their_buckets),
		cmocka_unit_test(test_negative_counts_as_zero_and_huge_in_the_last),
		cmocka_unit_test(test_one_value_is_every_quantile),
		cmocka_unit_test(test_quantiles_are_within_five_percent_of_exact_ones),
		cmocka_unit_test(test_median_of_four_is_the_second),
		cmocka_unit_test(test_what_was_apart_is_as_if_it_had_come_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
