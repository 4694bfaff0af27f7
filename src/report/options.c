#include "report/options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/moment.h"

/* Faster than that a load looks warm. */
static const double SCALE_MOST = 1000;
static const char DEFAULT_FILE[] = "logs/requests.jsonl";

static const char help[] =
	"usage: shared-ollama report [FILE]... [--json|--csv|--html] [--since T] [--until T]\n"
	"                            [--project NAME] [--model NAME]\n"
	"\n"
	"Reads request logs (logs/requests.jsonl if none is named; .gz too; - is standard\n"
	"input) and tells who used Ollama, how long it took and why, whether models were\n"
	"warm, and what to change.\n"
	"\n"
	"  --json             one JSON object\n"
	"  --csv              one line a value: table,row,name,value (RFC 4180)\n"
	"  --html             one self-contained page with plots\n"
	"  --since T          only requests that ended at T or later: 2026-11-24,\n"
	"                     2026-11-24T13:00, 2026-11-24T13:00:00+01:00 (UTC where no\n"
	"                     zone is given), or a time ago: 30m, 24h, 7d\n"
	"  --until T          only requests that ended before T\n"
	"  --project NAME     only this project's\n"
	"  --model NAME       only those for this model\n"
	"  --show MODEL=FILE  a saved answer of Ollama's POST /api/show: says how the model\n"
	"                     cuts images, to find images that are larger than it uses\n"
	"  --stats FILE       a saved answer of GET /api/v1/queue/stats: says whether a\n"
	"                     model is partly on the CPU\n"
	"  --time-scale N     the log was made N times faster than life (bench/README.md)\n"
	"  --help             this text\n"
	"\n"
	"Exit codes: 0 fine, 1 a file could not be read, 2 wrong usage.\n";

struct reading {
	struct report_options *options;
	int64_t now_us;
	char *const *at;
	char *const *end;
	char *error;
};

const char *report_options_help(void)
{
	return help;
}

static void fail(struct reading *reading, char *error)
{
	free(reading->error);
	reading->error = error;
}

static void read_moment(
	struct reading *reading, const char *flag, const char *text, int64_t *ret_us)
{
	if (!moment_read_argument(text, reading->now_us, ret_us))
		fail(reading, mem_printf("%s %s: not a time such as 2026-11-24, "
					 "2026-11-24T13:00:00Z or 24h",
				      flag, text));
}

static void read_scale(struct reading *reading, const char *text)
{
	char *end;
	double scale = strtod(text, &end);

	if (*end || end == text || !isfinite(scale) || scale < 1 || scale > SCALE_MOST)
		fail(reading,
			mem_printf("--time-scale %s: a number from 1 to 1000 is wanted", text));
	reading->options->filter.time_scale = scale;
}

/* false: no such flag. */
static bool read_value(struct reading *reading, const char *flag, const char *value)
{
	struct report_options *options = reading->options;

	if (strcmp(flag, "--since") == 0)
		read_moment(reading, flag, value, &options->filter.since_us);
	else if (strcmp(flag, "--until") == 0)
		read_moment(reading, flag, value, &options->filter.until_us);
	else if (strcmp(flag, "--project") == 0)
		options->filter.project = value;
	else if (strcmp(flag, "--model") == 0)
		options->filter.model = value;
	else if (strcmp(flag, "--stats") == 0)
		options->stats = value;
	else if (strcmp(flag, "--time-scale") == 0)
		read_scale(reading, value);
	else if (strcmp(flag, "--show") != 0)
		return false;
	else if (options->shows_count < SHOWS_MOST)
		options->shows[options->shows_count++] = value;
	else
		fail(reading, mem_printf("--show: at most %d", SHOWS_MOST));
	return true;
}

/* false: no such flag. */
static bool read_form(struct report_options *options, const char *flag)
{
	static const struct {
		const char *flag;
		enum report_form form;
	} forms[] = {{"--json", FORM_JSON}, {"--csv", FORM_CSV}, {"--html", FORM_HTML}};

	for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
		if (strcmp(flag, forms[i].flag) == 0) {
			options->form = forms[i].form;
			return true;
		}
	}
	return false;
}

static void read_flag(struct reading *reading, const char *word)
{
	const char *equals = strchr(word, '=');
	char *flag = mem_strndup(word, equals ? (size_t)(equals - word) : strlen(word));
	bool is_known = true;

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		reading->options->is_help = true;
	else if (equals)
		is_known = read_value(reading, flag, equals + 1);
	else if (!read_form(reading->options, word)) {
		is_known =
			read_value(reading, flag, reading->at < reading->end ? *reading->at : "");
		if (is_known && reading->at == reading->end)
			fail(reading, mem_printf("%s needs a value", flag));
		else if (is_known)
			reading->at++;
	}
	if (!is_known)
		fail(reading, mem_printf("unknown flag %s; see shared-ollama report --help", flag));
	free(flag);
}

bool report_options_read(struct report_options *options, int count, char *const *arguments,
	int64_t now_us, char **ret_error)
{
	struct reading reading = {
		.options = options,
		.now_us = now_us,
		.at = arguments,
		.end = arguments + count,
	};
	bool has_flags = true;

	memset(options, 0, sizeof(*options));
	options->filter = (struct analysis_filter){.since_us = -1, .until_us = -1, .time_scale = 1};
	options->files = mem_zalloc_array((size_t)count + 1, sizeof(*options->files));
	while (!reading.error && !options->is_help && reading.at < reading.end) {
		const char *word = *reading.at++;

		if (has_flags && strcmp(word, "--") == 0)
			has_flags = false;
		else if (has_flags && word[0] == '-' && word[1])
			read_flag(&reading, word);
		else
			options->files[options->files_count++] = word;
	}
	if (options->files_count == 0)
		options->files[options->files_count++] = DEFAULT_FILE;
	if (reading.error)
		*ret_error = reading.error;
	return !reading.error;
}

void report_options_finish(struct report_options *options)
{
	free(options->files);
	options->files = NULL;
}
