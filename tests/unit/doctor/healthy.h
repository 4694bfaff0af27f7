/* Facts of a box that has no trouble, as its answers give them, and what a check finds in them. */
#ifndef SO_TESTS_DOCTOR_HEALTHY_H
#define SO_TESTS_DOCTOR_HEALTHY_H

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "doctor/answers.h"
#include "doctor/checks.h"
#include "doctor/facts.h"

#define HEALTH(status, paused, state, version)          \
	"{\"status\":\"" status "\",\"paused\":" paused \
	",\"upstream\":{\"url\":\"http://127.0.0.1:"    \
	"11434\",\"state\":\"" state "\",\"version\":" version "}}"
#define STATS(more) "{\"max_concurrent\":3" more "}"
#define CONFIG(listen, log, keys)                                                                  \
	"{\"settings\":[{\"name\":\"listen\",\"value\":\"" listen "\"},{\"name\":\"request_log\"," \
	"\"value\":\"" log "\"},{\"name\":\"body_total\",\"value\":\"2g\"},{\"name\":"             \
	"\"request_log_max\",\"value\":\"100m\"},{\"name\":\"request_log_keep\",\"value\":\"5\"}]" \
	","                                                                                        \
	"\"keys\":[" keys "]}"

static inline void read_stats(struct facts *facts, const char *json)
{
	assert_true(answers_read_stats(facts, json, strlen(json)));
}

static inline void read_health(struct facts *facts, const char *json)
{
	assert_true(answers_read_health(facts, json, strlen(json)));
}

static inline void read_config(struct facts *facts, const char *json)
{
	assert_true(answers_read_config(facts, json, strlen(json)));
}

static inline void make_healthy(struct facts *facts)
{
	static const double gib = 1024.0 * 1024 * 1024;

	facts_init(facts);
	read_health(facts, HEALTH("healthy", "false", "up", "\"0.32.15\""));
	read_stats(facts,
		STATS(",\"cut_prompts\":{\"count\":0},\"request_log_dropped\":0,\"patience_"
		      "doubted\":0,"
		      "\"runners\":[{\"name\":\"a\",\"vram_share\":1.000}],\"turn\":{\"keys\":["
		      "{\"runner\":\"a num_ctx=8192\"},{\"runner\":\"b\"}]},\"upstream\":{"
		      "\"foreign_activity\":{\"count\":0,\"model\":null}}"));
	read_config(facts, CONFIG("127.0.0.1:8000", "/var/log/r.jsonl", ""));
	facts->service.version_status = 200;
	facts->upstream.is_asked = true;
	facts->upstream.skew_s = 0;
	facts->machine = (struct facts_machine){.is_here = true,
		.log_is_checked = true,
		.log_free_bytes = 10 * gib,
		.spool_free_bytes = 10 * gib,
		.descriptors_most = 20000,
		.descriptors_open = 20,
		.wall_s = 1.8e9,
		.step_ms = 0};
	facts->log.is_read = true;
	facts->log.waits = 9;
	facts->log.latency_ms = 9000;
}

/* What the check says, and that it says how to put it right. */
static inline void check(
	const struct facts *facts, enum check which, enum verdict verdict, const char *part)
{
	struct finding finding = check_run(which, facts);

	assert_string_equal(verdict_name(finding.verdict), verdict_name(verdict));
	assert_non_null(strstr(finding.text, part));
	assert_int_equal(finding.fix != NULL, verdict == VERDICT_WARN || verdict == VERDICT_FAIL);
	free(finding.text);
}

#endif
