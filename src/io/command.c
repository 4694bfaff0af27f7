#include "io/command.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/compiler.h"
#include "base/delay.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ticker.h"

struct command {
	const char *key;
	struct event *child; /* SIGCHLD */
	struct event *limit;
	pid_t pid;	    /* 0: none runs */
	int64_t started_us; /* 0: never */
};

/* Not handed on. */
static const char *const own_variables[] = {"SHARED_OLLAMA_",
	"LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "NOTIFY_SOCKET=", "WATCHDOG_"};

static void on_child(evutil_socket_t signal_number, short what, void *arg)
{
	struct command *command = arg;
	int status;

	/* Other children are somebody else's. */
	if (command->pid == 0 || waitpid(command->pid, &status, WNOHANG) != command->pid)
		return;
	command->pid = 0;
	event_del(command->limit);
	LOG(INFO, "a command has ended", LOG_TEXT("key", command->key),
		LOG_NUMBER("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
		LOG_NUMBER("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	struct command *command = arg;

	if (command->pid == 0)
		return;
	LOG(WARN, "a command takes too long and is killed", LOG_TEXT("key", command->key));
	kill(-command->pid, SIGKILL);
}

struct command *command_create(struct event_base *base, const char *key)
{
	struct command *command = mem_zalloc(sizeof(*command));

	command->key = key;
	command->child = evsignal_new(base, SIGCHLD, on_child, command);
	command->limit = evtimer_new(base, on_limit, command);
	if (!command->child || !command->limit || evsignal_add(command->child, NULL) != 0)
		mem_out(sizeof(*command));
	return command;
}

void command_destroy(struct command *command)
{
	if (!command)
		return;
	event_free(command->child);
	event_free(command->limit);
	free(command);
}

bool command_is_running(const struct command *command)
{
	return command->pid != 0;
}

bool command_may_run(const struct command *command)
{
	return command->pid == 0 &&
	       (command->started_us == 0 ||
		       ticker_now_us() - command->started_us >= COMMAND_PAUSE_US);
}

static bool is_own(const char *variable)
{
	for (size_t i = 0; i < ARRAY_LENGTH(own_variables); i++) {
		if (strncmp(variable, own_variables[i], strlen(own_variables[i])) == 0)
			return true;
	}
	return false;
}

/* Of ours and `variables`; the strings stay theirs. */
static char **environment_of(const char *const *variables)
{
	size_t count = 1;
	char **environment;
	char **next;

	for (char **variable = environ; *variable; variable++)
		count++;
	for (const char *const *variable = variables; *variable; variable++)
		count++;
	next = environment = mem_alloc(count * sizeof(*environment));
	for (char **variable = environ; *variable; variable++) {
		if (!is_own(*variable))
			*next++ = *variable;
	}
	/* posix_spawn() writes to none of them. */
	for (const char *const *variable = variables; *variable; variable++)
		*next++ = (char *)*variable;
	*next = NULL;
	return environment;
}

/* 0, or what went wrong. */
static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes)
{
	short flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
	sigset_t every, none;
	int error;

	sigfillset(&every);
	sigemptyset(&none);
	error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	if (!error)
		error = posix_spawnattr_setflags(attributes, flags);
	if (!error)
		error = posix_spawnattr_setpgroup(attributes, 0);
	if (!error)
		error = posix_spawnattr_setsigdefault(attributes, &every);
	if (!error)
		error = posix_spawnattr_setsigmask(attributes, &none);
	return error;
}

static int spawn(pid_t *ret_pid, const char *text, char **environment)
{
	/* Read by the shell only; posix_spawn() writes to none of them. */
	char *const arguments[] = {(char *)"sh", (char *)"-c", (char *)text, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error)
		goto free_actions;
	error = prepare(&actions, &attributes);
	if (!error)
		error = posix_spawn(
			ret_pid, "/bin/sh", &actions, &attributes, arguments, environment);
	posix_spawnattr_destroy(&attributes);
free_actions:
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

bool command_run(struct command *command, const char *text, const char *const *variables)
{
	char **environment;
	pid_t pid;
	int error;

	if (!command_may_run(command))
		return false;
	/* A command that cannot be started is not tried more often either. */
	command->started_us = ticker_now_us();
	environment = environment_of(variables);
	error = spawn(&pid, text, environment);
	free(environment);
	if (error) {
		LOG(ERROR, "cannot start a command", LOG_TEXT("key", command->key),
			LOG_TEXT("error", strerror(error)));
		return false;
	}
	command->pid = pid;
	delay_start(command->limit, COMMAND_MOST_US);
	LOG(WARN, "a command was started", LOG_TEXT("key", command->key), LOG_NUMBER("pid", pid));
	return true;
}
