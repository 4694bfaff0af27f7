#include "doctor/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask/own_flags.h"
#include "ask/place.h"
#include "ask/printable.h"
#include "base/memory.h"
#include "config/load.h"
#include "config/settings.h"
#include "doctor/checks.h"
#include "doctor/facts.h"
#include "doctor/gather.h"
#include "json/writer.h"

enum { EXIT_OK = 0, EXIT_FAIL = 1, EXIT_WRONG_USAGE = 2, NAME_COLUMNS = 16, VERDICT_COLUMNS = 7 };

static const char help[] =
	"usage: shared-ollama doctor [URL] [-c FILE] [--json] [--key KEY]\n"
	"\n"
	"Looks at a running shared-ollama, its Ollama and this machine, and says what is\n"
	"wrong and how to put it right. Changes nothing. Without URL it is the address that\n"
	"the configuration (-c FILE, SHARED_OLLAMA_*) listens on, 127.0.0.1:8000 if it says\n"
	"nothing. Run it on the machine of the service, as its user: it sees more there.\n"
	"\n"
	"  --json     one JSON object\n"
	"  --key KEY  an API key of the service; better in the variable SHARED_OLLAMA_KEY,\n"
	"             for arguments can be seen by others on this machine\n"
	"  --help     this text\n"
	"\n"
	"ok, warn and fail mean what they say; unsure: what is needed to tell is not there.\n"
	"Exit codes: 0 nothing failed, 1 something failed, 2 wrong usage.\n";

struct doctor {
	struct place place;
	char *key;
	bool is_json;
	bool utf8;
	struct facts facts;
};

static void print_text(const struct doctor *doctor, const struct finding findings[CHECK_COUNT])
{
	for (int i = 0; i < CHECK_COUNT; i++) {
		char *text = printable_text(findings[i].text, doctor->utf8);

		printf("%-*s%-*s %s\n", VERDICT_COLUMNS, verdict_name(findings[i].verdict),
			NAME_COLUMNS, check_name((enum check)i), text);
		if (findings[i].fix)
			printf("%*s fix: %s\n", VERDICT_COLUMNS + NAME_COLUMNS, "",
				findings[i].fix);
		free(text);
	}
}

static void print_summary(const size_t counts[VERDICT_COUNT])
{
	printf("\n%zu ok, %zu to be warned of, %zu failed, %zu unsure\n", counts[VERDICT_OK],
		counts[VERDICT_WARN], counts[VERDICT_FAIL], counts[VERDICT_UNSURE]);
}

static void print_json(
	const struct finding findings[CHECK_COUNT], const size_t counts[VERDICT_COUNT])
{
	struct json_writer *writer = json_writer_create();
	size_t length;

	json_begin_object(writer, NULL);
	for (int i = 0; i < VERDICT_COUNT; i++)
		json_put_int(writer, verdict_name((enum verdict)i), (int64_t)counts[i]);
	json_begin_array(writer, "checks");
	for (int i = 0; i < CHECK_COUNT; i++) {
		json_begin_object(writer, NULL);
		json_put_string(writer, "check", check_name((enum check)i));
		json_put_string(writer, "result", verdict_name(findings[i].verdict));
		json_put_string(writer, "text", findings[i].text);
		json_put_string(writer, "fix", findings[i].fix);
		json_end_object(writer);
	}
	json_end_array(writer);
	json_end_object(writer);
	puts(json_writer_get(writer, &length));
	json_writer_destroy(writer);
}

/* Returns the exit code. */
static int judge(const struct doctor *doctor)
{
	struct finding findings[CHECK_COUNT];
	size_t counts[VERDICT_COUNT] = {0};

	for (int i = 0; i < CHECK_COUNT; i++) {
		findings[i] = check_run((enum check)i, &doctor->facts);
		counts[findings[i].verdict]++;
	}
	if (doctor->is_json) {
		print_json(findings, counts);
	} else {
		print_text(doctor, findings);
		print_summary(counts);
	}
	for (int i = 0; i < CHECK_COUNT; i++)
		free(findings[i].text);
	return counts[VERDICT_FAIL] ? EXIT_FAIL : EXIT_OK;
}

/* A configuration that is wrong is a finding; then nobody knows where the service is but by `url`.
 */
static bool find_place(
	struct doctor *doctor, const struct load_result *loaded, const char *url, char **ret_error)
{
	static const char fallback[] = "127.0.0.1:8000";
	const char *reason;

	if (loaded->settings)
		return place_find(
			loaded->url, loaded->settings, "doctor", &doctor->place, ret_error);
	if (place_parse(url ? url : fallback, &doctor->place, &reason))
		return true;
	*ret_error = mem_printf("cannot use the URL: %s", reason);
	return false;
}

static int examine(struct doctor *doctor, const struct load_result *loaded, char **environment)
{
	struct facts *facts = &doctor->facts;

	facts->machine.is_here =
		(loaded->settings && !loaded->url) || place_is_loopback(&doctor->place);
	if (loaded->message)
		facts_text(&facts->machine.config_error, loaded->message);
	gather_clock_begin(facts);
	gather_service(facts, &doctor->place, doctor->key);
	if (loaded->settings && facts->machine.is_here)
		gather_settings(facts, loaded->settings);
	gather_upstream(facts);
	gather_machine(facts, &doctor->place, environment);
	gather_clock_end(facts);
	return judge(doctor);
}

/* The argument that is a URL by its form: where the settings cannot be read. */
static const char *url_among(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		if (strncmp(argv[i], "http://", strlen("http://")) == 0)
			return argv[i];
	}
	return NULL;
}

static int run(struct doctor *doctor, int argc, char **argv, char **environment)
{
	struct load_result loaded = load_settings(argc, argv, environment);
	int code = EXIT_WRONG_USAGE;
	char *error = NULL;

	if (loaded.action == LOAD_USAGE) {
		fprintf(stderr, "shared-ollama doctor: %s\n", loaded.message);
	} else if (loaded.action != LOAD_DOCTOR && loaded.action != LOAD_FAILURE) {
		fputs(help, stdout);
		code = EXIT_OK;
	} else if (find_place(doctor, &loaded, url_among(argc, argv), &error)) {
		code = examine(doctor, &loaded, environment);
	} else {
		fprintf(stderr, "shared-ollama doctor: %s\n", error);
	}
	free(error);
	free(loaded.message);
	settings_return(loaded.settings);
	return code;
}

int doctor_run(int argc, char **argv, char **environment)
{
	struct doctor doctor = {0};
	char *given = NULL;
	char *error = NULL;
	int code = EXIT_WRONG_USAGE;
	const struct own_flag flags[] = {
		{.name = "--json", .ret_is_set = &doctor.is_json},
		{.name = "--key", .ret_value = &given, .is_secret = true},
	};

	if (!own_flags_take(&argc, argv, flags, ARRAY_LENGTH(flags), &error)) {
		own_flags_forget_key(given);
	} else if (own_flags_key(given, &doctor.key, &error)) {
		doctor.utf8 = printable_set_locale();
		facts_init(&doctor.facts);
		code = run(&doctor, argc, argv, environment);
		facts_finish(&doctor.facts);
	}
	if (error)
		fprintf(stderr, "shared-ollama doctor: %s\n", error);
	free(error);
	own_flags_forget_key(doctor.key);
	place_finish(&doctor.place);
	return code;
}
