#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <openssl/ssl.h>

/* One cipher for all, so that what is compared is the programs and not their lists. */
#define CIPHER "TLS_AES_128_GCM_SHA256"

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

struct ssl_ctx_st *wire_tls(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
		!SSL_CTX_set_ciphersuites(context, CIPHER))
		load_fail("TLS");
	SSL_CTX_set_mode(
		context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return context;
}

/* 127.0.0.1, .2, … each have ephemeral ports of their own. */
static void choose_source(int fd, const struct load_options *options, int number)
{
	struct sockaddr_in source = {.sin_family = AF_INET};
	int on = 1;

	if (options->sources < 2 || options->address.ss_family != AF_INET)
		return;
	source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (in_addr_t)(number % options->sources));
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&source, sizeof(source)) < 0)
		load_fail("bind");
}

void wire_open(struct wire *wire, const struct load_options *options, int number)
{
	int on = 1;

	wire->fd = socket(options->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (wire->fd < 0)
		load_fail("socket");
	choose_source(wire->fd, options, number);
	if (connect(wire->fd, (const struct sockaddr *)&options->address, options->address_bytes) <
		0)
		load_fail("connect");
	(void)setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (fcntl(wire->fd, F_SETFL, O_NONBLOCK) < 0)
		load_fail("fcntl");
	wire->ssl = NULL;
	if (!options->tls)
		return;
	wire->ssl = SSL_new(options->tls);
	if (!wire->ssl || !SSL_set_fd(wire->ssl, wire->fd))
		load_fail("TLS");
	SSL_set_connect_state(wire->ssl);
}

void wire_close(struct wire *wire)
{
	SSL_free(wire->ssl);
	wire->ssl = NULL;
	if (wire->fd > 0)
		close(wire->fd);
	wire->fd = 0;
}

/* What an SSL_read or SSL_write that did nothing means in the words of recv and send. */
static ssize_t tls_result(struct wire *wire, int result)
{
	switch (SSL_get_error(wire->ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		errno = ECONNRESET;
		return -1;
	}
}

ssize_t wire_read(struct wire *wire, char *bytes, size_t length)
{
	int got;

	if (!wire->ssl)
		return recv(wire->fd, bytes, length, 0);
	got = SSL_read(wire->ssl, bytes, (int)length);
	return got > 0 ? got : tls_result(wire, got);
}

ssize_t wire_write(struct wire *wire, const char *bytes, size_t length)
{
	int sent;

	if (!wire->ssl)
		return send(wire->fd, bytes, length, MSG_NOSIGNAL);
	sent = SSL_write(wire->ssl, bytes, (int)length);
	return sent > 0 ? sent : tls_result(wire, sent);
}

void wire_send(struct wire *wire, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t sent = wire_write(wire, bytes, length);

		if (sent > 0) {
			bytes += sent;
			length -= (size_t)sent;
		} else if (sent < 0 && errno == EAGAIN) {
			short what = wire->ssl && SSL_want_read(wire->ssl) ? POLLIN : POLLOUT;
			struct pollfd ready = {.fd = wire->fd, .events = what};

			(void)poll(&ready, 1, -1);
		} else if (sent == 0 || errno != EINTR) {
			load_fail("send");
		}
	}
}
