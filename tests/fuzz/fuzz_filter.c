/*
 * The filter in front of yajl: what it gives out does not depend on the pieces, and yajl behind it
 * takes the same texts as yajl alone, but for the filter's own limits.
 */
#include "json/filter.h"

#include <stdbool.h>

#include <yajl/yajl_parse.h>

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct side {
	struct filter filter;
	yajl_handle yajl;
	char *json;
	size_t json_length;
	char *content;
	size_t content_length;
	bool is_cut;
};

static bool on_json(void *arg, const char *bytes, size_t length)
{
	struct side *side = arg;

	memcpy(side->json + side->json_length, bytes, length);
	side->json_length += length;
	return yajl_parse(side->yajl, (const unsigned char *)bytes, length) == yajl_status_ok;
}

static bool on_long_string(void *arg)
{
	struct side *side = arg;

	side->is_cut = true;
	return side->json_length % 2;
}

static void on_content(void *arg, const char *bytes, size_t length)
{
	struct side *side = arg;

	memcpy(side->content + side->content_length, bytes, length);
	side->content_length += length;
}

static const struct filter_events events = {on_json, on_long_string, on_content};

static yajl_handle create_yajl(void)
{
	yajl_handle yajl = yajl_alloc(NULL, NULL, NULL);

	yajl_config(yajl, yajl_dont_validate_strings, 1);
	return yajl;
}

static void init_side(struct side *side, size_t size)
{
	memset(side, 0, offsetof(struct side, filter));
	side->yajl = create_yajl();
	side->json = malloc(size + 1);
	side->content = malloc(size + 1);
	side->json_length = 0;
	side->content_length = 0;
	side->is_cut = false;
	filter_init(&side->filter, &events, side);
}

static void finish_side(struct side *side)
{
	yajl_free(side->yajl);
	free(side->json);
	free(side->content);
}

static bool is_valid_without_filter(const char *text, size_t length)
{
	yajl_handle yajl = create_yajl();
	bool is_valid = yajl_parse(yajl, (const unsigned char *)text, length) == yajl_status_ok &&
			yajl_complete_parse(yajl) == yajl_status_ok;

	yajl_free(yajl);
	return is_valid;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct side whole;
	static struct side cut;
	struct pieces pieces;
	const char *text;
	const char *piece;
	size_t text_length;
	size_t length;
	bool is_valid;

	init_side(&whole, size);
	init_side(&cut, size);
	pieces_init(&pieces, data, size);
	text = pieces.text;
	text_length = pieces.left;
	(void)!filter_feed(&whole.filter, text, text_length);
	while ((piece = pieces_next(&pieces, &length)))
		(void)!filter_feed(&cut.filter, piece, length);

	REQUIRE(filter_has_failed(&whole.filter) == filter_has_failed(&cut.filter));
	REQUIRE(whole.is_cut == cut.is_cut && whole.content_length == cut.content_length);
	REQUIRE(memcmp(whole.content, cut.content, cut.content_length) == 0);
	if (!filter_has_failed(&whole.filter)) {
		REQUIRE(whole.json_length == cut.json_length);
		REQUIRE(memcmp(whole.json, cut.json, cut.json_length) == 0);
		REQUIRE(whole.is_cut || whole.json_length == text_length);
	}
	is_valid = !filter_has_failed(&whole.filter) &&
		   yajl_complete_parse(whole.yajl) == yajl_status_ok;
	if (is_valid)
		REQUIRE(is_valid_without_filter(text, text_length));
	else if (text_length <= FILTER_SCALAR_MAX)
		REQUIRE(!is_valid_without_filter(text, text_length));
	finish_side(&whole);
	finish_side(&cut);
	return 0;
}
