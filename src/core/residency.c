#include "core/residency.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "config/model_name.h"

enum {
	NAME_BYTES = 256,
	/* A snapshot older than this says nothing: the probe asks every 5 s, so twice that. */
	FRESH_US = 10 * 1000 * 1000,
};

/* FACTS-ollama.md 3: warm answers stay below 100 ms plus what reading the body costs; cold ones
 * took 254 ms and more. */
#define COLD_NS 100000000
#define COLD_NS_PER_BYTE 60

/* When a model's last known load was over. */
struct load {
	char *name;
	int64_t loaded_us;
};

struct residency {
	struct resident *residents;
	size_t count;
	size_t capacity;
	uint64_t version;
	uint64_t epoch;
	bool is_mute;
	bool is_in_doubt;
	uint64_t snapshot_version; /* of the last snapshot */
	int64_t taken_us;	   /* of the last snapshot; 0: none */
	int64_t asked_us;	   /* of the last snapshot; 0: none */
	int64_t coming_asked_us;   /* 0: not told */
	struct resident *coming;   /* between begin and end */
	size_t coming_count;
	size_t coming_capacity;
	int64_t own_use_us; /* 0: never */
	uint64_t foreign;   /* snapshots that showed others' use */
	int64_t foreign_us;
	char *foreign_model;
	struct load *loads; /* one for each model that was ever loaded by a job */
	size_t loads_count;
};

struct residency *residency_create(void)
{
	return mem_zalloc(sizeof(struct residency));
}

static void free_residents(struct resident *residents, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(residents[i].name);
	free(residents);
}

void residency_destroy(struct residency *residency)
{
	if (!residency)
		return;
	free_residents(residency->residents, residency->count);
	free_residents(residency->coming, residency->coming_count);
	for (size_t i = 0; i < residency->loads_count; i++)
		free(residency->loads[i].name);
	free(residency->loads);
	free(residency->foreign_model);
	free(residency);
}

void residency_canonical(const char *model, char *ret_name, size_t bytes)
{
	model_name_canonical(model, ret_name, bytes);
}

static void append(struct resident **list, size_t *count, size_t *capacity, struct resident item)
{
	if (*count == *capacity) {
		*capacity = *capacity ? *capacity * 2 : 4;
		*list = mem_grow_array(*list, *capacity, sizeof(**list));
	}
	(*list)[(*count)++] = item;
}

void residency_begin(struct residency *residency)
{
	free_residents(residency->coming, residency->coming_count);
	residency->coming = NULL;
	residency->coming_count = 0;
	residency->coming_capacity = 0;
}

void residency_add(struct residency *residency, const char *name, int64_t size, int64_t size_vram,
	int64_t context_length)
{
	char canonical[NAME_BYTES];

	residency_canonical(name, canonical, sizeof(canonical));
	append(&residency->coming, &residency->coming_count, &residency->coming_capacity,
		(struct resident){mem_strdup(canonical), size, size_vram, context_length, "", 0});
}

void residency_add_expiry(struct residency *residency, const char *expires_at)
{
	struct resident *last = &residency->coming[residency->coming_count - 1];

	strncpy(last->expires_at, expires_at, sizeof(last->expires_at) - 1);
}

void residency_add_expiry_us(struct residency *residency, int64_t expires_us)
{
	residency->coming[residency->coming_count - 1].expires_us = expires_us;
}

void residency_note_own_use(struct residency *residency, int64_t used_us)
{
	residency->own_use_us = used_us;
}

static bool is_coming(const struct residency *residency, const char *name)
{
	for (size_t i = 0; i < residency->coming_count; i++) {
		if (strcmp(residency->coming[i].name, name) == 0)
			return true;
	}
	return false;
}

static void settle_doubt(struct residency *residency)
{
	bool is_whole = true;

	for (size_t i = 0; i < residency->count; i++)
		is_whole &= is_coming(residency, residency->residents[i].name);
	if (residency->is_in_doubt && !is_whole)
		residency->epoch++;
	residency->is_in_doubt = false;
}

/* Between the last snapshot and the one that comes nothing of ours was under way. */
static bool was_unused_by_us(const struct residency *residency)
{
	return residency_is_snapshot(residency) && !residency->is_in_doubt &&
	       (residency->own_use_us == 0 ||
		       residency->own_use_us + RESIDENCY_OWN_US <= residency->asked_us);
}

/* It was used, or loaded, since the last snapshot. */
static bool is_used_anew(const struct residency *residency, const struct resident *coming)
{
	for (size_t i = 0; i < residency->count; i++) {
		const struct resident *resident = &residency->residents[i];

		if (strcmp(resident->name, coming->name) == 0)
			return resident->expires_at[0] && coming->expires_at[0] &&
			       strcmp(resident->expires_at, coming->expires_at) != 0;
	}
	return true;
}

static void look_for_others(struct residency *residency, int64_t now_us)
{
	if (!was_unused_by_us(residency))
		return;
	for (size_t i = 0; i < residency->coming_count; i++) {
		if (!is_used_anew(residency, &residency->coming[i]))
			continue;
		residency->foreign++;
		residency->foreign_us = now_us;
		free(residency->foreign_model);
		residency->foreign_model = mem_strdup(residency->coming[i].name);
		return;
	}
}

struct residency_foreign residency_foreign(const struct residency *residency)
{
	return (struct residency_foreign){
		.count = residency->foreign,
		.seen_us = residency->foreign_us,
		.model = residency->foreign_model,
	};
}

void residency_end(struct residency *residency, int64_t now_us)
{
	look_for_others(residency, now_us);
	settle_doubt(residency);
	free_residents(residency->residents, residency->count);
	residency->residents = residency->coming;
	residency->count = residency->coming_count;
	residency->capacity = residency->coming_capacity;
	residency->coming = NULL;
	residency->coming_count = 0;
	residency->coming_capacity = 0;
	residency->taken_us = now_us;
	residency->is_mute = false;
	residency->asked_us = residency->coming_asked_us ? residency->coming_asked_us : now_us;
	residency->coming_asked_us = 0;
	residency->version++;
	residency->snapshot_version = residency->version;
}

bool residency_is_snapshot(const struct residency *residency)
{
	return residency->taken_us && residency->version == residency->snapshot_version;
}

void residency_asked(struct residency *residency, int64_t asked_us)
{
	residency->coming_asked_us = asked_us;
}

int64_t residency_asked_us(const struct residency *residency)
{
	return residency->taken_us ? residency->asked_us : 0;
}

uint64_t residency_epoch(const struct residency *residency)
{
	return residency->epoch;
}

void residency_doubt(struct residency *residency)
{
	residency->is_in_doubt = true;
}

void residency_note_mute(struct residency *residency)
{
	residency->is_mute = true;
}

bool residency_is_mute(const struct residency *residency)
{
	return residency->is_mute;
}

uint64_t residency_version(const struct residency *residency)
{
	return residency->version;
}

static struct load *find_load(struct residency *residency, const char *name)
{
	for (size_t i = 0; i < residency->loads_count; i++) {
		if (strcmp(residency->loads[i].name, name) == 0)
			return &residency->loads[i];
	}
	residency->loads = mem_grow_array(
		residency->loads, residency->loads_count + 1, sizeof(*residency->loads));
	residency->loads[residency->loads_count] = (struct load){mem_strdup(name), 0};
	return &residency->loads[residency->loads_count++];
}

bool residency_note_load(
	struct residency *residency, const char *model, int64_t sent_us, int64_t loaded_us)
{
	char canonical[NAME_BYTES];
	struct load *load;

	residency_canonical(model, canonical, sizeof(canonical));
	load = find_load(residency, canonical);
	if (sent_us < load->loaded_us)
		return false;
	load->loaded_us = loaded_us;
	return true;
}

void residency_forget(struct residency *residency)
{
	bool is_mute = residency->is_mute;

	residency_begin(residency);
	residency->coming_asked_us = 0;
	residency_end(residency, 0);
	residency->is_mute = is_mute;
	residency->epoch++;
}

static struct resident *find(const struct residency *residency, const char *model)
{
	char canonical[NAME_BYTES];

	residency_canonical(model, canonical, sizeof(canonical));
	for (size_t i = 0; i < residency->count; i++) {
		if (strcmp(residency->residents[i].name, canonical) == 0)
			return &residency->residents[i];
	}
	return NULL;
}

void residency_note_used(struct residency *residency, const char *model)
{
	char canonical[NAME_BYTES];

	/* Without a snapshot one model is no picture of what is loaded: the next /api/ps tells. */
	if (!residency->taken_us || find(residency, model))
		return;
	residency->version++;
	residency_canonical(model, canonical, sizeof(canonical));
	append(&residency->residents, &residency->count, &residency->capacity,
		(struct resident){mem_strdup(canonical), -1, -1, -1, ""});
}

void residency_note_unloaded(struct residency *residency, const char *model)
{
	struct resident *resident = find(residency, model);

	if (!resident)
		return;
	residency->version++;
	free(resident->name);
	*resident = residency->residents[--residency->count];
}

enum known residency_has(const struct residency *residency, const char *model, int64_t now_us)
{
	if (!residency->taken_us || now_us - residency->taken_us > FRESH_US)
		return KNOWN_NOT;
	return find(residency, model) ? KNOWN_TRUE : KNOWN_FALSE;
}

int64_t residency_context_length(const struct residency *residency, const char *model)
{
	const struct resident *resident = model ? find(residency, model) : NULL;

	return resident ? resident->context_length : -1;
}

size_t residency_count(const struct residency *residency)
{
	return residency->count;
}

const struct resident *residency_at(const struct residency *residency, size_t index)
{
	return &residency->residents[index];
}

/* As long as a load: what a warm request never takes to be granted its runner. */
static bool is_long(int64_t ns, int64_t request_bytes)
{
	int64_t bytes = request_bytes > 0 ? request_bytes : 0;

	return ns >= COLD_NS + COLD_NS_PER_BYTE * bytes;
}

enum known residency_judge(int64_t load_duration, int64_t request_bytes, enum known listed)
{
	if (load_duration < 0)
		return listed;
	return is_long(load_duration, request_bytes) ? KNOWN_FALSE : KNOWN_TRUE;
}

enum known residency_judge_silent(int64_t first_byte_ns, int64_t request_bytes, enum known listed)
{
	return is_long(first_byte_ns, request_bytes) ? listed : KNOWN_TRUE;
}
