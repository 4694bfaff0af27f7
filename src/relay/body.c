#include "relay/body.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "base/memory.h"
#include "base/pieces.h"
#include "config/settings.h"
#include "core/body_policy.h"
#include "core/residency.h"
#include "core/truncation.h"
#include "front/client.h"
#include "http/head.h"
#include "http/multipart.h"
#include "io/spool.h"
#include "relay/relay_parts.h"
#include "json/edit.h"
#include "json/peek.h"

enum { NS_PER_US = 1000 };

void relay_body_begin(struct relay_job *carried)
{
	const struct request_head *head = client_head(carried->client);
	const struct field *type = fields_find(&head->fields, "Content-Type");

	carried->peek = peek_create();
	if (carried->route.operation == OPERATION_TRANSCRIBE && type)
		carried->multipart = multipart_create(type->value, type->value_length, "model");
	if (!carried->multipart && body_policy_may_edit(carried->settings))
		carried->edit = edit_create();
}

static void feed(void *object, const void *bytes, size_t length)
{
	struct relay_job *carried = object;

	hash64_feed(&carried->body_hash, bytes, length);
	if (carried->multipart)
		multipart_feed(carried->multipart, bytes, length);
	else
		peek_feed(carried->peek, bytes, length);
	if (carried->edit)
		edit_feed(carried->edit, bytes, length);
}

void relay_body_feed(struct relay_job *carried, struct evbuffer *data)
{
	pieces_feed(data, feed, carried);
}

const struct peek_result *relay_body_finish(struct relay_job *carried)
{
	struct peek_result *seen = &carried->seen;

	*seen = *peek_finish(carried->peek);
	if (carried->multipart) {
		/* copied only when it is noted in the record */
		seen->model = (char *)multipart_value(carried->multipart);
		seen->valid = seen->model != NULL;
	}
	if (seen->valid)
		carried->alias_of = body_policy_model(carried->settings, seen->model);
	if (carried->alias_of)
		seen->model = (char *)carried->alias_of;
	return seen;
}

bool relay_body_permit_images(struct relay_job *carried)
{
	const struct peek_result *seen = &carried->seen;
	const struct record *record = &carried->job.record;
	uint64_t pixels = (uint64_t)seen->largest_width * seen->largest_height;
	int64_t most = carried->job.policy.image_pixels_max;
	char *text;

	if (most <= 0 || pixels <= (uint64_t)most)
		return true;
	text = mem_printf("an image of %" PRIu32 "x%" PRIu32 " (%" PRIu64
			  " pixels) is over image_pixels_max, %" PRId64 " pixels%s%s: send a "
			  "smaller one (Docling: lower scale or max_size)",
		seen->largest_width, seen->largest_height, pixels, most,
		record->project ? " for project " : "", record->project ? record->project : "");
	relay_fail(carried, OUTCOME_IMAGE_TOO_LARGE, text);
	free(text);
	return false;
}

static void on_splice(void *arg, uint64_t at, uint64_t removed, const char *text, size_t length)
{
	spool_splice(arg, at, removed, text, length);
}

static void wish_option(struct edit *edit, enum peek_option option, const struct body_edits *edits)
{
	char *json;

	switch (edits->option[option]) {
	case OPTION_STAYS:
		break;
	case OPTION_GOES:
		edit_remove_option(edit, option);
		break;
	case OPTION_SET:
		json = option == PEEK_USE_MMAP ? mem_strdup(edits->value[option] ? "true" : "false")
					       : mem_printf("%" PRId64, edits->value[option]);
		edit_set_option(edit, option, json);
		free(json);
		break;
	}
}

static void wish_member(struct edit *edit, enum edit_member member, const char *text)
{
	char *json;

	if (!text)
		return;
	json = edit_quote(text);
	edit_set(edit, member, json);
	free(json);
}

/* false: it was refused. */
static bool edit_json(struct relay_job *carried, const struct body_edits *edits)
{
	wish_member(carried->edit, EDIT_MODEL, carried->alias_of);
	wish_member(carried->edit, EDIT_KEEP_ALIVE, edits->keep_alive);
	for (int i = 0; i < PEEK_OPTION_COUNT; i++)
		wish_option(carried->edit, (enum peek_option)i, edits);
	if (edit_apply(carried->edit, on_splice, carried->spool))
		return true;
	relay_fail(carried, OUTCOME_BAD_REQUEST,
		"the body has model, keep_alive or runner options more often than can be edited: "
		"send each once");
	return false;
}

bool relay_body_edit(struct relay_job *carried, bool is_unload)
{
	struct body_edits edits = {.keep_alive = NULL};

	if (carried->multipart && carried->alias_of)
		spool_splice(carried->spool, multipart_value_at(carried->multipart),
			strlen(multipart_value(carried->multipart)), carried->alias_of,
			strlen(carried->alias_of));
	if (!carried->edit || !carried->seen.valid)
		return true;
	if (!is_unload)
		body_policy_decide(carried->settings, &carried->job.policy,
			carried->job.record.family, &carried->seen, &edits);
	if (!carried->alias_of && !body_policy_is_any(&edits))
		return true;
	if (!edit_json(carried, &edits))
		return false;
	body_policy_foresee(&edits, &carried->seen);
	return true;
}

void relay_body_note_context(struct relay_job *carried)
{
	const struct residency *residency = carried->relay->parts.residency;

	carried->context_at_end = residency_context_length(residency, carried->job.record.model);
	carried->context_asked_us = residency_asked_us(residency);
}

static int64_t context_of(const struct relay_job *carried)
{
	const struct record *record = &carried->job.record;
	const struct peek_result *seen = &carried->seen;
	struct truncation_context context = {
		.at_dispatch = carried->context_at_dispatch,
		.now = carried->context_at_end,
		.was_loaded = KNOWN_NOT,
		.num_ctx = -1,
	};
	int64_t granted_us; /* its runner, at the latest */

	granted_us = record->load_duration >= 0
			     ? record->dispatched_us + record->load_duration / NS_PER_US
			     : record->first_byte_us;
	context.is_fresh = carried->context_asked_us >= granted_us;
	if (record->load_duration >= 0)
		context.was_loaded = residency_judge(record->load_duration, record->request_bytes,
					     KNOWN_NOT) == KNOWN_TRUE
					     ? KNOWN_FALSE
					     : KNOWN_TRUE;
	if (record->family == API_NATIVE && seen->has_option[PEEK_NUM_CTX])
		context.num_ctx = seen->option[PEEK_NUM_CTX];
	return truncation_context_length(&context);
}

void relay_body_judge(struct relay_job *carried)
{
	struct record *record = &carried->job.record;
	struct truncation truncation = {
		.operation = record->operation,
		.prompt_tokens = record->prompt_eval_count,
		.has_num_keep = record->family == API_NATIVE && carried->seen.has_num_keep,
		.num_keep = carried->seen.num_keep,
		.request_bytes = record->request_bytes,
		.images_count = record->images_count,
		.parts_count = carried->seen.messages_count,
	};

	if (!record->model || !record->first_byte_us || !carried->seen.valid)
		return;
	record->context_length = context_of(carried);
	truncation.context_length = record->context_length;
	record->prompt_truncated = truncation_judge(&truncation);
}

void relay_body_destroy(struct relay_job *carried)
{
	peek_destroy(carried->peek);
	multipart_destroy(carried->multipart);
	edit_destroy(carried->edit);
	carried->peek = NULL;
	carried->multipart = NULL;
	carried->edit = NULL;
}
