#include "config/load.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/file.h"
#include "config/keep_alive.h"
#include "config/keys.h"
#include "config/model_name.h"
#include "config/settings.h"
#include "config/suggest.h"
#include "config/usage.h"
#include "config/value.h"
#include "config/where.h"

static const char PREFIX[] = "SHARED_OLLAMA_";
/* Not a key: where the keys are. */
static const char CONFIG_VARIABLE[] = "CONFIG";
/* Neither: the tools' key, which a person may have exported. */
static const char KEY_VARIABLE[] = "KEY";
static const char SPOOL_DIRECTORY[] = "/var/tmp";

static const struct {
	const char *word;
	enum load_action action;
} tools[] = {{"health", LOAD_HEALTH}, {"top", LOAD_TOP}, {"doctor", LOAD_DOCTOR}};

/* What the arguments say, before anything is read. */
struct arguments {
	char **at; /* the next one */
	char **end;
	enum load_action action;
	const char *url;
	const char *config;
	char **values; /* by key: what the flag said, NULL: not given; lists joined by commas */
};

static struct load_result finish(enum load_action action, char *message)
{
	return (struct load_result){.action = action, .message = message};
}

/* One flag's value: its own argument or what follows '='; NULL: missing. */
static const char *take_value(struct arguments *arguments, const char *after_equals)
{
	if (after_equals)
		return after_equals;
	if (arguments->at == arguments->end || strncmp(*arguments->at, "--", 2) == 0)
		return NULL;
	return *arguments->at++;
}

static char *unknown_flag(const char *flag)
{
	size_t length = strcspn(flag, "=");
	char *name = mem_strndup(flag, length);
	char *quoted = value_quote(name);
	size_t dashes = strspn(flag, "-");
	const struct key *near =
		length > dashes ? suggest_key(flag + dashes, length - dashes) : NULL;
	char *near_flag = near ? key_flag(near) : NULL;
	char *message = near ? mem_printf("unknown flag %s; did you mean %s?", quoted, near_flag)
			     : mem_printf("unknown flag %s; see --help", quoted);

	free(name);
	free(quoted);
	free(near_flag);
	return message;
}

static void keep_value(struct arguments *arguments, const struct key *key, const char *value)
{
	char **kept = &arguments->values[key - keys];
	char *old = *kept;

	*kept = old && key_is_list(key) ? mem_printf("%s,%s", old, value) : mem_strdup(value);
	free(old);
}

/* Returns NULL or what is wrong. */
static char *read_flag(struct arguments *arguments, const char *flag)
{
	size_t length = strcspn(flag, "=");
	const char *equals = flag[length] ? flag + length + 1 : NULL;
	bool is_config = (length == strlen("--config") && strncmp(flag, "--config", length) == 0) ||
			 strcmp(flag, "-c") == 0;
	const struct key *key =
		strncmp(flag, "--", 2) == 0 ? key_find_flag(flag + 2, length - 2) : NULL;
	const char *value;

	if (!is_config && !key)
		return unknown_flag(flag);
	value = take_value(arguments, equals);
	if (!value)
		return mem_printf("%.*s needs a value", (int)length, flag);
	if (is_config)
		arguments->config = value;
	else
		keep_value(arguments, key, value);
	return NULL;
}

/* The words that are no flags: a tool that asks a service, and its URL. Returns NULL or what is
 * wrong. */
static char *read_word(struct arguments *arguments, const char *word)
{
	char *quoted, *message;

	for (size_t i = 0; arguments->action == LOAD_SERVE && i < ARRAY_LENGTH(tools); i++) {
		if (strcmp(word, tools[i].word) == 0) {
			arguments->action = tools[i].action;
			return NULL;
		}
	}
	if (arguments->action != LOAD_SERVE && !arguments->url) {
		arguments->url = word;
		return NULL;
	}
	quoted = value_quote(word);
	message = mem_printf("unexpected argument %s; see --help", quoted);
	free(quoted);
	return message;
}

/* Returns NULL or what is wrong. */
static char *read_arguments(struct arguments *arguments)
{
	bool has_flags = true;
	char *error = NULL;

	while (!error && arguments->at < arguments->end) {
		const char *word = *arguments->at++;

		if (!has_flags || word[0] != '-' || !word[1])
			error = read_word(arguments, word);
		else if (strcmp(word, "--") == 0)
			has_flags = false;
		else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
			arguments->action = LOAD_HELP;
		else if (strcmp(word, "--version") == 0)
			arguments->action = LOAD_VERSION;
		else if (strcmp(word, "--check-config") == 0)
			arguments->action = LOAD_CHECK;
		else if (strcmp(word, "--print-config") == 0)
			arguments->action = LOAD_PRINT;
		else
			error = read_flag(arguments, word);
		if (arguments->action == LOAD_HELP || arguments->action == LOAD_VERSION)
			break;
	}
	return error;
}

/* The part of NAME=VALUE after SHARED_OLLAMA_, or NULL. */
static const char *own_variable(const char *entry)
{
	return strncmp(entry, PREFIX, strlen(PREFIX)) == 0 ? entry + strlen(PREFIX) : NULL;
}

static const char *find_variable(char **environment, const char *name)
{
	size_t length = strlen(name);

	for (char **entry = environment; entry && *entry; entry++) {
		if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
			return *entry + length + 1;
	}
	return NULL;
}

static char *unknown_variable(const char *name, size_t length)
{
	const struct key *near = suggest_key(name, length);
	char *near_variable = near ? key_variable(near) : NULL;
	char *copy = mem_strndup(name, length);
	char *quoted = value_quote(copy);
	/* Inside the quotes stands the name without its prefix. */
	char *message = mem_printf("unknown variable %s%.*s%s%s%s", PREFIX,
		(int)(strlen(quoted) - 2), quoted + 1, near ? "; did you mean " : "",
		near ? near_variable : "", near ? "?" : "");

	free(copy);
	free(quoted);
	free(near_variable);
	return message;
}

static bool is_name(const char *variable, size_t length, const char *name)
{
	return length == strlen(name) && strncmp(variable, name, length) == 0;
}

/* Returns NULL or what is wrong. */
static char *apply_variable(const char *variable, struct settings *settings)
{
	size_t length = strcspn(variable, "=");
	const struct key *key = key_find_variable(variable, length);
	char *error, *message;

	if (is_name(variable, length, CONFIG_VARIABLE) || is_name(variable, length, KEY_VARIABLE))
		return NULL;
	if (!key)
		return unknown_variable(variable, length);
	if (value_parse(key, variable[length] ? variable + length + 1 : "", settings, &error))
		return NULL;
	message = mem_printf("%s%.*s: %s", PREFIX, (int)length, variable, error);
	free(error);
	return message;
}

static char *apply_environment(char **environment, struct settings *settings)
{
	char *error = NULL;

	for (char **entry = environment; !error && entry && *entry; entry++) {
		const char *variable = own_variable(*entry);

		if (variable)
			error = apply_variable(variable, settings);
	}
	return error;
}

static char *apply_flags(const struct arguments *arguments, struct settings *settings)
{
	for (size_t i = 0; i < keys_count; i++) {
		char *error, *flag, *message;

		if (!arguments->values[i] ||
			value_parse(&keys[i], arguments->values[i], settings, &error))
			continue;
		flag = key_flag(&keys[i]);
		message = mem_printf("%s: %s", flag, error);
		free(flag);
		free(error);
		return message;
	}
	return NULL;
}

/* The defaults are texts of the table: that they can be read is a matter of the tests. */
static void apply_defaults(struct settings *settings)
{
	for (size_t i = 0; i < keys_count; i++) {
		char *error;

		if (!value_parse(&keys[i], keys[i].fallback, settings, &error))
			abort();
	}
}

static void choose_spool_directory(struct settings *settings, char **environment)
{
	const char *directory = find_variable(environment, "TMPDIR");

	if (*settings->spool_directory)
		return;
	free(settings->spool_directory);
	settings->spool_directory =
		mem_strdup(directory && *directory ? directory : SPOOL_DIRECTORY);
}

/* "host:port", with brackets where listen has them. */
static char *upstream_place(const struct settings *settings)
{
	bool is_ipv6 = strchr(settings->upstream_host, ':') != NULL;

	return mem_printf("%s%s%s:%u", is_ipv6 ? "[" : "", settings->upstream_host,
		is_ipv6 ? "]" : "", (unsigned)settings->upstream_port);
}

/* Those with https:// need a certificate. Returns NULL or what is wrong. */
static char *check_tls_listen(char *const *listen, const char *key, bool has_certificate)
{
	for (; *listen; listen++) {
		if (where_after_https(*listen) && !has_certificate)
			return mem_printf("%s (%s) speaks TLS: give tls_certificate and tls_key",
				key, *listen);
	}
	return NULL;
}

/* Returns NULL or what is wrong. */
static char *check_tls(const struct settings *settings)
{
	bool has_certificate = *settings->tls_certificate;
	char *error;

	if (has_certificate != (*settings->tls_key != '\0'))
		return mem_printf("%s is given without %s: give both or neither",
			has_certificate ? "tls_certificate" : "tls_key",
			has_certificate ? "tls_key" : "tls_certificate");
	if (*settings->upstream_ca && !settings->upstream_is_tls)
		return mem_printf("upstream_ca is given, but upstream (%s) is not https://: "
				  "nothing would be verified",
			settings->upstream);
	error = check_tls_listen(settings->listen, "listen", has_certificate);
	if (!error)
		error = check_tls_listen(settings->admin_listen, "admin_listen", has_certificate);
	return error;
}

/* One of these is where Ollama is. Returns NULL or what is wrong. */
static char *check_loop(const struct settings *settings, char *const *listen, const char *key)
{
	char *place = upstream_place(settings);
	char *error = NULL;

	for (; !error && *listen; listen++) {
		const char *plain = where_after_https(*listen);

		if (strcmp(plain ? plain : *listen, place) == 0)
			error = mem_printf("upstream (%s) is %s (%s): that is shared-ollama itself",
				settings->upstream, key, *listen);
	}
	free(place);
	return error;
}

static char *check_paths(const struct settings *settings)
{
	const char *wrong = settings_wrong_path(settings->allow_paths);
	char *quoted = wrong ? value_quote(wrong) : NULL;
	char *error = wrong ? mem_printf("allow_paths: %s does not begin with / and is not %s",
				      quoted, SETTINGS_READ_ONLY)
			    : NULL;

	free(quoted);
	return error;
}

/* It gets the form in which Ollama takes it. Returns NULL or what is wrong. */
static char *check_keep_alive(struct settings *settings)
{
	char *read, *quoted, *error;

	if (!*settings->keep_alive)
		return NULL;
	read = keep_alive_read(settings->keep_alive);
	if (read) {
		free(settings->keep_alive);
		settings->keep_alive = read;
		return NULL;
	}
	quoted = value_quote(settings->keep_alive);
	error = mem_printf("keep_alive: %s is not %s", quoted, KEEP_ALIVE_FORM);
	free(quoted);
	return error;
}

static bool is_alias_given_before(char *const *aliases, char *const *alias)
{
	char *name = mem_strndup(*alias, strcspn(*alias, "="));
	bool is_given = false;

	for (; !is_given && aliases < alias; aliases++) {
		char *other = mem_strndup(*aliases, strcspn(*aliases, "="));

		is_given = model_name_is_same(name, other);
		free(other);
	}
	free(name);
	return is_given;
}

/* Returns NULL or what is wrong. */
static char *check_aliases(const struct settings *settings)
{
	for (char *const *alias = settings->model_alias; *alias; alias++) {
		size_t length = strcspn(*alias, "=");
		bool has_both = length > 0 && (*alias)[length] && (*alias)[length + 1];
		char *quoted, *error;

		if (has_both && !is_alias_given_before(settings->model_alias, alias))
			continue;
		quoted = value_quote(*alias);
		error = mem_printf("model_alias: %s %s", quoted,
			has_both ? "gives a second model to a name: leave one of them out"
				 : "is not NAME=MODEL");
		free(quoted);
		return error;
	}
	return NULL;
}

/* Returns NULL or what is wrong. */
static char *check_requests(struct settings *settings)
{
	char *error = check_keep_alive(settings);

	if (!error)
		error = check_aliases(settings);
	if (!error && settings->keep_alive_policy != KEEP_ALIVE_PASS && !*settings->keep_alive &&
		settings->rules.projects_count + settings->rules.models_count == 0)
		error = mem_strdup("keep_alive_policy needs a keep_alive to override or cap with");
	return error ? error : rules_check(settings);
}

/* What no key can see alone. Returns NULL or what is wrong. */
static char *check_relations(struct settings *settings)
{
	char *error = check_tls(settings);

	if (error)
		return error;
	if (settings->max_concurrent > settings->max_concurrent_limit)
		return mem_printf("max_concurrent (%" PRId64
				  ") is over max_concurrent_limit (%" PRId64 ")",
			settings->max_concurrent, settings->max_concurrent_limit);
	if (settings->body_total && settings->body_max > settings->body_total)
		return mem_printf("body_max (%" PRId64 ") is over body_total (%" PRId64
				  "): the largest bodies could never be kept",
			settings->body_max, settings->body_total);
	error = check_paths(settings);
	if (!error)
		error = check_requests(settings);
	if (!error)
		error = check_loop(settings, settings->listen, "listen");
	if (!error)
		error = check_loop(settings, settings->admin_listen, "admin_listen");
	return error ? error : check_loop(settings, settings->agent_listen, "agent_listen");
}

/* Returns NULL or what is wrong; `ret_action` is then what kind of mistake it is. */
static char *fill(const struct arguments *arguments, char **environment, struct settings *settings,
	enum load_action *ret_action)
{
	char *error = NULL;

	*ret_action = LOAD_FAILURE;
	apply_defaults(settings);
	if (arguments->config && !file_apply(arguments->config, settings, &error))
		return error;
	error = apply_environment(environment, settings);
	if (error)
		return error;
	error = apply_flags(arguments, settings);
	if (error) {
		*ret_action = LOAD_USAGE;
		return error;
	}
	choose_spool_directory(settings, environment);
	return check_relations(settings);
}

static struct load_result load(struct arguments *arguments, char **environment)
{
	enum load_action mistake;
	struct settings *settings;
	char *error = read_arguments(arguments);

	if (error)
		return finish(LOAD_USAGE, error);
	if (arguments->action == LOAD_HELP)
		return finish(LOAD_HELP, usage_text());
	if (arguments->action == LOAD_VERSION)
		return finish(LOAD_VERSION, NULL);
	if (!arguments->config)
		arguments->config = find_variable(environment, "SHARED_OLLAMA_CONFIG");
	/* Compose files set variables to nothing when the host has none. */
	if (arguments->config && !*arguments->config)
		arguments->config = NULL;
	settings = settings_create();
	error = fill(arguments, environment, settings, &mistake);
	if (error) {
		settings_return(settings);
		return finish(mistake, error);
	}
	return (struct load_result){
		.action = arguments->action, .settings = settings, .url = arguments->url};
}

struct load_result load_settings(int argc, char **argv, char **environment)
{
	struct arguments arguments = {
		.at = argv + (argc > 0), .end = argv + argc, .action = LOAD_SERVE};
	struct load_result result;

	arguments.values = mem_zalloc_array(keys_count, sizeof(*arguments.values));
	result = load(&arguments, environment);
	for (size_t i = 0; i < keys_count; i++)
		free(arguments.values[i]);
	free(arguments.values);
	return result;
}
