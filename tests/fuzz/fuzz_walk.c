/* Whole answers: what the walk tells and what ps, tags, show and lookup make of it. */
#include "json/lookup.h"
#include "json/ps.h"
#include "json/show.h"
#include "json/tags.h"
#include "json/walk.h"

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int depth;
static int scalars;

static void on_scalar(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	REQUIRE(strlen(path) < WALK_PATH_BYTES);
	REQUIRE(kind != WALK_NULL || length == strlen("null"));
	scalars++;
}

static void on_open(void *arg, const char *path, bool is_array)
{
	REQUIRE(++depth < WALK_DEPTH_MOST);
}

static void on_close(void *arg, const char *path, bool is_array)
{
	REQUIRE(--depth >= 0);
}

static void on_ps(void *arg, const struct ps_model *model)
{
	REQUIRE(model->name[0] && strlen(model->name) < 256 && model->digest && model->expires_at);
}

static void on_tags(void *arg, const struct tags_model *model)
{
	REQUIRE(model->name[0] && strlen(model->name) < 256);
	REQUIRE(model->has_capabilities || (!model->can_complete && !model->can_embed));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct walk_events events = {on_scalar, on_open, on_close};
	const char *text = (const char *)data;
	struct lookup item = {.path = "models"};
	struct show_result shown;
	char version[PS_VERSION_BYTES];
	bool is_object;

	depth = scalars = 0;
	is_object = walk_with_containers(text, size, &events, NULL);
	REQUIRE(!is_object || depth == 0);
	REQUIRE(lookup_read(text, size, &item, 1) == is_object);
	REQUIRE(show_read(text, size, &shown) == is_object);
	REQUIRE(!ps_read(text, size, on_ps, NULL) || is_object);
	REQUIRE(tags_read(text, size, on_tags, NULL) == ps_read(text, size, on_ps, NULL));
	REQUIRE(!ps_read_version(text, size, version) || strlen(version) > 0);
	return 0;
}
