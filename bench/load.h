/*
 * The load generator: one thread, epoll, a mode for each kind of load. load.c reads the arguments
 * and has what the modes share; each mode prints one JSON object on standard output. Times are
 * nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef SO_BENCH_LOAD_H
#define SO_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { LOAD_STATUS_OK = 200, LOAD_NS_PER_S = 1000000000, LOAD_NS_PER_MS = 1000000 };

#define LOAD_NS_PER_US 1000.0

struct ssl_ctx_st;

struct load_options {
	struct sockaddr_storage address;
	socklen_t address_bytes;
	struct ssl_ctx_st *tls; /* of an https URL, else NULL */
	char *authority;	/* for Host */
	const char *method;	/* small: GET has no body */
	const char *path;	/* small, idle, bodies, streams */
	const char *body;	/* small, idle: instead of the bench's own */
	const char *model;
	const char *plan;	/* replay: a file */
	int connections;	/* streams: how many streams */
	int sources;		/* loopback addresses to connect from, in turn */
	double seconds;		/* small: measured time; streams: length of a stream */
	double warmup;		/* small: seconds before */
	double ramp;		/* streams: seconds in which they begin */
	double rate;		/* streams: lines a second each; 0: as fast as they go */
	double rate_per_second; /* small: arrivals in all; 0: closed loop */
	int lines;		/* streams: of each; 0: seconds * rate */
	int lines_per_write;	/* streams: of the upstream */
	int projects;		/* small: names in X-Project-Name, in turn; 0: no such field */
	int delay_us;		/* small: before the upstream answers */
	bool is_new;		/* small: a connection of its own for each request */
	int requests;		/* idle, bodies: on each connection */
	int bytes;		/* bodies: of each */
	int pid;		/* whose CPU time and memory are measured; 0: nobody's */
	uint64_t seed;		/* small: of the arrivals */
	double time_scale;	/* replay: times faster than life */
};

/* Closed loop: each connection sends its next request when it has the answer. With rate_per_second
 * an open loop: requests are due at moments of their own, and wait for a connection if all are
 * busy; what they wait is part of their latency. */
int small_run(const struct load_options *options);
int open_run(const struct load_options *options);
/* Streams that the upstream paces; each line carries when it was due. */
int streams_run(const struct load_options *options);
/* Long bodies, each connection in a closed loop. */
int bodies_run(const struct load_options *options);
/* Connections that are held. */
int idle_run(const struct load_options *options);
/* The requests of a plan (replay.h), each at its moment. */
int replay_run(const struct load_options *options);

int64_t load_now_ns(void);
/* CPU time that the process has used; 0 without one. Of its main thread: all that are compared have
 * one. */
int64_t load_cpu_ns(int pid);
/* `"rss_kib":{"now":…,"peak":…}` of /proc/PID/status; null without a process. */
void load_print_memory(const char *key, int pid);
/* Of it, what is the process's own now, in KiB: not pages of files. 0 without a process. */
int64_t load_anonymous_kib(int pid);
/* splitmix64: the same seed draws the same numbers everywhere. */
uint64_t load_draw(uint64_t *state);
/* A small request; `project` below options->projects. Free it. */
char *load_request(const struct load_options *options, int project);
/* A timerfd; armed at an absolute time of load_now_ns(). */
int load_timer(void);
void load_timer_set(int timer, int64_t at_ns);
/* `what` of EPOLLIN, EPOLLOUT. */
void load_watch(int epoll, int fd, uint32_t what, void *object);
void load_watch_change(int epoll, int fd, uint32_t what, void *object);
_Noreturn void load_fail(const char *what);

#endif
