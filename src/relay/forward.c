#include "relay/forward.h"

#include <stdlib.h>
#include <string.h>

#include <event2/util.h>

#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/announced.h"
#include "core/identity.h"
#include "core/match.h"
#include "core/route.h"
#include "front/client.h"
#include "http/head.h"

enum {
	PSEUDONYM_RANDOM_BYTES = 4,
	PSEUDONYM_BYTES = 40,
	/* Longer values are cut in the log line. */
	LOGGED_VALUE_BYTES = 256,
	US_PER_MS = 1000,
	/* What a longer way is cut to, as RFC 9110 §7.6.2 allows. */
	HOPS_MOST = 1000,
};

/* Our name in Via: unique to the process, so that several proxies in a row are no loop (RFC 9110
 * §7.6.3 allows a pseudonym). */
static const char *pseudonym(void)
{
	static char name[PSEUDONYM_BYTES];
	unsigned char random[PSEUDONYM_RANDOM_BYTES];

	if (name[0] == '\0') {
		char *made;

		evutil_secure_rng_get_bytes(random, sizeof(random));
		made = mem_printf("shared-ollama-%02x%02x%02x%02x", random[0], random[1], random[2],
			random[3]);
		memcpy(name, made, strlen(made) + 1);
		free(made);
	}
	return name;
}

void forward_finish(struct forward *forward)
{
	fields_finish(&forward->fields);
	free(forward->forwarded_for);
	free(forward->via);
	free(forward->numbers);
	memset(forward, 0, sizeof(*forward));
}

/* All values of one name as one list with ours behind (RFC 9110 §5.3 allows to join). A new string.
 */
static char *append_to_list(const struct fields *fields, const char *name, const char *ours)
{
	size_t room = strlen(ours) + 1;
	char *list;
	char *end;

	for (size_t i = 0; i < fields->count; i++) {
		if (field_is(&fields->items[i], name))
			room += fields->items[i].value_length + strlen(", ");
	}
	end = list = mem_alloc(room);
	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->items[i];

		if (!field_is(field, name) || field->value_length == 0)
			continue;
		end = mempcpy(end, field->value, field->value_length);
		end = mempcpy(end, ", ", strlen(", "));
	}
	memcpy(end, ours, strlen(ours) + 1);
	return list;
}

/* Dropped from every request: framing, and what we write ourselves. */
static bool is_replaced(const struct field *field)
{
	return field_is(field, "Host") || field_is(field, "Content-Length") ||
	       field_is(field, "X-Forwarded-For") || field_is(field, "Via") ||
	       field_is(field, "X-Request-Id");
}

int forward_hops_left(const struct request_head *head)
{
	const struct field *field;
	int hops = 0;

	if (strcmp(head->method, "OPTIONS") != 0 && strcmp(head->method, "TRACE") != 0)
		return -1;
	field = fields_find(&head->fields, "Max-Forwards");
	if (!field || field->value_length == 0)
		return -1;
	for (size_t i = 0; i < field->value_length; i++) {
		if (field->value[i] < '0' || field->value[i] > '9')
			return -1;
		hops = hops * 10 + (field->value[i] - '0');
		if (hops > HOPS_MOST)
			hops = HOPS_MOST;
	}
	return hops;
}

/* The one line of ours in place of those that came. */
static void add_hops(struct forward *forward, int hops)
{
	if (hops <= 0)
		return;
	forward->numbers = mem_printf("%d", hops - 1);
	fields_add_text(&forward->fields, "Max-Forwards", forward->numbers);
}

void forward_request(struct forward *forward, const struct client *client,
	const struct record *record, bool keep_expect)
{
	const struct request_head *head = client_head(client);
	char *ours = mem_printf("1.%d %s", head->version_minor, pseudonym());
	int hops_left = forward_hops_left(head);
	struct hop_by_hop hops;

	hop_by_hop_collect(&hops, &head->fields);
	for (size_t i = 0; i < head->fields.count; i++) {
		const struct field *field = &head->fields.items[i];

		if (is_replaced(field) || hop_by_hop_has(&hops, field))
			continue;
		if (hops_left >= 0 && field_is(field, "Max-Forwards"))
			continue;
		if (!keep_expect && field_is(field, "Expect"))
			continue;
		fields_add(&forward->fields, field->name, field->name_length, field->value,
			field->value_length);
	}
	forward->forwarded_for =
		append_to_list(&head->fields, "X-Forwarded-For", client_ip(client));
	forward->via = append_to_list(&head->fields, "Via", ours);
	free(ours);
	add_hops(forward, hops_left);
	fields_add_text(&forward->fields, "X-Forwarded-For", forward->forwarded_for);
	fields_add_text(&forward->fields, "Via", forward->via);
	fields_add_text(&forward->fields, "X-Request-Id", record->request_id);
}

void forward_response(struct forward *forward, const struct fields *upstream,
	const struct record *record, enum known warm)
{
	struct hop_by_hop hops;

	hop_by_hop_collect(&hops, upstream);
	for (size_t i = 0; i < upstream->count; i++) {
		const struct field *field = &upstream->items[i];

		if (field_is(field, "Content-Length") || field_is(field, "X-Request-Id") ||
			hop_by_hop_has(&hops, field))
			continue;
		fields_add(&forward->fields, field->name, field->name_length, field->value,
			field->value_length);
	}
	fields_add_text(&forward->fields, "X-Request-Id", record->request_id);
	if (!record->is_job)
		return;
	forward->numbers = mem_printf("%lld", (long long)(record->queue_wait_us / US_PER_MS));
	fields_add_text(&forward->fields, "X-Queue-Wait-Ms", forward->numbers);
	if (warm != KNOWN_NOT)
		fields_add_text(&forward->fields, "X-Model-Warm-Start",
			warm == KNOWN_TRUE ? "true" : "false");
}

char *forward_target(const struct request_head *head, const struct route *route)
{
	const char *query;

	if (!route->rewrite)
		return mem_strdup(head->forward);
	query = strchr(head->forward, '?');
	return mem_printf("%s%s", route->rewrite, query ? query : "");
}

bool forward_is_loop(const struct fields *fields)
{
	const char *name = pseudonym();
	size_t length = strlen(name);

	for (size_t i = 0; i < fields->count; i++) {
		const struct field *field = &fields->items[i];

		if (field_is(field, "Via") &&
			memmem(field->value, field->value_length, name, length))
			return true;
	}
	return false;
}

/* A value for the log, cut; NULL where the field is absent or empty. */
static char *logged_value(const struct fields *fields, const char *name)
{
	const struct field *field = fields_find(fields, name);
	size_t length;

	if (!field || field->value_length == 0)
		return NULL;
	length =
		field->value_length < LOGGED_VALUE_BYTES ? field->value_length : LOGGED_VALUE_BYTES;
	return mem_strndup(field->value, length);
}

static struct identity_word word_of(const struct fields *fields, const char *name)
{
	const struct field *field = fields_find(fields, name);

	return (struct identity_word){field ? field->value : NULL, field ? field->value_length : 0};
}

static struct identity_word word_of_text(const char *text)
{
	return (struct identity_word){text, text ? strlen(text) : 0};
}

static struct match_agent agent_of(const struct request_head *head, const struct route *route)
{
	struct identity_word user_agent = word_of(&head->fields, "User-Agent");

	return (struct match_agent){
		.user_agent = user_agent.text,
		.user_agent_length = user_agent.length,
		.path = route->rewrite ? route->rewrite : head->path,
	};
}

/* Who is who (PRODUCT 5): core/identity has the order. */
static char *project_of(
	const struct client *client, const struct route *route, const struct settings *settings)
{
	const struct request_head *head = client_head(client);
	const struct fields *fields = &head->fields;
	const struct api_key *key = client_key(client);
	const struct listener_rule *listener =
		match_listener(&settings->rules, client_listen(client));
	struct match_agent agent = agent_of(head, route);
	struct identity_word words[IDENTITY_SOURCES] = {
		[IDENTITY_PROJECT_NAME] = word_of(fields, "X-Project-Name"),
		[IDENTITY_USER_ID] = word_of(fields, "X-User-ID"),
		[IDENTITY_CLIENT_ID] = word_of(fields, "X-Client-ID"),
		[IDENTITY_KEY] = word_of_text(key ? key->project : NULL),
		[IDENTITY_WEBUI_NAME] = word_of(fields, "X-OpenWebUI-User-Name"),
		[IDENTITY_WEBUI_EMAIL] = word_of(fields, "X-OpenWebUI-User-Email"),
		[IDENTITY_WEBUI_ID] = word_of(fields, "X-OpenWebUI-User-Id"),
		[IDENTITY_PREFIX] = word_of_text(head->name),
		[IDENTITY_LISTENER] = word_of_text(listener ? listener->project : NULL),
		[IDENTITY_AGENT] = word_of_text(match_agent_project(&settings->rules, &agent)),
	};

	return identity_project(words, client_ip(client));
}

struct policy_request forward_policy_request(
	const struct client *client, const struct route *route, const struct record *record)
{
	const struct request_head *head = client_head(client);
	struct identity_word priority = word_of(&head->fields, "X-Priority");

	if (!policy_class_of(priority.text, priority.length))
		priority = word_of(&head->fields, "X-Queue-Priority");
	return (struct policy_request){
		.project = record->project,
		.key = client_key(client),
		.agent = agent_of(head, route),
		.priority = priority.text,
		.priority_length = priority.length,
		.announced_us = announced_patience_us(&head->fields),
	};
}

void forward_fill_record(struct record *record, const struct client *client,
	const struct route *route, const struct settings *settings)
{
	const struct request_head *head = client_head(client);
	const struct field *id = fields_find(&head->fields, "X-Request-Id");

	record->arrived_us = ticker_now_us();
	record->operation = route->operation;
	record->family = route->family;
	record->is_poll = route->is_poll;
	identity_request_id(id ? id->value : NULL, id ? id->value_length : 0, record->request_id);
	strncpy(record->client_ip, client_ip(client), sizeof(record->client_ip) - 1);
	record->project = project_of(client, route, settings);
	record->method = mem_strdup(head->method);
	record->path = mem_strndup(head->path, strnlen(head->path, LOGGED_VALUE_BYTES));
	record->user_agent = logged_value(&head->fields, "User-Agent");
	record->traceparent = logged_value(&head->fields, "traceparent");
}
