/*
 * A plan of requests, one a line of a file, as bench/plans.py writes it. Read by the load
 * generator's mode `replay`.
 *
 * Fields are separated by tabs: the moment in milliseconds of life; method; path; header fields,
 * with RS (0x1e) behind each; how many bytes the filling has; the body up to the filling; the body
 * behind it. A line without the last three has no body.
 */
#ifndef SO_BENCH_REPLAY_H
#define SO_BENCH_REPLAY_H

#include <stddef.h>
#include <stdint.h>

struct planned {
	double due_ms;
	char *method, *path, *fields, *before, *after; /* parts of `line` */
	size_t filling;
	char *line;
};

/* All of them, in the file's order; ends the program where it cannot be read. */
struct planned *plan_read(const char *path, size_t *ret_count);
void plan_free(struct planned *planned, size_t count);
/* The whole request. Free it. */
char *plan_request(const struct planned *planned, const char *authority);

#endif
