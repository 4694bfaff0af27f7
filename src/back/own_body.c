#include "back/own_body.h"

#include <stdlib.h>

#include "base/memory.h"
#include "core/runner.h"
#include "json/writer.h"

enum { DECIMAL = 10 };

const char *own_target(const struct runner *runner)
{
	return runner->kind == RUNNER_EMBEDS ? "/api/embed" : "/api/generate";
}

static void put_options(struct json_writer *writer, const struct runner *runner)
{
	json_begin_object(writer, "options");
	for (int i = 0; i < PEEK_OPTION_COUNT; i++) {
		const char *name = peek_option_name((enum peek_option)i);

		if (!runner->has_option[i])
			continue;
		if (i == PEEK_USE_MMAP)
			json_put_bool(writer, name, runner->option[i] != 0);
		else
			json_put_int(writer, name, runner->option[i]);
	}
	json_end_object(writer);
}

/* Of the configuration: "90" as a text is an error for Ollama, as a number it is seconds. */
static void put_keep_alive(struct json_writer *writer, const char *value)
{
	char *end;
	long long seconds = strtoll(value, &end, DECIMAL);

	if (end != value && *end == '\0')
		json_put_int(writer, "keep_alive", seconds);
	else
		json_put_string(writer, "keep_alive", value);
}

static char *take_text(struct json_writer *writer)
{
	size_t length;
	char *text = mem_strdup(json_writer_get(writer, &length));

	json_writer_destroy(writer);
	return text;
}

char *own_body_empty(const struct runner *runner, const char *keep_alive)
{
	struct json_writer *writer = json_writer_create();

	json_begin_object(writer, NULL);
	json_put_string(writer, "model", runner->spelling);
	if (runner->kind == RUNNER_EMBEDS) {
		json_begin_array(writer, "input");
		json_end_array(writer);
	} else {
		json_put_bool(writer, "stream", false);
	}
	put_options(writer, runner);
	if (keep_alive)
		put_keep_alive(writer, keep_alive);
	json_end_object(writer);
	return take_text(writer);
}

char *own_body_unload(const struct runner *runner)
{
	return own_body_empty(runner, "0");
}

char *own_body_name(const char *model)
{
	struct json_writer *writer = json_writer_create();

	json_begin_object(writer, NULL);
	json_put_string(writer, "model", model);
	json_end_object(writer);
	return take_text(writer);
}
