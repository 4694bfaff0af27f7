#include "catalog.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

#include "bytes.h"
#include "pace.h"

#define DEFAULT_HOST "registry.ollama.ai/"
#define DEFAULT_NAMESPACE "library/"
/* Ollama's types/model: a host of 350, a namespace, model and tag of 80 each would be allowed. */
#define NAME_MAX_LENGTH 400
#define SHA256_BYTES 32

void catalog_init(struct catalog *catalog)
{
	TAILQ_INIT(&catalog->models);
	TAILQ_INIT(&catalog->registry);
	TAILQ_INIT(&catalog->deleted);
	TAILQ_INIT(&catalog->blobs);
}

static void free_list(struct model_list *list)
{
	struct model *model;

	while ((model = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, model, link);
		catalog_free_model(model);
	}
}

void catalog_finish(struct catalog *catalog)
{
	struct blob *blob;

	free_list(&catalog->models);
	free_list(&catalog->registry);
	free_list(&catalog->deleted);
	while ((blob = TAILQ_FIRST(&catalog->blobs)) != NULL) {
		TAILQ_REMOVE(&catalog->blobs, blob, link);
		free(blob->digest);
		free(blob);
	}
}

bool catalog_canonical(const char *name, char ret_name[CATALOG_NAME_BYTES])
{
	if (strncasecmp(name, DEFAULT_HOST, strlen(DEFAULT_HOST)) == 0)
		name += strlen(DEFAULT_HOST);
	if (strncasecmp(name, DEFAULT_NAMESPACE, strlen(DEFAULT_NAMESPACE)) == 0)
		name += strlen(DEFAULT_NAMESPACE);
	size_t length = strlen(name);
	if (length == 0 || length > NAME_MAX_LENGTH || !isalnum((unsigned char)*name))
		return false;
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)name[i];

		if (!isalnum(byte) && strchr("._-:/", byte) == NULL)
			return false;
		ret_name[i] = (char)tolower(byte);
	}
	ret_name[length] = '\0';
	const char *last = strrchr(name, '/');
	if (strchr(last == NULL ? name : last, ':') == NULL)
		memcpy(ret_name + length, ":latest", sizeof(":latest"));
	return ret_name[strlen(ret_name) - 1] != ':';
}

static struct model *find_in(const struct model_list *list, const char *name)
{
	char canonical[CATALOG_NAME_BYTES];
	struct model *model;

	if (!catalog_canonical(name, canonical))
		return NULL;
	TAILQ_FOREACH(model, list, link)
	{
		if (strcmp(model->name, canonical) == 0)
			return model;
	}
	return NULL;
}

struct model *catalog_find(const struct catalog *catalog, const char *name)
{
	return find_in(&catalog->models, name);
}

struct model *catalog_find_in_registry(const struct catalog *catalog, const char *name)
{
	return find_in(&catalog->registry, name);
}

/* A digest that looks like one and is the same for the same text. */
static char *digest_of(const char *text)
{
	unsigned char hash[SHA256_BYTES];
	char hex[2 * SHA256_BYTES + 1];

	EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL);
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
	return mem_strdup(hex);
}

struct model *catalog_new_model(const char *name)
{
	struct model *model = mem_zalloc(sizeof(*model));
	struct bytes stamp = {0};
	char *blob_text = mem_printf("gguf of %s", name);

	pace_add_stamp(&stamp, pace_wall());
	model->name = mem_strdup(name);
	model->digest = digest_of(name);
	model->blob = digest_of(blob_text);
	model->modified_at = mem_strdup(bytes_text(&stamp));
	free(blob_text);
	bytes_finish(&stamp);
	return model;
}

void catalog_free_model(struct model *model)
{
	free(model->name);
	free(model->digest);
	free(model->blob);
	free(model->modified_at);
	free(model->family);
	free(model->parameter_size);
	free(model->quantization_level);
	if (model->owns_script)
		script_destroy(model->script);
	free(model);
}

struct model *catalog_install(
	struct catalog *catalog, const struct model *original, const char *name, bool keep_digest)
{
	char canonical[CATALOG_NAME_BYTES];

	if (!catalog_canonical(name, canonical))
		return NULL;
	struct model *fresh = catalog_new_model(canonical);
	struct model *model = mem_zalloc(sizeof(*model));
	*model = *original;
	model->name = fresh->name;
	model->modified_at = fresh->modified_at;
	model->digest = keep_digest ? mem_strdup(original->digest) : fresh->digest;
	model->blob = mem_strdup(original->blob);
	model->family = mem_strdup(original->family);
	model->parameter_size = mem_strdup(original->parameter_size);
	model->quantization_level = mem_strdup(original->quantization_level);
	model->owns_script = false;
	memset(&model->stats, 0, sizeof(model->stats));
	if (keep_digest)
		free(fresh->digest);
	free(fresh->blob);
	free(fresh);
	struct model *old = catalog_find(catalog, canonical);
	if (old != NULL)
		catalog_delete(catalog, old);
	TAILQ_INSERT_HEAD(&catalog->models, model, link);
	return model;
}

void catalog_delete(struct catalog *catalog, struct model *model)
{
	TAILQ_REMOVE(&catalog->models, model, link);
	TAILQ_INSERT_TAIL(&catalog->deleted, model, link);
}

struct blob *catalog_find_blob(const struct catalog *catalog, const char *digest)
{
	struct blob *blob;

	TAILQ_FOREACH(blob, &catalog->blobs, link)
	{
		if (strcmp(blob->digest, digest) == 0)
			return blob;
	}
	return NULL;
}

void catalog_add_blob(struct catalog *catalog, const char *digest, uint64_t size)
{
	struct blob *blob = mem_zalloc(sizeof(*blob));

	blob->digest = mem_strdup(digest);
	blob->size = size;
	TAILQ_INSERT_HEAD(&catalog->blobs, blob, link);
}
