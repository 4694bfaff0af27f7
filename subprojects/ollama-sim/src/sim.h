/* The one struct that is passed down: what main.c builds and takes apart. Owns everything in it. */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "catalog.h"
#include "config.h"
#include "faults.h"
#include "journal.h"
#include "loader.h"
#include "server.h"

struct event_base;

struct sim {
	struct event_base *loop;
	struct settings settings;
	struct catalog catalog;
	struct fault_list faults;
	struct journal journal;
	struct loader loader;
	struct server server;
	uint64_t generated_lines;
	struct bytes
		line; /* scratch in which an answer's line is built before it becomes a chunk */
};

#endif
