#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/memory.h"

enum { NS_PER_S = 1000000000, EXIT_USAGE = 2, FIRST_OPTION = 4, DECIMAL = 10 };

void load_fail(const char *what)
{
	fprintf(stderr, "bench-load: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

int64_t load_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t load_cpu_ns(int pid)
{
	char path[64];
	long long ns = 0;
	FILE *file;

	if (!pid)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%lld", &ns) != 1)
		load_fail(path);
	fclose(file);
	return ns;
}

int load_connect(const struct load_options *options)
{
	int fd = socket(options->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 ||
		connect(fd, (const struct sockaddr *)&options->address, options->address_bytes) < 0)
		load_fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		load_fail("fcntl");
	return fd;
}

void load_send(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR && errno != EAGAIN)
			load_fail("send");
		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		}
	}
}

int load_timer(void)
{
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	if (timer < 0)
		load_fail("timerfd_create");
	return timer;
}

void load_timer_set(int timer, int64_t at_ns)
{
	struct itimerspec when = {
		.it_value = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S}};

	timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

void load_watch(int epoll, int fd, void *object)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = object};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		load_fail("epoll_ctl");
}

static void usage(void)
{
	fputs("usage: bench-load small|streams|replay HOST PORT [--path P] [--connections N]\n"
	      "       [--seconds S] [--warmup S] [--rate N] [--pid N] [--seed N] [--time-scale "
	      "N]\n",
		stderr);
	exit(EXIT_USAGE);
}

static void find_address(struct load_options *options, const char *host, const char *port)
{
	const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;

	if (getaddrinfo(host, port, &wanted, &found) != 0)
		load_fail(host);
	memcpy(&options->address, found->ai_addr, found->ai_addrlen);
	options->address_bytes = found->ai_addrlen;
	freeaddrinfo(found);
	options->authority = mem_printf("%s:%s", host, port);
}

static void take_option(struct load_options *options, const char *name, const char *value)
{
	if (strcmp(name, "--path") == 0)
		options->path = value;
	else if (strcmp(name, "--connections") == 0)
		options->connections = atoi(value);
	else if (strcmp(name, "--seconds") == 0)
		options->seconds = strtod(value, NULL);
	else if (strcmp(name, "--warmup") == 0)
		options->warmup = strtod(value, NULL);
	else if (strcmp(name, "--rate") == 0)
		options->rate = strtod(value, NULL);
	else if (strcmp(name, "--pid") == 0)
		options->pid = atoi(value);
	else if (strcmp(name, "--seed") == 0)
		options->seed = strtoull(value, NULL, DECIMAL);
	else if (strcmp(name, "--time-scale") == 0)
		options->time_scale = strtod(value, NULL);
	else
		usage();
}

/* 500 connections are above the usual 256 of small containers. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct load_options *options);
	} modes[] = {{"small", small_run}, {"streams", streams_run}, {"replay", replay_run}};
	struct load_options options = {
		.path = "/api/show",
		.connections = 64,
		.seconds = 5,
		.warmup = 1,
		.rate = 50,
		.seed = 1,
		.time_scale = 1,
	};
	int result = EXIT_USAGE;

	if (argc < FIRST_OPTION || (argc - FIRST_OPTION) % 2)
		usage();
	find_address(&options, argv[2], argv[3]);
	for (int i = FIRST_OPTION; i < argc; i += 2)
		take_option(&options, argv[i], argv[i + 1]);
	raise_descriptors();
	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		if (strcmp(argv[1], modes[i].name) == 0)
			result = modes[i].run(&options);
	}
	free(options.authority);
	return result;
}
