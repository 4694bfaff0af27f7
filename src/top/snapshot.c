#include "top/snapshot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "json/walk.h"

/* Where the value at a path goes. */
struct slot {
	const char *path;
	size_t offset;
	bool is_text;
};

#define NUMBER(member, path) {path, offsetof(struct snapshot, member), false},
#define TEXT(member, path) {path, offsetof(struct snapshot, member), true},
static const struct slot stats_slots[] = {SNAPSHOT_NUMBERS(NUMBER) SNAPSHOT_TEXTS(TEXT)};
#undef NUMBER
#undef TEXT
#define NUMBER(member, path) {path, offsetof(struct snapshot_runner, member), false},
static const struct slot runner_slots[] = {
	{"name", offsetof(struct snapshot_runner, name), true}, SNAPSHOT_RUNNER_NUMBERS(NUMBER)};
#undef NUMBER
#define NUMBER(member, path) {path, offsetof(struct snapshot_job, member), false},
#define TEXT(member, path) {path, offsetof(struct snapshot_job, member), true},
static const struct slot job_slots[] = {SNAPSHOT_JOB_TEXTS(TEXT) SNAPSHOT_JOB_NUMBERS(NUMBER)};
#undef NUMBER
#undef TEXT

static const char RUNNERS[] = "runners/*/";
static const char PROJECTS[] = "projects/";
static const char SERVED[] = "/served_s";
static const char JOBS[] = "requests/*/";

static void *slot_in(void *object, const struct slot *slot)
{
	return (char *)object + slot->offset;
}

static void clear(void *object, const struct slot *slots, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (slots[i].is_text)
			*(char **)slot_in(object, &slots[i]) = NULL;
		else
			*(double *)slot_in(object, &slots[i]) = NAN;
	}
}

static void forget(void *object, const struct slot *slots, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (slots[i].is_text)
			free(*(char **)slot_in(object, &slots[i]));
	}
	clear(object, slots, count);
}

static void put(
	const struct slot *slot, void *object, enum walk_kind kind, const char *text, size_t length)
{
	char *copy = kind == WALK_NULL ? NULL : mem_strndup(text, length);

	if (slot->is_text) {
		free(*(char **)slot_in(object, slot));
		*(char **)slot_in(object, slot) = copy;
		return;
	}
	if (kind == WALK_NUMBER)
		*(double *)slot_in(object, slot) = strtod(copy, NULL);
	free(copy);
}

static void put_at(const struct slot *slots, size_t count, void *object, const char *path,
	enum walk_kind kind, const char *text, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(slots[i].path, path) == 0)
			put(&slots[i], object, kind, text, length);
	}
}

/* What follows `prefix` in `path`, or NULL. */
static const char *after(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(path, prefix, length) == 0 ? path + length : NULL;
}

/* "NAME/served_s": a name may have a slash, too. */
static void add_project(struct snapshot *snapshot, const char *member, const char *text)
{
	size_t length = strlen(member);
	double served_s = strtod(text, NULL);

	if (length <= strlen(SERVED) || strcmp(member + length - strlen(SERVED), SERVED) != 0 ||
		!(served_s > 0) || snapshot->projects_count == SNAPSHOT_PROJECTS_MOST)
		return;
	snapshot->projects = mem_grow_array(
		snapshot->projects, snapshot->projects_count + 1, sizeof(*snapshot->projects));
	snapshot->projects[snapshot->projects_count++] = (struct snapshot_project){
		.name = mem_strndup(member, length - strlen(SERVED)), .served_s = served_s};
}

static int by_use(const void *one, const void *other)
{
	double a = ((const struct snapshot_project *)one)->served_s;
	double b = ((const struct snapshot_project *)other)->served_s;

	return (a < b) - (a > b);
}

static void on_stats(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	struct snapshot *snapshot = arg;
	const char *member = after(path, RUNNERS);
	const char *project = after(path, PROJECTS);

	if (project && kind == WALK_NUMBER) {
		char *number = mem_strndup(text, length);

		add_project(snapshot, project, number);
		free(number);
		return;
	}
	if (!member) {
		put_at(stats_slots, ARRAY_LENGTH(stats_slots), snapshot, path, kind, text, length);
		return;
	}
	/* A runner begins with its name. */
	if (strcmp(member, "name") == 0 && snapshot->runners_count < SNAPSHOT_RUNNERS_MOST) {
		snapshot->runners = mem_grow_array(
			snapshot->runners, snapshot->runners_count + 1, sizeof(*snapshot->runners));
		clear(&snapshot->runners[snapshot->runners_count++], runner_slots,
			ARRAY_LENGTH(runner_slots));
	}
	if (snapshot->runners_count > 0)
		put_at(runner_slots, ARRAY_LENGTH(runner_slots),
			&snapshot->runners[snapshot->runners_count - 1], member, kind, text,
			length);
}

/* Doubles, so that long lists are not copied for each job. */
static void add_job(struct snapshot *snapshot)
{
	size_t count = snapshot->jobs_count;

	if ((count & (count - 1)) == 0)
		snapshot->jobs = mem_grow_array(
			snapshot->jobs, count ? count * 2 : 1, sizeof(*snapshot->jobs));
	clear(&snapshot->jobs[count], job_slots, ARRAY_LENGTH(job_slots));
	snapshot->jobs_count++;
}

static void on_jobs(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	struct snapshot *snapshot = arg;
	const char *member = after(path, JOBS);

	if (!member)
		return;
	if (strcmp(member, "id") == 0 && snapshot->jobs_count < SNAPSHOT_JOBS_MOST)
		add_job(snapshot);
	if (snapshot->jobs_count > 0)
		put_at(job_slots, ARRAY_LENGTH(job_slots),
			&snapshot->jobs[snapshot->jobs_count - 1], member, kind, text, length);
}

static void forget_stats(struct snapshot *snapshot)
{
	forget(snapshot, stats_slots, ARRAY_LENGTH(stats_slots));
	for (size_t i = 0; i < snapshot->runners_count; i++)
		forget(&snapshot->runners[i], runner_slots, ARRAY_LENGTH(runner_slots));
	free(snapshot->runners);
	snapshot->runners = NULL;
	snapshot->runners_count = 0;
	for (size_t i = 0; i < snapshot->projects_count; i++)
		free(snapshot->projects[i].name);
	free(snapshot->projects);
	snapshot->projects = NULL;
	snapshot->projects_count = 0;
}

static void forget_jobs(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->jobs_count; i++)
		forget(&snapshot->jobs[i], job_slots, ARRAY_LENGTH(job_slots));
	free(snapshot->jobs);
	snapshot->jobs = NULL;
	snapshot->jobs_count = 0;
}

void snapshot_finish(struct snapshot *snapshot)
{
	forget_stats(snapshot);
	forget_jobs(snapshot);
	*snapshot = (struct snapshot){0};
}

bool snapshot_read_stats(struct snapshot *snapshot, const char *json, size_t length)
{
	struct snapshot read = {0};
	bool is_good;

	clear(&read, stats_slots, ARRAY_LENGTH(stats_slots));
	is_good = walk_object(json, length, on_stats, &read) && !isnan(read.queued) &&
		  read.upstream_state;
	if (!is_good) {
		forget_stats(&read);
		return false;
	}
	if (read.projects_count > 0)
		qsort(read.projects, read.projects_count, sizeof(*read.projects), by_use);
	forget_stats(snapshot);
	read.jobs = snapshot->jobs;
	read.jobs_count = snapshot->jobs_count;
	read.has_stats = true;
	*snapshot = read;
	return true;
}

/* An empty list has no scalar at all. */
bool snapshot_read_jobs(struct snapshot *snapshot, const char *json, size_t length)
{
	static const char begin[] = "{\"requests\":";
	struct snapshot read = {0};

	if (length < strlen(begin) || memcmp(json, begin, strlen(begin)) != 0 ||
		!walk_object(json, length, on_jobs, &read)) {
		forget_jobs(&read);
		return false;
	}
	forget_jobs(snapshot);
	snapshot->jobs = read.jobs;
	snapshot->jobs_count = read.jobs_count;
	return true;
}
