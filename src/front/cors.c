#include "front/cors.h"

#include <ctype.h>
#include <string.h>

#include "base/compiler.h"
#include "config/settings.h"

/* Ollama's own list (its envconfig.AllowedOrigins), before what OLLAMA_ORIGINS adds. */
static const char *const built_in[] = {
	"http://localhost",
	"https://localhost",
	"http://localhost:*",
	"https://localhost:*",
	"http://127.0.0.1",
	"https://127.0.0.1",
	"http://127.0.0.1:*",
	"https://127.0.0.1:*",
	"http://0.0.0.0",
	"https://0.0.0.0",
	"http://0.0.0.0:*",
	"https://0.0.0.0:*",
	"app://*",
	"file://*",
	"tauri://*",
	"vscode-webview://*",
	"vscode-file://*",
};

static const struct field *find_origin(const struct request_head *head)
{
	const struct field *origin = fields_find(&head->fields, "Origin");

	return origin && origin->value_length > 0 ? origin : NULL;
}

/* As gin does it: the pattern is lowered, the origin is taken as it is. */
static bool is_equal(const char *pattern, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (tolower((unsigned char)pattern[i]) != text[i])
			return false;
	}
	return true;
}

/* At most one * stands for any bytes. */
static bool matches(const char *pattern, const struct field *origin)
{
	const char *star = strchr(pattern, '*');
	size_t before = star ? (size_t)(star - pattern) : strlen(pattern);
	size_t after = star ? strlen(star + 1) : 0;

	if (star ? origin->value_length < before + after : origin->value_length != before)
		return false;
	return is_equal(pattern, origin->value, before) &&
	       (!star || is_equal(star + 1, origin->value + origin->value_length - after, after));
}

/* cors_origins = * */
static bool allows_all(const struct settings *settings)
{
	for (char **origin = settings->cors_origins; origin && *origin; origin++) {
		if (strcmp(*origin, "*") == 0)
			return true;
	}
	return false;
}

static bool is_allowed(const struct settings *settings, const struct field *origin)
{
	for (size_t i = 0; i < ARRAY_LENGTH(built_in); i++) {
		if (matches(built_in[i], origin))
			return true;
	}
	for (char **pattern = settings->cors_origins; pattern && *pattern; pattern++) {
		if (matches(*pattern, origin))
			return true;
	}
	return false;
}

bool cors_is_same_origin(const struct request_head *head)
{
	static const char *const schemes[] = {"http://", "https://"};
	const struct field *origin = find_origin(head);
	size_t host = strlen(head->host);

	for (size_t i = 0; origin && i < ARRAY_LENGTH(schemes); i++) {
		size_t scheme = strlen(schemes[i]);

		if (origin->value_length == scheme + host &&
			memcmp(origin->value, schemes[i], scheme) == 0 &&
			memcmp(origin->value + scheme, head->host, host) == 0)
			return true;
	}
	return false;
}

enum cors cors_judge(const struct settings *settings, const struct request_head *head)
{
	const struct field *origin = find_origin(head);

	if (!origin || cors_is_same_origin(head))
		return CORS_NONE;
	return is_allowed(settings, origin) ? CORS_ALLOWED : CORS_FOREIGN;
}

bool cors_is_preflight(const struct request_head *head)
{
	return strcmp(head->method, "OPTIONS") == 0 && head->framing.kind == FRAMING_NONE &&
	       find_origin(head) && fields_find(&head->fields, "Access-Control-Request-Method");
}

void cors_add_fields(
	struct fields *fields, const struct settings *settings, const struct request_head *head)
{
	static const char name[] = "Access-Control-Allow-Origin";
	const struct field *origin = find_origin(head);

	if (cors_judge(settings, head) != CORS_ALLOWED)
		return;
	if (allows_all(settings)) {
		fields_add_text(fields, name, "*");
		return;
	}
	fields_add(fields, name, strlen(name), origin->value, origin->value_length);
	fields_add_text(fields, "Vary", "Origin");
}

void cors_add_preflight_fields(struct fields *fields)
{
	fields_add_text(fields, "Access-Control-Allow-Headers",
		"Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,"
		"X-Stainless-Arch,X-Stainless-Async,X-Stainless-Custom-Poll-Interval,"
		"X-Stainless-Helper-Method,X-Stainless-Lang,X-Stainless-Os,"
		"X-Stainless-Package-Version,X-Stainless-Poll-Helper,X-Stainless-Retry-Count,"
		"X-Stainless-Runtime,X-Stainless-Runtime-Version,X-Stainless-Timeout");
	fields_add_text(
		fields, "Access-Control-Allow-Methods", "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS");
	fields_add_text(fields, "Access-Control-Max-Age", "43200");
	fields_add_text(fields, "Vary", "Access-Control-Request-Method");
	fields_add_text(fields, "Vary", "Access-Control-Request-Headers");
}
