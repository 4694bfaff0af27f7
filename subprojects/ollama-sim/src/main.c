/* ollama-sim: arguments, the parts in their order, the loop, and everything back in reverse. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <event2/event.h>

#include "config.h"
#include "pace.h"
#include "sim.h"
#include "sim_build.h"

enum { EXIT_STARTUP = 1, EXIT_USAGE = 2 };

struct arguments {
	const char *listen;
	const char *config;
	double time_scale;
};

static void print_usage(FILE *stream)
{
	fputs("usage: ollama-sim [--listen ADDR:PORT] [--config FILE] [--time-scale N]\n"
	      "A simulated Ollama: its endpoints, its queueing, its faults on demand, and no "
	      "model.\n"
	      "\n"
	      "  --listen ADDR:PORT  where to listen (127.0.0.1:11434); port 0 is the kernel's "
	      "choice\n"
	      "  --config FILE       models and settings as JSON (built-in ones without it)\n"
	      "  --time-scale N      all simulated time passes N times as fast (1)\n"
	      "  --version, --help\n",
		stream);
}

/* -1: go on; else the exit status. */
static int read_arguments(int argc, char **argv, struct arguments *arguments)
{
	static const struct option long_options[] = {{"listen", required_argument, NULL, 'l'},
		{"config", required_argument, NULL, 'c'},
		{"time-scale", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};
	int option;
	char *end;

	while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
		switch (option) {
		case 'l':
			arguments->listen = optarg;
			break;
		case 'c':
			arguments->config = optarg;
			break;
		case 't':
			arguments->time_scale = strtod(optarg, &end);
			if (*optarg != '\0' && *end == '\0' && arguments->time_scale > 0)
				break;
			fprintf(stderr, "ollama-sim: --time-scale %s: not a number above 0\n",
				optarg);
			return EXIT_USAGE;
		case 'h':
			print_usage(stdout);
			return EXIT_SUCCESS;
		case 'v':
			puts("ollama-sim " OLLAMA_SIM_VERSION);
			return EXIT_SUCCESS;
		default:
			print_usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "ollama-sim: what is '%s'?\n", argv[optind]);
	print_usage(stderr);
	return EXIT_USAGE;
}

/* Thousands of streams need thousands of descriptors. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static struct event_base *create_loop(void)
{
	struct event_config *config = event_config_new();
	struct event_base *loop;

	if (config == NULL)
		return NULL;
	/* Tokens come every few hundred microseconds: epoll's milliseconds are too coarse. */
	event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER |
					      EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST |
					      EVENT_BASE_FLAG_NOLOCK);
	loop = event_base_new_with_config(config);
	event_config_free(config);
	return loop;
}

static bool read_config(struct sim *sim, const char *path)
{
	char error[CONFIG_ERROR_BYTES] = "";
	bool is_good = path == NULL ? config_parse(config_default_text, &sim->settings,
					      &sim->catalog, error)
				    : config_read_file(path, &sim->settings, &sim->catalog, error);

	if (!is_good)
		fprintf(stderr, "ollama-sim: %s: %s\n", path == NULL ? "built-in models" : path,
			error);
	return is_good;
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	event_base_loopbreak(arg);
}

/* A second SIGTERM while everything is being freed must not turn a clean end into a kill. */
static void ignore_more_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
}

static int run(struct sim *sim, const char *listen_address)
{
	struct event *terminate = evsignal_new(sim->loop, SIGTERM, on_signal, sim->loop);
	struct event *interrupt = evsignal_new(sim->loop, SIGINT, on_signal, sim->loop);
	int status = EXIT_STARTUP;

	event_add(terminate, NULL);
	event_add(interrupt, NULL);
	if (server_start(&sim->server, sim, listen_address)) {
		event_base_dispatch(sim->loop);
		status = EXIT_SUCCESS;
	}
	ignore_more_signals();
	server_finish(&sim->server);
	event_free(terminate);
	event_free(interrupt);
	return status;
}

int main(int argc, char **argv)
{
	struct arguments arguments = {.listen = "127.0.0.1:11434", .time_scale = 1};
	struct sim sim = {0};
	int status = read_arguments(argc, argv, &arguments);

	if (status >= 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	raise_descriptor_limit();
	pace_set_scale(arguments.time_scale);
	catalog_init(&sim.catalog);
	TAILQ_INIT(&sim.faults);
	journal_init(&sim.journal);
	sim.loop = create_loop();
	loader_init(&sim.loader, &sim);
	status = EXIT_STARTUP;
	if (sim.loop == NULL)
		fprintf(stderr, "ollama-sim: no event loop: %s\n", strerror(errno));
	else if (read_config(&sim, arguments.config))
		status = run(&sim, arguments.listen);
	loader_finish(&sim.loader);
	faults_clear(&sim.faults);
	journal_finish(&sim.journal);
	catalog_finish(&sim.catalog);
	config_finish(&sim.settings);
	bytes_finish(&sim.line);
	if (sim.loop != NULL)
		event_base_free(sim.loop);
	return status;
}
