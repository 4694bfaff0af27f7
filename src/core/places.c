#include "core/places.h"

#include <string.h>

#include "base/hash64.h"

enum {
	US_PER_S = 1000 * 1000,
	/* Clients add up to a quarter at random, and the way here takes its time. */
	GRACE_S = 5,
};

uint64_t places_key(const struct job *job)
{
	const struct record *record = &job->record;

	return hash64_text(record->runner ? record->runner : record->model);
}

uint64_t places_project(const struct job *job)
{
	return hash64_text(job->record.project);
}

static void forget(struct places *places, size_t at)
{
	places->all[at] = places->all[--places->count];
}

void places_sweep(struct places *places, int64_t now_us)
{
	for (size_t i = places->count; i > 0; i--) {
		if (places->all[i - 1].until_us <= now_us)
			forget(places, i - 1);
	}
}

static size_t first_to_end(const struct places *places)
{
	size_t first = 0;

	for (size_t i = 1; i < places->count; i++) {
		if (places->all[i].until_us < places->all[first].until_us)
			first = i;
	}
	return first;
}

void places_keep(struct places *places, const struct job *job, int retry_after, int64_t now_us)
{
	places_sweep(places, now_us);
	if (places->count == PLACES_MOST)
		forget(places, first_to_end(places));
	places->all[places->count++] = (struct place){
		.client = hash64_text(job->record.client_ip),
		.key = places_key(job),
		.body = job->body_hash,
		.project = places_project(job),
		.job_class = job->policy.job_class,
		.weight = job->policy.weight,
		.first_us = job->came_us,
		.back_us = now_us + (int64_t)retry_after * US_PER_S,
		.until_us = now_us + (int64_t)(retry_after + GRACE_S) * US_PER_S,
	};
}

bool places_are_kept_for(const struct places *places, const struct job *job, int64_t now_us)
{
	uint64_t client = hash64_text(job->record.client_ip);

	for (size_t i = 0; i < places->count; i++) {
		const struct place *place = &places->all[i];

		if (place->until_us > now_us && place->client == client &&
			place->body == job->body_hash)
			return true;
	}
	return false;
}

static void put_last(struct places *places, struct job *job)
{
	if (job->came_us <= places->last_us)
		job->came_us = places->last_us + 1;
	places->last_us = job->came_us;
}

void places_claim(struct places *places, struct job *job, int64_t now_us)
{
	uint64_t client = hash64_text(job->record.client_ip);
	uint64_t key = places_key(job);
	size_t oldest = PLACES_MOST;

	places_sweep(places, now_us);
	for (size_t i = 0; i < places->count; i++) {
		const struct place *place = &places->all[i];

		if (place->client != client || place->key != key || place->body != job->body_hash)
			continue;
		if (oldest == PLACES_MOST || place->first_us < places->all[oldest].first_us)
			oldest = i;
	}
	if (oldest == PLACES_MOST) {
		put_last(places, job);
		return;
	}
	job->came_us = places->all[oldest].first_us;
	forget(places, oldest);
}

int64_t places_before(const struct places *places, const struct job *job, int64_t now_us)
{
	uint64_t key;
	uint64_t project;
	int64_t until_us = 0;

	if (places->count == 0)
		return 0;
	key = places_key(job);
	project = places_project(job);
	for (size_t i = 0; i < places->count; i++) {
		const struct place *place = &places->all[i];

		if (place->until_us > now_us && place->until_us > until_us && place->key == key &&
			place->project == project && place->job_class == job->policy.job_class &&
			place->first_us < job->came_us)
			until_us = place->until_us;
	}
	return until_us;
}
