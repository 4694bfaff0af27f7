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

enum fits_answer fits_ask(const struct fits *fits, const struct fits_set *set)
{
	if (set->count <= 1)
		return FITS_YES;
	for (size_t i = 0; i < fits->count; i++) {
		if (fits->is_good[i] && is_within(set, &fits->sets[i]))
			return FITS_YES;
		if (!fits->is_good[i] && is_within(&fits->sets[i], set))
			return FITS_NO;
	}
	return FITS_UNTRIED;
}

static void remember(struct fits *fits, const struct fits_set *set, bool is_good)
{
	size_t at = fits->next;

	if (fits->count < FITS_SETS_MOST)
		at = fits->count++;
	else
		fits->next = (fits->next + 1) % FITS_SETS_MOST;
	fits->sets[at] = *set;
	fits->is_good[at] = is_good;
}

/* What contradicts the news goes. */
static void forget(struct fits *fits, const struct fits_set *set, bool is_good)
{
	for (size_t i = 0; i < fits->count;) {
		bool contradicts = is_good ? !fits->is_good[i] && is_within(&fits->sets[i], set)
					   : fits->is_good[i] && is_within(set, &fits->sets[i]);

		if (!contradicts) {
			i++;
			continue;
		}
		fits->count--;
		fits->sets[i] = fits->sets[fits->count];
		fits->is_good[i] = fits->is_good[fits->count];
	}
}

void fits_saw(struct fits *fits, const struct fits_set *set)
{
	if (fits_ask(fits, set) == FITS_YES)
		return;
	forget(fits, set, true);
	remember(fits, set, true);
}

void fits_disprove(struct fits *fits, const struct fits_set *set)
{
	if (set->count <= 1)
		return;
	forget(fits, set, false);
	if (fits_ask(fits, set) != FITS_NO)
		remember(fits, set, false);
}
