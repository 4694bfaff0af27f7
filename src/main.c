/* Arguments → serve, health, report, top or doctor → exit code (PRODUCT 8): 0 fine, 1 failure, 2
 * usage. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "build_config.h"
#include "check.h"
#include "config/load.h"
#include "config/print.h"
#include "config/settings.h"
#include "doctor/doctor.h"
#include "health/health.h"
#include "io/handover.h"
#include "proxy.h"
#include "reload.h"
#include "report/report.h"
#include "top/top.h"

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Where the program stands, so that an upgrade starts what stands there then. */
static void find_program(char program[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", program, PATH_MAX - 1);

	program[length > 0 ? length : 0] = '\0';
}

static int serve(
	struct settings *settings, const struct reload_source *source, struct handover *handover)
{
	char *error = NULL;
	struct proxy *proxy;

	log_set_level(settings->log_level);
	proxy = proxy_create(settings, source, handover, &error);
	if (!proxy) {
		fprintf(stderr, "shared-ollama: %s\n", error);
		free(error);
		return EXIT_FAILED;
	}
	proxy_run(proxy);
	proxy_destroy(proxy);
	return EXIT_FINE;
}

static void print(const struct settings *settings)
{
	char *text = print_config(settings);

	fputs(text, stdout);
	free(text);
}

int main(int argc, char **argv)
{
	char program[PATH_MAX];
	const struct reload_source source = {
		.argc = argc, .argv = argv, .environment = environ, .program = program};
	struct handover *handover = NULL;
	char *error = NULL;
	struct load_result loaded;
	int code = EXIT_FINE;

	/* They have command lines of their own. */
	if (argc > 1 && strcmp(argv[1], "report") == 0)
		return report_run(argc - 2, argv + 2);
	if (argc > 1 && strcmp(argv[1], "top") == 0)
		return top_run(argc, argv, environ);
	if (argc > 1 && strcmp(argv[1], "doctor") == 0)
		return doctor_run(argc, argv, environ);
	find_program(program);
	if (!handover_receive(&handover, &error)) {
		fprintf(stderr, "shared-ollama: %s\n", error);
		free(error);
		return EXIT_FAILED;
	}
	loaded = load_settings(argc, argv, environ);
	switch (loaded.action) {
	case LOAD_SERVE:
		code = serve(loaded.settings, &source, handover);
		handover = NULL;
		break;
	case LOAD_HEALTH:
		code = health_run(loaded.url, loaded.settings);
		break;
	case LOAD_TOP:
	case LOAD_DOCTOR:
		/* after flags of the service: not the way to call them */
		fputs("shared-ollama: the word top or doctor must come first; see --help\n",
			stderr);
		code = EXIT_USAGE;
		break;
	case LOAD_CHECK:
		code = check_config(loaded.settings, environ) ? EXIT_FINE : EXIT_FAILED;
		break;
	case LOAD_PRINT:
		print(loaded.settings);
		break;
	case LOAD_HELP:
		fputs(loaded.message, stdout);
		break;
	case LOAD_VERSION:
		printf("shared-ollama %s\n", SHARED_OLLAMA_VERSION);
		break;
	case LOAD_USAGE:
		fprintf(stderr, "shared-ollama: %s\n", loaded.message);
		code = EXIT_USAGE;
		break;
	case LOAD_FAILURE:
		fprintf(stderr, "shared-ollama: %s\n", loaded.message);
		code = EXIT_FAILED;
		break;
	}
	handover_destroy(handover);
	free(loaded.message);
	settings_return(loaded.settings);
	return code;
}
