#include "front/access.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/match.h"
#include "core/permission.h"
#include "core/rate.h"
#include "front/cors.h"
#include "io/own_names.h"
#include "io/secret.h"

enum {
	/* A name has at most 253 bytes (RFC 1035 §2.3.4); longer ones are nobody's. */
	HOST_BYTES = 256,
	/* Four times the longest that anybody would make; hashing a head full of anything else
	   would be work that strangers order. */
	KEY_BYTES_MOST = 512,
};

_Static_assert((int)API_KEY_HASH_BYTES == (int)SECRET_HASH_BYTES, "both are SHA-256");

struct access {
	struct settings *settings;
	char **own_names;
	struct rate *rates; /* one for each of the settings' api_keys */
};

struct access *access_create(struct settings *settings)
{
	struct access *access = mem_zalloc(sizeof(*access));

	access->settings = settings_take(settings);
	access->own_names = own_names_read();
	access->rates = mem_zalloc_array(settings->api_keys_count + 1, sizeof(*access->rates));
	return access;
}

void access_destroy(struct access *access)
{
	if (!access)
		return;
	settings_return(access->settings);
	own_names_free(access->own_names);
	free(access->rates);
	free(access);
}

void access_set_settings(struct access *access, struct settings *settings)
{
	const struct settings *old = access->settings;
	struct rate *rates = mem_zalloc_array(settings->api_keys_count + 1, sizeof(*rates));

	for (size_t i = 0; i < settings->api_keys_count; i++) {
		for (size_t j = 0; j < old->api_keys_count; j++) {
			if (strcmp(settings->api_keys[i].name, old->api_keys[j].name) == 0)
				rates[i] = access->rates[j];
		}
	}
	free(access->rates);
	access->rates = rates;
	settings_take(settings);
	settings_return(access->settings);
	access->settings = settings;
}

/* Host. */

/* Without port, brackets, an IPv6 zone and a last dot. false: too long to be a name. */
static bool bare_host(const char *text, char host[HOST_BYTES])
{
	size_t length;

	if (*text == '[') {
		text++;
		length = strcspn(text, "]%");
	} else {
		length = strcspn(text, ":");
		if (length > 1 && text[length - 1] == '.')
			length--;
	}
	if (length >= HOST_BYTES)
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	return true;
}

static bool is_address(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* Nobody can register these: they are resolved on this machine or in this network only. */
static bool is_local_name(const char *host)
{
	static const char *const endings[] = {
		".localhost", ".local", ".internal", ".lan", ".home.arpa"};
	size_t length = strlen(host);

	if (!strchr(host, '.'))
		return true;
	for (size_t i = 0; i < ARRAY_LENGTH(endings); i++) {
		size_t ending = strlen(endings[i]);

		if (length > ending && strcasecmp(host + length - ending, endings[i]) == 0)
			return true;
	}
	return false;
}

static bool is_in_list(char *const *names, const char *host)
{
	for (; names && *names; names++) {
		if (strcasecmp(*names, host) == 0)
			return true;
	}
	return false;
}

bool access_host_is_known(const struct settings *settings, char *const *own_names, const char *text)
{
	char host[HOST_BYTES];

	if (!bare_host(text, host))
		return false;
	return is_address(host) || is_local_name(host) || is_in_list(own_names, host) ||
	       is_in_list(settings->server_names, host);
}

/* Keys. */

/* What may be a key in this field: the token of Authorization: Bearer, or all of X-Api-Key. false:
 * it has none. */
static bool token_of(const struct field *field, const char **ret_token, size_t *ret_length)
{
	static const char scheme[] = "Bearer ";
	size_t skipped = strlen(scheme);

	if (field_is(field, "X-Api-Key")) {
		skipped = 0;
	} else if (!field_is(field, "Authorization") || field->value_length <= skipped ||
		   strncasecmp(field->value, scheme, skipped) != 0) {
		return false;
	}
	while (skipped < field->value_length && field->value[skipped] == ' ')
		skipped++;
	*ret_token = field->value + skipped;
	*ret_length = field->value_length - skipped;
	return *ret_length > 0 && *ret_length <= KEY_BYTES_MOST;
}

/* All keys are compared, so that time does not tell which one it was. */
static const struct api_key *find_key(
	const struct settings *settings, const char *token, size_t length)
{
	unsigned char hash[SECRET_HASH_BYTES];
	const struct api_key *found = NULL;

	if (!secret_hash(settings->key_salt ? settings->key_salt : "", token, length, hash))
		return NULL;
	for (size_t i = 0; i < settings->api_keys_count; i++) {
		if (secret_is_same(settings->api_keys[i].hash, hash))
			found = &settings->api_keys[i];
	}
	return found;
}

/* Takes every key of ours out of the head; the first one counts. */
static const struct api_key *take_key(const struct settings *settings, struct request_head *head)
{
	const struct api_key *first = NULL;
	size_t at = 0;

	while (settings->api_keys_count > 0 && at < head->fields.count) {
		const struct api_key *key = NULL;
		const char *token;
		size_t length;

		if (token_of(&head->fields.items[at], &token, &length))
			key = find_key(settings, token, length);
		if (!key) {
			at++;
			continue;
		}
		if (!first)
			first = key;
		request_head_forget_field(head, at);
	}
	return first;
}

static bool needs_key(
	const struct settings *settings, const struct request_head *head, const struct route *route)
{
	if (settings->api_keys_count == 0 || cors_is_preflight(head))
		return false;
	/* the page asks for a key itself: a browser that opens it has no way to send one */
	return route->kind != ROUTE_OWN ||
	       (route->own != OWN_HEALTH && route->own != OWN_DASHBOARD);
}

/* What is ours. */

/* A peer on this machine that speaks for itself, not for somebody behind it. */
static bool is_here(const struct request_head *head, const struct access_peer *peer)
{
	return peer->is_loopback && !fields_find(&head->fields, "X-Forwarded-For") &&
	       !fields_find(&head->fields, "Forwarded") && !fields_find(&head->fields, "Via");
}

bool access_may_change(
	const struct request_head *head, const struct access_peer *peer, const struct api_key *key)
{
	bool has_origin = fields_find(&head->fields, "Origin") != NULL;

	if (!is_here(head, peer) && !(key && key->is_admin))
		return false;
	return !has_origin || cors_is_same_origin(head);
}

static struct access_verdict check_own(const struct settings *settings,
	const struct request_head *head, const struct access_peer *peer, const struct route *route,
	struct access_verdict verdict)
{
	if (cors_judge(settings, head) == CORS_FOREIGN) {
		verdict.outcome = OUTCOME_FORBIDDEN;
		verdict.text = "web pages of this origin may not read this: add it to cors_origins";
	} else if (route->own == OWN_CONFIG && settings->api_keys_count > 0 &&
		   !is_here(head, peer) && !(verdict.key && verdict.key->is_admin)) {
		verdict.outcome = OUTCOME_FORBIDDEN;
		verdict.text = "the configuration is shown to loopback and to admin keys";
	}
	return verdict;
}

/* What goes to Ollama. */

static struct access_verdict check_ollamas(struct access *access, const struct request_head *head,
	const struct access_peer *peer, const struct route *route, struct access_verdict verdict)
{
	const struct settings *settings = access->settings;
	const struct api_key *key = verdict.key;
	struct permission permission = {
		.settings = settings,
		.key = key,
		.listener = match_listener(&settings->rules, peer->listen),
	};

	if (cors_is_preflight(head))
		return verdict;
	if (!permission_path(&permission, head->method, head->path, route)) {
		verdict.outcome = OUTCOME_FORBIDDEN;
		verdict.text = "this path is not permitted here (allow_paths)";
	} else if (route->kind == ROUTE_PASS && permission_of_pass(&permission, head->method,
							head->path, route) == PERMISSION_DENIED) {
		verdict.outcome = OUTCOME_FORBIDDEN;
		verdict.text = "this call is not permitted where models are limited (allow_models)";
	} else if (key && key->rate > 0) {
		verdict.retry_after = rate_take(
			&access->rates[key - settings->api_keys], key->rate, ticker_now_us());
		if (verdict.retry_after > 0)
			verdict.outcome = OUTCOME_RATE_LIMITED;
	}
	return verdict;
}

struct access_verdict access_check(struct access *access, struct request_head *head,
	const struct access_peer *peer, const struct route *route)
{
	const struct settings *settings = access->settings;
	bool is_split = settings->admin_listen && settings->admin_listen[0];
	struct access_verdict verdict = {.key = take_key(settings, head)};

	if (!access_host_is_known(settings, access->own_names, head->host)) {
		verdict.outcome = OUTCOME_FORBIDDEN;
		verdict.text = "this name in Host is not known here: use an address, or add the "
			       "name to server_names";
		return verdict;
	}
	if (!verdict.key && needs_key(settings, head, route)) {
		LOG(WARN, "refused a request without a right API key",
			LOG_TEXT("client_ip", peer->ip), LOG_TEXT("path", head->path));
		verdict.outcome = OUTCOME_UNAUTHORIZED;
		return verdict;
	}
	if (is_split && peer->came_by_admin != (route->kind == ROUTE_OWN)) {
		verdict.is_absent = true;
		return verdict;
	}
	switch (route->kind) {
	case ROUTE_OWN:
		return check_own(settings, head, peer, route, verdict);
	case ROUTE_JOB:
	case ROUTE_PASS:
		return check_ollamas(access, head, peer, route, verdict);
	case ROUTE_GONE:
		break;
	}
	return verdict;
}
