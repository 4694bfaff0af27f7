/* What becomes of a client's head: refused, answered by our own endpoints, a job or a pass. Called
 * by front/ through the events that proxy.c hands it. */
#include "proxy_parts.h"

#include <stdlib.h>

#include "base/memory.h"
#include "front/access.h"
#include "front/client.h"
#include "front/reply.h"
#include "relay/pass.h"
#include "relay/relay.h"

/* Own endpoints are neither counted nor logged, nor are their refusals. */
static void refuse(struct proxy *proxy, struct client *client, const struct route *route,
	const struct access_verdict *verdict)
{
	struct reply_error error = {
		.outcome = verdict->outcome, .family = route->family, .text = verdict->text};

	switch (route->kind) {
	case ROUTE_OWN:
		reply_error(client, &error);
		break;
	case ROUTE_JOB:
		relay_refuse(proxy->relay, client, route, verdict);
		break;
	case ROUTE_GONE:
	case ROUTE_PASS:
		passes_refuse_access(proxy->passes, client, route, verdict);
		break;
	}
}

/* false: it may not come in and is answered. */
static bool let_in(struct proxy *proxy, struct client *client, const struct route *route)
{
	struct access_peer peer = {
		.ip = client_ip(client),
		.is_loopback = client_is_loopback(client),
		.came_by_admin = client_came_by_admin(client),
		.listen = client_listen(client),
	};
	struct access_verdict verdict =
		access_check(proxy->access, client_head_to_check(client), &peer, route);

	client_set_key(client, verdict.key);
	if (verdict.is_absent) {
		reply_not_found(client);
		return false;
	}
	if (verdict.outcome != OUTCOME_NONE)
		refuse(proxy, client, route, &verdict);
	return verdict.outcome == OUTCOME_NONE;
}

void requests_on_head(void *arg, struct client *client)
{
	struct proxy *proxy = arg;
	const struct request_head *head = client_head(client);
	struct route route = route_find(head->method, head->path);
	struct admin_view view;
	char *text;

	if (!let_in(proxy, client, &route))
		return;
	switch (route.kind) {
	case ROUTE_OWN:
		view = operators_view(proxy);
		admin_answer(&view, &proxy->calls, client, &route);
		break;
	case ROUTE_GONE:
		text = mem_printf(
			"this route of the old service is gone; use %s", route.use_instead);
		passes_refuse(proxy->passes, client, &route, OUTCOME_GONE, text);
		free(text);
		break;
	case ROUTE_JOB:
		relay_request(proxy->relay, client, &route);
		break;
	case ROUTE_PASS:
		passes_request(proxy->passes, client, &route);
		break;
	}
}

static enum outcome outcome_of_error(enum http_error error)
{
	switch (error) {
	case HTTP_ERROR_HEAD_TOO_LARGE:
		return OUTCOME_HEAD_TOO_LARGE;
	case HTTP_ERROR_TARGET_TOO_LONG:
		return OUTCOME_TARGET_TOO_LONG;
	case HTTP_ERROR_NOT_IMPLEMENTED:
		return OUTCOME_NOT_IMPLEMENTED;
	case HTTP_ERROR_VERSION:
		return OUTCOME_HTTP_VERSION;
	case HTTP_ERROR_EXPECTATION:
		return OUTCOME_EXPECTATION_FAILED;
	case HTTP_ERROR_NONE:
	case HTTP_ERROR_BAD_REQUEST:
		break;
	}
	return OUTCOME_BAD_REQUEST;
}

void requests_on_bad_head(void *arg, struct client *client, enum http_error error)
{
	struct proxy *proxy = arg;

	passes_refuse(proxy->passes, client, NULL, outcome_of_error(error), NULL);
}

void requests_on_slow_head(void *arg, struct client *client)
{
	struct proxy *proxy = arg;

	passes_refuse(proxy->passes, client, NULL, OUTCOME_REQUEST_TIMEOUT, NULL);
}
