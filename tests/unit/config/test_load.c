#include "config/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "config/settings.h"

static const char *no_environment[] = {NULL};
static char path[64];

/* Loads from a NULL-terminated list of arguments. */
#define LOAD(environment, ...) \
	load((environment), (const char *[]){"shared-ollama", ##__VA_ARGS__, NULL})

static struct load_result load(const char **environment, const char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return load_settings(argc, (char **)argv, (char **)environment);
}

static void finish(struct load_result *result)
{
	settings_return(result->settings);
	free(result->message);
}

static void assert_message(struct load_result result, enum load_action action, const char *message)
{
	assert_int_equal(result.action, action);
	assert_null(result.settings);
	assert_string_equal(result.message, message);
	finish(&result);
}

static void write_config(const char *text)
{
	int file;

	strcpy(path, "/tmp/test_config_load.XXXXXX");
	file = mkstemp(path);
	assert_true(file >= 0);
	assert_true(write(file, text, strlen(text)) == (ssize_t)strlen(text));
	close(file);
}

/* The contract's defaults, one by one. */
static void test_defaults(void **state)
{
	struct load_result result = LOAD(no_environment);
	const struct settings *settings = result.settings;

	assert_int_equal(result.action, LOAD_SERVE);
	assert_null(result.message);
	assert_null(result.url);
	assert_int_equal(settings->references, 1);
	assert_string_equal(settings->listen[0], "127.0.0.1:8000");
	assert_null(settings->listen[1]);
	assert_string_equal(settings->upstream, "http://127.0.0.1:11434");
	assert_string_equal(settings->upstream_host, "127.0.0.1");
	assert_int_equal(settings->upstream_port, 11434);
	assert_string_equal(settings->request_log, "logs/requests.jsonl");
	assert_int_equal(settings->log_operations, LOG_OPERATIONS_DEFAULT);
	assert_int_equal(settings->log_level, LOG_INFO);
	assert_int_equal(settings->request_log_max, 100 << 20);
	assert_int_equal(settings->request_log_keep, 5);
	assert_int_equal(settings->max_concurrent, 3);
	assert_int_equal(settings->max_concurrent_limit, 16);
	assert_int_equal(settings->max_queue_size, 50);
	assert_int_equal(settings->max_reading, 200);
	assert_int_equal(settings->default_timeout_ms, 60000);
	assert_int_equal(settings->scheduler, SCHEDULER_TURNS);
	assert_int_equal(settings->concurrency, CONCURRENCY_ADAPTIVE);
	assert_int_equal(settings->header_timeout_ms, 30000);
	assert_int_equal(settings->body_timeout_ms, 60000);
	assert_int_equal(settings->idle_timeout_ms, 300000);
	assert_int_equal(settings->write_timeout_ms, 300000);
	assert_int_equal(settings->upstream_connect_timeout_ms, 5000);
	assert_int_equal(settings->upstream_first_byte_timeout_ms, 600000);
	assert_int_equal(settings->upstream_idle_timeout_ms, 300000);
	assert_int_equal(settings->drain_timeout_ms, 60000);
	assert_int_equal(settings->body_max, 100 << 20);
	assert_int_equal(settings->body_memory, 1 << 20);
	assert_true(settings->body_total == INT64_C(2) << 30);
	assert_int_equal(settings->head_max, 64 << 10);
	assert_string_equal(settings->spool_directory, "/var/tmp");
	assert_int_equal(settings->max_connections, 20000);
	assert_int_equal(settings->max_connections_per_address, 0);
	finish(&result);
}

static void test_no_arguments_at_all(void **state)
{
	char *argv[] = {NULL};
	struct load_result result = load_settings(0, argv, NULL);

	assert_int_equal(result.action, LOAD_SERVE);
	finish(&result);
}

static void test_file_beats_default_environment_beats_file_flag_beats_all(void **state)
{
	const char *environment[] = {"HOME=/root", "SHARED_OLLAMA_MAX_QUEUE_SIZE=20",
		"SHARED_OLLAMA_MAX_CONCURRENT=2", NULL};
	struct load_result result;

	write_config("max_queue_size = 10\nmax_concurrent = 1\nmax_reading = 11\n");
	result = LOAD(environment, "-c", path, "--max-concurrent", "4");
	assert_int_equal(result.action, LOAD_SERVE);
	assert_int_equal(result.settings->max_reading, 11);
	assert_int_equal(result.settings->max_queue_size, 20);
	assert_int_equal(result.settings->max_concurrent, 4);
	assert_int_equal(result.settings->drain_timeout_ms, 60000);
	finish(&result);
	unlink(path);
}

static void test_the_config_file_is_named_in_four_ways(void **state)
{
	char variable[100] = "SHARED_OLLAMA_CONFIG=";
	char flag[100] = "--config=";
	const char *environment[] = {variable, NULL};

	write_config("max_queue_size = 10\n");
	strcat(variable, path);
	strcat(flag, path);
	for (int way = 0; way < 4; way++) {
		struct load_result result = way == 0   ? LOAD(no_environment, "-c", path)
					    : way == 1 ? LOAD(no_environment, "--config", path)
					    : way == 2 ? LOAD(no_environment, flag)
						       : LOAD(environment);

		assert_int_equal(result.action, LOAD_SERVE);
		assert_int_equal(result.settings->max_queue_size, 10);
		finish(&result);
	}
	unlink(path);
}

static void test_flags_take_their_value_in_both_forms(void **state)
{
	struct load_result result = LOAD(no_environment, "--max-queue-size=7", "--request-log", "-",
		"--default-timeout", "0.5", "--upstream=http://box/", "--spool-directory=");

	assert_int_equal(result.action, LOAD_SERVE);
	assert_int_equal(result.settings->max_queue_size, 7);
	assert_string_equal(result.settings->request_log, "-");
	assert_int_equal(result.settings->default_timeout_ms, 500);
	assert_string_equal(result.settings->upstream_host, "box");
	assert_string_equal(result.settings->spool_directory, "/var/tmp");
	finish(&result);
}

static void test_the_last_of_a_repeated_flag_counts(void **state)
{
	struct load_result result =
		LOAD(no_environment, "--max-queue-size", "7", "--max-queue-size", "8");

	assert_int_equal(result.settings->max_queue_size, 8);
	finish(&result);
}

static void test_listen_repeats_and_replaces_what_is_below(void **state)
{
	const char *environment[] = {"SHARED_OLLAMA_LISTEN=127.0.0.1:9, [::1]:9", NULL};
	struct load_result result = LOAD(environment);

	assert_string_equal(result.settings->listen[0], "127.0.0.1:9");
	assert_string_equal(result.settings->listen[1], "[::1]:9");
	assert_null(result.settings->listen[2]);
	finish(&result);
	result = LOAD(environment, "--listen", "*:1", "--listen=localhost:2");
	assert_string_equal(result.settings->listen[0], "*:1");
	assert_string_equal(result.settings->listen[1], "localhost:2");
	assert_null(result.settings->listen[2]);
	finish(&result);
}

static void test_ollama_host_is_not_the_upstream(void **state)
{
	const char *environment[] = {"OLLAMA_HOST=http://elsewhere:1", "OLLAMA_MAX_QUEUE=9", NULL};
	struct load_result result = LOAD(environment);

	assert_int_equal(result.action, LOAD_SERVE);
	assert_string_equal(result.settings->upstream, "http://127.0.0.1:11434");
	finish(&result);
}

static void test_spool_directory_follows_tmpdir(void **state)
{
	const char *environment[] = {"TMPDIR=/scratch", NULL};
	const char *empty[] = {"TMPDIR=", NULL};
	struct load_result result = LOAD(environment);

	assert_string_equal(result.settings->spool_directory, "/scratch");
	finish(&result);
	result = LOAD(environment, "--spool-directory", "/x");
	assert_string_equal(result.settings->spool_directory, "/x");
	finish(&result);
	result = LOAD(empty);
	assert_string_equal(result.settings->spool_directory, "/var/tmp");
	finish(&result);
}

static void test_health(void **state)
{
	char url[] = "http://box:8000";
	struct load_result result = LOAD(no_environment, "health");

	assert_int_equal(result.action, LOAD_HEALTH);
	assert_non_null(result.settings);
	assert_null(result.url);
	finish(&result);
	result = LOAD(no_environment, "--listen", "*:1", "health", url);
	assert_int_equal(result.action, LOAD_HEALTH);
	assert_ptr_equal(result.url, url);
	assert_string_equal(result.settings->listen[0], "*:1");
	finish(&result);
	result = LOAD(no_environment, "health", "--", url);
	assert_ptr_equal(result.url, url);
	finish(&result);
	assert_message(LOAD(no_environment, "health", url, "more"), LOAD_USAGE,
		"unexpected argument \"more\"; see --help");
}

static void test_help_and_version_need_nothing_else_to_be_right(void **state)
{
	const char *environment[] = {"SHARED_OLLAMA_MAX_CONCURRENT=x", NULL};
	struct load_result result = LOAD(environment, "-c", "/nonexistent", "--help");

	assert_int_equal(result.action, LOAD_HELP);
	assert_ptr_equal(strstr(result.message, "usage: shared-ollama"), result.message);
	assert_null(result.settings);
	finish(&result);
	result = LOAD(environment, "--version", "--nonsense");
	assert_int_equal(result.action, LOAD_VERSION);
	assert_null(result.settings);
	finish(&result);
}

static void test_wrong_arguments_are_usage_errors(void **state)
{
	assert_message(LOAD(no_environment, "--max-queue", "3"), LOAD_USAGE,
		"unknown flag \"--max-queue\"; did you mean --max-queue-size?");
	assert_message(LOAD(no_environment, "--max_queue_size=3"), LOAD_USAGE,
		"unknown flag \"--max_queue_size\"; did you mean --max-queue-size?");
	assert_message(LOAD(no_environment, "--colour"), LOAD_USAGE,
		"unknown flag \"--colour\"; see --help");
	assert_message(LOAD(no_environment, "-x"), LOAD_USAGE, "unknown flag \"-x\"; see --help");
	assert_message(LOAD(no_environment, "--=1"), LOAD_USAGE, "unknown flag \"--\"; see --help");
	assert_message(LOAD(no_environment, "serve"), LOAD_USAGE,
		"unexpected argument \"serve\"; see --help");
	assert_message(
		LOAD(no_environment, "-"), LOAD_USAGE, "unexpected argument \"-\"; see --help");
	assert_message(LOAD(no_environment, "--max-queue-size"), LOAD_USAGE,
		"--max-queue-size needs a value");
	assert_message(LOAD(no_environment, "--max-queue-size", "--listen"), LOAD_USAGE,
		"--max-queue-size needs a value");
	assert_message(LOAD(no_environment, "-c"), LOAD_USAGE, "-c needs a value");
	assert_message(LOAD(no_environment, "--max-queue-size", "0"), LOAD_USAGE,
		"--max-queue-size: out of range: 1 to 100000");
	assert_message(LOAD(no_environment, "--listen", "*:1", "--listen", "8000"), LOAD_USAGE,
		"--listen: \"8000\": no port: write ADDR:PORT (IPv6 addresses stand in brackets)");
	assert_message(LOAD(no_environment, "--upstream", "ftp://box"), LOAD_USAGE,
		"--upstream: \"ftp://box\": write http://HOST[:PORT] or https://HOST[:PORT]");
}

static void test_wrong_variables_are_failures(void **state)
{
	const char *wrong[] = {"SHARED_OLLAMA_MAX_CONCURRENT=many", NULL};
	const char *unknown[] = {"SHARED_OLLAMA_MAX_QUEUE=3", NULL};
	const char *strange[] = {"SHARED_OLLAMA_=3", NULL};

	assert_message(LOAD(wrong), LOAD_FAILURE,
		"SHARED_OLLAMA_MAX_CONCURRENT: \"many\" is not a whole number");
	assert_message(LOAD(unknown), LOAD_FAILURE,
		"unknown variable SHARED_OLLAMA_MAX_QUEUE; did you mean "
		"SHARED_OLLAMA_MAX_QUEUE_SIZE?");
	assert_message(LOAD(strange), LOAD_FAILURE, "unknown variable SHARED_OLLAMA_");
}

static void test_wrong_files_are_failures(void **state)
{
	struct load_result result;
	char *expected;

	assert_message(LOAD(no_environment, "-c", "/nonexistent"), LOAD_FAILURE,
		"/nonexistent: cannot be opened: No such file or directory");
	write_config("\nmax_queue = 3\n");
	result = LOAD(no_environment, "-c", path);
	assert_int_equal(result.action, LOAD_FAILURE);
	expected = strstr(result.message, ":2: unknown key \"max_queue\"");
	assert_ptr_equal(expected, result.message + strlen(path));
	finish(&result);
	unlink(path);
}

static void test_relations_between_keys(void **state)
{
	struct load_result result;

	assert_message(LOAD(no_environment, "--max-concurrent", "20"), LOAD_FAILURE,
		"max_concurrent (20) is over max_concurrent_limit (16)");
	assert_message(LOAD(no_environment, "--body-total", "50m"), LOAD_FAILURE,
		"body_max (104857600) is over body_total (52428800): the largest bodies could "
		"never "
		"be kept");
	assert_message(LOAD(no_environment, "--upstream", "http://127.0.0.1:8000"), LOAD_FAILURE,
		"upstream (http://127.0.0.1:8000) is listen (127.0.0.1:8000): that is "
		"shared-ollama "
		"itself");
	assert_message(
		LOAD(no_environment, "--listen", "[::1]:11434", "--upstream", "http://[::1]"),
		LOAD_FAILURE,
		"upstream (http://[::1]) is listen ([::1]:11434): that is shared-ollama itself");
	assert_message(LOAD(no_environment, "--admin-listen", "127.0.0.1:11434"), LOAD_FAILURE,
		"upstream (http://127.0.0.1:11434) is admin_listen (127.0.0.1:11434): that is "
		"shared-ollama itself");
	assert_message(LOAD(no_environment, "--allow-paths", "/v1,api"), LOAD_FAILURE,
		"allow_paths: \"api\" does not begin with / and is not read-only");
	result = LOAD(no_environment, "--body-total", "0", "--max-concurrent", "16");
	assert_int_equal(result.action, LOAD_SERVE);
	finish(&result);
	result = LOAD(no_environment, "--body-total", "1", "--body-max", "0");
	assert_int_equal(result.action, LOAD_SERVE);
	finish(&result);
}

static void test_what_becomes_of_requests(void **state)
{
	struct load_result result = LOAD(no_environment);

	assert_string_equal(result.settings->keep_alive, "");
	assert_int_equal(result.settings->keep_alive_policy, KEEP_ALIVE_PASS);
	assert_int_equal(result.settings->runner_options, RUNNER_OPTIONS_PASS);
	assert_null(result.settings->model_alias[0]);
	assert_int_equal(result.settings->heartbeat, HEARTBEAT_OFF);
	assert_int_equal(result.settings->image_pixels_max, 0);
	finish(&result);
	result = LOAD(no_environment, "--keep-alive", "1800", "--keep-alive-policy", "cap",
		"--runner-options", "set", "--model-alias", "gpt-4=llama3,small=qwen2.5vl:7b",
		"--heartbeat", "body", "--image-pixels-max", "4000000");
	assert_int_equal(result.action, LOAD_SERVE);
	assert_string_equal(result.settings->keep_alive, "1800s");
	assert_int_equal(result.settings->keep_alive_policy, KEEP_ALIVE_CAP);
	assert_int_equal(result.settings->runner_options, RUNNER_OPTIONS_SET);
	assert_string_equal(result.settings->model_alias[1], "small=qwen2.5vl:7b");
	assert_int_equal(result.settings->heartbeat, HEARTBEAT_BODY);
	assert_int_equal(result.settings->image_pixels_max, 4000000);
	finish(&result);
	assert_message(LOAD(no_environment, "--keep-alive", "soon"), LOAD_FAILURE,
		"keep_alive: \"soon\" is not a duration such as \"30m\", \"1h30m\", \"0\" or, "
		"for ever, \"-1\"");
	assert_message(LOAD(no_environment, "--keep-alive-policy", "override"), LOAD_FAILURE,
		"keep_alive_policy needs a keep_alive to override or cap with");
	assert_message(LOAD(no_environment, "--heartbeat", "unset"), LOAD_USAGE,
		"--heartbeat: \"unset\" is not one of: off, processing, body");
	assert_message(LOAD(no_environment, "--model-alias", "a=b,c="), LOAD_FAILURE,
		"model_alias: \"c=\" is not NAME=MODEL");
	assert_message(LOAD(no_environment, "--model-alias", "=b"), LOAD_FAILURE,
		"model_alias: \"=b\" is not NAME=MODEL");
	assert_message(LOAD(no_environment, "--model-alias", "a=b,A:latest=c"), LOAD_FAILURE,
		"model_alias: \"A:latest=c\" gives a second model to a name: leave one of them "
		"out");
}

static void test_rules_for_listeners_need_theirs(void **state)
{
	struct load_result result;

	write_config("listeners = ( { listen = \"127.0.0.1:8001\"; project = \"p\"; } );\n");
	assert_message(LOAD(no_environment, "-c", path), LOAD_FAILURE,
		"listeners: \"127.0.0.1:8001\" is none of listen: add it there, or write it as it "
		"stands there");
	result = LOAD(no_environment, "-c", path, "--listen", "127.0.0.1:8001");
	assert_int_equal(result.action, LOAD_SERVE);
	finish(&result);
	unlink(path);
}

static void test_tls_is_given_whole_or_not_at_all(void **state)
{
	struct load_result result;

	assert_message(LOAD(no_environment, "--tls-certificate", "c.pem"), LOAD_FAILURE,
		"tls_certificate is given without tls_key: give both or neither");
	assert_message(LOAD(no_environment, "--tls-key", "k.pem"), LOAD_FAILURE,
		"tls_key is given without tls_certificate: give both or neither");
	assert_message(LOAD(no_environment, "--listen", "https://*:8443"), LOAD_FAILURE,
		"listen (https://*:8443) speaks TLS: give tls_certificate and tls_key");
	assert_message(LOAD(no_environment, "--upstream-ca", "ca.pem"), LOAD_FAILURE,
		"upstream_ca is given, but upstream (http://127.0.0.1:11434) is not https://: "
		"nothing would be verified");
	assert_message(LOAD(no_environment, "--listen", "https://box:443", "--upstream",
			       "https://box", "--tls-certificate", "c", "--tls-key", "k"),
		LOAD_FAILURE,
		"upstream (https://box) is listen (https://box:443): that is shared-ollama itself");
	result = LOAD(no_environment, "--listen", "https://*:8443", "--tls-certificate", "c",
		"--tls-key", "k", "--upstream", "https://box", "--upstream-ca", "ca");
	assert_int_equal(result.action, LOAD_SERVE);
	assert_true(result.settings->upstream_is_tls);
	assert_int_equal(result.settings->upstream_port, 443);
	assert_string_equal(result.settings->upstream_ca, "ca");
	finish(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tls_is_given_whole_or_not_at_all),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_what_becomes_of_requests),
		cmocka_unit_test(test_rules_for_listeners_need_theirs),
		cmocka_unit_test(test_no_arguments_at_all),
		cmocka_unit_test(test_file_beats_default_environment_beats_file_flag_beats_all),
		cmocka_unit_test(test_the_config_file_is_named_in_four_ways),
		cmocka_unit_test(test_flags_take_their_value_in_both_forms),
		cmocka_unit_test(test_the_last_of_a_repeated_flag_counts),
		cmocka_unit_test(test_listen_repeats_and_replaces_what_is_below),
		cmocka_unit_test(test_ollama_host_is_not_the_upstream),
		cmocka_unit_test(test_spool_directory_follows_tmpdir),
		cmocka_unit_test(test_health),
		cmocka_unit_test(test_help_and_version_need_nothing_else_to_be_right),
		cmocka_unit_test(test_wrong_arguments_are_usage_errors),
		cmocka_unit_test(test_wrong_variables_are_failures),
		cmocka_unit_test(test_wrong_files_are_failures),
		cmocka_unit_test(test_relations_between_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
