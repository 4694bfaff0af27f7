#include "core/fits.h"

bool fits_set_has(const struct fits_set *set, uint32_t id)
{
	for (size_t i = 0; i < set->count; i++) {
		if (set->ids[i] == id)
			return true;
	}
	return false;
}

bool fits_set_add(struct fits_set *set, uint32_t id)
{
	if (fits_set_has(set, id))
		return true;
	if (set->count == FITS_RUNNERS_MOST)
		return false;
	set->ids[set->count++] = id;
	return true;
}

static bool is_within(const struct fits_set *small, const struct fits_set *large)
{
	for (size_t i = 0; i < small->count; i++) {
		if (!fits_set_has(large, small->ids[i]))
			return false;
	}
	return true;
}

static bool is_same(const struct fits_set *one, const struct fits_set *other)
{
	return one->count == other->count && is_within(one, other);
}

enum fits_answer fits_ask(const struct fits *fits, const struct fits_set *set, int64_t now_us)
{
	bool is_disproved = false;

	if (set->count <= 1)
		return FITS_YES;
	for (size_t i = 0; i < fits->count; i++) {
		const struct fits_lesson *lesson = &fits->lessons[i];

		if (lesson->is_good && is_within(set, &lesson->set))
			return FITS_YES;
		is_disproved |= !lesson->is_good && now_us < lesson->again_us &&
				is_within(&lesson->set, set);
	}
	return is_disproved ? FITS_NO : FITS_UNTRIED;
}

static void remember(struct fits *fits, const struct fits_lesson *lesson)
{
	size_t at = fits->next;

	if (fits->count < FITS_SETS_MOST)
		at = fits->count++;
	else
		fits->next = (fits->next + 1) % FITS_SETS_MOST;
	fits->lessons[at] = *lesson;
}

/* What contradicts the news goes. */
static void forget(struct fits *fits, const struct fits_set *set, bool is_good)
{
	for (size_t i = 0; i < fits->count;) {
		const struct fits_lesson *lesson = &fits->lessons[i];
		bool contradicts = is_good ? !lesson->is_good && is_within(&lesson->set, set)
					   : lesson->is_good && is_within(set, &lesson->set);

		if (contradicts)
			fits->lessons[i] = fits->lessons[--fits->count];
		else
			i++;
	}
}

void fits_saw(struct fits *fits, const struct fits_set *set)
{
	const struct fits_lesson lesson = {.set = *set, .is_good = true};

	if (fits_ask(fits, set, 0) == FITS_YES)
		return;
	forget(fits, set, true);
	remember(fits, &lesson);
}

/* It was tried again, in vain. */
static void put_off(struct fits_lesson *lesson, int64_t now_us)
{
	int doublings =
		lesson->disproved < FITS_AGAIN_DOUBLINGS ? lesson->disproved : FITS_AGAIN_DOUBLINGS;

	lesson->again_us = now_us + ((int64_t)FITS_AGAIN_US << doublings);
	lesson->disproved++;
}

void fits_disprove(struct fits *fits, const struct fits_set *set, int64_t now_us)
{
	struct fits_lesson lesson = {.set = *set};

	if (set->count <= 1)
		return;
	forget(fits, set, false);
	for (size_t i = 0; i < fits->count; i++) {
		if (fits->lessons[i].is_good || !is_same(&fits->lessons[i].set, set))
			continue;
		put_off(&fits->lessons[i], now_us);
		return;
	}
	if (fits_ask(fits, set, now_us) == FITS_NO)
		return;
	put_off(&lesson, now_us);
	remember(fits, &lesson);
}
