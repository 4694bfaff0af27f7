#include "load.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>

#include <openssl/ssl.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "wire.h"

enum { EXIT_USAGE = 2, FIRST_OPTION = 3, DECIMAL = 10 };

void load_fail(const char *what)
{
	fprintf(stderr, "bench-load: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

int64_t load_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * LOAD_NS_PER_S + now.tv_nsec;
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

void load_print_memory(const char *key, int pid)
{
	char text[128];
	long long now = 0, peak = 0;
	FILE *file;

	if (!pid) {
		printf("\"%s\":null", key);
		return;
	}
	snprintf(text, sizeof(text), "/proc/%d/status", pid);
	file = fopen(text, "r");
	if (!file)
		load_fail(text);
	while (fgets(text, sizeof(text), file)) {
		(void)sscanf(text, "VmRSS: %lld", &now);
		(void)sscanf(text, "VmHWM: %lld", &peak);
	}
	fclose(file);
	printf("\"%s\":{\"now\":%lld,\"peak\":%lld}", key, now, peak);
}

int64_t load_anonymous_kib(int pid)
{
	char text[128];
	long long kib = 0;
	FILE *file;

	if (!pid)
		return 0;
	snprintf(text, sizeof(text), "/proc/%d/status", pid);
	file = fopen(text, "r");
	if (!file)
		load_fail(text);
	while (fgets(text, sizeof(text), file))
		(void)sscanf(text, "RssAnon: %lld", &kib);
	fclose(file);
	return kib;
}

uint64_t load_draw(uint64_t *state)
{
	uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ (mixed >> 31);
}

char *load_request(const struct load_options *options, int project)
{
	char *body, *field, *request;
	const char *path = options->path ? options->path : "/api/show";
	bool has_body = strcmp(options->method, "GET") != 0;

	if (options->body)
		body = mem_strdup(options->body);
	else if (options->delay_us)
		body = mem_printf("{\"model\":\"%s\",\"input\":\"ping\",\"bench_delay_us\":%d}",
			options->model, options->delay_us);
	else
		body = mem_printf("{\"model\":\"%s\",\"input\":\"ping\"}", options->model);
	field = options->projects ? mem_printf("X-Project-Name: project-%d\r\n", project)
				  : mem_strdup("");
	if (has_body)
		request = mem_printf("%s %s HTTP/1.1\r\nHost: %s\r\n%s%sContent-Type: "
				     "application/json\r\nContent-Length: %zu\r\n\r\n%s",
			options->method, path, options->authority, field,
			options->is_new ? "Connection: close\r\n" : "", strlen(body), body);
	else
		request = mem_printf("%s %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n", options->method,
			path, options->authority, field,
			options->is_new ? "Connection: close\r\n" : "");
	free(field);
	free(body);
	return request;
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
		.it_value = {.tv_sec = at_ns / LOAD_NS_PER_S, .tv_nsec = at_ns % LOAD_NS_PER_S}};

	timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void watch(int epoll, int operation, int fd, uint32_t what, void *object)
{
	struct epoll_event event = {.events = what, .data.ptr = object};

	if (epoll_ctl(epoll, operation, fd, &event) < 0)
		load_fail("epoll_ctl");
}

void load_watch(int epoll, int fd, uint32_t what, void *object)
{
	watch(epoll, EPOLL_CTL_ADD, fd, what, object);
}

void load_watch_change(int epoll, int fd, uint32_t what, void *object)
{
	watch(epoll, EPOLL_CTL_MOD, fd, what, object);
}

static void usage(void)
{
	fputs("usage: bench-load small|streams|bodies|idle|replay http[s]://HOST[:PORT] "
	      "[--OPTION VALUE]...\n",
		stderr);
	exit(EXIT_USAGE);
}

/* http[s]://HOST[:PORT][/], HOST may be an IPv6 address in brackets. */
static void find_address(struct load_options *options, const char *url)
{
	const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found;
	char *host, *port;
	const char *from, *end;

	if (strncmp(url, "https://", strlen("https://")) == 0)
		options->tls = wire_tls();
	else if (strncmp(url, "http://", strlen("http://")) != 0)
		usage();
	from = strstr(url, "://") + strlen("://");
	options->authority = mem_strndup(from, strcspn(from, "/"));
	end = *from == '[' ? strchr(from, ']') : from + strcspn(from, ":/");
	if (!end)
		usage();
	host = *from == '[' ? mem_strndup(from + 1, (size_t)(end - from - 1))
			    : mem_strndup(from, (size_t)(end - from));
	end += *end == ']';
	if (*end == ':')
		port = mem_strndup(end + 1, strcspn(end + 1, "/"));
	else
		port = mem_strdup(options->tls ? "443" : "80");
	if (getaddrinfo(host, port, &wanted, &found) != 0) {
		fprintf(stderr, "bench-load: %s: no such host\n", url);
		exit(EXIT_FAILURE);
	}
	memcpy(&options->address, found->ai_addr, found->ai_addrlen);
	options->address_bytes = found->ai_addrlen;
	freeaddrinfo(found);
	free(host);
	free(port);
}

static void take_option(struct load_options *options, const char *name, const char *value)
{
	const struct {
		const char *name;
		const char **text;
		int *number;
		double *real;
	} all[] = {
		{"--method", .text = &options->method},
		{"--path", .text = &options->path},
		{"--body", .text = &options->body},
		{"--model", .text = &options->model},
		{"--plan", .text = &options->plan},
		{"--connections", .number = &options->connections},
		{"--sources", .number = &options->sources},
		{"--lines", .number = &options->lines},
		{"--lines-per-write", .number = &options->lines_per_write},
		{"--projects", .number = &options->projects},
		{"--delay-us", .number = &options->delay_us},
		{"--requests", .number = &options->requests},
		{"--bytes", .number = &options->bytes},
		{"--pid", .number = &options->pid},
		{"--seconds", .real = &options->seconds},
		{"--warmup", .real = &options->warmup},
		{"--ramp", .real = &options->ramp},
		{"--rate", .real = &options->rate},
		{"--rate-per-second", .real = &options->rate_per_second},
		{"--time-scale", .real = &options->time_scale},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(all); i++) {
		if (strcmp(all[i].name, name) != 0)
			continue;
		if (all[i].text)
			*all[i].text = value;
		else if (all[i].number)
			*all[i].number = atoi(value);
		else
			*all[i].real = strtod(value, NULL);
		return;
	}
	if (strcmp(name, "--seed") == 0)
		options->seed = strtoull(value, NULL, DECIMAL);
	else if (strcmp(name, "--new") == 0)
		options->is_new = atoi(value) != 0;
	else
		usage();
}

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
	} modes[] = {{"small", small_run}, {"streams", streams_run}, {"bodies", bodies_run},
		{"idle", idle_run}, {"replay", replay_run}};
	struct load_options options = {
		.method = "POST",
		.model = "bench",
		.connections = 64,
		.sources = 1,
		.seconds = 5,
		.warmup = 1,
		.ramp = 1,
		.rate = 50,
		.lines_per_write = 1,
		.requests = 1,
		.bytes = 10000000,
		.seed = 1,
		.time_scale = 1,
	};
	int result = EXIT_USAGE;

	if (argc < FIRST_OPTION || (argc - FIRST_OPTION) % 2)
		usage();
	signal(SIGPIPE, SIG_IGN); /* of a write by OpenSSL */
	for (int i = FIRST_OPTION; i < argc; i += 2)
		take_option(&options, argv[i], argv[i + 1]);
	find_address(&options, argv[2]);
	raise_descriptors();
	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		if (strcmp(argv[1], modes[i].name) == 0)
			result = modes[i].run(&options);
	}
	if (result == EXIT_USAGE)
		usage();
	SSL_CTX_free(options.tls);
	free(options.authority);
	return result;
}
