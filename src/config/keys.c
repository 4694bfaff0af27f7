#include "config/keys.h"

#include <ctype.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "config/settings.h"

#define SECOND INT64_C(1000) /* in milliseconds */
#define KIB (INT64_C(1) << 10)
#define MIB (INT64_C(1) << 20)
#define TIB (INT64_C(1) << 40)

/* Longer waits are no limit; and evhttp's own time-out, set to more, must not come first. */
#define DURATION_MAX (SECOND * 60 * 60 * 24 * 30)
/* More than any disk that holds request bodies; sums of such sizes do not overflow. */
#define SIZE_MAX_BYTES TIB
/* The ring is one array of so many places. */
#define PLACES_MAX INT64_C(100000)
/* Far over any OLLAMA_NUM_PARALLEL: as many streams as the connections that they take. */
#define CONCURRENT_MAX INT64_C(16384)
/* Each is one rename when a log is full. */
#define LOGS_MAX INT64_C(100)
/* What Linux lets a process open at most by default (fs.nr_open). */
#define CONNECTIONS_MAX INT64_C(1048576)
/* Below this no ordinary head fits, above it one head would cost as much as a body. */
#define HEAD_MIN KIB
#define HEAD_MAX (16 * MIB)

/* Of an enum of config/rules.h, whose first value is UNSET. */
#define RULE_CHOICE(words)                                                                \
	.type = KEY_CHOICE, .choices = (words), .choice_first = 1, .placeholder = "WHAT", \
	.is_reloadable = true

static const char *const schedulers[] = {
	[SCHEDULER_FIFO] = "fifo", [SCHEDULER_TURNS] = "turns", NULL};
static const char *const concurrencies[] = {
	[CONCURRENCY_FIXED] = "fixed", [CONCURRENCY_ADAPTIVE] = "adaptive", NULL};
static const char *const operations[] = {
	[LOG_OPERATIONS_DEFAULT] = "default", [LOG_OPERATIONS_ALL] = "all", NULL};
static const char *const traceparents[] = {
	[TRACEPARENT_OFF] = "off", [TRACEPARENT_START] = "start", NULL};
static const char *const levels[] = {
#define X(symbol, name) [LOG_##symbol] = (name),
	LOG_LEVELS(X)
#undef X
		NULL};

#define FIELD(member) .name = #member, .offset = offsetof(struct settings, member)
/* settings.h says the unit in the field's name. */
#define TIME_FIELD(member) .name = #member, .offset = offsetof(struct settings, member##_ms)

#define DURATION                                                                               \
	.type = KEY_DURATION, .placeholder = "SECONDS", .minimum = 1, .maximum = DURATION_MAX, \
	.zero_is_no_limit = true, .is_reloadable = true
#define SIZE                                                                               \
	.type = KEY_SIZE, .placeholder = "BYTES", .minimum = 1, .maximum = SIZE_MAX_BYTES, \
	.zero_is_no_limit = true, .is_reloadable = true
#define FILE_NAME .type = KEY_TEXT, .fallback = "", .placeholder = "FILE"
#define WORDS .type = KEY_WORDS, .fallback = "", .is_reloadable = true
#define COUNT .type = KEY_COUNT, .placeholder = "N", .is_reloadable = true

const struct key keys[] = {
	{FIELD(listen), .section = "Where", .type = KEY_ADDRESSES, .fallback = "127.0.0.1:8000",
		.placeholder = "ADDR:PORT",
		.help = "where clients connect; may be given several times; * is every address, "
			"port 0 the kernel's choice; https://ADDR:PORT speaks TLS, unix:PATH is a "
			"local socket"},
	{FIELD(admin_listen), .type = KEY_ADDRESSES, .fallback = "", .fallback_shown = "none",
		.placeholder = "ADDR:PORT", .may_be_empty = true,
		.help = "where the own endpoints (/api/v1/health, ...) are served instead; may be "
			"given several times"},
	{FIELD(agent_listen), .type = KEY_ADDRESSES, .fallback = "", .fallback_shown = "none",
		.placeholder = "ADDR:PORT", .may_be_empty = true,
		.help = "where HAProxy's agent-check is told how much this box can take; may be "
			"given several times"},
	{FIELD(upstream), .type = KEY_URL, .fallback = "http://127.0.0.1:11434",
		.placeholder = "URL",
		.help = "the Ollama to share: http://HOST[:PORT], port 11434 if none is given, or "
			"https://HOST[:PORT], port 443"},
	{FIELD(upstream_ca), FILE_NAME, .fallback_shown = "the system's",
		.help = "who may vouch for an https upstream: a PEM file"},
	{FIELD(tls_certificate), FILE_NAME, .fallback_shown = "none", .is_reloadable = true,
		.help = "for listeners with https://: a PEM file, the certificate and then its "
			"chain; read again at SIGHUP"},
	{FIELD(tls_key), FILE_NAME, .fallback_shown = "none", .is_reloadable = true,
		.help = "the certificate's private key: a PEM file without a passphrase; read "
			"again at SIGHUP"},
	{FIELD(request_log), .type = KEY_TEXT, .fallback = "logs/requests.jsonl",
		.placeholder = "FILE", .is_reloadable = true,
		.help = "one JSON line for each request; - is standard output, an empty text none"},
	{FIELD(log_operations), .type = KEY_CHOICE, .fallback = "default", .placeholder = "WHICH",
		.choices = operations, .is_reloadable = true,
		.help = "which requests are logged; all includes the polls of /, /api/version and "
			"/api/ps"},
	{FIELD(request_log_max), SIZE, .fallback = "100m",
		.help = "a request log that has grown to this is moved aside and begun anew"},
	{FIELD(request_log_keep), COUNT, .fallback = "5", .minimum = 1, .maximum = LOGS_MAX,
		.help = "old request logs that are kept, FILE.1 being the newest"},
	{FIELD(traceparent), .type = KEY_CHOICE, .fallback = "off", .placeholder = "WHAT",
		.choices = traceparents, .is_reloadable = true,
		.help = "requests without a well-formed traceparent (W3C): passed on as they are, "
			"or a trace is started, sent to Ollama and logged"},
	{FIELD(log_level), .type = KEY_CHOICE, .fallback = "info", .placeholder = "LEVEL",
		.choices = levels, .is_reloadable = true,
		.help = "the least important diagnostics shown on stderr"},

	{FIELD(server_names), .section = "Who may (API keys stand in the file: docs/security.md)",
		WORDS, .fallback_shown = "none", .placeholder = "NAMES",
		.help = "names that clients may use in Host besides addresses, single words, "
			"*.local and the like, and the machine's own"},
	{FIELD(cors_origins), WORDS, .fallback_shown = "none", .placeholder = "ORIGINS",
		.help = "what OLLAMA_ORIGINS is for the Ollama behind: web pages that may read "
			"the proxy's own answers"},
	{FIELD(allow_paths), WORDS, .fallback_shown = "all", .placeholder = "PATHS",
		.help = "the paths that are permitted, with all below them; read-only: whatever "
			"does not change Ollama's models"},
	{FIELD(allow_models), WORDS, .fallback_shown = "all", .placeholder = "MODELS",
		.help = "the models that are permitted"},
	{FIELD(key_salt), .type = KEY_TEXT, .fallback = "", .fallback_shown = "none",
		.placeholder = "TEXT", .is_secret = true, .is_reloadable = true,
		.help = "stands before each API key when it is hashed"},

	{FIELD(max_concurrent), .section = "Queue", COUNT, .fallback = "3", .minimum = 1,
		.maximum = CONCURRENT_MAX, .help = "inference requests that run at the same time"},
	{FIELD(max_concurrent_limit), COUNT, .fallback = "16", .minimum = 1,
		.maximum = CONCURRENT_MAX,
		.help = "with adaptive: the most that run, of one model and of all"},
	{FIELD(max_queue_size), COUNT, .fallback = "50", .minimum = 1, .maximum = PLACES_MAX,
		.help = "inference requests that wait; more are answered 503"},
	{FIELD(max_reading), COUNT, .fallback = "200", .minimum = 1, .maximum = CONNECTIONS_MAX,
		.zero_is_no_limit = true,
		.help = "inference requests whose body is still arriving"},
	{TIME_FIELD(default_timeout), DURATION, .fallback = "60",
		.help = "the longest wait in the queue; the run is not bounded by it"},
	{FIELD(scheduler), .type = KEY_CHOICE, .fallback = "turns", .placeholder = "RULE",
		.choices = schedulers,
		.help = "who is next; fifo is the order of arrival, turns serves a loaded model "
			"until it runs dry"},
	{TIME_FIELD(max_turn_wait), DURATION, .fallback = "45",
		.help = "with turns: a model whose oldest request has waited so long is next"},
	{FIELD(concurrency), .type = KEY_CHOICE, .fallback = "adaptive", .placeholder = "RULE",
		.choices = concurrencies,
		.help = "how many run; fixed is max_concurrent, adaptive what Ollama serves at "
			"once of each model"},

	{FIELD(preload), .section = "Requests (rules for projects and models stand in the file)",
		WORDS, .fallback_shown = "none", .placeholder = "MODELS",
		.help = "models that are loaded at the start, and again after each restart of "
			"Ollama, and stay loaded"},
	{FIELD(keep_alive), .type = KEY_TEXT, .fallback = "", .fallback_shown = "none",
		.placeholder = "DURATION", .is_reloadable = true,
		.help = "how long a model stays loaded after its last request, as in Ollama's API: "
			"30m, -1 for ever"},
	{FIELD(keep_alive_policy), RULE_CHOICE(rules_keep_alive_policies), .fallback = "pass",
		.help = "a client's own keep_alive: passed on, replaced, or cut to keep_alive"},
	{FIELD(runner_options), RULE_CHOICE(rules_runner_options), .fallback = "pass",
		.help = "num_ctx and the other options that make Ollama load a model again: passed "
			"on, taken out, or set as the rule for the model says"},
	{FIELD(model_alias), WORDS, .fallback_shown = "none", .placeholder = "NAME=MODEL",
		.help = "names that clients use for other models"},
	{FIELD(heartbeat), RULE_CHOICE(rules_heartbeats), .fallback = "off",
		.help = "what tells a waiting client that it still waits: 102 Processing, or the "
			"beginning of a body"},
	{TIME_FIELD(heartbeat_interval), DURATION, .fallback = "10",
		.help = "between two heartbeats; the shortest time-out that clients were seen with "
			"is 20 s"},
	{FIELD(image_pixels_max), COUNT, .fallback = "0", .minimum = 1,
		.maximum = SETTINGS_PIXELS_MAX, .zero_is_no_limit = true,
		.help = "the largest image of a request; larger ones are answered 413"},

	{FIELD(on_upstream_down), .section = "Commands (by /bin/sh, once a minute at most)",
		.type = KEY_TEXT, .fallback = "", .fallback_shown = "none",
		.placeholder = "COMMAND", .is_reloadable = true,
		.help = "run when a request waits and Ollama cannot be reached: wake the box, "
			"start the unit"},
	{FIELD(on_runner_stuck), .type = KEY_TEXT, .fallback = "", .fallback_shown = "none",
		.placeholder = "COMMAND", .is_reloadable = true,
		.help = "run when a runner neither answers nor loads in time; "
			"SHARED_OLLAMA_MODEL tells which"},

	{TIME_FIELD(header_timeout), .section = "Time limits", DURATION, .fallback = "30",
		.help = "from a request's first byte to its complete head"},
	{TIME_FIELD(body_timeout), DURATION, .fallback = "60",
		.help = "between two bytes of a request's body"},
	{TIME_FIELD(idle_timeout), DURATION, .fallback = "300",
		.help = "a kept-alive connection without a request"},
	{TIME_FIELD(write_timeout), DURATION, .fallback = "300",
		.help = "a client that takes nothing of its answer"},
	{TIME_FIELD(upstream_connect_timeout), DURATION, .fallback = "5",
		.help = "connecting to Ollama"},
	{TIME_FIELD(upstream_first_byte_timeout), DURATION, .fallback = "600",
		.help = "from the sent request to Ollama's answer; a model's load may take "
			"minutes"},
	{TIME_FIELD(upstream_idle_timeout), DURATION, .fallback = "300",
		.help = "between two bytes of Ollama's answer"},
	{TIME_FIELD(drain_timeout), DURATION, .fallback = "60",
		.help = "for the requests at hand after SIGTERM"},

	{FIELD(body_max), .section = "Sizes", SIZE, .fallback = "100m",
		.help = "the largest body of an inference request; larger ones are answered 413"},
	{FIELD(body_memory), SIZE, .fallback = "1m",
		.help = "what of a body is kept in memory; longer ones go into a file"},
	{FIELD(body_total), SIZE, .fallback = "2g", .help = "all bodies that are kept, together"},
	{FIELD(head_max), .type = KEY_SIZE, .fallback = "64k", .placeholder = "BYTES",
		.minimum = HEAD_MIN, .maximum = HEAD_MAX, .zero_is_no_limit = true,
		.is_reloadable = true, .help = "the largest request head"},
	{FIELD(spool_directory), .type = KEY_TEXT, .fallback = "",
		.fallback_shown = "$TMPDIR, else /var/tmp", .placeholder = "DIRECTORY",
		.is_reloadable = true,
		.help = "where bodies over body_memory go, as files without a name"},

	{FIELD(max_connections), .section = "Connections", COUNT, .fallback = "20000", .minimum = 1,
		.maximum = CONNECTIONS_MAX, .zero_is_no_limit = true,
		.help = "client connections at the same time; lowered to what descriptors allow"},
	{FIELD(max_connections_per_address), COUNT, .fallback = "0", .minimum = 1,
		.maximum = CONNECTIONS_MAX, .zero_is_no_limit = true,
		.help = "of these from one address"},
};
const size_t keys_count = ARRAY_LENGTH(keys);

static const char *const units[] = {
#define X(symbol, unit) [KEY_##symbol] = (unit),
	KEY_TYPES(X)
#undef X
};

bool key_is_list(const struct key *key)
{
	return key->type == KEY_ADDRESSES || key->type == KEY_WORDS;
}

const char *key_unit(const struct key *key)
{
	return units[key->type];
}

static char as_file(char byte)
{
	return byte;
}

static char as_flag(char byte)
{
	return byte == '_' ? '-' : byte;
}

static char as_variable(char byte)
{
	return (char)toupper((unsigned char)byte);
}

static const struct key *find(const char *name, size_t length, char (*spell)(char byte))
{
	for (size_t i = 0; i < keys_count; i++) {
		size_t at = 0;

		while (at < length && keys[i].name[at] && spell(keys[i].name[at]) == name[at])
			at++;
		if (at == length && !keys[i].name[at])
			return &keys[i];
	}
	return NULL;
}

const struct key *key_find(const char *name, size_t length)
{
	return find(name, length, as_file);
}

const struct key *key_find_flag(const char *flag, size_t length)
{
	return find(flag, length, as_flag);
}

const struct key *key_find_variable(const char *variable, size_t length)
{
	return find(variable, length, as_variable);
}

static char *spelled(const char *before, const struct key *key, char (*spell)(char byte))
{
	char *text = mem_printf("%s%s", before, key->name);

	for (char *at = text + strlen(before); *at; at++)
		*at = spell(*at);
	return text;
}

char *key_flag(const struct key *key)
{
	return spelled("--", key, as_flag);
}

char *key_variable(const struct key *key)
{
	return spelled("SHARED_OLLAMA_", key, as_variable);
}
