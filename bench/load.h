/*
 * The load generator: one thread, epoll, three modes. load.c reads the arguments and has what the
 * modes share; each mode prints one JSON object on standard output.
 */
#ifndef SO_BENCH_LOAD_H
#define SO_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct load_options {
	struct sockaddr_storage address;
	socklen_t address_bytes;
	char *authority;   /* for Host */
	const char *path;  /* small */
	int connections;   /* small, streams: how many streams */
	double seconds;	   /* small: measured time; streams: length of a stream */
	double warmup;	   /* small: seconds before */
	double rate;	   /* streams: lines a second each */
	int pid;	   /* whose CPU time is measured; 0: nobody's */
	uint64_t seed;	   /* replay */
	double time_scale; /* replay: times faster than life */
};

/* Closed loop: each connection sends its next request when it has the answer. */
int small_run(const struct load_options *options);
/* Streams that the upstream paces; each line carries when it was due. */
int streams_run(const struct load_options *options);
/* The old service's mix of 202 requests, in seeded bursts. */
int replay_run(const struct load_options *options);

int64_t load_now_ns(void);
/* CPU time that the process has used; 0 without one. Of its main thread: all that are compared have
 * one. */
int64_t load_cpu_ns(int pid);
/* A connected, non-blocking socket with TCP_NODELAY; ends the program where that fails. */
int load_connect(const struct load_options *options);
/* Writes all of it; the requests are small, the socket's buffer takes them. */
void load_send(int fd, const char *bytes, size_t length);
/* A timerfd; armed at an absolute time of load_now_ns(). */
int load_timer(void);
void load_timer_set(int timer, int64_t at_ns);
void load_watch(int epoll, int fd, void *object);
_Noreturn void load_fail(const char *what);

#endif
