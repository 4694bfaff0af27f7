#include "ask.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "config.h"
#include "pace.h"

#define NS_PER_MINUTE (60.0 * (double)NS_PER_S)
#define NS_PER_HOUR (60.0 * NS_PER_MINUTE)
#define NS_PER_US 1000.0

static const struct {
	const char *unit;
	double ns;
} units[] = {{"ns", 1}, {"us", NS_PER_US}, {"µs", NS_PER_US}, {"ms", (double)NS_PER_MS},
	{"s", (double)NS_PER_S}, {"m", NS_PER_MINUTE}, {"h", NS_PER_HOUR}};

static const char *const string_fields[] = {
	"model", "name", "prompt", "suffix", "system", "template", "source", "destination"};

static double unit_ns(const char *text, size_t length)
{
	for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
		if (strlen(units[i].unit) == length && strncmp(units[i].unit, text, length) == 0)
			return units[i].ns;
	}
	return 0;
}

/* Go's time.ParseDuration. */
static bool parse_duration(const char *text, double *ret_ns, char error[ASK_ERROR_BYTES])
{
	const char *at = text;
	double total = 0;
	bool is_negative = *at == '-';

	if (*at == '-' || *at == '+')
		at++;
	if (strcmp(at, "0") == 0) {
		*ret_ns = 0;
		return true;
	}
	do {
		char *end;
		bool is_number = isdigit((unsigned char)*at) ||
				 (*at == '.' && isdigit((unsigned char)at[1]));
		double number = is_number ? strtod(at, &end) : 0;

		if (!is_number) {
			snprintf(error, ASK_ERROR_BYTES, "time: invalid duration \"%.100s\"", text);
			return false;
		}
		size_t length = strcspn(end, "0123456789.");
		double ns = unit_ns(end, length);
		if (ns == 0) {
			if (length == 0)
				snprintf(error, ASK_ERROR_BYTES,
					"time: missing unit in duration \"%.100s\"", text);
			else
				snprintf(error, ASK_ERROR_BYTES,
					"time: unknown unit \"%.*s\" in duration \"%.100s\"",
					(int)(length < 50 ? length : 50), end, text);
			return false;
		}
		total += number * ns;
		at = end + length;
	} while (*at != '\0');
	*ret_ns = is_negative ? -total : total;
	return true;
}

bool ask_keep_alive(yajl_val node, bool *ret_given, int64_t *ret_ns, char error[ASK_ERROR_BYTES])
{
	double ns = 0;

	*ret_given = false;
	if (json_is_absent(node))
		return true;
	if (YAJL_IS_NUMBER(node)) {
		ns = (YAJL_IS_INTEGER(node) ? (double)YAJL_GET_INTEGER(node)
					    : YAJL_GET_DOUBLE(node)) *
		     (double)NS_PER_S;
	} else if (YAJL_IS_STRING(node)) {
		if (!parse_duration(json_string(node), &ns, error))
			return false;
	} else {
		const char *type = YAJL_IS_OBJECT(node)	 ? "map[string]interface {}"
				   : YAJL_IS_ARRAY(node) ? "[]interface {}"
							 : "bool";

		snprintf(error, ASK_ERROR_BYTES, "Unsupported type: '%s'", type);
		return false;
	}
	*ret_given = true;
	*ret_ns = ns < 0 ? PACE_FOREVER : pace_scaled(ns);
	return true;
}

enum thinking ask_thinking(yajl_val node)
{
	const char *level = json_string(node);

	if (YAJL_IS_TRUE(node) || (level != NULL && strcmp(level, "none") != 0))
		return THINK_ON;
	return json_is_absent(node) ? THINK_DEFAULT : THINK_OFF;
}

bool ask_check_types(yajl_val body, const char *go_struct, char error[ASK_ERROR_BYTES])
{
	if (!YAJL_IS_OBJECT(body)) {
		snprintf(error, ASK_ERROR_BYTES,
			"json: cannot unmarshal %s into Go value of type api.%s",
			json_type_name(body), go_struct);
		return false;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(string_fields); i++) {
		yajl_val value = json_get(body, string_fields[i]);

		if (json_is_absent(value) || YAJL_IS_STRING(value))
			continue;
		/* An OpenAI prompt and an Anthropic system may be lists. */
		if (YAJL_IS_ARRAY(value) && strcmp(go_struct, "OpenAI") == 0)
			continue;
		snprintf(error, ASK_ERROR_BYTES,
			"json: cannot unmarshal %s into Go struct field %s.%s of type string",
			json_type_name(value), go_struct, string_fields[i]);
		return false;
	}
	return true;
}

static void set_defaults(
	struct ask *ask, const struct model *model, const struct settings *settings)
{
	double num_ctx = model->num_ctx > 0 ? model->num_ctx : settings->context_length;

	memset(ask, 0, sizeof(*ask));
	ask->num_predict = model->num_predict > 0 ? (long)model->num_predict : -1;
	ask->num_keep = ASK_DEFAULT_KEEP;
	ask->truncates = true;
	ask->key = (struct runner_key){.num_ctx = (long)num_ctx,
		.num_batch = (long)model->num_batch,
		.num_gpu = -1,
		.use_mmap = -1,
		.shifts = true};
}

/* A model knows no longer context than it was made with. */
static void cap_context(struct ask *ask, const struct model *model)
{
	if (ask->key.num_ctx > (long)model->context_length)
		ask->key.num_ctx = (long)model->context_length;
	if (ask->key.num_ctx < ASK_DEFAULT_KEEP)
		ask->key.num_ctx = ASK_DEFAULT_KEEP;
}

static bool read_integer(
	yajl_val options, const char *name, long *target, char error[ASK_ERROR_BYTES])
{
	yajl_val value = json_get(options, name);

	if (json_is_absent(value))
		return true;
	if (!YAJL_IS_NUMBER(value)) {
		snprintf(error, ASK_ERROR_BYTES, "option \"%s\" must be of type integer", name);
		return false;
	}
	double number = json_get_number(options, name, 0);
	if (fabs(number) > 1e15) /* exact in a double, and no overflow in sums */
		number = 0;
	*target = (long)number;
	return true;
}

static bool read_options(struct ask *ask, yajl_val options, char error[ASK_ERROR_BYTES])
{
	yajl_val mmap = json_get(options, "use_mmap");

	if (!json_is_absent(mmap))
		ask->key.use_mmap = YAJL_IS_TRUE(mmap) ? 1 : 0;
	return read_integer(options, "num_ctx", &ask->key.num_ctx, error) &&
	       read_integer(options, "num_batch", &ask->key.num_batch, error) &&
	       read_integer(options, "num_gpu", &ask->key.num_gpu, error) &&
	       read_integer(options, "main_gpu", &ask->key.main_gpu, error) &&
	       read_integer(options, "num_thread", &ask->key.num_thread, error) &&
	       read_integer(options, "num_predict", &ask->num_predict, error) &&
	       read_integer(options, "num_keep", &ask->num_keep, error);
}

bool ask_read_native(struct ask *ask, yajl_val body, const struct model *model,
	const struct settings *settings, char error[ASK_ERROR_BYTES])
{
	set_defaults(ask, model, settings);
	ask->streams = json_get_bool(body, "stream", true);
	ask->is_raw = json_get_bool(body, "raw", false);
	ask->key.shifts = json_get_bool(body, "shift", true);
	ask->truncates = json_get_bool(body, "truncate", true);
	ask->thinking = ask_thinking(json_get(body, "think"));
	ask->wants_logprobs = json_get_bool(body, "logprobs", false);
	ask->top_logprobs = (long)json_get_number(body, "top_logprobs", 0);
	if (!ask_keep_alive(
		    json_get(body, "keep_alive"), &ask->has_keep_alive, &ask->keep_alive, error) ||
		!read_options(ask, json_get(body, "options"), error))
		return false;
	if (ask->key.num_batch < 1)
		ask->key.num_batch = 1;
	cap_context(ask, model);
	return true;
}

void ask_read_v1(struct ask *ask, yajl_val body, const struct model *model,
	const struct settings *settings, const char *limit_key)
{
	double limit = json_get_number(body, limit_key, 0);

	set_defaults(ask, model, settings);
	ask->streams = json_get_bool(body, "stream", false);
	ask->wants_usage = json_get_bool(json_get(body, "stream_options"), "include_usage", false);
	ask->thinking = ask_thinking(json_get(body, "reasoning_effort"));
	ask->wants_logprobs = json_get_bool(body, "logprobs", false);
	ask->top_logprobs = (long)json_get_number(body, "top_logprobs", 0);
	if (limit > 0)
		ask->num_predict = (long)limit;
	cap_context(ask, model);
}

bool ask_same_runner(const struct runner_key *runner, const struct runner_key *wanted)
{
	return runner->num_ctx == wanted->num_ctx && runner->num_batch == wanted->num_batch &&
	       (wanted->num_gpu < 0 || runner->num_gpu == wanted->num_gpu) &&
	       runner->main_gpu == wanted->main_gpu && runner->num_thread == wanted->num_thread &&
	       runner->use_mmap == wanted->use_mmap && runner->shifts == wanted->shifts;
}
