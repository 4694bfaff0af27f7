/*
 * The channel between a process and the one that takes its place in an upgrade
 * (docs/decisions/0003): a pair of local sockets, whose messages are listening sockets with what
 * they are for, and then single words. Used by upgrade.c (the old one) and takeover.c, listeners.c
 * (the new one). No message is ever waited for but the first, which is there at the start.
 */
#ifndef SO_IO_HANDOVER_H
#define SO_IO_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/compiler.h"

/* Also the most that listeners.c has. */
enum { HANDOVER_SOCKETS_MOST = 64, HANDOVER_WORD_BYTES = 64 };

struct handover_socket {
	int fd; /* -1: taken */
	bool is_admin;
	bool is_tls;
	bool is_passed; /* came from systemd: stands in for listen */
	char *listen;	/* as the configuration spells it */
};

struct handover {
	int channel;
	struct handover_socket sockets[HANDOVER_SOCKETS_MOST];
	size_t count;
};

/* What the new one finds in its environment, which is cleared of it; NULL in `ret_handover`: it is
 * not started by an old one. false: something else is there, `ret_error`, a new string, says so. */
MUST_CHECK bool handover_receive(struct handover **ret_handover, char **ret_error);
/* Closes what was not taken, and the channel. NULL is fine. */
void handover_destroy(struct handover *handover);

/*
 * Starts `program` with `argv` and our environment, and offers it the sockets, which stay ours too.
 * The channel, which does not block, or -1: `ret_error`, a new string, says why.
 */
MUST_CHECK int handover_start(const char *program, char **argv,
	const struct handover_socket *sockets, size_t count, pid_t *ret_pid, char **ret_error);

/* A word to the other one; false: it is gone. */
bool handover_say(int channel, const char *word);
/* The next word, "" where there is none now. false: the other one is gone. */
MUST_CHECK bool handover_hear(int channel, char ret_word[HANDOVER_WORD_BYTES]);

#endif
