#include "front/clients.h"

#include <stdlib.h>

#include <event2/bufferevent.h>

#include "base/graveyard.h"
#include "base/memory.h"
#include "config/settings.h"
#include "front/addresses.h"
#include "front/client_parts.h"
#include "front/hangup.h"
#include "io/address.h"

struct clients *clients_create(struct event_base *base, struct graveyard *graveyard,
	struct settings *settings, const struct clients_events *events)
{
	struct clients *clients = mem_zalloc(sizeof(*clients));

	clients->base = base;
	clients->graveyard = graveyard;
	clients->settings = settings_take(settings);
	clients->events = *events;
	list_init(&clients->all);
	list_init(&clients->dirty);
	clients->addresses = addresses_create();
	clients->hangups = hangups_create(base, client_on_hang_up);
	return clients;
}

void clients_destroy(struct clients *clients)
{
	struct list *node;
	struct list *following;

	if (!clients)
		return;
	LIST_EACH_SAFE(&clients->all, node, following)
	client_close(CONTAINER_OF(node, struct client, link), OUTCOME_CLIENT_GONE);
	graveyard_run(clients->graveyard);
	hangups_destroy(clients->hangups);
	addresses_destroy(clients->addresses);
	settings_return(clients->settings);
	free(clients);
}

void clients_set_settings(struct clients *clients, struct settings *settings)
{
	settings_return(clients->settings);
	clients->settings = settings_take(settings);
}

size_t clients_count(const struct clients *clients)
{
	return clients->count;
}

static bool client_is_busy(const struct client *client)
{
	return client->state != CLIENT_HANDSHAKE && client->state != CLIENT_HEAD;
}

size_t clients_busy(const struct clients *clients)
{
	struct list *node;
	size_t busy = 0;

	LIST_EACH(&clients->all, node)
	busy += client_is_busy(CONTAINER_OF(node, struct client, link));
	return busy;
}

struct clients_unsent clients_unsent(const struct clients *clients)
{
	struct clients_unsent unsent = {0};
	const struct list *node;

	LIST_EACH(&clients->all, node)
	{
		uint64_t bytes = client_unsent_bytes(CONTAINER_OF(node, const struct client, link));

		unsent.bytes += bytes;
		if (bytes > unsent.most)
			unsent.most = bytes;
	}
	return unsent;
}

bool clients_may_add(const struct clients *clients)
{
	int64_t most = clients->settings->max_connections;

	return most <= 0 || clients->count < (size_t)most;
}

bool clients_may_add_from(const struct clients *clients, const struct sockaddr *address)
{
	int64_t most = clients->settings->max_connections_per_address;

	return most <= 0 || addresses_connections(clients->addresses, address) < (size_t)most;
}

void clients_add(struct clients *clients, struct bufferevent *connection,
	const struct sockaddr *address, const struct clients_way *way)
{
	char ip[ADDRESS_TEXT_BYTES];
	struct client *client;

	address_print_ip(address, ip);
	client = client_create(clients, connection, ip, address_is_loopback(address), way->is_tls);
	client->address = addresses_enter(clients->addresses, address);
	client->listen = mem_strdup(way->listen);
	client->came_by_admin = way->is_admin;
}

bool clients_flush(struct clients *clients)
{
	struct list now;

	/* Only those that are dirty now: what the flush makes dirty (a pipelined request answered
	 * at once) waits for the next turn. */
	list_init(&now);
	while (!list_is_empty(&clients->dirty)) {
		struct list *node = clients->dirty.next;

		list_remove(node);
		list_append(&now, node);
	}
	while (!list_is_empty(&now)) {
		struct client *client = LIST_FIRST(&now, struct client, dirty_link);

		list_remove(&client->dirty_link);
		client_flush(client);
	}
	return !list_is_empty(&clients->dirty);
}

size_t clients_fresh(const struct clients *clients)
{
	struct list *node;
	size_t fresh = 0;

	LIST_EACH(&clients->all, node)
	{
		const struct client *client = CONTAINER_OF(node, struct client, link);

		fresh += !client_is_busy(client) &&
			 (!client->has_served || client->head_started_us != 0);
	}
	return fresh;
}

void clients_leave(struct clients *clients)
{
	clients->draining = true;
}

void clients_close_waiting(struct clients *clients)
{
	struct list *node;
	struct list *following;

	LIST_EACH_SAFE(&clients->all, node, following)
	{
		struct client *client = CONTAINER_OF(node, struct client, link);

		if (!client_is_busy(client))
			client_close(client, OUTCOME_NONE);
	}
}

void clients_close_idle(struct clients *clients)
{
	struct list *node;
	struct list *following;

	clients->draining = true;
	LIST_EACH_SAFE(&clients->all, node, following)
	{
		struct client *client = CONTAINER_OF(node, struct client, link);

		/* A new connection's first request may lie unread in the socket: it gets its 503.
		 */
		if (client->state == CLIENT_HEAD && !client->head_started_us && client->has_served)
			client_close(client, OUTCOME_NONE);
	}
}
