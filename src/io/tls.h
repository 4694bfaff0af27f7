/*
 * TLS on both sides (PRODUCT 1.8), by OpenSSL: a server's certificate and key for the listeners,
 * and the upstream's verified side for back/. The bufferevents that carry it are libevent's; front/
 * gets its own from libevhtp. Made by listeners.c and proxy.c, used by front/ and back/.
 *
 * TLS 1.2 and 1.3 with forward secrecy and authenticated encryption only, ALPN http/1.1, no
 * renegotiation, no compression. Sessions are resumed by tickets, which cost the server no memory;
 * a reload makes new ticket keys. Keys and passphrases are never written anywhere.
 *
 * SSL_MODE_ENABLE_PARTIAL_WRITE must stay off: libevent 2.1.12 goes on to the next piece after a
 * partial write and would lose bytes.
 */
#ifndef SO_IO_TLS_H
#define SO_IO_TLS_H

#include <stdbool.h>

#include "base/compiler.h"

struct bufferevent;
struct event_base;
struct ssl_ctx_st; /* OpenSSL's SSL_CTX */
struct tls_client;
struct tls_server;

/* What a listener shows. Both files are PEM, the certificate with its chain. NULL: `ret_error`, a
 * new string, names the file and its flag. A key that asks for a passphrase is refused. */
MUST_CHECK struct tls_server *tls_server_create(
	const char *certificate, const char *key, char **ret_error);
/* Connections that were made with it keep what they need. NULL is fine. */
void tls_server_destroy(struct tls_server *server);
/* Borrowed: valid until tls_server_destroy(). */
struct ssl_ctx_st *tls_server_context(const struct tls_server *server);

/*
 * The way to one upstream. `host` is what its certificate must be for, a name or an address without
 * brackets; `ca` a PEM file of those who may vouch for it, "" the system's. NULL: as above.
 */
MUST_CHECK struct tls_client *tls_client_create(const char *host, const char *ca, char **ret_error);
/* After the last of its connections. NULL is fine. */
void tls_client_destroy(struct tls_client *client);
/* A new bufferevent without a socket, callbacks deferred, that closes and frees all with itself; it
 * is connected when the certificate was accepted. NULL: out of memory. */
MUST_CHECK struct bufferevent *tls_client_connection(
	struct tls_client *client, struct event_base *base);
/* All addresses were tried and none connected: what TLS had against it since the last call becomes
 * what tls_client_problem() tells. true: that is another text than before. */
bool tls_client_note_refused(struct tls_client *client);
void tls_client_note_connected(struct tls_client *client);
/* "its certificate is not accepted: ..." after the last refusal; NULL: that was not TLS's. */
const char *tls_client_problem(const struct tls_client *client);

/* Tells the peer that nothing more comes (close_notify), so that it knows the end from a cut. Once
 * the output is empty. Does nothing before the handshake's end and the second time. */
void tls_send_end(struct bufferevent *connection);
/* Why the last operation failed, for the log; a new string. */
char *tls_failure(struct bufferevent *connection);

#endif
