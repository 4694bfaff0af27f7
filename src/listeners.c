#include "listeners.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/settings.h"
#include "config/where.h"
#include "front/listener.h"
#include "io/address.h"
#include "io/systemd.h"
#include "io/tls.h"

/* Also the most addresses that one name may stand for. */
enum { LISTENERS_MOST = 64 };

struct listeners {
	struct event_base *base;
	struct clients *clients;
	const struct settings *settings;
	struct tls_server *tls; /* NULL: no certificate is configured */
	struct listener *items[LISTENERS_MOST];
	size_t count;
	bool is_exposed;       /* to other machines */
	bool is_admin_exposed; /* those of admin_listen */
};

static void add(struct listeners *listeners, struct listener *listener, bool is_tls)
{
	if (is_tls) {
		listener_set_tls(listener, tls_server_context(listeners->tls));
		LOG(INFO, "this address speaks TLS", LOG_TEXT("listener", listener_name(listener)));
	}
	listeners->items[listeners->count++] = listener;
}

/* A machine without IPv6 has localhost and * all the same, if their IPv4 half works. */
static bool may_be_left_out(const struct address *address, size_t index, int error)
{
	return index > 0 && address->storage.ss_family == AF_INET6 &&
	       (error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
}

static void note_exposed(struct listeners *listeners, const struct address *address, bool is_admin)
{
	if (!address_is_loopback((const struct sockaddr *)&address->storage))
		*(is_admin ? &listeners->is_admin_exposed : &listeners->is_exposed) = true;
}

static bool listen_on(
	struct listeners *listeners, const char *text, bool is_admin, char **ret_error)
{
	const char *after_https = where_after_https(text);
	struct address addresses[LISTENERS_MOST];
	const char *wrong = NULL;
	size_t count = address_parse_listen(
		after_https ? after_https : text, addresses, LISTENERS_MOST, &wrong);

	if (count == 0) {
		*ret_error = mem_printf("--%slisten %s: %s", is_admin ? "admin-" : "", text, wrong);
		return false;
	}
	for (size_t i = 0; i < count && listeners->count < LISTENERS_MOST; i++) {
		struct listener *listener = listener_create(listeners->base, listeners->clients,
			&addresses[i], text, is_admin, ret_error);

		if (listener) {
			note_exposed(listeners, &addresses[i], is_admin);
			add(listeners, listener, after_https != NULL);
		} else if (may_be_left_out(&addresses[i], i, errno)) {
			LOG(INFO, "without IPv6 here", LOG_TEXT("reason", *ret_error));
			free(*ret_error);
			*ret_error = NULL;
		} else {
			return false;
		}
	}
	return true;
}

static bool adopt(
	struct listeners *listeners, const struct systemd_socket *passed, char **ret_error)
{
	struct listener *listener;

	if (passed->is_tls && !listeners->tls) {
		*ret_error = mem_printf("the socket unit says FileDescriptorName=https: give "
					"--tls-certificate and --tls-key");
		return false;
	}
	listener = listener_adopt(
		listeners->base, listeners->clients, passed->fd, passed->is_tls, ret_error);
	if (!listener)
		return false;
	add(listeners, listener, passed->is_tls);
	return true;
}

static bool open_all(struct listeners *listeners, char **ret_error)
{
	struct systemd_socket *passed = NULL;
	size_t count = 0;
	bool is_done = systemd_sockets(&passed, &count, ret_error);

	for (size_t i = 0; is_done && i < count && i < LISTENERS_MOST; i++)
		is_done = adopt(listeners, &passed[i], ret_error);
	free(passed);
	/* Passed sockets stand in for listen only; whether they are exposed is their unit's affair.
	 */
	for (char **text = listeners->settings->listen; is_done && count == 0 && *text; text++)
		is_done = listen_on(listeners, *text, false, ret_error);
	for (char **text = listeners->settings->admin_listen; is_done && *text; text++)
		is_done = listen_on(listeners, *text, true, ret_error);
	return is_done;
}

struct listeners *listeners_create(struct event_base *base, struct clients *clients,
	const struct settings *settings, char **ret_error)
{
	struct listeners *listeners = mem_zalloc(sizeof(*listeners));
	bool is_ready = true;

	listeners->base = base;
	listeners->clients = clients;
	listeners->settings = settings;
	if (*settings->tls_certificate) {
		listeners->tls =
			tls_server_create(settings->tls_certificate, settings->tls_key, ret_error);
		is_ready = listeners->tls != NULL;
	}
	if (is_ready && open_all(listeners, ret_error))
		return listeners;
	listeners_destroy(listeners);
	return NULL;
}

void listeners_destroy(struct listeners *listeners)
{
	if (!listeners)
		return;
	for (size_t i = 0; i < listeners->count; i++)
		listener_destroy(listeners->items[i]);
	tls_server_destroy(listeners->tls);
	free(listeners);
}

bool listeners_are_exposed(const struct listeners *listeners, bool is_admin)
{
	return is_admin ? listeners->is_admin_exposed : listeners->is_exposed;
}

size_t listeners_count(const struct listeners *listeners)
{
	return listeners->count;
}

const char *listeners_name(const struct listeners *listeners, size_t index)
{
	return listener_name(listeners->items[index]);
}

bool listeners_is_tls(const struct listeners *listeners, size_t index)
{
	return listener_is_tls(listeners->items[index]);
}

void listeners_resume(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		listener_resume(listeners->items[i]);
}

static bool speak_tls(const struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		if (listener_is_tls(listeners->items[i]))
			return true;
	}
	return false;
}

bool listeners_read_certificate(const struct listeners *listeners, const struct settings *settings,
	struct tls_server **ret_fresh, char **ret_error)
{
	*ret_fresh = NULL;
	if (*settings->tls_certificate) {
		*ret_fresh =
			tls_server_create(settings->tls_certificate, settings->tls_key, ret_error);
		return *ret_fresh != NULL;
	}
	if (!speak_tls(listeners))
		return true;
	*ret_error = mem_strdup("an address speaks TLS: it needs tls_certificate and tls_key");
	return false;
}

void listeners_set_settings(
	struct listeners *listeners, const struct settings *settings, struct tls_server *fresh)
{
	for (size_t i = 0; i < listeners->count; i++) {
		if (listener_is_tls(listeners->items[i]))
			listener_set_tls(listeners->items[i], tls_server_context(fresh));
	}
	tls_server_destroy(listeners->tls);
	listeners->tls = fresh;
	listeners->settings = settings;
}
