#include "io/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/log.h"
#include "base/memory.h"

enum { DAY_SECONDS = 24 * 3600, STEPS_MOST = 20 };

static char folder[] = "/tmp/test_tls.XXXXXX";

static char *path_of(const char *name)
{
	return mem_printf("%s/%s", folder, name);
}

static FILE *create(const char *name)
{
	char *path = path_of(name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	free(path);
	return file;
}

static void write_key(const char *name, EVP_PKEY *key, const char *passphrase)
{
	FILE *file = create(name);

	assert_int_equal(PEM_write_PrivateKey(file, key, passphrase ? EVP_aes_128_cbc() : NULL,
				 (const unsigned char *)passphrase,
				 passphrase ? (int)strlen(passphrase) : 0, NULL, NULL),
		1);
	fclose(file);
}

static void write_certificate(const char *name, EVP_PKEY *key, long valid_seconds)
{
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	FILE *file = create(name);

	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -2 * DAY_SECONDS);
	X509_gmtime_adj(X509_getm_notAfter(certificate), valid_seconds);
	X509_NAME_add_entry_by_txt(
		subject, "CN", MBSTRING_ASC, (const unsigned char *)"box", -1, -1, 0);
	X509_set_issuer_name(certificate, subject);
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	fclose(file);
	X509_free(certificate);
}

static int make_files(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_PKEY *other = EVP_EC_gen("P-256");
	FILE *file;

	assert_non_null(mkdtemp(folder));
	write_certificate("good.pem", key, DAY_SECONDS);
	write_certificate("expired.pem", key, -DAY_SECONDS);
	write_key("good.key", key, NULL);
	write_key("other.key", other, NULL);
	write_key("locked.key", key, "secret");
	file = create("text.pem");
	fputs("no certificate\n", file);
	fclose(file);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
	log_set_level(LOG_ERROR);
	return 0;
}

static int remove_files(void **state)
{
	static const char *const names[] = {
		"good.pem", "expired.pem", "good.key", "other.key", "locked.key", "text.pem"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *path = path_of(names[i]);

		unlink(path);
		free(path);
	}
	return rmdir(folder);
}

static struct tls_server *create_server(const char *certificate, const char *key, char **ret_error)
{
	char *certificate_path = path_of(certificate);
	char *key_path = path_of(key);
	struct tls_server *server = tls_server_create(certificate_path, key_path, ret_error);

	free(certificate_path);
	free(key_path);
	return server;
}

static void assert_wrong(const char *certificate, const char *key, const char *format)
{
	char *error = NULL;
	char *expected = NULL;
	const char *rest = strchr(format, '@');

	assert_null(create_server(certificate, key, &error));
	assert_non_null(error);
	if (rest) {
		expected = mem_printf("%.*s%s%s", (int)(rest - format), format, folder, rest + 1);
		assert_ptr_equal(strstr(error, expected), error);
	}
	assert_int_equal(ERR_peek_error(), 0);
	free(expected);
	free(error);
}

static void test_wrong_files_are_named_with_their_flag(void **state)
{
	assert_wrong("absent.pem", "good.key",
		"--tls-certificate @/absent.pem: No such file or directory");
	assert_wrong("good.pem", "absent.key", "--tls-key @/absent.key: No such file or directory");
	assert_wrong("text.pem", "good.key",
		"--tls-certificate @/text.pem: it holds nothing of this kind in PEM form");
	assert_wrong("good.pem", "text.pem",
		"--tls-key @/text.pem: it holds nothing of this kind in PEM form");
}

static void test_a_key_that_does_not_belong_is_refused(void **state)
{
	assert_wrong("good.pem", "other.key",
		"--tls-key @/other.key does not belong to --tls-certificate ");
}

/* Nobody is asked for it: the test would hang. */
static void test_a_key_with_a_passphrase_is_refused(void **state)
{
	assert_wrong("good.pem", "locked.key",
		"--tls-key @/locked.key: it asks for a passphrase: store it without one");
}

static void test_an_expired_certificate_is_served(void **state)
{
	char *error = NULL;
	struct tls_server *server = create_server("expired.pem", "good.key", &error);

	assert_non_null(server);
	tls_server_destroy(server);
}

/* Both ends in memory. Returns whether they agree; `ret_client` is theirs to look at. */
static bool shake_hands(SSL_CTX *server_context, SSL_CTX *client_context, SSL **ret_client)
{
	SSL *server = SSL_new(server_context);
	SSL *client = SSL_new(client_context);
	BIO *near = NULL, *far = NULL;
	bool is_agreed = false;

	assert_int_equal(BIO_new_bio_pair(&near, 0, &far, 0), 1);
	SSL_set_bio(server, near, near);
	SSL_set_bio(client, far, far);
	SSL_set_accept_state(server);
	SSL_set_connect_state(client);
	for (int i = 0; i < STEPS_MOST && !is_agreed; i++) {
		int one = SSL_do_handshake(client);
		int two = SSL_do_handshake(server);

		is_agreed = one == 1 && two == 1;
	}
	ERR_clear_error();
	SSL_free(server);
	*ret_client = client;
	return is_agreed;
}

static bool agrees(int version, const char *ciphers, char *ret_chosen)
{
	char *error = NULL;
	struct tls_server *server = create_server("good.pem", "good.key", &error);
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *client;
	bool is_agreed;

	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_min_proto_version(context, version);
	SSL_CTX_set_max_proto_version(context, version);
	assert_int_equal(SSL_CTX_set_cipher_list(context, ciphers), 1);
	is_agreed = shake_hands(tls_server_context(server), context, &client);
	if (ret_chosen)
		strcpy(ret_chosen, SSL_get_cipher_name(client));
	SSL_free(client);
	SSL_CTX_free(context);
	tls_server_destroy(server);
	return is_agreed;
}

static void test_tls_1_2_and_1_3_only(void **state)
{
	assert_true(agrees(TLS1_3_VERSION, "ALL", NULL));
	assert_true(agrees(TLS1_2_VERSION, "ALL", NULL));
	assert_false(agrees(TLS1_1_VERSION, "ALL:@SECLEVEL=0", NULL));
	assert_false(agrees(TLS1_VERSION, "ALL:@SECLEVEL=0", NULL));
}

static void test_only_sane_ciphers(void **state)
{
	char chosen[100];

	assert_true(agrees(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", NULL));
	assert_true(agrees(TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL));
	assert_false(agrees(TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", NULL));
	assert_false(agrees(TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA", NULL));
	/* What the client would like best does not count, unless it has no AES in hardware. */
	assert_true(agrees(TLS1_2_VERSION,
		"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384", chosen));
	assert_string_equal(chosen, "ECDHE-ECDSA-AES256-GCM-SHA384");
	assert_true(agrees(TLS1_2_VERSION,
		"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384", chosen));
	assert_string_equal(chosen, "ECDHE-ECDSA-CHACHA20-POLY1305");
}

static void test_what_libevent_relies_on(void **state)
{
	char *error = NULL;
	struct tls_server *server = create_server("good.pem", "good.key", &error);
	SSL_CTX *context = tls_server_context(server);

	assert_true(SSL_CTX_get_mode(context) & SSL_MODE_RELEASE_BUFFERS);
	assert_false(SSL_CTX_get_mode(context) & SSL_MODE_ENABLE_PARTIAL_WRITE);
	assert_true(SSL_CTX_get_options(context) & SSL_OP_NO_RENEGOTIATION);
	tls_server_destroy(server);
}

static void test_wrong_authorities_are_named_with_their_flag(void **state)
{
	char *path = path_of("absent.pem");
	char *expected = mem_printf("--upstream-ca %s: No such file or directory", path);
	char *error = NULL;

	assert_null(tls_client_create("box", path, &error));
	assert_string_equal(error, expected);
	free(error);
	free(expected);
	free(path);
}

static void test_the_problem_is_that_of_the_last_refusal(void **state)
{
	char *path = path_of("good.pem");
	char *error = NULL;
	struct tls_client *client = tls_client_create("::1", path, &error);

	assert_non_null(client);
	assert_null(tls_client_problem(client));
	assert_false(tls_client_note_refused(client));
	assert_null(tls_client_problem(client));
	tls_client_destroy(client);
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrong_files_are_named_with_their_flag),
		cmocka_unit_test(test_a_key_that_does_not_belong_is_refused),
		cmocka_unit_test(test_a_key_with_a_passphrase_is_refused),
		cmocka_unit_test(test_an_expired_certificate_is_served),
		cmocka_unit_test(test_tls_1_2_and_1_3_only),
		cmocka_unit_test(test_only_sane_ciphers),
		cmocka_unit_test(test_what_libevent_relies_on),
		cmocka_unit_test(test_wrong_authorities_are_named_with_their_flag),
		cmocka_unit_test(test_the_problem_is_that_of_the_last_refusal),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
