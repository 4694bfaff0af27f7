#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "json.h"

/* A file of models is small; anything bigger is a mistake. */
#define CONFIG_FILE_MAX_BYTES (4U << 20)

struct number_key {
	const char *name;
	size_t offset;
	double otherwise;
};

static const struct number_key setting_numbers[] = {
	{"max_loaded_models", offsetof(struct settings, max_loaded_models), 3},
	{"max_queue", offsetof(struct settings, max_queue), 512},
	{"num_parallel", offsetof(struct settings, num_parallel), 1},
	{"keep_alive_s", offsetof(struct settings, keep_alive_s), 300},
	{"context_length", offsetof(struct settings, context_length), 4096},
	{"vram", offsetof(struct settings, vram), 0},
	{"warm_min_ms", offsetof(struct settings, warm_min_ms), 0.7},
	{"warm_max_ms", offsetof(struct settings, warm_max_ms), 2},
	{"body_max", offsetof(struct settings, body_max), 1024.0 * 1024 * 1024},
};

static const struct number_key model_numbers[] = {
	{"size", offsetof(struct model, size), 35333921},
	{"size_ram", offsetof(struct model, size_ram), -1},
	{"size_vram", offsetof(struct model, size_vram), -1},
	{"context_length", offsetof(struct model, context_length), 4096},
	{"embedding_length", offsetof(struct model, embedding_length), 256},
	{"load_ms", offsetof(struct model, load_ms), 260},
	{"unload_ms", offsetof(struct model, unload_ms), 10},
	{"prompt_tokens_per_s", offsetof(struct model, prompt_tokens_per_s), 6000},
	{"tokens_per_s", offsetof(struct model, tokens_per_s), 1000},
	{"alpha", offsetof(struct model, alpha), 0},
	{"num_parallel", offsetof(struct model, num_parallel), 0},
	{"num_ctx", offsetof(struct model, num_ctx), 0},
	{"num_batch", offsetof(struct model, num_batch), 512},
	{"num_predict", offsetof(struct model, num_predict), 0},
	{"image_tokens", offsetof(struct model, image_tokens), 1024},
	{"template_tokens", offsetof(struct model, template_tokens), 10},
};

struct text_key {
	const char *name;
	size_t offset;
	const char *otherwise; /* NULL: as it is */
};

static const struct text_key model_texts[] = {
	{"digest", offsetof(struct model, digest), NULL},
	{"blob", offsetof(struct model, blob), NULL},
	{"modified_at", offsetof(struct model, modified_at), NULL},
	{"family", offsetof(struct model, family), "llama"},
	{"parameter_size", offsetof(struct model, parameter_size), "17.30M"},
	{"quantization_level", offsetof(struct model, quantization_level), "F16"},
};

static const char *const model_other_keys[] = {
	"name", "capabilities", "answer", "thinking", "tokens", "noise", "bos"};
static const char *const setting_other_keys[] = {
	"version", "evict_revival", "check_host", "models", "registry"};

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static bool is_number_key(const char *name, const struct number_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(name, keys[i].name) == 0)
			return true;
	}
	return false;
}

static bool is_model_text(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(model_texts); i++) {
		if (strcmp(name, model_texts[i].name) == 0)
			return true;
	}
	return false;
}

/* Numbers of node into object; a key of another type or below 0 is an error. */
static bool read_numbers(yajl_val node, void *object, const struct number_key *keys, size_t count,
	char error[CONFIG_ERROR_BYTES])
{
	for (size_t i = 0; i < count; i++) {
		yajl_val value = json_get(node, keys[i].name);
		double *target = (double *)(void *)((char *)object + keys[i].offset);

		*target = json_get_number(node, keys[i].name, keys[i].otherwise);
		if (value != NULL && (!YAJL_IS_NUMBER(value) || *target < 0)) {
			snprintf(error, CONFIG_ERROR_BYTES, "%s: not a number of 0 or more",
				keys[i].name);
			return false;
		}
	}
	return true;
}

static bool read_texts(yajl_val node, struct model *model, char error[CONFIG_ERROR_BYTES])
{
	for (size_t i = 0; i < ARRAY_LENGTH(model_texts); i++) {
		const struct text_key *key = &model_texts[i];
		char **target = (char **)(void *)((char *)model + key->offset);
		const char *text = json_get_string(node, key->name);

		if (text == NULL && json_get(node, key->name) != NULL) {
			snprintf(error, CONFIG_ERROR_BYTES, "%s: not a string", key->name);
			return false;
		}
		if (text == NULL)
			text = key->otherwise;
		if (text == NULL)
			continue;
		free(*target);
		*target = mem_strdup(text);
	}
	return true;
}

static const struct {
	const char *name;
	unsigned flag;
} capability_names[] = {
	{"completion", CAN_COMPLETE},
	{"vision", CAN_SEE},
	{"tools", CAN_CALL_TOOLS},
	{"thinking", CAN_THINK},
	{"embedding", CAN_EMBED},
	{"insert", CAN_INSERT},
};

static bool read_capabilities(yajl_val node, struct model *model, char error[CONFIG_ERROR_BYTES])
{
	yajl_val list = json_get(node, "capabilities");

	model->capabilities = list == NULL ? CAN_COMPLETE : 0;
	for (size_t i = 0; i < json_count(list); i++) {
		const char *name = json_string(json_item(list, i));
		unsigned flag = 0;

		for (size_t j = 0; name != NULL && j < ARRAY_LENGTH(capability_names); j++) {
			if (strcmp(name, capability_names[j].name) == 0)
				flag = capability_names[j].flag;
		}
		if (flag == 0) {
			snprintf(error, CONFIG_ERROR_BYTES, "capabilities: unknown name '%s'",
				name == NULL ? "" : name);
			return false;
		}
		model->capabilities |= flag;
	}
	return true;
}

static void read_script(yajl_val node, struct model *model)
{
	const char *answer = json_get_string(node, "answer");
	const char *thinking = json_get_string(node, "thinking");
	enum script_kind kind = answer != NULL			      ? SCRIPT_TEXT
				: json_get_bool(node, "noise", false) ? SCRIPT_NOISE
								      : SCRIPT_WORDS;
	double tokens = json_get_number(node, "tokens", 0);

	model->script = script_create(kind, answer, thinking, tokens > 0 ? (size_t)tokens : 0);
	model->owns_script = true;
}

static bool check_model_keys(yajl_val node, char error[CONFIG_ERROR_BYTES])
{
	for (size_t i = 0; YAJL_IS_OBJECT(node) && i < node->u.object.len; i++) {
		const char *key = node->u.object.keys[i];

		if (!is_number_key(key, model_numbers, ARRAY_LENGTH(model_numbers)) &&
			!is_model_text(key) &&
			!is_one_of(key, model_other_keys, ARRAY_LENGTH(model_other_keys))) {
			snprintf(error, CONFIG_ERROR_BYTES, "unknown key '%s' of a model", key);
			return false;
		}
	}
	return true;
}

static struct model *read_model(yajl_val node, char error[CONFIG_ERROR_BYTES])
{
	const char *name = json_get_string(node, "name");
	char canonical[CATALOG_NAME_BYTES];

	if (name == NULL || !catalog_canonical(name, canonical)) {
		snprintf(error, CONFIG_ERROR_BYTES, "a model without a valid name");
		return NULL;
	}
	if (!check_model_keys(node, error))
		return NULL;
	struct model *model = catalog_new_model(canonical);
	if (!read_numbers(node, model, model_numbers, ARRAY_LENGTH(model_numbers), error) ||
		!read_texts(node, model, error) || !read_capabilities(node, model, error)) {
		catalog_free_model(model);
		return NULL;
	}
	if (json_get(node, "size_ram") == NULL)
		model->size_ram = model->size * 1.4; /* weights and a small cache */
	if (json_get(node, "size_vram") == NULL)
		model->size_vram = model->size_ram;
	model->has_bos = json_get_bool(node, "bos", true);
	read_script(node, model);
	return model;
}

static bool read_models(yajl_val list, struct model_list *into, char error[CONFIG_ERROR_BYTES])
{
	for (size_t i = 0; i < json_count(list); i++) {
		struct model *model = read_model(json_item(list, i), error);

		if (model == NULL)
			return false;
		TAILQ_INSERT_TAIL(into, model, link);
	}
	return true;
}

static bool check_setting_keys(yajl_val tree, char error[CONFIG_ERROR_BYTES])
{
	if (!YAJL_IS_OBJECT(tree)) {
		snprintf(error, CONFIG_ERROR_BYTES, "not a JSON object");
		return false;
	}
	for (size_t i = 0; i < tree->u.object.len; i++) {
		const char *key = tree->u.object.keys[i];

		if (!is_number_key(key, setting_numbers, ARRAY_LENGTH(setting_numbers)) &&
			!is_one_of(key, setting_other_keys, ARRAY_LENGTH(setting_other_keys))) {
			snprintf(error, CONFIG_ERROR_BYTES, "unknown key '%s'", key);
			return false;
		}
	}
	return true;
}

/* A file without models has the built-in ones. */
static bool add_default_models(struct catalog *catalog, char error[CONFIG_ERROR_BYTES])
{
	char json_error[JSON_ERROR_BYTES];
	yajl_val tree = json_parse(config_default_text, json_error);

	if (tree == NULL) {
		snprintf(error, CONFIG_ERROR_BYTES, "built-in models: %s", json_error);
		return false;
	}
	bool is_good = read_models(json_get(tree, "models"), &catalog->models, error) &&
		       read_models(json_get(tree, "registry"), &catalog->registry, error);
	yajl_tree_free(tree);
	return is_good;
}

bool config_parse(const char *text, struct settings *settings, struct catalog *catalog,
	char error[CONFIG_ERROR_BYTES])
{
	char json_error[JSON_ERROR_BYTES];
	yajl_val tree = json_parse(text, json_error);

	if (tree == NULL) {
		snprintf(error, CONFIG_ERROR_BYTES, "%s", json_error);
		return false;
	}
	const char *version = json_get_string(tree, "version");
	bool is_good =
		check_setting_keys(tree, error) &&
		read_numbers(tree, settings, setting_numbers, ARRAY_LENGTH(setting_numbers), error);
	settings->evict_revival = json_get_bool(tree, "evict_revival", true);
	settings->check_host = json_get_bool(tree, "check_host", true);
	settings->version = mem_strdup(version == NULL ? "0.32.15" : version);
	if (is_good && json_get(tree, "models") == NULL)
		is_good = add_default_models(catalog, error);
	else if (is_good)
		is_good = read_models(json_get(tree, "models"), &catalog->models, error) &&
			  read_models(json_get(tree, "registry"), &catalog->registry, error);
	yajl_tree_free(tree);
	return is_good;
}

bool config_read_file(const char *path, struct settings *settings, struct catalog *catalog,
	char error[CONFIG_ERROR_BYTES])
{
	struct bytes text = {0};
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		snprintf(error, CONFIG_ERROR_BYTES, "%m");
		return false;
	}
	size_t got =
		fread(bytes_reserve(&text, CONFIG_FILE_MAX_BYTES), 1, CONFIG_FILE_MAX_BYTES, file);
	fclose(file);
	text.end = got;
	bool is_good = config_parse(bytes_text(&text), settings, catalog, error);
	bytes_finish(&text);
	return is_good;
}

void config_finish(struct settings *settings)
{
	free(settings->version);
}
