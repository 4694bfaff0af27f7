/*
 * Does a call end in a failed assertion? Tests of "an impossible change is a bug" (STYLE B5.1) ask
 * it: the call runs in a child process whose stderr is closed. The parent's objects stay as they
 * were.
 */
#ifndef SO_TESTS_UNIT_CORE_ABORTS_H
#define SO_TESTS_UNIT_CORE_ABORTS_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool aborts(void (*call)(void *arg), void *arg)
{
	int status = 0;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (child == 0) {
		const struct rlimit no_core = {0, 0};

		setrlimit(RLIMIT_CORE, &no_core);
		close(STDERR_FILENO);
		call(arg);
		_exit(EXIT_SUCCESS);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return false;
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
