#include "json/answer.h"

#include <string.h>

#include "base/compiler.h"
#include "json/number.h"
#include "json/yajl_memory.h"

enum answer_key {
	KEY_CONTAINER, /* only the object that it opens matters */
	KEY_DONE,
	KEY_TYPE,
	KEY_MESSAGE,
	KEY_ERROR,
	KEY_ERROR_MESSAGE,
	KEY_NUMBER,
};

struct answer_rule {
	enum answer_place in;
	const char *name;
	size_t name_length; /* known here, because each key of a line is looked up */
	enum answer_key key;
	enum answer_place object; /* that the value opens */
	size_t number;		  /* offset of the result */
};

#define RULE(place, name, key, object)                        \
	{                                                     \
		place, name, sizeof(name) - 1, key, object, 0 \
	}
#define NUMBER(place, name, member)                                          \
	{                                                                    \
		place, name, sizeof(name) - 1, KEY_NUMBER, ANSWER_ELSEWHERE, \
			offsetof(struct answer, member)                      \
	}

static const struct answer_rule rules[] = {
	RULE(ANSWER_ROOT, "done", KEY_DONE, ANSWER_ELSEWHERE),
	RULE(ANSWER_ROOT, "type", KEY_TYPE, ANSWER_ELSEWHERE),
	RULE(ANSWER_ROOT, "error", KEY_ERROR, ANSWER_ERROR),
	RULE(ANSWER_ROOT, "usage", KEY_CONTAINER, ANSWER_USAGE),
	RULE(ANSWER_ROOT, "message", KEY_MESSAGE, ANSWER_MESSAGE),
	RULE(ANSWER_ROOT, "response", KEY_CONTAINER, ANSWER_RESPONSE),
	NUMBER(ANSWER_ROOT, "total_duration", total_duration),
	NUMBER(ANSWER_ROOT, "load_duration", load_duration),
	NUMBER(ANSWER_ROOT, "prompt_eval_count", prompt_eval_count),
	NUMBER(ANSWER_ROOT, "prompt_eval_duration", prompt_eval_duration),
	NUMBER(ANSWER_ROOT, "eval_count", eval_count),
	NUMBER(ANSWER_ROOT, "eval_duration", eval_duration),
	RULE(ANSWER_ERROR, "message", KEY_ERROR_MESSAGE, ANSWER_ELSEWHERE),
	NUMBER(ANSWER_USAGE, "prompt_tokens", usage_prompt),
	NUMBER(ANSWER_USAGE, "input_tokens", usage_prompt),
	NUMBER(ANSWER_USAGE, "completion_tokens", usage_completion),
	NUMBER(ANSWER_USAGE, "output_tokens", usage_completion),
	RULE(ANSWER_RESPONSE, "usage", KEY_CONTAINER, ANSWER_USAGE),
	RULE(ANSWER_MESSAGE, "usage", KEY_CONTAINER, ANSWER_MESSAGE_USAGE),
	NUMBER(ANSWER_MESSAGE_USAGE, "input_tokens", message_prompt),
};

static bool is_text(const char *text, size_t length, const char *expected)
{
	return length == strlen(expected) && memcmp(text, expected, length) == 0;
}

bool answer_is_final_type(const char *type, size_t length)
{
	return is_text(type, length, "message_stop") ||
	       is_text(type, length, "response.completed") ||
	       is_text(type, length, "response.incomplete");
}

bool answer_is_error_type(const char *type, size_t length)
{
	return is_text(type, length, "error");
}

static enum answer_place current_place(const struct answer *answer)
{
	if (answer->ignored > 0 || answer->depth == 0)
		return ANSWER_ELSEWHERE;
	return answer->places[answer->depth - 1];
}

/* The rule of the key whose value comes now, which ends with it. NULL: none of ours. */
static const struct answer_rule *take_rule(struct answer *answer)
{
	const struct answer_rule *rule = answer->rule;

	answer->rule = NULL;
	return rule;
}

/* Copies as much as fits, whole characters, as a C string. */
static void set_text(char *ret_text, const char *bytes, size_t length)
{
	if (length >= ANSWER_TEXT_SIZE) {
		length = ANSWER_TEXT_SIZE - 1;
		while (length > 0 && ((uint8_t)bytes[length] & 0xc0) == 0x80)
			length--;
	}
	for (size_t i = 0; i < length; i++)
		ret_text[i] = bytes[i] ? bytes[i] : ' ';
	ret_text[length] = '\0';
}

/* An "error" that is neither null, false nor "" is one, whatever its type. */
static int on_null(void *arg)
{
	struct answer *answer = arg;

	take_rule(answer);
	return answer->depth > 0;
}

static int on_boolean(void *arg, int value)
{
	struct answer *answer = arg;
	const struct answer_rule *rule = take_rule(answer);

	if (rule && rule->key == KEY_DONE)
		answer->done = value ? ANSWER_DONE_TRUE : ANSWER_DONE_FALSE;
	else if (rule && rule->key == KEY_ERROR)
		answer->is_error = answer->is_error || value;
	return answer->depth > 0;
}

static int on_number(void *arg, const char *number, size_t length)
{
	struct answer *answer = arg;
	const struct answer_rule *rule = take_rule(answer);
	int64_t value;

	if (rule && rule->key == KEY_ERROR)
		answer->is_error = true;
	if (rule && rule->key == KEY_NUMBER) {
		value = number_parse(number, length);
		/* nothing that is counted here is below zero */
		if (value >= 0)
			memcpy((char *)answer + rule->number, &value, sizeof(value));
	}
	return answer->depth > 0;
}

static void on_type(struct answer *answer, const char *type, size_t length)
{
	answer->is_final_type = answer_is_final_type(type, length);
	answer->is_error_type = answer_is_error_type(type, length);
}

static int on_string(void *arg, const unsigned char *bytes, size_t length)
{
	struct answer *answer = arg;
	const struct answer_rule *rule = take_rule(answer);
	const char *text = (const char *)bytes;

	if (!rule)
		return answer->depth > 0;
	switch (rule->key) {
	case KEY_TYPE:
		on_type(answer, text, length);
		break;
	case KEY_MESSAGE:
		set_text(answer->message_text, text, length);
		break;
	case KEY_ERROR:
		answer->is_error = answer->is_error || length > 0;
		set_text(answer->error_text, text, length);
		break;
	case KEY_ERROR_MESSAGE:
		set_text(answer->error_text, text, length);
		break;
	case KEY_CONTAINER:
	case KEY_DONE:
	case KEY_NUMBER:
		break;
	}
	return 1;
}

static int on_map_key(void *arg, const unsigned char *key, size_t length)
{
	struct answer *answer = arg;
	enum answer_place place = current_place(answer);

	answer->rule = NULL;
	if (place == ANSWER_ELSEWHERE)
		return 1;
	for (size_t i = 0; i < ARRAY_LENGTH(rules); i++)
		if (rules[i].in == place && rules[i].name_length == length &&
			memcmp(rules[i].name, key, length) == 0)
			answer->rule = &rules[i];
	return 1;
}

static int on_start_map(void *arg)
{
	struct answer *answer = arg;
	const struct answer_rule *rule = take_rule(answer);
	enum answer_place place = answer->depth == 0 ? ANSWER_ROOT : ANSWER_ELSEWHERE;

	if (rule) {
		place = rule->object;
		if (rule->key == KEY_ERROR)
			answer->is_error = true;
	}
	if (answer->ignored > 0 || place == ANSWER_ELSEWHERE)
		answer->ignored++;
	else
		answer->places[answer->depth++] = place;
	return 1;
}

static int on_start_array(void *arg)
{
	struct answer *answer = arg;
	const struct answer_rule *rule = take_rule(answer);

	if (rule && rule->key == KEY_ERROR)
		answer->is_error = true;
	answer->ignored++;
	return answer->depth > 0;
}

static int on_end_container(void *arg)
{
	struct answer *answer = arg;

	answer->rule = NULL;
	if (answer->ignored > 0) {
		answer->ignored--;
		return 1;
	}
	if (--answer->depth > 0)
		return 1;
	answer->is_complete = true;
	/* what follows is not looked at */
	return 0;
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
	struct answer *answer = arg;

	return yajl_parse(answer->yajl, (const unsigned char *)bytes, length) == yajl_status_ok;
}

static const struct filter_events filter_events = {.on_json = on_json};

void answer_begin(struct answer *answer)
{
	answer_end(answer);
	filter_init(&answer->filter, &filter_events, answer);
	filter_skim(&answer->filter, ANSWER_DEPTH);
	memset(&answer->places, 0, sizeof(*answer) - offsetof(struct answer, places));
	answer->total_duration = -1;
	answer->load_duration = -1;
	answer->prompt_eval_count = -1;
	answer->prompt_eval_duration = -1;
	answer->eval_count = -1;
	answer->eval_duration = -1;
	answer->usage_prompt = -1;
	answer->usage_completion = -1;
	answer->message_prompt = -1;
	answer->yajl = yajl_alloc(&callbacks, &yajl_memory, answer);
	yajl_config(answer->yajl, yajl_dont_validate_strings, 1);
}

void answer_feed(struct answer *answer, const char *bytes, size_t length)
{
	/* A refusal shows in is_complete, which stays unset. */
	(void)!filter_feed(&answer->filter, bytes, length);
}

void answer_end(struct answer *answer)
{
	if (answer->yajl)
		yajl_free(answer->yajl);
	answer->yajl = NULL;
}
