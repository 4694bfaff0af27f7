#include "io/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/memory.h"

/* The new process finds its end of the channel here. */
enum { CHANNEL_FD = STDERR_FILENO + 1, TEXT_BYTES = 64 * 1024 };

static const char VARIABLE[] = "SHARED_OLLAMA_HANDOVER";
static const char VALUE[] = "3";

/* A socket's line: whose it is, whether it speaks TLS, its name. */
enum { KIND_LISTEN = 'l', KIND_ADMIN = 'a', KIND_PASSED = 'p', IS_TLS = 't', IS_PLAIN = '-' };

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(HANDOVER_SOCKETS_MOST * sizeof(int))];
};

static char *describe(const struct handover_socket *sockets, size_t count)
{
	char *text = mem_strdup("");

	for (size_t i = 0; i < count; i++) {
		char kind = sockets[i].is_passed ? KIND_PASSED
						 : (sockets[i].is_admin ? KIND_ADMIN : KIND_LISTEN);
		char *longer = mem_printf("%s%c%c%s\n", text, kind,
			sockets[i].is_tls ? IS_TLS : IS_PLAIN, sockets[i].listen);

		free(text);
		text = longer;
	}
	return text;
}

static bool offer(int channel, const struct handover_socket *sockets, size_t count)
{
	union control control = {0};
	char *text = describe(sockets, count);
	struct iovec piece = {.iov_base = text, .iov_len = strlen(text)};
	struct msghdr message = {
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	bool is_sent;

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(count * sizeof(int));
	for (size_t i = 0; i < count; i++)
		memcpy(CMSG_DATA(head) + i * sizeof(int), &sockets[i].fd, sizeof(int));
	is_sent = sendmsg(channel, &message, MSG_NOSIGNAL) == (ssize_t)piece.iov_len;
	free(text);
	return is_sent;
}

/* 0, or what went wrong. */
static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int channel)
{
	sigset_t every, none;
	int error;

	sigfillset(&every);
	sigemptyset(&none);
	error = posix_spawn_file_actions_adddup2(actions, channel, CHANNEL_FD);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(actions, CHANNEL_FD + 1);
	if (!error)
		error = posix_spawnattr_setflags(
			attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	if (!error)
		error = posix_spawnattr_setsigdefault(attributes, &every);
	if (!error)
		error = posix_spawnattr_setsigmask(attributes, &none);
	return error;
}

/* 0, or what went wrong. */
static int spawn(const char *program, char **argv, int channel, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error)
		goto free_actions;
	error = prepare(&actions, &attributes, channel);
	if (!error && setenv(VARIABLE, VALUE, 1) != 0)
		error = errno;
	if (!error)
		error = posix_spawn(ret_pid, program, &actions, &attributes, argv, environ);
	unsetenv(VARIABLE);
	posix_spawnattr_destroy(&attributes);
free_actions:
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

int handover_start(const char *program, char **argv, const struct handover_socket *sockets,
	size_t count, pid_t *ret_pid, char **ret_error)
{
	int ends[2];
	int error = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
		*ret_error = mem_printf("no channel: %s", strerror(errno));
		return -1;
	}
	if (!offer(ends[0], sockets, count))
		error = errno;
	if (!error)
		error = spawn(program, argv, ends[1], ret_pid);
	close(ends[1]);
	if (!error)
		return ends[0];
	*ret_error = mem_printf("cannot start %s: %s", program, strerror(error));
	close(ends[0]);
	return -1;
}

/* Takes one line of the description. false: it is none. */
static bool read_line(struct handover_socket *socket, const char *line, size_t length)
{
	if (length < 3 || !strchr("lap", line[0]) || !strchr("t-", line[1]))
		return false;
	socket->is_admin = line[0] == KIND_ADMIN;
	socket->is_passed = line[0] == KIND_PASSED;
	socket->is_tls = line[1] == IS_TLS;
	socket->listen = mem_strndup(line + 2, length - 2);
	return true;
}

static bool read_description(struct handover *handover, const char *text)
{
	size_t count = 0;

	for (; *text && count < handover->count; count++) {
		size_t length = strcspn(text, "\n");

		if (!read_line(&handover->sockets[count], text, length))
			return false;
		text += length + (text[length] == '\n');
	}
	return count == handover->count && !*text;
}

static bool receive(struct handover *handover, char *text)
{
	union control control = {0};
	struct iovec piece = {.iov_base = text, .iov_len = TEXT_BYTES - 1};
	struct msghdr message = {
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(handover->channel, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;

	if (!head || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
		return false;
	text[got] = '\0';
	handover->count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < handover->count; i++)
		memcpy(&handover->sockets[i].fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
	return !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) && read_description(handover, text);
}

bool handover_receive(struct handover **ret_handover, char **ret_error)
{
	const char *value = getenv(VARIABLE);
	struct handover *handover;
	char *text;
	bool is_fine;

	*ret_handover = NULL;
	if (!value)
		return true;
	is_fine = strcmp(value, VALUE) == 0;
	unsetenv(VARIABLE);
	handover = mem_zalloc(sizeof(*handover));
	handover->channel = is_fine ? CHANNEL_FD : -1;
	text = mem_zalloc(TEXT_BYTES);
	is_fine = is_fine && fcntl(CHANNEL_FD, F_SETFD, FD_CLOEXEC) == 0 && receive(handover, text);
	free(text);
	if (is_fine) {
		*ret_handover = handover;
		return true;
	}
	handover_destroy(handover);
	*ret_error =
		mem_printf("%s is set, but no process hands its sockets over: unset it", VARIABLE);
	return false;
}

void handover_destroy(struct handover *handover)
{
	if (!handover)
		return;
	for (size_t i = 0; i < handover->count; i++) {
		if (handover->sockets[i].fd >= 0)
			close(handover->sockets[i].fd);
		free(handover->sockets[i].listen);
	}
	if (handover->channel >= 0)
		close(handover->channel);
	free(handover);
}

bool handover_say(int channel, const char *word)
{
	/* A reader that is so far behind hears the next one. */
	return send(channel, word, strlen(word), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
	       errno == EAGAIN;
}

bool handover_hear(int channel, char ret_word[HANDOVER_WORD_BYTES])
{
	ssize_t got = recv(channel, ret_word, HANDOVER_WORD_BYTES - 1, MSG_DONTWAIT);

	ret_word[got > 0 ? got : 0] = '\0';
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}
