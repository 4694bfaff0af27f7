#include "back/pool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include "back/answer.h"
#include "base/graveyard.h"
#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "io/address.h"
#include "io/tls.h"

enum {
	/* A name with more addresses than this is not one Ollama. */
	ADDRESSES_MOST = 16,
	/* evhttp's time-out also ends cold loads and idle connections, and 0 means 50 s: all limits
	 * are ours, so its own is put beyond reach. */
	FOREVER_S = 100 * 24 * 3600,
	/* A socket event moves at most 16 KiB otherwise, which is slow for bodies of megabytes. */
	MOVED_AT_ONCE_BYTES = 256 * 1024,
	READ_MORE_BYTES = 64 * 1024,
	SECOND_US = 1000 * 1000,
};

struct connection {
	struct list in_all;
	struct list in_idle; /* linked while it is idle */
	struct pool *pool;
	struct evhttp_connection *evcon;
	const struct connection_watch *watch; /* NULL: nobody */
	void *watch_arg;
	struct event *hold; /* NULL: not yet needed */
	int64_t idle_since_us;
	bool is_reading_more;
	bool is_broken; /* a read failed; the next one would only see an EOF */
	bool is_discarded;
};

struct pool {
	bool has_failed_locally; /* a body could not be read */
	struct event_base *base;
	struct graveyard *graveyard;
	struct resolver *resolver;
	struct tls_client *tls;	       /* NULL: plain TCP */
	const struct timeval *forever; /* of the base, one queue for all connections */
	struct event *idle_timer;
	char *host;
	struct address addresses[ADDRESSES_MOST];
	size_t address_count;
	size_t first_address;
	struct list all;
	struct list idle; /* the oldest first */
	size_t idle_count;
	int64_t idle_most;
	uint64_t lost;
	size_t open_count;
	size_t uses;	 /* requests under way that may use or load a model */
	int64_t used_us; /* when the last one ended; 0: never */
};

void pool_set_addresses(struct pool *pool, const struct address *addresses, size_t count)
{
	pool->address_count = count < ADDRESSES_MOST ? count : ADDRESSES_MOST;
	for (size_t i = 0; i < pool->address_count; i++)
		pool->addresses[i] = addresses[i];
	if (pool->first_address >= pool->address_count)
		pool->first_address = 0;
}

static void on_resolved(void *arg, const struct address *addresses, size_t count)
{
	struct pool *pool = arg;

	/* A name that cannot be resolved just now leaves what was known: most often the name server
	 * is down and Ollama is not. */
	if (count == 0) {
		LOG(WARN, "the upstream's name cannot be resolved",
			LOG_TEXT("upstream", pool->host));
		return;
	}
	pool_set_addresses(pool, addresses, count);
}

static void arm_idle_timer(struct pool *pool)
{
	struct connection *oldest = LIST_FIRST(&pool->idle, struct connection, in_idle);
	struct timeval delay = {0};
	int64_t left_us;

	if (!oldest || event_pending(pool->idle_timer, EV_TIMEOUT, NULL))
		return;
	left_us = oldest->idle_since_us + POOL_IDLE_US - ticker_now_us();
	if (left_us > 0) {
		delay.tv_sec = left_us / SECOND_US;
		delay.tv_usec = left_us % SECOND_US;
	}
	event_add(pool->idle_timer, &delay);
}

/* Those that became idle at `until_us` or before. */
static void close_idle(struct pool *pool, int64_t until_us)
{
	struct connection *oldest;

	while ((oldest = LIST_FIRST(&pool->idle, struct connection, in_idle)) &&
		oldest->idle_since_us <= until_us)
		pool_discard(oldest);
}

void pool_sweep(struct pool *pool)
{
	close_idle(pool, ticker_now_us() - POOL_IDLE_US);
	arm_idle_timer(pool);
}

static void on_idle_timer(evutil_socket_t fd, short what, void *arg)
{
	pool_sweep(arg);
}

static char *host_text(const struct settings *settings)
{
	const char *host = settings->upstream_host;
	unsigned port = settings->upstream_port;

	return strchr(host, ':') ? mem_printf("[%s]:%u", host, port)
				 : mem_printf("%s:%u", host, port);
}

struct pool *pool_create(
	struct event_base *base, struct graveyard *graveyard, const struct settings *settings)
{
	struct pool *pool = mem_zalloc(sizeof(*pool));
	const struct timeval forever = {.tv_sec = FOREVER_S};

	pool->base = base;
	pool->graveyard = graveyard;
	pool->host = host_text(settings);
	pool->idle_most = POOL_IDLE_LEAST;
	if (settings->max_concurrent > pool->idle_most)
		pool->idle_most = settings->max_concurrent;
	if (settings->max_concurrent_limit > pool->idle_most)
		pool->idle_most = settings->max_concurrent_limit;
	list_init(&pool->all);
	list_init(&pool->idle);
	pool->forever = event_base_init_common_timeout(base, &forever);
	pool->idle_timer = evtimer_new(base, on_idle_timer, pool);
	if (!pool->forever || !pool->idle_timer)
		mem_out(sizeof(*pool));
	pool->resolver = resolver_create(base, settings->upstream_host, settings->upstream_port,
		&(struct resolver_events){on_resolved, pool});
	return pool;
}

void pool_destroy(struct pool *pool)
{
	if (!pool)
		return;
	close_idle(pool, INT64_MAX);
	graveyard_run(pool->graveyard);
	assert(list_is_empty(&pool->all) && pool->open_count == 0);
	resolver_destroy(pool->resolver);
	event_free(pool->idle_timer);
	free(pool->host);
	free(pool);
}

void pool_set_tls(struct pool *pool, struct tls_client *tls)
{
	pool->tls = tls;
}

const char *pool_problem(const struct pool *pool)
{
	return pool->tls ? tls_client_problem(pool->tls) : NULL;
}

bool pool_is_tls(const struct pool *pool)
{
	return pool->tls != NULL;
}

struct bufferevent *pool_bufferevent(const struct pool *pool)
{
	return pool->tls ? tls_client_connection(pool->tls, pool->base)
			 : bufferevent_socket_new(pool->base, -1, BEV_OPT_CLOSE_ON_FREE);
}

const char *pool_host(const struct pool *pool)
{
	return pool->host;
}

size_t pool_open_connections(const struct pool *pool)
{
	return pool->open_count;
}

uint64_t pool_lost_connections(const struct pool *pool)
{
	return pool->lost;
}

size_t pool_idle_connections(const struct pool *pool)
{
	return pool->idle_count;
}

struct graveyard *pool_graveyard(const struct pool *pool)
{
	return pool->graveyard;
}

size_t pool_address_count(const struct pool *pool)
{
	return pool->address_count;
}

size_t pool_first_address(const struct pool *pool)
{
	return pool->first_address;
}

const struct address *pool_address(const struct pool *pool, size_t index)
{
	return &pool->addresses[index % pool->address_count];
}

void pool_note_connected(struct pool *pool, size_t index)
{
	if (pool->address_count)
		pool->first_address = index % pool->address_count;
	if (pool->tls)
		tls_client_note_connected(pool->tls);
}

void pool_note_refused(struct pool *pool)
{
	resolver_refresh(pool->resolver);
	if (pool->tls && tls_client_note_refused(pool->tls))
		LOG(WARN, "no TLS connection to the upstream", LOG_TEXT("upstream", pool->host),
			LOG_TEXT("reason", tls_client_problem(pool->tls)));
}

void pool_count_open(struct pool *pool, int change)
{
	assert(change > 0 || pool->open_count > 0);
	pool->open_count += (size_t)change;
}

void pool_note_use(struct pool *pool, int change, int64_t now_us)
{
	assert(change > 0 || pool->uses > 0);
	pool->uses += (size_t)change;
	pool->used_us = now_us;
}

bool pool_is_use(const char *method)
{
	return strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0;
}

int64_t pool_used_us(const struct pool *pool, int64_t now_us)
{
	return pool->uses > 0 ? now_us : pool->used_us;
}

void pool_note_local_failure(struct pool *pool)
{
	pool->has_failed_locally = true;
}

/* libevent does not say why a socket could not be made; trying is how one learns whether a
 * descriptor is left. */
static bool is_out_of_descriptors(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno == EMFILE || errno == ENFILE;
	close(fd);
	return false;
}

bool pool_failed_locally(struct pool *pool)
{
	bool has_failed = pool->has_failed_locally;

	pool->has_failed_locally = false;
	return has_failed || is_out_of_descriptors();
}

void pool_tune_socket(int fd)
{
	const int on = 1;

	if (fd < 0)
		return;
	/* Neither can fail on a TCP socket; if it did, the request would still work. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void on_output(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct connection *connection = arg;

	if (connection->watch)
		connection->watch->on_output(connection->watch_arg, info->n_added, info->n_deleted,
			evbuffer_get_length(buffer));
}

bool pool_read_more(int fd, struct evbuffer *input)
{
	struct evbuffer_iovec space;
	bool is_sound = true;
	ssize_t got;

	evbuffer_unfreeze(input, 0);
	if (evbuffer_reserve_space(input, READ_MORE_BYTES, &space, 1) == 1) {
		got = recv(fd, space.iov_base, space.iov_len, MSG_DONTWAIT);
		is_sound = got >= 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
		space.iov_len = got > 0 ? (size_t)got : 0;
		evbuffer_commit_space(input, &space, 1);
	}
	evbuffer_freeze(input, 0);
	return is_sound;
}

static void on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct connection *connection = arg;

	/* evhttp takes, some times for each chunk */
	if (info->n_added == 0)
		return;
	if (connection->watch)
		connection->watch->on_input(
			connection->watch_arg, info->n_added, evbuffer_get_length(buffer));
	/* What it adds calls this again. */
	if (info->n_added >= POOL_FULL_READ_BYTES && !connection->is_reading_more &&
		connection->watch && !connection->pool->tls) {
		connection->is_reading_more = true;
		if (!pool_read_more(
			    bufferevent_getfd(evhttp_connection_get_bufferevent(connection->evcon)),
			    buffer))
			connection->is_broken = true;
		connection->is_reading_more = false;
	}
}

/* Never in a loop's turn, but for an answer that evhttp takes for longer than it is. */
static void on_held(evutil_socket_t fd, short what, void *arg)
{
	connection_let_go(arg);
}

void connection_hold(struct connection *connection)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(connection->evcon);

	if (connection->pool->tls || bufferevent_getfd(bev) < 0)
		return;
	if (!connection->hold) {
		connection->hold = event_new(connection->pool->base, bufferevent_getfd(bev),
			EV_READ | EV_PERSIST, on_held, connection);
		if (!connection->hold)
			mem_out(sizeof(*connection));
	}
	event_add(connection->hold, NULL);
}

void connection_let_go(struct connection *connection)
{
	if (connection->hold)
		event_del(connection->hold);
}

bool connection_is_broken(const struct connection *connection)
{
	return connection->is_broken;
}

/* evhttp calls this for every close of a connected socket; those of a request come by its own
 * callbacks. */
static void on_closed(struct evhttp_connection *evcon, void *arg)
{
	struct connection *connection = arg;

	if (list_is_empty(&connection->in_idle))
		return;
	connection->pool->lost++;
	pool_discard(connection);
}

static void leave_idle(struct connection *connection)
{
	if (list_is_empty(&connection->in_idle))
		return;
	list_remove(&connection->in_idle);
	connection->pool->idle_count--;
}

static void destroy_connection(void *object)
{
	struct connection *connection = object;

	list_remove(&connection->in_all);
	pool_count_open(connection->pool, -1);
	if (connection->hold)
		event_free(connection->hold);
	evhttp_connection_free(connection->evcon);
	free(connection);
}

static uint16_t port_of(const struct address *address)
{
	if (address->storage.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
	return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
}

struct connection *pool_connect(struct pool *pool, size_t index)
{
	const struct address *address = pool_address(pool, index);
	struct connection *connection;
	struct evhttp_connection *evcon;
	struct bufferevent *bev = NULL;
	char text[ADDRESS_TEXT_BYTES];

	/* A numeric address: evhttp would block on a name and try its first address only. */
	address_print_ip((const struct sockaddr *)&address->storage, text);
	if (pool->tls) {
		bev = pool_bufferevent(pool);
		if (!bev)
			return NULL;
	}
	/* Without one evhttp makes its own. */
	evcon = evhttp_connection_base_bufferevent_new(
		pool->base, NULL, bev, text, port_of(address));
	if (!evcon) {
		if (bev)
			bufferevent_free(bev);
		return NULL;
	}
	connection = mem_zalloc(sizeof(*connection));
	connection->pool = pool;
	connection->evcon = evcon;
	list_append(&pool->all, &connection->in_all);
	list_init(&connection->in_idle);
	pool_count_open(pool, 1);
	evhttp_connection_set_timeout_tv(evcon, pool->forever);
	evhttp_connection_set_max_headers_size(evcon, ANSWER_HEAD_BYTES_MOST);
	evhttp_connection_set_closecb(evcon, on_closed, connection);
	bev = evhttp_connection_get_bufferevent(evcon);
	bufferevent_set_max_single_read(bev, MOVED_AT_ONCE_BYTES);
	bufferevent_set_max_single_write(bev, MOVED_AT_ONCE_BYTES);
	if (!evbuffer_add_cb(bufferevent_get_output(bev), on_output, connection) ||
		!evbuffer_add_cb(bufferevent_get_input(bev), on_input, connection))
		mem_out(sizeof(*connection));
	return connection;
}

/* Ollama may have closed it in this very turn, before evhttp could see that. */
static bool is_sound(const struct connection *connection)
{
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection->evcon));
	char byte;

	return fd >= 0 && recv(fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EWOULDBLOCK);
}

struct connection *pool_lease(struct pool *pool)
{
	while (!list_is_empty(&pool->idle)) {
		struct connection *newest =
			CONTAINER_OF(pool->idle.previous, struct connection, in_idle);

		if (is_sound(newest)) {
			leave_idle(newest);
			return newest;
		}
		pool->lost++;
		pool_discard(newest);
	}
	return NULL;
}

struct evhttp_connection *connection_evcon(const struct connection *connection)
{
	return connection->evcon;
}

void connection_watch(
	struct connection *connection, const struct connection_watch *watch, void *arg)
{
	connection->watch = watch;
	connection->watch_arg = arg;
}

void pool_return(struct connection *connection)
{
	struct pool *pool = connection->pool;
	struct bufferevent *bev = evhttp_connection_get_bufferevent(connection->evcon);

	connection->watch = NULL;
	if (evbuffer_get_length(bufferevent_get_input(bev)) > 0) {
		LOG(WARN, "bytes behind the end of an answer: connection closed",
			LOG_TEXT("upstream", pool->host));
		pool_discard(connection);
		return;
	}
	connection->idle_since_us = ticker_now_us();
	list_append(&pool->idle, &connection->in_idle);
	if (++pool->idle_count > (size_t)pool->idle_most)
		pool_discard(CONTAINER_OF(pool->idle.next, struct connection, in_idle));
	arm_idle_timer(pool);
}

void pool_discard(struct connection *connection)
{
	connection->watch = NULL;
	leave_idle(connection);
	if (connection->is_discarded)
		return;
	connection->is_discarded = true;
	graveyard_add(connection->pool->graveyard, connection, destroy_connection);
}
