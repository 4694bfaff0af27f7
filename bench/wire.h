/*
 * One connection of the load generator, plain or TLS 1.3. Called by its modes; a zeroed struct is
 * closed. Not being able to connect ends the program.
 */
#ifndef SO_BENCH_WIRE_H
#define SO_BENCH_WIRE_H

#include <stddef.h>
#include <sys/types.h>

#include "load.h"

struct ssl_st;

struct wire {
	int fd; /* 0: closed (it is standard input's) */
	struct ssl_st *ssl;
};

/* For https URLs: certificates are not checked, they are the bench's own. */
struct ssl_ctx_st *wire_tls(void);
/* Connected, non-blocking, with TCP_NODELAY. The handshake is made by the first read or write.
 * `number` chooses the address that it connects from. */
void wire_open(struct wire *wire, const struct load_options *options, int number);
void wire_close(struct wire *wire);
/* As recv: 0 at the end, -1 with EAGAIN when nothing is there. */
ssize_t wire_read(struct wire *wire, char *bytes, size_t length);
/* As send, but -1 with EAGAIN may mean that the peer has to speak first: try again when it did. */
ssize_t wire_write(struct wire *wire, const char *bytes, size_t length);
/* All of it, waiting where needed; for requests that the socket's buffer takes. */
void wire_send(struct wire *wire, const char *bytes, size_t length);

#endif
