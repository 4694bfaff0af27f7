#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "config/groups.h"
#include "config/keys.h"
#include "config/value.h"
#include "core/outcome.h"
#include "parts.h"

/* In a cell of a table | would end it. */
static void put_cell(const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			putchar('\\');
		putchar(*text);
	}
}

static void put_key(const struct key *key)
{
	char *flag = key_flag(key);
	char *variable = key_variable(key);
	char *takes = words_takes(key);
	char *fallback = words_default(key);

	printf("| `%s` | `%s`<br>`%s` | ", key->name, flag, variable);
	put_cell(takes);
	printf(" | `%s` | %s | ", *fallback ? fallback : "none", key->is_reloadable ? "yes" : "no");
	put_cell(key->help);
	puts(" |");
	free(flag);
	free(variable);
	free(takes);
	free(fallback);
}

static char *member_takes(const struct member *member)
{
	switch (member->type) {
	case MEMBER_TEXT:
		return mem_strdup("text");
	case MEMBER_KEEP_ALIVE:
		return mem_strdup("`\"30m\"`, seconds, `\"-1\"` for ever");
	case MEMBER_WORDS:
		return mem_strdup("a list of texts");
	case MEMBER_PATHS:
		return mem_strdup("a list of paths, or `read-only`");
	case MEMBER_COUNT:
		return mem_printf("0 to %" PRId64 "%s%s; 0: %s", member->maximum,
			member->unit ? " " : "", member->unit ? member->unit : "",
			member->zero ? member->zero : "no limit");
	case MEMBER_DURATION:
		return mem_printf("seconds; 0: %s", member->zero ? member->zero : "no limit");
	case MEMBER_OPTION:
		return mem_printf("%" PRId64 " to %" PRId64, member->minimum, member->maximum);
	case MEMBER_SWITCH:
	case MEMBER_BOOL:
		return mem_strdup("`true` or `false`");
	case MEMBER_WEIGHT:
		return mem_strdup("0.01 to 100");
	case MEMBER_CHOICE:
		return words_join(member->choices, ", ", " or ");
	case MEMBER_OWN:
		break;
	}
	return mem_strdup("see [security.md](security.md)");
}

static void put_list(const struct group_list *list)
{
	printf("\n### %s\n\n", list->name);
	printf("| member | takes |\n| --- | --- |\n");
	for (size_t i = 0; i < list->members_count; i++) {
		const struct member *member = &list->members[i];
		char *takes = member_takes(member);

		printf("| `%s`%s | ", member->name, member->is_needed ? " (needed)" : "");
		put_cell(takes);
		puts(" |");
		free(takes);
	}
}

void reference_configuration(void)
{
	puts("# Every setting");
	puts("");
	puts("Made from the table that the program itself reads (`src/config/keys.c`); "
	     "`ninja -C build update-references` makes it anew.");
	puts("A flag beats the environment, the environment beats the file (`-c FILE` or "
	     "`SHARED_OLLAMA_CONFIG`), the file beats the default. Durations are seconds,");
	puts("fractions allowed, or carry `ms`, `s`, `m` or `h`; sizes are bytes or carry `k`, "
	     "`m` or `g` (1024). In the file texts stand in quotes, lists in brackets.");
	puts("A setting that can be reloaded takes effect at SIGHUP, the others at the next "
	     "start or upgrade (SIGUSR2).");
	for (size_t i = 0; i < keys_count; i++) {
		if (keys[i].section) {
			printf("\n## %s\n\n", keys[i].section);
			puts("| file | flag, variable | takes | default | reload | |");
			puts("| --- | --- | --- | --- | --- | --- |");
		}
		put_key(&keys[i]);
	}
	puts("\n## Lists of groups\n");
	puts("In the file only; [configuration.md](configuration.md) and "
	     "[security.md](security.md) "
	     "say what they mean.");
	for (size_t i = 0; i < ARRAY_LENGTH(group_lists); i++)
		put_list(group_lists[i]);
}

static void put_outcome(enum outcome outcome)
{
	const char *word = outcome_word(outcome);
	int status = outcome_status(outcome);

	printf("| `%s` | ", word ? word : "null");
	if (status)
		printf("%d%s", status, outcome_has_retry_after(outcome) ? ", Retry-After" : "");
	else
		printf("–");
	printf(" | %s | ", counter_name(outcome_counter(outcome)));
	put_cell(outcome_text(outcome));
	puts(" |");
}

void reference_errors(void)
{
	puts("# Every way in which a request ends");
	puts("");
	puts("Made from the table that the program itself reads (`src/core/outcome.h`); "
	     "`ninja -C build update-references` makes it anew.");
	puts("The word is the request log's `error_type`. The text is what a client reads, where "
	     "the place cannot say it better: in `{\"error\": \"text\"}` below `/api`,");
	puts("in `{\"error\": {\"message\": \"text\", …}}` below `/v1`, in `{\"type\": \"error\", "
	     "\"error\": {…}}` for `/v1/messages`. A dash: Ollama's own status, or none can be");
	puts("sent any more. Retry-After is in whole seconds, 1 to 60, computed from the queue.");
	puts("");
	puts("| word | status | counter | text |");
	puts("| --- | --- | --- | --- |");
	for (int i = OUTCOME_NONE + 1; i < OUTCOME_COUNT; i++)
		put_outcome((enum outcome)i);
}
