#include "io/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "base/ticker.h"

/* A real loop and a real shell, and a clock that the test sets. */
enum { S = 1000 * 1000, START = 1000 * S, FILE_BYTES = 65536, MODE = 0700, LIBC_SIGNAL = 32 };

struct fixture {
	struct event_base *base;
	struct command *command;
	char folder[64];
	char text[FILE_BYTES];
};

static const char *const no_variables[] = {NULL};

static int set_up(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	strcpy(fixture->folder, "/tmp/test-command-XXXXXX");
	if (!mkdtemp(fixture->folder))
		return -1;
	setenv("TEST_FOLDER", fixture->folder, 1);
	ticker_set_for_test(START, START);
	fixture->base = event_base_new();
	fixture->command = command_create(fixture->base, "on_test");
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	char *path = mem_printf("%s/out", fixture->folder);

	command_destroy(fixture->command);
	event_base_free(fixture->base);
	unlink(path);
	rmdir(fixture->folder);
	free(path);
	free(fixture);
	return 0;
}

/* Until it has ended; the test's own time limit is the bound. */
static void await_end(struct fixture *fixture)
{
	while (command_is_running(fixture->command))
		event_base_loop(fixture->base, EVLOOP_ONCE);
}

static const char *output(struct fixture *fixture)
{
	char *path = mem_printf("%s/out", fixture->folder);
	FILE *file = fopen(path, "r");
	size_t length = file ? fread(fixture->text, 1, sizeof(fixture->text) - 1, file) : 0;

	fixture->text[length] = '\0';
	if (file)
		fclose(file);
	free(path);
	return fixture->text;
}

static void test_the_shell_runs_it_with_its_variables(void **state)
{
	static const char *const variables[] = {
		"SHARED_OLLAMA_MODEL=$(touch /tmp/never); \"x\" `id`", "SHARED_OLLAMA_REASON=stuck",
		NULL};
	struct fixture *fixture = *state;

	assert_true(command_run(fixture->command,
		"printf '%s|%s' \"$SHARED_OLLAMA_MODEL\" \"$SHARED_OLLAMA_REASON\" "
		"> \"$TEST_FOLDER\"/out",
		variables));
	await_end(fixture);
	assert_string_equal(output(fixture), "$(touch /tmp/never); \"x\" `id`|stuck");
}

static void test_it_inherits_no_secrets_and_nothing_of_systemds(void **state)
{
	struct fixture *fixture = *state;

	setenv("SHARED_OLLAMA_KEY_SALT", "salt", 1);
	setenv("NOTIFY_SOCKET", "/run/notify", 1);
	setenv("LISTEN_FDS", "1", 1);
	assert_true(command_run(fixture->command, "env > \"$TEST_FOLDER\"/out", no_variables));
	unsetenv("SHARED_OLLAMA_KEY_SALT");
	unsetenv("NOTIFY_SOCKET");
	unsetenv("LISTEN_FDS");
	await_end(fixture);
	assert_non_null(strstr(output(fixture), "TEST_FOLDER="));
	assert_null(strstr(fixture->text, "SHARED_OLLAMA_"));
	assert_null(strstr(fixture->text, "NOTIFY_SOCKET"));
	assert_null(strstr(fixture->text, "LISTEN_FDS"));
}

static void test_it_gets_no_descriptor_but_the_three(void **state)
{
	struct fixture *fixture = *state;
	/* Without close-on-exec, as a library might have it. */
	int extra = open("/dev/null", O_RDONLY);

	assert_true(command_run(fixture->command,
		"{ cd /proc/self/fd; for fd in [0-9]*; do [ -e $fd ] && echo $fd; done; "
		"cat; } > \"$TEST_FOLDER\"/out",
		no_variables));
	await_end(fixture);
	close(extra);
	/* 3 and above may be the shell's own while it redirects: it keeps them at 10 and up. */
	assert_true(strncmp(output(fixture), "0\n1\n", 4) == 0);
	assert_null(strstr(fixture->text, "\n3\n"));
	assert_null(strstr(fixture->text, "\n4\n"));
	assert_null(strstr(fixture->text, "\n5\n"));
}

static void test_never_two_at_once(void **state)
{
	struct fixture *fixture = *state;

	assert_true(command_run(fixture->command,
		"while [ ! -e \"$TEST_FOLDER\"/out ]; do sleep 0.01; done", no_variables));
	ticker_set_for_test(START + COMMAND_PAUSE_US * 2LL, START);
	assert_false(command_may_run(fixture->command));
	assert_false(command_run(fixture->command, "true", no_variables));
	assert_true(command_is_running(fixture->command));
	/* The first one may go. */
	{
		char *path = mem_printf("%s/out", fixture->folder);
		int file = open(path, O_CREAT | O_WRONLY, MODE);

		close(file);
		free(path);
	}
	await_end(fixture);
	assert_true(command_may_run(fixture->command));
}

static void test_not_again_before_its_pause_is_over(void **state)
{
	struct fixture *fixture = *state;

	assert_true(command_run(fixture->command, "exit 3", no_variables));
	await_end(fixture);
	ticker_set_for_test(START + COMMAND_PAUSE_US - 1, START);
	assert_false(command_run(fixture->command, "true", no_variables));
	ticker_set_for_test(START + COMMAND_PAUSE_US, START);
	assert_true(command_run(fixture->command, "true", no_variables));
	await_end(fixture);
}

static void test_signals_are_as_at_login(void **state)
{
	struct fixture *fixture = *state;
	unsigned long long ignored;

	/* As the proxy has it; were it inherited, the shell could not change it. */
	signal(SIGPIPE, SIG_IGN);
	assert_true(command_run(fixture->command,
		"grep SigIgn /proc/self/status > \"$TEST_FOLDER\"/out", no_variables));
	await_end(fixture);
	signal(SIGPIPE, SIG_DFL);
	assert_int_equal(sscanf(output(fixture), "SigIgn: %llx", &ignored), 1);
	/* But for the two that the C library keeps for itself. */
	assert_int_equal(ignored & ~(3ULL << (LIBC_SIGNAL - 1)), 0);
}

static void test_one_that_outlives_us_is_left_alone(void **state)
{
	struct fixture *fixture = *state;

	assert_true(command_run(
		fixture->command, "sleep 0.2; echo done > \"$TEST_FOLDER\"/out", no_variables));
	command_destroy(fixture->command);
	fixture->command = NULL;
	while (strcmp(output(fixture), "done\n") != 0)
		usleep(1000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_the_shell_runs_it_with_its_variables),
		TEST(test_it_inherits_no_secrets_and_nothing_of_systemds),
		TEST(test_it_gets_no_descriptor_but_the_three),
		TEST(test_never_two_at_once),
		TEST(test_not_again_before_its_pause_is_over),
		TEST(test_signals_are_as_at_login),
		TEST(test_one_that_outlives_us_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
