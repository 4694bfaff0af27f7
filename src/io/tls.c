#include "io/tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/log.h"
#include "base/memory.h"

enum {
	/* A ticket is good for an hour: long beside a pause between two requests, short beside a
	   certificate's life. */
	SESSION_SECONDS = 3600,
	NAME_BYTES = 256,
	TIME_BYTES = sizeof("2026-01-31"),
};

/* TLS 1.2: ephemeral keys and authenticated encryption. 1.3 has nothing else. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20:!PSK"
#define GROUPS "X25519:P-256:P-384"

/* RFC 7301's form: a length, then the name. */
static const unsigned char http_1_1[] = "\x08http/1.1";

struct tls_server {
	SSL_CTX *context;
};

struct tls_client {
	SSL_CTX *context;
	char *host;
	bool is_address;
	SSL_SESSION *session; /* the latest that may be resumed */
	char *noticed;	      /* by the attempts since the last refusal or success */
	char *problem;
};

static bool is(unsigned long error, int library, int reason)
{
	return ERR_GET_LIB(error) == library && ERR_GET_REASON(error) == reason;
}

/* The first thing that OpenSSL put down, in words that help; the rest is forgotten. Static text. */
static const char *take_reason(void)
{
	unsigned long error = ERR_peek_error();
	const char *reason = NULL;

	if (ERR_SYSTEM_ERROR(error))
		reason = strerror(ERR_GET_REASON(error));
	else if (is(error, ERR_LIB_PEM, PEM_R_NO_START_LINE) ||
		 is(error, ERR_LIB_OSSL_DECODER, ERR_R_UNSUPPORTED))
		reason = "it holds nothing of this kind in PEM form";
	else if (is(error, ERR_LIB_CRYPTO, ERR_R_INTERRUPTED_OR_CANCELLED))
		reason = "it asks for a passphrase: store it without one";
	else if (error)
		reason = ERR_reason_error_string(error);
	ERR_clear_error();
	return reason ? reason : "unknown error";
}

/* Nobody is there to type one. */
static int on_passphrase(char *text, int size, int is_writing, void *arg)
{
	return -1;
}

static void set_common(SSL_CTX *context)
{
	/* Fixed texts and numbers: that OpenSSL takes them is a matter of the tests. */
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_cipher_list(context, CIPHERS) != 1 ||
		SSL_CTX_set1_groups_list(context, GROUPS) != 1)
		abort();
	SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	/* An idle connection costs 24 KiB more without it (FACTS A4). */
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_timeout(context, SESSION_SECONDS);
	SSL_CTX_set_default_passwd_cb(context, on_passphrase);
}

/* ---- the listeners' side ---- */

/* A client that speaks other protocols only is told so (RFC 7301 section 3.2); one that says
 * nothing is taken to speak HTTP/1.1. */
static int on_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_length,
	const unsigned char *offered, unsigned length, void *arg)
{
	unsigned char *chosen = NULL;

	if (SSL_select_next_proto(&chosen, ret_length, http_1_1, sizeof(http_1_1) - 1, offered,
		    length) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret_name = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/* NULL or what is wrong. */
static char *load(SSL_CTX *context, const char *certificate, const char *key)
{
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
		return mem_printf("--tls-certificate %s: %s", certificate, take_reason());
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(context) != 1) {
		unsigned long error = ERR_peek_error();

		if (is(error, ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH) ||
			is(error, ERR_LIB_X509, X509_R_KEY_TYPE_MISMATCH)) {
			ERR_clear_error();
			return mem_printf("--tls-key %s does not belong to --tls-certificate %s",
				key, certificate);
		}
		return mem_printf("--tls-key %s: %s", key, take_reason());
	}
	return NULL;
}

static void tell_certificate(const SSL_CTX *context, const char *file)
{
	X509 *certificate = SSL_CTX_get0_certificate(context);
	const ASN1_TIME *until = X509_get0_notAfter(certificate);
	char name[NAME_BYTES];
	char day[TIME_BYTES] = "?";
	struct tm parts;

	X509_NAME_oneline(X509_get_subject_name(certificate), name, sizeof(name));
	if (ASN1_TIME_to_tm(until, &parts) == 1)
		strftime(day, sizeof(day), "%Y-%m-%d", &parts);
	if (X509_cmp_current_time(until) < 0)
		LOG(WARN, "the TLS certificate has expired: clients will not accept it",
			LOG_TEXT("file", file), LOG_TEXT("subject", name), LOG_TEXT("until", day));
	else
		LOG(INFO, "TLS certificate", LOG_TEXT("file", file), LOG_TEXT("subject", name),
			LOG_TEXT("until", day));
	ERR_clear_error();
}

struct tls_server *tls_server_create(const char *certificate, const char *key, char **ret_error)
{
	static const unsigned char session_context[] = "shared-ollama";
	struct tls_server *server;
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	char *error;

	if (!context)
		mem_out(0);
	set_common(context);
	SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
	if (SSL_CTX_set_session_id_context(context, session_context, sizeof(session_context) - 1) !=
		1)
		abort();
	error = load(context, certificate, key);
	if (error) {
		SSL_CTX_free(context);
		*ret_error = error;
		return NULL;
	}
	tell_certificate(context, certificate);
	server = mem_zalloc(sizeof(*server));
	server->context = context;
	return server;
}

void tls_server_destroy(struct tls_server *server)
{
	if (!server)
		return;
	SSL_CTX_free(server->context);
	free(server);
}

struct ssl_ctx_st *tls_server_context(const struct tls_server *server)
{
	return server->context;
}

/* ---- the upstream's side ---- */

static struct tls_client *client_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

static void notice(struct tls_client *client, char *text)
{
	free(client->noticed);
	client->noticed = text;
}

static int on_verify(int is_accepted, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());

	if (!is_accepted)
		notice(client_of(ssl),
			mem_printf("its certificate is not accepted: %s",
				X509_verify_cert_error_string(X509_STORE_CTX_get_error(store))));
	return is_accepted;
}

/* Told of every step; what is put down when one fails is the reason. A refused certificate has its
 * better words already. */
static void on_step(const SSL *ssl, int where, int result)
{
	struct tls_client *client = client_of(ssl);
	unsigned long error = ERR_peek_error();

	if (!(where & SSL_CB_EXIT) || result > 0 || ERR_GET_LIB(error) != ERR_LIB_SSL ||
		ERR_GET_REASON(error) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		return;
	notice(client, mem_printf("the TLS handshake failed: %s", ERR_reason_error_string(error)));
}

/* The copy is ours alone: OpenSSL spoils the session of a connection that is cut. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_client *client = client_of(ssl);
	SSL_SESSION *copy = SSL_SESSION_dup(session);

	if (copy) {
		SSL_SESSION_free(client->session);
		client->session = copy;
	}
	return 0;
}

static char *trust(SSL_CTX *context, const char *ca)
{
	ERR_clear_error();
	if (!*ca) {
		if (SSL_CTX_set_default_verify_paths(context) == 1)
			return NULL;
		return mem_printf("--upstream-ca: the system's certificates cannot be read: %s",
			take_reason());
	}
	if (SSL_CTX_load_verify_file(context, ca) == 1)
		return NULL;
	return mem_printf("--upstream-ca %s: %s", ca, take_reason());
}

static bool is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

struct tls_client *tls_client_create(const char *host, const char *ca, char **ret_error)
{
	struct tls_client *client;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	char *error;

	if (!context)
		mem_out(0);
	error = trust(context, ca);
	if (error) {
		SSL_CTX_free(context);
		*ret_error = error;
		return NULL;
	}
	client = mem_zalloc(sizeof(*client));
	client->context = context;
	client->host = mem_strdup(host);
	client->is_address = is_address(host);
	set_common(context);
	SSL_CTX_set_app_data(context, client);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, on_verify);
	SSL_CTX_set_info_callback(context, on_step);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_session);
	/* 0 is success here. */
	if (SSL_CTX_set_alpn_protos(context, http_1_1, sizeof(http_1_1) - 1) != 0)
		mem_out(0);
	return client;
}

void tls_client_destroy(struct tls_client *client)
{
	if (!client)
		return;
	/* Connections that libevent has not freed yet still hold the context. */
	SSL_CTX_set_info_callback(client->context, NULL);
	SSL_CTX_sess_set_new_cb(client->context, NULL);
	SSL_SESSION_free(client->session);
	SSL_CTX_free(client->context);
	free(client->noticed);
	free(client->problem);
	free(client->host);
	free(client);
}

/* Whom the certificate has to be for. */
static bool expect_host(const struct tls_client *client, SSL *ssl)
{
	if (client->is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), client->host) == 1;
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(ssl, client->host) == 1 &&
	       SSL_set_tlsext_host_name(ssl, client->host) == 1;
}

struct bufferevent *tls_client_connection(struct tls_client *client, struct event_base *base)
{
	SSL *ssl = SSL_new(client->context);

	if (!ssl)
		return NULL;
	if (!expect_host(client, ssl) ||
		(client->session && SSL_SESSION_is_resumable(client->session) &&
			SSL_set_session(ssl, client->session) != 1)) {
		SSL_free(ssl);
		ERR_clear_error();
		return NULL;
	}
	/* From here on it frees `ssl`, on failure too. */
	return bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
		BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
}

bool tls_client_note_refused(struct tls_client *client)
{
	char *before = client->problem;
	bool is_new;

	client->problem = client->noticed;
	client->noticed = NULL;
	is_new = client->problem && (!before || strcmp(before, client->problem) != 0);
	free(before);
	return is_new;
}

void tls_client_note_connected(struct tls_client *client)
{
	tls_client_note_refused(client);
	free(client->problem);
	client->problem = NULL;
}

const char *tls_client_problem(const struct tls_client *client)
{
	return client->problem;
}

/* ---- both ---- */

void tls_send_end(struct bufferevent *connection)
{
	SSL *ssl = bufferevent_openssl_get_ssl(connection);

	if (!ssl || !SSL_is_init_finished(ssl) || (SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN))
		return;
	/* Where the socket is full or gone it is lost, and the peer sees a cut, which is true. */
	SSL_shutdown(ssl);
	ERR_clear_error();
}

char *tls_failure(struct bufferevent *connection)
{
	unsigned long error = bufferevent_get_openssl_error(connection);
	const char *reason = NULL;

	/* The first is the kind, the next one the cause. */
	while (error && !reason) {
		reason = ERR_GET_LIB(error) ? ERR_reason_error_string(error) : NULL;
		error = bufferevent_get_openssl_error(connection);
	}
	return mem_strdup(reason ? reason : "the connection ended");
}
