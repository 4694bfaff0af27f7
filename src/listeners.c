#include "listeners.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/settings.h"
#include "config/where.h"
#include "front/listener.h"
#include "io/address.h"
#include "io/handover.h"
#include "io/systemd.h"
#include "io/tls.h"

/* Also the most addresses that one name may stand for. */
enum { LISTENERS_MOST = HANDOVER_SOCKETS_MOST };

struct listeners {
	struct event_base *base;
	struct clients *clients;
	const struct settings *settings;
	struct handover *handover; /* of the process before this one, while they are made */
	struct tls_server *tls;	   /* NULL: no certificate is configured */
	struct listener *items[LISTENERS_MOST];
	bool is_passed[LISTENERS_MOST]; /* by systemd */
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

/* The sockets that the process before this one had for this text. false: one cannot be used. */
static bool take_over(struct listeners *listeners, const char *text, bool is_admin,
	size_t *ret_count, char **ret_error)
{
	struct handover *handover = listeners->handover;

	*ret_count = 0;
	for (size_t i = 0; handover && i < handover->count; i++) {
		struct handover_socket *handed = &handover->sockets[i];
		struct listener *listener;

		if (handed->fd < 0 || handed->is_passed || handed->is_admin != is_admin ||
			strcmp(handed->listen, text) != 0)
			continue;
		listener = listener_take_over(
			listeners->base, listeners->clients, handed->fd, text, is_admin, ret_error);
		handed->fd = -1;
		if (!listener)
			return false;
		add(listeners, listener, handed->is_tls);
		++*ret_count;
	}
	return true;
}

static bool listen_on(
	struct listeners *listeners, const char *text, bool is_admin, char **ret_error)
{
	const char *after_https = where_after_https(text);
	struct address addresses[LISTENERS_MOST];
	const char *wrong = NULL;
	size_t handed;
	size_t count = address_parse_listen(
		after_https ? after_https : text, addresses, LISTENERS_MOST, &wrong);

	if (count == 0) {
		*ret_error = mem_printf("--%slisten %s: %s", is_admin ? "admin-" : "", text, wrong);
		return false;
	}
	if (!take_over(listeners, text, is_admin, &handed, ret_error))
		return false;
	if (handed > 0) {
		for (size_t i = 0; i < count; i++)
			note_exposed(listeners, &addresses[i], is_admin);
		return true;
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
	listeners->is_passed[listeners->count] = true;
	add(listeners, listener, passed->is_tls);
	return true;
}

/* systemd's, or those that the process before this one had from it. false: one is no good. */
static bool find_passed(const struct listeners *listeners, struct systemd_socket **ret_passed,
	size_t *ret_count, char **ret_error)
{
	struct handover *handover = listeners->handover;
	struct systemd_socket *passed = NULL;
	size_t count = 0;

	if (!handover)
		return systemd_sockets(ret_passed, ret_count, ret_error);
	for (size_t i = 0; i < handover->count; i++) {
		struct handover_socket *handed = &handover->sockets[i];

		if (!handed->is_passed)
			continue;
		passed = mem_grow_array(passed, count + 1, sizeof(*passed));
		passed[count++] = (struct systemd_socket){handed->fd, handed->is_tls};
		handed->fd = -1;
	}
	*ret_passed = passed;
	*ret_count = count;
	return true;
}

static bool open_all(struct listeners *listeners, char **ret_error)
{
	struct systemd_socket *passed = NULL;
	size_t count = 0;
	bool is_done = find_passed(listeners, &passed, &count, ret_error);

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
	const struct settings *settings, struct handover *handover, char **ret_error)
{
	struct listeners *listeners = mem_zalloc(sizeof(*listeners));
	bool is_ready = true;

	listeners->base = base;
	listeners->clients = clients;
	listeners->settings = settings;
	listeners->handover = handover;
	if (*settings->tls_certificate) {
		listeners->tls =
			tls_server_create(settings->tls_certificate, settings->tls_key, ret_error);
		is_ready = listeners->tls != NULL;
	}
	if (is_ready && open_all(listeners, ret_error)) {
		listeners->handover = NULL;
		return listeners;
	}
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

void listeners_leave(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		listener_leave(listeners->items[i]);
}

size_t listeners_offer(const struct listeners *listeners, struct handover_socket *ret_sockets)
{
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listener *listener = listeners->items[i];

		ret_sockets[i] = (struct handover_socket){
			.fd = listener_fd(listener),
			.is_admin = listener_is_admin(listener),
			.is_tls = listener_is_tls(listener),
			.is_passed = listeners->is_passed[i],
			/* read only */
			.listen = (char *)listener_listen(listener),
		};
	}
	return listeners->count;
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
