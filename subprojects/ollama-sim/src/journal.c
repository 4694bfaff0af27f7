#include "journal.h"

#include <stdlib.h>
#include <string.h>

void journal_init(struct journal *journal)
{
	memset(journal, 0, sizeof(*journal));
	journal->ids = mem_zalloc(JOURNAL_IDS * sizeof(*journal->ids));
}

static void forget_ids(struct journal *journal)
{
	for (size_t i = 0; i < JOURNAL_IDS; i++) {
		free(journal->ids[i].id);
		journal->ids[i] = (struct journal_id){0};
	}
}

void journal_finish(struct journal *journal)
{
	for (size_t i = 0; i < JOURNAL_HEADS; i++)
		bytes_finish(&journal->heads[i]);
	forget_ids(journal);
	free(journal->ids);
}

void journal_reset(struct journal *journal)
{
	for (size_t i = 0; i < JOURNAL_HEADS; i++)
		bytes_clear(&journal->heads[i]);
	forget_ids(journal);
	journal->requests = 0;
	journal->clients_aborted = 0;
}

static size_t hash_of(const char *text)
{
	uint64_t hash = 14695981039346656037ULL; /* FNV-1a, 64 bits */

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211ULL;
	return (size_t)((hash ^ (hash >> 32)) % JOURNAL_IDS);
}

static void count_id(struct journal *journal, const char *id)
{
	struct journal_id *slot = &journal->ids[hash_of(id)];

	if (slot->id == NULL || strcmp(slot->id, id) != 0) {
		free(slot->id);
		slot->id = mem_strdup(id);
		slot->count = 0;
	}
	slot->count++;
}

void journal_note(struct journal *journal, const struct request *request)
{
	if (strncmp(request->target, "/sim/", strlen("/sim/")) == 0)
		return;
	struct bytes *slot = &journal->heads[journal->requests++ % JOURNAL_HEADS];
	bytes_clear(slot);
	bytes_add(slot, bytes_at(&request->raw), bytes_length(&request->raw));
	if (request->id != NULL)
		count_id(journal, request->id);
}

static void add_string(struct bytes *json, const char *text, size_t length)
{
	bytes_adds(json, "\"");
	bytes_add_escaped(json, text, length);
	bytes_adds(json, "\"");
}

void journal_add_head(struct bytes *json, const struct bytes *raw)
{
	const char *at = bytes_at(raw), *end = raw->data + raw->end;
	const char *method_end = memchr(at, ' ', (size_t)(end - at));
	const char *target_end =
		method_end == NULL ? NULL
				   : memchr(method_end + 1, ' ', (size_t)(end - method_end - 1));

	if (target_end == NULL)
		return;
	bytes_adds(json, "\"method\":");
	add_string(json, at, (size_t)(method_end - at));
	bytes_adds(json, ",\"target\":");
	add_string(json, method_end + 1, (size_t)(target_end - method_end - 1));
	bytes_adds(json, ",\"lines\":[");
	bool is_first = true;
	at = memchr(at, '\n', (size_t)(end - at));
	while (at != NULL && ++at < end) {
		const char *line_end = memchr(at, '\n', (size_t)(end - at));
		const char *stop = line_end == NULL ? end : line_end;

		if (stop > at && stop[-1] == '\r')
			stop--;
		if (!is_first)
			bytes_adds(json, ",");
		add_string(json, at, (size_t)(stop - at));
		is_first = false;
		at = line_end;
	}
	bytes_adds(json, "]");
}

void journal_add_heads(struct journal *journal, struct bytes *json)
{
	bool is_first = true;

	bytes_adds(json, "[");
	for (size_t i = 0; i < JOURNAL_HEADS; i++) {
		const struct bytes *raw = &journal->heads[(journal->requests + i) % JOURNAL_HEADS];

		if (bytes_length(raw) == 0)
			continue;
		bytes_adds(json, is_first ? "{" : ",{");
		journal_add_head(json, raw);
		bytes_adds(json, "}");
		is_first = false;
	}
	bytes_adds(json, "]");
}

void journal_add_ids(struct journal *journal, struct bytes *json)
{
	bool is_first = true;

	bytes_adds(json, "{");
	for (size_t i = 0; i < JOURNAL_IDS; i++) {
		if (journal->ids[i].id == NULL)
			continue;
		if (!is_first)
			bytes_adds(json, ",");
		bytes_add_string(json, journal->ids[i].id);
		bytes_adds(json, ":");
		bytes_add_int(json, (int64_t)journal->ids[i].count);
		is_first = false;
	}
	bytes_adds(json, "}");
}
