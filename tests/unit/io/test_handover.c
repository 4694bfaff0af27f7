#include "io/handover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"

/* This program again, as the new process: it tells what it was handed. */
static int be_new(void)
{
	struct handover *handover;
	char *error = NULL;
	char word[HANDOVER_WORD_BYTES];
	struct pollfd channel;

	if (!handover_receive(&handover, &error) || !handover || getenv("SHARED_OLLAMA_HANDOVER"))
		return 1;
	for (size_t i = 0; i < handover->count; i++) {
		const struct handover_socket *it = &handover->sockets[i];
		int is_listening = 0;
		socklen_t length = sizeof(is_listening);

		getsockopt(it->fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &length);
		snprintf(word, sizeof(word), "%s %d%d%d%d", it->listen, it->is_admin, it->is_tls,
			it->is_passed, is_listening);
		if (!handover_say(handover->channel, word))
			return 2;
	}
	channel = (struct pollfd){.fd = handover->channel, .events = POLLIN};
	/* until the old one is gone */
	do {
		poll(&channel, 1, -1);
	} while (handover_hear(handover->channel, word));
	handover_destroy(handover);
	return 7;
}

static int listening(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void expect_word(int channel, const char *expected)
{
	struct pollfd readable = {.fd = channel, .events = POLLIN};
	char word[HANDOVER_WORD_BYTES];

	assert_int_equal(poll(&readable, 1, 10000), 1);
	assert_true(handover_hear(channel, word));
	assert_string_equal(word, expected);
}

/* It makes posix_spawn() a plain fork: an exec that fails is not told, and /proc/self/exe is its
 * own program. */
static bool is_in_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

static void test_a_new_process_gets_every_socket_with_what_it_is_for(void **state)
{
	char *argv[] = {(char *)"test", (char *)"new", NULL};
	struct handover_socket sockets[] = {
		{.listen = (char *)"127.0.0.1:0"},
		{.listen = (char *)"https://[::1]:8443", .is_tls = true},
		{.listen = (char *)"unix:/run/a b", .is_admin = true},
		{.listen = (char *)"fd", .is_passed = true},
	};
	char word[HANDOVER_WORD_BYTES];
	char *error = NULL;
	int channel, status;
	pid_t pid;

	if (is_in_valgrind())
		skip();
	for (size_t i = 0; i < ARRAY_LENGTH(sockets); i++)
		sockets[i].fd = listening();
	channel = handover_start(
		"/proc/self/exe", argv, sockets, ARRAY_LENGTH(sockets), &pid, &error);
	assert_true(channel >= 0);
	assert_null(getenv("SHARED_OLLAMA_HANDOVER"));
	expect_word(channel, "127.0.0.1:0 0001");
	expect_word(channel, "https://[::1]:8443 0101");
	expect_word(channel, "unix:/run/a b 1001");
	expect_word(channel, "fd 0011");
	assert_true(handover_hear(channel, word));
	assert_string_equal(word, "");
	close(channel);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
	for (size_t i = 0; i < ARRAY_LENGTH(sockets); i++)
		close(sockets[i].fd);
}

static void test_one_that_cannot_be_started_is_told(void **state)
{
	char *argv[] = {(char *)"x", NULL};
	struct handover_socket one = {.listen = (char *)"l"};
	char *error = NULL;
	pid_t pid;

	if (is_in_valgrind())
		skip();
	one.fd = listening();
	assert_int_equal(handover_start("/nonexistent/x", argv, &one, 1, &pid, &error), -1);
	assert_string_equal(error, "cannot start /nonexistent/x: No such file or directory");
	free(error);
	close(one.fd);
}

static void test_without_an_old_process_there_is_nothing(void **state)
{
	struct handover *handover = (void *)&handover;
	char *error = NULL;

	assert_true(handover_receive(&handover, &error));
	assert_null(handover);
	handover_destroy(NULL);
}

static void test_a_variable_without_a_channel_is_an_error(void **state)
{
	static const char *const values[] = {"3", "4", ""};

	for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
		struct handover *handover;
		char *error = NULL;

		setenv("SHARED_OLLAMA_HANDOVER", values[i], 1);
		assert_false(handover_receive(&handover, &error));
		assert_null(handover);
		assert_non_null(strstr(error, "SHARED_OLLAMA_HANDOVER"));
		assert_null(getenv("SHARED_OLLAMA_HANDOVER"));
		free(error);
	}
}

static void test_the_end_of_the_other_one_is_heard(void **state)
{
	char word[HANDOVER_WORD_BYTES];
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	assert_true(handover_say(ends[0], "running 3"));
	assert_true(handover_say(ends[0], "took"));
	close(ends[0]);
	assert_true(handover_hear(ends[1], word));
	assert_string_equal(word, "running 3");
	assert_true(handover_hear(ends[1], word));
	assert_string_equal(word, "took");
	assert_false(handover_hear(ends[1], word));
	assert_false(handover_say(ends[1], "x"));
	close(ends[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_process_gets_every_socket_with_what_it_is_for),
		cmocka_unit_test(test_one_that_cannot_be_started_is_told),
		cmocka_unit_test(test_without_an_old_process_there_is_nothing),
		cmocka_unit_test(test_a_variable_without_a_channel_is_an_error),
		cmocka_unit_test(test_the_end_of_the_other_one_is_heard),
	};

	if (argc > 1)
		return be_new();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
