/*
 * The projects and models of the stats by name, bounded (observe/name_table): what ended, which
 * observe has summed up, and what waits and runs now, which the scheduler knows. Used by the stats
 * and by /metrics.
 */
#ifndef SO_ADMIN_ADMIN_ACCOUNTS_H
#define SO_ADMIN_ADMIN_ACCOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observe/name_table.h"

struct admin_view;
struct json_writer;
struct name_table;
struct stats;
struct scheduler;
struct account;

/* By index of the names; those that have none are summed in the last. */
struct admin_live {
	uint64_t waiting[NAME_TABLE_ROOM];
	uint64_t running[NAME_TABLE_ROOM];
	double weight[NAME_TABLE_ROOM]; /* of a project in fair share; 0: it has no jobs, or is a
					 * model
					 */
};

/* Gives the projects and models that have jobs now their places, before a view is shown. */
void admin_meet(struct stats *stats, const struct scheduler *scheduler);
void admin_live_projects(const struct admin_view *view, struct admin_live *ret_live);
void admin_live_models(const struct admin_view *view, struct admin_live *ret_live);
/* It has, or had, jobs or loads: a name that only the configuration has is not shown. */
bool admin_is_shown(const struct name_table *names, const struct account *accounts,
	const struct admin_live *live, size_t index);
/* The keys "projects" and "models". */
void admin_put_usages(struct json_writer *writer, const struct admin_view *view);

#endif
