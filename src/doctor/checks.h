/*
 * The doctor's checks: each looks at the facts and says ok, warn or fail, and what to do; unsure
 * where the facts do not tell. Pure. Called by doctor for each of the list, in its order. Those of
 * the service and of Ollama stand in checks.c, those of this machine in checks_machine.c.
 */
#ifndef SO_DOCTOR_CHECKS_H
#define SO_DOCTOR_CHECKS_H

#include "base/compiler.h"

struct facts;

/* X(symbol, name, function) */
#define CHECKS(X)                                              \
	X(SERVICE, "service", check_service)                   \
	X(CONFIGURATION, "configuration", check_configuration) \
	X(UPSTREAM, "upstream", check_upstream)                \
	X(OWN_LOOP, "own loop", check_own_loop)                \
	X(OLLAMA_HOST, "OLLAMA_HOST", check_ollama_host)       \
	X(PARALLELISM, "parallelism", check_parallelism)       \
	X(RUNNER_KEYS, "runner keys", check_runner_keys)       \
	X(KEEP_ALIVE, "keep_alive", check_keep_alive)          \
	X(CONTEXT, "context", check_context)                   \
	X(GPU, "GPU", check_gpu)                               \
	X(FOREIGN, "foreign traffic", check_foreign)           \
	X(PATIENCE, "patience", check_patience)                \
	X(ACCESS, "access", check_access)                      \
	X(REQUEST_LOG, "request log", check_log)               \
	X(DISK, "disk", check_disk)                            \
	X(DESCRIPTORS, "descriptors", check_descriptors)       \
	X(CLOCK, "clock", check_clock)                         \
	X(OLD_VARIABLES, "old variables", check_old_variables)

enum check {
#define X(symbol, name, function) CHECK_##symbol,
	CHECKS(X)
#undef X
		CHECK_COUNT
};
const char *check_name(enum check check);

#define VERDICTS(X) X(OK, "ok") X(WARN, "warn") X(FAIL, "fail") X(UNSURE, "unsure")

enum verdict {
#define X(symbol, name) VERDICT_##symbol,
	VERDICTS(X)
#undef X
		VERDICT_COUNT
};
const char *verdict_name(enum verdict verdict);

struct finding {
	enum verdict verdict;
	char *text;	 /* the caller frees */
	const char *fix; /* with WARN and FAIL, else NULL; static */
};

struct finding check_run(enum check check, const struct facts *facts);

/* For the checks: a finding with a text made by printf. */
struct finding finding_make(enum verdict verdict, const char *fix, const char *format, ...)
	PRINTF_LIKE(3, 4);

#define X(symbol, name, function) struct finding function(const struct facts *facts);
CHECKS(X)
#undef X

#endif
