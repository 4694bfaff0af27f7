#include "json/peek.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "json/duration.h"
#include "json/filter.h"
#include "json/image.h"
#include "json/number.h"
#include "json/peek_rules.h"
#include "json/yajl_memory.h"

#define MODEL_MAX 255
/* Containers that mean something nest 7 deep; tool results may hold content again. Deeper ones are
 * ignored. */
#define FRAMES_MAX 16
/* In struct frame.option. */
#define OPTION_NUM_KEEP PEEK_OPTION_COUNT
/* An open container. Its sums go to its parent when it ends; a key that comes again starts its own
 * sum anew. */
struct frame {
	enum peek_place place;
	const struct peek_rule *rule; /* of the key whose value is due; NULL: none of ours */
	int option;	  /* in PLACE_OPTIONS: the option whose value is due; -1: none of ours */
	int64_t elements; /* of an array, so far */
	bool is_base64;	  /* of a PLACE_SOURCE */
	bool is_other_media;
	struct image_sum sums[PEEK_SLOTS + 1]; /* the last is never filled */
};

struct peek {
	yajl_handle yajl;
	bool is_finished;
	size_t frame_count;
	size_t ignored; /* open containers below the last frame */
	bool is_root_complete;
	struct image image; /* of the string that is running */
	int64_t messages;
	int64_t inputs;
	struct image_sum images; /* of the whole body */
	struct peek_result result;
	/* Kilobytes that nobody reads before they are written: not zeroed. */
	struct filter filter;
	struct frame frames[FRAMES_MAX];
};

/* The frame that the next value belongs to; NULL: to none that means something. */
static struct frame *current(struct peek *peek)
{
	if (peek->ignored > 0 || peek->frame_count == 0)
		return NULL;
	return &peek->frames[peek->frame_count - 1];
}

static struct image_sum *current_sum(struct frame *frame)
{
	/* an array has one sum, the first */
	return &frame->sums[frame->rule ? frame->rule->slot : 0];
}

/* A value of this frame ended. */
static void end_value(struct frame *frame)
{
	if (peek_place_is_array(frame->place))
		frame->elements++;
	frame->rule = NULL;
	frame->option = -1;
}

static void clear_options(struct peek *peek)
{
	memset(peek->result.has_option, 0, sizeof(peek->result.has_option));
	memset(peek->result.option, 0, sizeof(peek->result.option));
	peek->result.has_num_keep = false;
	peek->result.num_keep = 0;
}

/* `text` NULL: a value that is no string. */
static void set_name(char **name, const char *text, size_t length)
{
	free(*name);
	*name = NULL;
	if (text && length > 0 && length <= MODEL_MAX && !memchr(text, '\0', length))
		*name = mem_strndup(text, length);
}

static void set_model(struct peek *peek, const char *text, size_t length)
{
	set_name(&peek->result.model, text, length);
	peek->result.has_model = !text || length > 0;
}

static void set_keep_alive(struct peek *peek, const char *text, size_t length, bool is_string)
{
	struct peek_result *result = &peek->result;

	result->keep_alive = PEEK_KEEP_ALIVE_ABSENT;
	result->keep_alive_is_string = false;
	result->keep_alive_is_zero = false;
	result->keep_alive_text[0] = '\0';
	if (!text || length >= sizeof(result->keep_alive_text) || memchr(text, '\0', length))
		return;
	result->keep_alive = PEEK_KEEP_ALIVE_VALUE;
	result->keep_alive_is_string = is_string;
	memcpy(result->keep_alive_text, text, length);
	result->keep_alive_text[length] = '\0';
}

static void set_option(struct peek *peek, int option, bool is_set, int64_t value)
{
	if (option < 0)
		return;
	if (option == OPTION_NUM_KEEP) {
		peek->result.has_num_keep = is_set;
		peek->result.num_keep = is_set ? value : 0;
		return;
	}
	peek->result.has_option[option] = is_set;
	peek->result.option[option] = is_set ? value : 0;
}

/* A value that is none of those that the key expects, nor null: it counts as if the key were not
 * there. */
static void on_wrong_type(struct peek *peek, struct frame *frame)
{
	set_option(peek, frame->option, false, 0);
	if (!frame->rule)
		return;
	switch (frame->rule->key) {
	case KEY_MODEL:
		set_model(peek, NULL, 0);
		break;
	case KEY_NAME:
		set_name(&peek->result.name, NULL, 0);
		break;
	case KEY_STREAM:
		peek->result.has_stream = false;
		peek->result.stream = false;
		break;
	case KEY_KEEP_ALIVE:
		set_keep_alive(peek, NULL, 0, false);
		break;
	case KEY_OPTIONS:
		clear_options(peek);
		break;
	case KEY_PROMPT:
		peek->result.has_prompt = false;
		break;
	case KEY_INPUT:
		peek->result.has_input = false;
		break;
	case KEY_MESSAGES:
	case KEY_IMAGES:
	case KEY_CONTENT:
	case KEY_URL:
	case KEY_SOURCE:
	case KEY_TYPE:
	case KEY_MEDIA_TYPE:
	case KEY_DATA:
		break;
	}
}

/* Go leaves a plain field as it is when null comes, and clears pointers, slices and maps. */
static int on_null(void *arg)
{
	struct peek *peek = arg;
	struct frame *frame = current(peek);

	if (peek->frame_count == 0)
		return 0;
	if (!frame)
		return 1;
	if (frame->rule && frame->rule->key == KEY_KEEP_ALIVE) {
		set_keep_alive(peek, NULL, 0, false);
		peek->result.keep_alive = PEEK_KEEP_ALIVE_NULL;
	} else if (!frame->rule || (frame->rule->key != KEY_MODEL && frame->rule->key != KEY_NAME &&
					   frame->rule->key != KEY_PROMPT)) {
		on_wrong_type(peek, frame);
	}
	end_value(frame);
	return 1;
}

static int on_boolean(void *arg, int value)
{
	struct peek *peek = arg;
	struct frame *frame = current(peek);

	if (peek->frame_count == 0)
		return 0;
	if (!frame)
		return 1;
	if (frame->option >= 0) {
		set_option(peek, frame->option, true, value != 0);
	} else if (frame->rule && frame->rule->key == KEY_STREAM) {
		peek->result.has_stream = true;
		peek->result.stream = value != 0;
	} else if (frame->rule && frame->rule->key == KEY_KEEP_ALIVE) {
		const char *text = value ? "true" : "false";

		set_keep_alive(peek, text, strlen(text), false);
	} else {
		on_wrong_type(peek, frame);
	}
	end_value(frame);
	return 1;
}

static int on_number(void *arg, const char *number, size_t length)
{
	struct peek *peek = arg;
	struct frame *frame = current(peek);

	if (peek->frame_count == 0)
		return 0;
	if (!frame)
		return 1;
	if (frame->option >= 0) {
		set_option(peek, frame->option, true, number_parse(number, length));
	} else if (frame->rule && frame->rule->key == KEY_KEEP_ALIVE) {
		set_keep_alive(peek, number, length, false);
		peek->result.keep_alive_is_zero =
			peek->result.keep_alive == PEEK_KEEP_ALIVE_VALUE &&
			duration_number_is_zero(peek->result.keep_alive_text);
	} else {
		on_wrong_type(peek, frame);
	}
	end_value(frame);
	return 1;
}

/* The next string of this frame is an image, or the URL of one. */
static bool is_image_due(const struct frame *frame)
{
	return frame->place == PLACE_IMAGES ||
	       (frame->rule && (frame->rule->key == KEY_URL || frame->rule->key == KEY_DATA));
}

static void end_image(struct peek *peek, struct frame *frame)
{
	bool is_url = frame->rule && frame->rule->key == KEY_URL;

	image_finish(&peek->image);
	if (!is_url || peek->image.is_data_url)
		image_sum_count(current_sum(frame), &peek->image);
}

static bool begins_with(const char *text, size_t length, const char *prefix)
{
	return length >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

static void on_rule_string(struct peek *peek, struct frame *frame, const char *text, size_t length)
{
	switch (frame->rule->key) {
	case KEY_MODEL:
		set_model(peek, text, length);
		break;
	case KEY_NAME:
		set_name(&peek->result.name, text, length);
		break;
	case KEY_KEEP_ALIVE:
		set_keep_alive(peek, text, length, true);
		peek->result.keep_alive_is_zero =
			peek->result.keep_alive == PEEK_KEEP_ALIVE_VALUE &&
			duration_text_is_zero(peek->result.keep_alive_text);
		break;
	case KEY_PROMPT:
		peek->result.has_prompt = length > 0;
		break;
	case KEY_INPUT:
		peek->result.has_input = length > 0;
		break;
	case KEY_TYPE:
		frame->is_base64 = length == 6 && memcmp(text, "base64", 6) == 0;
		break;
	case KEY_MEDIA_TYPE:
		frame->is_other_media = !begins_with(text, length, "image/");
		break;
	case KEY_STREAM:
	case KEY_OPTIONS:
	case KEY_MESSAGES:
	case KEY_IMAGES:
	case KEY_CONTENT:
	case KEY_URL:
	case KEY_SOURCE:
	case KEY_DATA:
		on_wrong_type(peek, frame);
		break;
	}
}

static int on_string(void *arg, const unsigned char *bytes, size_t length)
{
	struct peek *peek = arg;
	struct frame *frame = current(peek);
	const char *text = (const char *)bytes;

	if (peek->frame_count == 0)
		return 0;
	if (!frame)
		return 1;
	if (is_image_due(frame)) {
		if (!filter_is_cut(&peek->filter)) {
			image_init(&peek->image);
			image_feed_text(&peek->image, text, length);
		}
		if (length > 0)
			end_image(peek, frame);
	} else if (frame->rule) {
		on_rule_string(peek, frame, text, length);
	} else {
		set_option(peek, frame->option, false, 0);
	}
	end_value(frame);
	return 1;
}

static int find_option(const char *key, size_t length)
{
	return peek_rule_is_num_keep(key, length) ? OPTION_NUM_KEEP
						  : peek_rule_find_option(key, length);
}

static int on_map_key(void *arg, const unsigned char *key, size_t length)
{
	struct peek *peek = arg;
	struct frame *frame = current(peek);

	if (!frame)
		return 1;
	frame->rule = NULL;
	frame->option = -1;
	if (filter_is_cut(&peek->filter))
		return 1;
	if (frame->place == PLACE_OPTIONS)
		frame->option = find_option((const char *)key, length);
	else
		frame->rule = peek_rule_find(frame->place, (const char *)key, length);
	if (!frame->rule)
		return 1;
	*current_sum(frame) = (struct image_sum){0};
	if (frame->rule->key == KEY_MESSAGES)
		peek->messages = 0;
	else if (frame->rule->key == KEY_INPUT)
		peek->inputs = 0;
	return 1;
}

static enum peek_place place_of_object(const struct frame *frame)
{
	if (frame->place == PLACE_MESSAGES || frame->place == PLACE_INPUT)
		return PLACE_MESSAGE;
	if (frame->place == PLACE_CONTENT)
		return PLACE_PART;
	return frame->rule ? frame->rule->object : PLACE_ELSEWHERE;
}

static int begin_container(struct peek *peek, enum peek_place place)
{
	struct frame *parent = current(peek);
	struct frame *frame;

	if (peek->frame_count > 0 && !parent) {
		peek->ignored++;
		return 1;
	}
	if (place == PLACE_ELSEWHERE || peek->frame_count == FRAMES_MAX) {
		on_wrong_type(peek, parent);
		peek->ignored = 1;
		return 1;
	}
	frame = &peek->frames[peek->frame_count++];
	memset(frame, 0, sizeof(*frame));
	frame->place = place;
	frame->option = -1;
	return 1;
}

static int on_start_map(void *arg)
{
	struct peek *peek = arg;
	struct frame *frame = current(peek);

	if (peek->frame_count == 0)
		return begin_container(peek, PLACE_ROOT);
	return begin_container(peek, frame ? place_of_object(frame) : PLACE_ELSEWHERE);
}

static int on_start_array(void *arg)
{
	struct peek *peek = arg;
	struct frame *frame = current(peek);

	if (peek->frame_count == 0)
		return 0;
	return begin_container(peek, frame && frame->rule ? frame->rule->array : PLACE_ELSEWHERE);
}

/* Takes the last frame down and gives what it counted to its parent, or to the whole. */
static void end_frame(struct peek *peek)
{
	struct frame *frame = &peek->frames[--peek->frame_count];
	struct frame *parent = current(peek);
	struct image_sum total = {0};

	for (size_t slot = 0; slot < PEEK_SLOTS; slot++)
		image_sum_add(&total, &frame->sums[slot]);
	if (frame->place == PLACE_SOURCE && (!frame->is_base64 || frame->is_other_media))
		return;
	image_sum_add(parent ? current_sum(parent) : &peek->images, &total);
	if (frame->place == PLACE_MESSAGES)
		peek->messages = frame->elements;
	else if (frame->place == PLACE_INPUT)
		peek->inputs = frame->elements;
	if (frame->place == PLACE_INPUT)
		peek->result.has_input = frame->elements > 0;
	else if (frame->place == PLACE_PROMPT)
		peek->result.has_prompt = frame->elements > 0;
}

static int on_end_container(void *arg)
{
	struct peek *peek = arg;
	struct frame *frame;

	if (peek->ignored > 0)
		peek->ignored--;
	else
		end_frame(peek);
	frame = current(peek);
	if (frame)
		end_value(frame);
	else if (peek->frame_count == 0)
		peek->is_root_complete = true;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_map_key = on_map_key,
	.yajl_start_map = on_start_map,
	.yajl_end_map = on_end_container,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end_container,
};

static bool on_json(void *arg, const char *bytes, size_t length)
{
	struct peek *peek = arg;

	return yajl_parse(peek->yajl, (const unsigned char *)bytes, length) == yajl_status_ok;
}

static bool on_long_string(void *arg)
{
	struct peek *peek = arg;
	const struct frame *frame = current(peek);

	if (!frame || !is_image_due(frame))
		return false;
	image_init(&peek->image);
	return true;
}

static void on_content(void *arg, const char *bytes, size_t length)
{
	struct peek *peek = arg;

	image_feed(&peek->image, bytes, length);
}

static const struct filter_events filter_events = {
	.on_json = on_json,
	.on_long_string = on_long_string,
	.on_content = on_content,
};

struct peek *peek_create(void)
{
	struct peek *peek = mem_alloc(sizeof(*peek));

	memset(peek, 0, offsetof(struct peek, filter));
	peek->yajl = yajl_alloc(&callbacks, &yajl_memory, peek);
	/* Ollama takes strings that are not UTF-8 and puts U+FFFD into them. */
	yajl_config(peek->yajl, yajl_dont_validate_strings, 1);
	filter_init(&peek->filter, &filter_events, peek);
	return peek;
}

void peek_destroy(struct peek *peek)
{
	if (!peek)
		return;
	yajl_free(peek->yajl);
	free(peek->result.model);
	free(peek->result.name);
	free(peek);
}

void peek_feed(struct peek *peek, const void *bytes, size_t length)
{
	/* A refusal stands in the filter, which peek_finish() asks. */
	(void)!filter_feed(&peek->filter, bytes, length);
}

const struct peek_result *peek_finish(struct peek *peek)
{
	struct peek_result *result = &peek->result;

	if (peek->is_finished)
		return result;
	peek->is_finished = true;
	result->valid = !filter_has_failed(&peek->filter) &&
			yajl_complete_parse(peek->yajl) == yajl_status_ok && peek->is_root_complete;
	/* a body that broke off: what its open containers counted */
	peek->ignored = 0;
	while (peek->frame_count > 0)
		end_frame(peek);
	result->messages_count = peek->messages + peek->inputs;
	result->images_count = peek->images.count;
	result->images_bytes = peek->images.bytes;
	result->images_pixels = peek->images.sized > 0 ? peek->images.pixels : -1;
	result->largest_width = peek->images.width;
	result->largest_height = peek->images.height;
	return result;
}

const char *peek_named_model(const struct peek_result *result)
{
	return result->has_model ? result->model : result->name;
}
