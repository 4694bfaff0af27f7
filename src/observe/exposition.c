#include "observe/exposition.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include "base/memory.h"
#include "observe/ladder.h"
#include "json/utf8.h"

/* Fifteen digits show every microsecond of thirty years as it was counted. */
#define NUMBER "%.15g"
#define US_PER_S 1e6

static const char *const type_names[] = {
#define X(symbol, name) [METRIC_##symbol] = (name),
	METRIC_TYPES(X)
#undef X
};

static void add(struct exposition *exposition, const char *text, size_t length)
{
	if (evbuffer_add(exposition->out, text, length) != 0)
		mem_out(length);
}

static void add_text(struct exposition *exposition, const char *text)
{
	add(exposition, text, strlen(text));
}

void exposition_begin(
	struct exposition *exposition, const char *name, enum metric_type type, const char *help)
{
	exposition->name = name;
	if (evbuffer_add_printf(exposition->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
		    type_names[type]) < 0)
		mem_out(strlen(help));
}

/* What the format escapes in a label's value; all else stands as it is. */
static const char *escape_of(char byte)
{
	switch (byte) {
	case '\\':
		return "\\\\";
	case '"':
		return "\\\"";
	default:
		return "\\n";
	}
}

/* One that is not UTF-8 becomes U+FFFD. */
static void add_value(struct exposition *exposition, const char *value)
{
	size_t left = strlen(value);

	while (left > 0) {
		size_t length = utf8_valid_length(value, left);
		size_t plain = strcspn(value, "\\\"\n");
		char other[UTF8_BMP_MAX];

		if (plain < length)
			length = plain;
		add(exposition, value, length);
		value += length;
		left -= length;
		if (left == 0)
			break;
		if (length == plain)
			add_text(exposition, escape_of(*value));
		else
			add(exposition, other, utf8_encode_bmp(UTF8_REPLACEMENT, other));
		value++;
		left--;
	}
}

static void add_label(struct exposition *exposition, const struct label *label, bool *is_first)
{
	if (!label->name)
		return;
	add_text(exposition, *is_first ? "{" : ",");
	add_text(exposition, label->name);
	add_text(exposition, "=\"");
	add_value(exposition, label->value);
	add_text(exposition, "\"");
	*is_first = false;
}

/* The sample up to its value: name, suffix, labels and, where there is a `bound`, that. */
static void begin_sample(struct exposition *exposition, const char *suffix,
	const struct labels *labels, const char *bound)
{
	const struct label le = {bound ? "le" : NULL, bound};
	bool is_first = true;

	add_text(exposition, exposition->name);
	add_text(exposition, suffix);
	for (size_t i = 0; i < EXPOSITION_LABELS; i++)
		add_label(exposition, &labels->items[i], &is_first);
	add_label(exposition, &le, &is_first);
	add_text(exposition, is_first ? " " : "} ");
}

static void end_with_count(struct exposition *exposition, uint64_t value)
{
	if (evbuffer_add_printf(exposition->out, "%" PRIu64 "\n", value) < 0)
		mem_out(sizeof(value));
}

static void end_with(struct exposition *exposition, double value)
{
	if (isinf(value))
		add_text(exposition, value > 0 ? "+Inf\n" : "-Inf\n");
	else if (evbuffer_add_printf(exposition->out, NUMBER "\n", value) < 0)
		mem_out(sizeof(value));
}

void exposition_put(struct exposition *exposition, struct labels labels, double value)
{
	begin_sample(exposition, "", &labels, NULL);
	end_with(exposition, value);
}

void exposition_put_count(struct exposition *exposition, struct labels labels, uint64_t value)
{
	begin_sample(exposition, "", &labels, NULL);
	end_with_count(exposition, value);
}

void exposition_put_ladder(struct exposition *exposition, struct labels labels,
	const struct ladder *ladder, const struct ladder_bounds *bounds)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < LADDER_STEPS; i++) {
		char bound[32]; /* a number of fifteen digits, sign, point and exponent */

		seen += ladder->counts[i];
		(void)snprintf(bound, sizeof(bound), NUMBER, (double)bounds->us[i] / US_PER_S);
		begin_sample(exposition, "_bucket", &labels, bound);
		end_with_count(exposition, seen);
	}
	begin_sample(exposition, "_bucket", &labels, "+Inf");
	end_with_count(exposition, ladder->count);
	begin_sample(exposition, "_sum", &labels, NULL);
	end_with(exposition, ladder->sum_us / US_PER_S);
	begin_sample(exposition, "_count", &labels, NULL);
	end_with_count(exposition, ladder->count);
}
