/*
 * What the kernel says of this process, for the metrics that every exporter has (process_*). Called
 * by admin once a scrape: reads a few files of /proc, O(open descriptors).
 */
#ifndef SO_OBSERVE_PROCESS_H
#define SO_OBSERVE_PROCESS_H

#include <stdint.h>

/* -1: the kernel did not say. */
struct process {
	double cpu_s; /* user and system, since the start */
	int64_t resident_bytes;
	int64_t virtual_bytes;
	int64_t open_fds;
	int64_t max_fds; /* the soft limit */
};

struct process process_read(void);

#endif
