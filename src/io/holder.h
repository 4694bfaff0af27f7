/*
 * Who listens on a TCP port of this machine? For the message when a port is taken (PRODUCT 8).
 * Reads /proc; called once, at a start that fails.
 */
#ifndef SO_IO_HOLDER_H
#define SO_IO_HOLDER_H

#include <stdint.h>

/* "nginx (pid 1234)", a new string; NULL where it cannot be read (another user's process). */
char *holder_of_port(uint16_t port);

#endif
