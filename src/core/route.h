/*
 * What a request is, from its method and decoded path alone: a job, a pass, ours, or a retired
 * route (PRODUCT 1.2, 1.3). Called by proxy.c for each complete head.
 */
#ifndef SO_CORE_ROUTE_H
#define SO_CORE_ROUTE_H

#include <stdbool.h>

/* X(symbol, word in the log) */
#define OPERATIONS(X)                   \
	X(CHAT, "chat")                 \
	X(GENERATE, "generate")         \
	X(EMBED, "embed")               \
	X(TRANSCRIBE, "transcribe")     \
	X(IMAGE, "image")               \
	X(LIST_MODELS, "list_models")   \
	X(LIST_RUNNING, "list_running") \
	X(SHOW_MODEL, "show_model")     \
	X(PULL, "pull")                 \
	X(PUSH, "push")                 \
	X(CREATE, "create")             \
	X(COPY, "copy")                 \
	X(DELETE, "delete")             \
	X(BLOB, "blob")                 \
	X(VERSION, "version")           \
	X(ROOT, "root")                 \
	X(OTHER, "other")

enum operation {
#define X(symbol, word) OPERATION_##symbol,
	OPERATIONS(X)
#undef X
		OPERATION_COUNT
};
const char *operation_name(enum operation operation);

/* Whose error shape the client understands (PRODUCT 2). */
enum api_family { API_NATIVE, API_OPENAI, API_ANTHROPIC };

enum route_kind {
	ROUTE_PASS,
	ROUTE_JOB,
	ROUTE_OWN,  /* answered by admin */
	ROUTE_GONE, /* 410 */
};

/* Our own endpoints (PRODUCT 1.3); what later issues add joins the list. A path that ends in a
 * slash is followed by an id. */
#define OWN_ENDPOINTS(X)                                      \
	X(HEALTH, "GET", "/api/v1/health")                    \
	X(QUEUE_STATS, "GET", "/api/v1/queue/stats")          \
	X(QUEUE_REQUESTS, "GET", "/api/v1/queue/requests")    \
	X(QUEUE_REQUEST, "DELETE", "/api/v1/queue/requests/") \
	X(QUEUE_PAUSE, "POST", "/api/v1/queue/pause")         \
	X(QUEUE_RESUME, "POST", "/api/v1/queue/resume")       \
	X(EVENTS, "GET", "/api/v1/events")                    \
	X(METRICS, "GET", "/metrics")                         \
	X(CONFIG, "GET", "/api/v1/config")                    \
	X(DASHBOARD, "GET", "/dashboard")

enum own_endpoint {
#define X(symbol, method, path) OWN_##symbol,
	OWN_ENDPOINTS(X)
#undef X
		OWN_COUNT
};

struct route {
	enum route_kind kind;
	enum operation operation;
	enum api_family family;
	enum own_endpoint own;	 /* ROUTE_OWN */
	bool method_allowed;	 /* ROUTE_OWN: false: 405 */
	const char *own_id;	 /* ROUTE_OWN with an id: the end of `path`; else NULL */
	const char *rewrite;	 /* an alias: the path to send on instead; else NULL */
	const char *use_instead; /* ROUTE_GONE: the call to use, as text */
	/* GET and HEAD of /, /api/version and /api/ps are logged only with log_operations = all
	 * (PRODUCT 6.1) */
	bool is_poll;
};

/* For Allow: the methods that the endpoint takes. */
const char *own_endpoint_methods(enum own_endpoint own);
/* `path` is request_head.path; the route may point into it. Never fails: unknown is a pass. */
struct route route_find(const char *method, const char *path);

#endif
