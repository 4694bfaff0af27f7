#include "io/spool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/log.h"

enum { LIMIT = 100000, BODY_BYTES = 3000000, FILES_MOST = 1024, TURNS_MOST = 100000 };

/* How the disk behaves. */
static int open_error;	       /* of open(O_TMPFILE); 0: none */
static bool is_short;	       /* at most 1,000 bytes a write */
static unsigned interruptions; /* writes that end with EINTR first */
static int64_t room;	       /* bytes until ENOSPC */

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_evbuffer_write(struct evbuffer *buffer, evutil_socket_t file);
int __wrap_evbuffer_write(struct evbuffer *buffer, evutil_socket_t file);

int __wrap_open64(const char *path, int flags, ...)
{
	va_list arguments;
	int mode;

	va_start(arguments, flags);
	mode = va_arg(arguments, int);
	va_end(arguments);
	if (open_error && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = open_error;
		return -1;
	}
	return __real_open64(path, flags, mode);
}

int __wrap_evbuffer_write(struct evbuffer *buffer, evutil_socket_t file)
{
	int written;

	if (interruptions) {
		interruptions--;
		errno = EINTR;
		return -1;
	}
	if (room <= 0) {
		errno = ENOSPC;
		return -1;
	}
	written = is_short ? evbuffer_write_atmost(buffer, file, 1000)
			   : __real_evbuffer_write(buffer, file);
	room -= written;
	return written;
}

static char directory[64];
static unsigned char body[BODY_BYTES];

static int setup(void **state)
{
	open_error = 0;
	is_short = false;
	interruptions = 0;
	room = INT64_MAX;
	log_set_level(LOG_ERROR);
	strcpy(directory, "/tmp/test_io_spool.XXXXXX");
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	return rmdir(directory); /* fails when a file is left */
}

/* Appends the body's first `length` bytes in pieces. */
static bool append(struct spool *spool, size_t length, size_t piece)
{
	struct evbuffer *data = evbuffer_new();
	bool is_fine = true;

	for (size_t done = spool_bytes(spool); is_fine && done < length; done += piece) {
		size_t left = length - done;

		evbuffer_add(data, body + done, piece < left ? piece : left);
		is_fine = spool_append(spool, data);
		if (is_fine)
			assert_int_equal(evbuffer_get_length(data), 0);
	}
	evbuffer_free(data);
	return is_fine;
}

static struct spool *filled(size_t length, size_t piece)
{
	struct spool *spool = spool_create(LIMIT, directory);

	assert_true(append(spool, length, piece));
	assert_int_equal(spool_bytes(spool), length);
	return spool;
}

static void assert_holds(struct evbuffer *buffer, size_t length)
{
	assert_int_equal(evbuffer_get_length(buffer), length);
	if (length)
		assert_memory_equal(evbuffer_pullup(buffer, -1), body, length);
}

/* The descriptors that are open, as a set; /proc's own one excluded. */
static void list_files(bool files[FILES_MOST])
{
	DIR *open_files = opendir("/proc/self/fd");
	const struct dirent *entry;

	memset(files, 0, FILES_MOST);
	while ((entry = readdir(open_files))) {
		int file = atoi(entry->d_name);

		if (file < FILES_MOST && file != dirfd(open_files))
			files[file] = true;
	}
	files[0] = true; /* "." and ".." */
	closedir(open_files);
}

/* The one that `after` has and `before` has not; -1: none. */
static int new_file(const bool before[FILES_MOST], const bool after[FILES_MOST])
{
	for (int i = 0; i < FILES_MOST; i++) {
		if (after[i] && !before[i])
			return i;
	}
	return -1;
}

static void test_an_empty_body_is_sent_as_nothing(void **state)
{
	struct spool *spool = filled(0, 1);
	struct evbuffer *out = evbuffer_new();

	assert_true(spool_send(spool, out));
	assert_holds(out, 0);
	evbuffer_free(out);
	spool_destroy(spool);
	spool_destroy(NULL);
}

static void test_small_bodies_touch_no_disk(void **state)
{
	struct spool *spool = spool_create(LIMIT, "/nonexistent");
	struct evbuffer *out = evbuffer_new();

	assert_true(append(spool, LIMIT, 30000));
	assert_true(spool_send(spool, out));
	assert_true(spool_send(spool, out));
	spool_destroy(spool);
	assert_int_equal(evbuffer_get_length(out), 2 * LIMIT);
	assert_memory_equal(evbuffer_pullup(out, -1), body, LIMIT);
	assert_memory_equal(evbuffer_pullup(out, -1) + LIMIT, body, LIMIT);
	evbuffer_free(out);
}

static void test_without_a_limit_all_stays_in_memory(void **state)
{
	struct spool *spool = spool_create(0, "/nonexistent");
	struct evbuffer *out = evbuffer_new();

	assert_true(append(spool, BODY_BYTES, 50000));
	assert_true(spool_send(spool, out));
	assert_holds(out, BODY_BYTES);
	evbuffer_free(out);
	spool_destroy(spool);
}

/* What is sent for the body's first `length` bytes: "new" for 5 at the beginning, nothing for
 * 100,000 at 1,000, "end" behind the last byte. */
static void assert_spliced(struct spool *spool, size_t length)
{
	size_t total = length - 5 + 3 - 100000 + 3;
	struct evbuffer *out = evbuffer_new();
	const unsigned char *text;

	assert_int_equal(spool_bytes(spool), total);
	assert_true(spool_send(spool, out));
	assert_true(spool_send(spool, out));
	assert_int_equal(evbuffer_get_length(out), 2 * total);
	text = evbuffer_pullup(out, -1);
	for (int i = 0; i < 2; i++, text += total) {
		assert_memory_equal(text, "new", 3);
		assert_memory_equal(text + 3, body + 5, 995);
		assert_memory_equal(text + 998, body + 101000, length - 101000);
		assert_memory_equal(text + total - 3, "end", 3);
	}
	evbuffer_free(out);
}

static void test_splices_are_sent_from_memory_and_from_the_file(void **state)
{
	struct spool *spools[] = {spool_create(0, directory), spool_create(LIMIT, directory)};

	for (size_t i = 0; i < 2; i++) {
		assert_true(append(spools[i], BODY_BYTES, 70000));
		spool_splice(spools[i], 0, 5, "new", 3);
		spool_splice(spools[i], 1000, 100000, "", 0);
		spool_splice(spools[i], BODY_BYTES, 0, "end", 3);
		assert_spliced(spools[i], BODY_BYTES);
		spool_destroy(spools[i]);
	}
}

/* A client that sends a byte a packet must not cost a buffer for each. */
static void test_dripping_bodies_are_packed(void **state)
{
	struct spool *spool = filled(LIMIT, 1);
	struct evbuffer *out = evbuffer_new();

	assert_true(spool_send(spool, out));
	assert_true(evbuffer_peek(out, -1, NULL, NULL, 0) < LIMIT / 1000);
	assert_holds(out, LIMIT);
	evbuffer_free(out);
	spool_destroy(spool);
}

static void test_large_bodies_go_into_a_private_nameless_file(void **state)
{
	bool before[FILES_MOST], after[FILES_MOST];
	struct evbuffer *out = evbuffer_new();
	struct spool *spool;
	struct stat status;
	int file;

	list_files(before);
	spool = filled(LIMIT + 1, 30000);
	list_files(after);
	file = new_file(before, after);
	assert_true(file >= 0);
	assert_int_equal(fstat(file, &status), 0);
	assert_int_equal(status.st_nlink, 0);
	assert_int_equal(status.st_size, LIMIT + 1);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(fcntl(file, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	assert_true(spool_send(spool, out));
	spool_destroy(spool);
	assert_int_equal(fcntl(file, F_GETFD), -1);
	assert_holds(out, LIMIT + 1); /* mapped */
	evbuffer_free(out);
}

static void test_an_unsent_file_is_closed(void **state)
{
	bool before[FILES_MOST], after[FILES_MOST];

	list_files(before);
	spool_destroy(filled(BODY_BYTES, 100000));
	list_files(after);
	assert_int_equal(new_file(before, after), -1);
}

static void test_files_are_sent_twice(void **state)
{
	struct spool *spool = filled(BODY_BYTES, 100000);
	struct evbuffer *first = evbuffer_new();
	struct evbuffer *second = evbuffer_new();

	assert_true(spool_send(spool, first));
	evbuffer_drain(first, BODY_BYTES / 2); /* cut in the middle */
	assert_true(spool_send(spool, second));
	evbuffer_free(first);
	spool_destroy(spool);
	assert_holds(second, BODY_BYTES);
	evbuffer_free(second);
}

static void test_without_nameless_files_the_name_is_removed(void **state)
{
	static const int errors[] = {EOPNOTSUPP, EISDIR, EINVAL};

	for (unsigned i = 0; i < ARRAY_LENGTH(errors); i++) {
		struct evbuffer *out = evbuffer_new();
		struct spool *spool;

		open_error = errors[i];
		spool = filled(BODY_BYTES, 100000);
		assert_true(spool_send(spool, out));
		spool_destroy(spool);
		assert_holds(out, BODY_BYTES);
		evbuffer_free(out);
	}
}

static void test_short_and_interrupted_writes_lose_nothing(void **state)
{
	struct evbuffer *out = evbuffer_new();
	struct spool *spool;

	is_short = true;
	interruptions = 5;
	spool = filled(LIMIT * 3, 30000);
	assert_int_equal(interruptions, 0);
	assert_true(spool_send(spool, out));
	assert_holds(out, LIMIT * 3);
	evbuffer_free(out);
	spool_destroy(spool);
}

static void test_a_full_disk_is_told(void **state)
{
	struct spool *spool = spool_create(LIMIT, directory);

	room = LIMIT * 2;
	assert_false(append(spool, LIMIT * 4, 30000));
	spool_destroy(spool);
}

static void test_an_unusable_directory_is_told(void **state)
{
	struct spool *spool = spool_create(LIMIT, "/nonexistent");

	assert_true(append(spool, LIMIT, 30000));
	assert_false(append(spool, LIMIT + 1, 1));
	spool_destroy(spool);
	open_error = EMFILE;
	spool = spool_create(LIMIT, directory);
	assert_false(append(spool, LIMIT + 1, LIMIT + 1));
	spool_destroy(spool);
	open_error = EOPNOTSUPP;
	spool = spool_create(LIMIT, "/nonexistent");
	assert_false(append(spool, LIMIT + 1, LIMIT + 1));
	spool_destroy(spool);
}

/* Sends over `from`, after the spool is gone, and compares what comes out of `to`. */
static void assert_arrives(
	struct event_base *base, struct bufferevent *from, struct bufferevent *to, size_t length)
{
	struct spool *spool = filled(length, 100000);

	assert_true(spool_send(spool, bufferevent_get_output(from)));
	assert_true(spool_send(spool, bufferevent_get_output(from)));
	spool_destroy(spool);
	bufferevent_enable(from, EV_READ | EV_WRITE);
	bufferevent_enable(to, EV_READ | EV_WRITE);
	for (int turn = 0; turn < TURNS_MOST; turn++) {
		if (evbuffer_get_length(bufferevent_get_input(to)) >= 2 * length)
			break;
		event_base_loop(base, EVLOOP_ONCE);
	}
	assert_int_equal(evbuffer_get_length(bufferevent_get_input(to)), 2 * length);
	assert_memory_equal(evbuffer_pullup(bufferevent_get_input(to), -1), body, length);
	evbuffer_drain(bufferevent_get_input(to), length);
	assert_holds(bufferevent_get_input(to), length);
}

static void make_socket_pair(int ends[2])
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
}

static void test_socket_bufferevents_send_memory_and_files(void **state)
{
	static const size_t lengths[] = {LIMIT, BODY_BYTES};

	for (unsigned i = 0; i < ARRAY_LENGTH(lengths); i++) {
		struct event_base *base = event_base_new();
		struct bufferevent *from, *to;
		int ends[2];

		make_socket_pair(ends);
		from = bufferevent_socket_new(base, ends[0], BEV_OPT_CLOSE_ON_FREE);
		to = bufferevent_socket_new(base, ends[1], BEV_OPT_CLOSE_ON_FREE);
		assert_arrives(base, from, to, lengths[i]);
		bufferevent_free(from);
		bufferevent_free(to);
		event_base_free(base);
	}
}

/* A server's context with a key and a self-signed certificate of its own. */
static SSL_CTX *server_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	assert_non_null(context);
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return context;
}

static void test_tls_bufferevents_send_memory_and_files(void **state)
{
	static const size_t lengths[] = {LIMIT, BODY_BYTES};
	const int options = BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS;
	SSL_CTX *server = server_context();
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());

	for (unsigned i = 0; i < ARRAY_LENGTH(lengths); i++) {
		struct event_base *base = event_base_new();
		struct bufferevent *from, *to;
		int ends[2];

		make_socket_pair(ends);
		from = bufferevent_openssl_socket_new(
			base, ends[0], SSL_new(client), BUFFEREVENT_SSL_CONNECTING, options);
		to = bufferevent_openssl_socket_new(
			base, ends[1], SSL_new(server), BUFFEREVENT_SSL_ACCEPTING, options);
		assert_arrives(base, from, to, lengths[i]);
		bufferevent_free(from);
		bufferevent_free(to);
		event_base_loop(base, EVLOOP_NONBLOCK);
		event_base_free(base);
	}
	SSL_CTX_free(server);
	SSL_CTX_free(client);
}

static int fill_body(void **state)
{
	uint32_t random = 1;

	for (size_t i = 0; i < BODY_BYTES; i++) {
		random = random * 1664525 + 1013904223; /* Knuth's */
		body[i] = (unsigned char)(random >> 24);
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_an_empty_body_is_sent_as_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small_bodies_touch_no_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_without_a_limit_all_stays_in_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_splices_are_sent_from_memory_and_from_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dripping_bodies_are_packed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_large_bodies_go_into_a_private_nameless_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_unsent_file_is_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_are_sent_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_without_nameless_files_the_name_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_short_and_interrupted_writes_lose_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_full_disk_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_an_unusable_directory_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_socket_bufferevents_send_memory_and_files, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_tls_bufferevents_send_memory_and_files, setup, teardown),
	};

	return cmocka_run_group_tests(tests, fill_body, NULL);
}
