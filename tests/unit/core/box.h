/*
 * A small model of Ollama for tests of what is sent at once: so many places, first come first
 * served, speed 1 / (1 + 0.15 (b - 1)) with b served at once. Included once by each test; seeded.
 */
#ifndef SO_TESTS_CORE_BOX_H
#define SO_TESTS_CORE_BOX_H

#include <math.h>
#include <stdbool.h>

enum { FLIGHT_MOST = 64 };

#define ALPHA 0.15
/* A job of mean size alone: half a second. */
#define MEAN_US 500e3
/* Of the work, that sizes do not show. */
#define NOISE 0.05

enum sizes { EQUAL, MIXED, EXPONENTIAL };
/* What the answers tell besides their end. */
enum tells { TELLS_WAIT, TELLS_TOKENS, TELLS_STREAM, TELLS_NOTHING };

struct flight {
	int who;
	double size;
	double left;
	double sent_us;
	double begun_us; /* -1: waits */
};

struct box {
	int places;
	enum sizes sizes;
	enum tells tells;
	int clients;   /* that there are at most; 0: always one more */
	double noise;  /* +- of the work that the sizes do not show */
	double stalls; /* of the jobs such a part takes a mean job longer than its size */
	bool swaps;    /* of two that were sent in one moment the later may come first */
	uint64_t random;
	struct flight flights[FLIGHT_MOST];
	int count;
	double now_us;
	int ended;
	double work;
};

static double uniform(struct box *box)
{
	uint64_t mixed = box->random += 0x9e3779b97f4a7c15;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
	return (double)((mixed ^ (mixed >> 31)) >> 11) / 9007199254740992.0;
}

static double draw_size(struct box *box)
{
	switch (box->sizes) {
	case EQUAL:
		break;
	case MIXED:
		return 0.3 + 1.4 * uniform(box);
	case EXPONENTIAL:
		return 0.05 - 0.95 * log(1 - uniform(box));
	}
	return 1;
}

static int served(const struct box *box)
{
	return box->count < box->places ? box->count : box->places;
}

static void begin_those_that_may(struct box *box)
{
	for (int i = 0; i < served(box); i++) {
		if (box->flights[i].begun_us < 0)
			box->flights[i].begun_us = box->now_us;
	}
}

static void swap_with_the_one_before(struct box *box)
{
	struct flight *flight = &box->flights[box->count - 1];
	struct flight earlier;

	if (!box->swaps || box->count < 2 || flight[-1].sent_us != flight->sent_us ||
		uniform(box) < 0.5)
		return;
	earlier = flight[-1];
	flight[-1] = *flight;
	flight[-1].begun_us = earlier.begun_us;
	*flight = earlier;
	flight->begun_us = -1;
}

static void send_sized(struct box *box, int who, double size)
{
	struct flight *flight = &box->flights[box->count++];

	assert_true(box->count < FLIGHT_MOST);
	*flight = (struct flight){
		.who = who,
		.size = size,
		.left = MEAN_US * (size * (1 + box->noise * (2 * uniform(box) - 1)) +
					  (box->stalls > 0 && uniform(box) < box->stalls)),
		.sent_us = box->now_us,
		.begun_us = -1,
	};
	swap_with_the_one_before(box);
	begin_those_that_may(box);
}

/* Time passes until one ends, or that moment; true: one ended. */
static bool pass_until(struct box *box, double until_us, struct flight *ret_ended)
{
	double slowness = 1 + ALPHA * (served(box) - 1);
	double step_us = until_us - box->now_us;
	int first = 0;
	bool ends;

	for (int i = 1; i < served(box); i++) {
		if (box->flights[i].left < box->flights[first].left)
			first = i;
	}
	ends = box->count > 0 && box->flights[first].left * slowness <= step_us;
	if (ends)
		step_us = box->flights[first].left * slowness;
	for (int i = 0; i < served(box); i++)
		box->flights[i].left -= step_us / slowness;
	box->now_us += step_us;
	if (!ends)
		return false;
	*ret_ended = box->flights[first];
	box->count--;
	for (int i = first; i < box->count; i++)
		box->flights[i] = box->flights[i + 1];
	box->ended++;
	box->work += ret_ended->size;
	begin_those_that_may(box);
	return true;
}

#endif
