/*
 * The models that are installed (and those that could be pulled), and the uploaded blobs, of which
 * only digest and size are kept. Owns every struct model until it ends: a deleted one stays
 * readable for the requests that use it.
 */
#ifndef SIM_CATALOG_H
#define SIM_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mem.h"
#include "script.h"

enum capability {
	CAN_COMPLETE = 1 << 0,
	CAN_SEE = 1 << 1,
	CAN_CALL_TOOLS = 1 << 2,
	CAN_THINK = 1 << 3,
	CAN_EMBED = 1 << 4,
	CAN_INSERT = 1 << 5,
};

/* Counted for GET /sim/state. */
struct model_stats {
	uint64_t requests;
	uint64_t loads;
	uint64_t loads_aborted;
	uint64_t unloads;
	uint64_t started; /* got a slot */
	uint64_t completed;
	uint64_t aborted; /* the client left, whenever */
	uint64_t aborted_in_prefill;
	uint64_t aborted_in_generation;
	uint64_t lines; /* tokens that were generated */
};

struct model {
	TAILQ_ENTRY(model) link;
	char *name;   /* "tiny:latest" */
	char *digest; /* of the manifest, 64 hex digits */
	char *blob;   /* of the GGUF: models with the same one share a runner */
	char *modified_at;
	char *family;
	char *parameter_size;
	char *quantization_level;
	unsigned capabilities;
	double size;	  /* bytes on disk */
	double size_ram;  /* bytes when loaded */
	double size_vram; /* of these, on the GPU */
	double context_length;
	double embedding_length;
	double load_ms;
	double unload_ms;
	double prompt_tokens_per_s; /* 0: no time at all */
	double tokens_per_s;	    /* 0: as fast as possible */
	double alpha;		    /* slow-down by each other request in the batch */
	double num_parallel;
	double num_ctx; /* the default of the model's own parameters; 0: the program's */
	double num_batch;
	double num_predict; /* of the model's own parameters; 0: none */
	double image_tokens;
	double template_tokens; /* that the template puts around a prompt */
	bool has_bos;
	struct script *script;
	struct model_stats stats;
	bool owns_script;
};

struct blob {
	TAILQ_ENTRY(blob) link;
	char *digest; /* 64 hex digits */
	uint64_t size;
};

TAILQ_HEAD(model_list, model);
TAILQ_HEAD(blob_list, blob);

struct catalog {
	struct model_list models;   /* installed, newest first */
	struct model_list registry; /* to be had by a pull */
	struct model_list deleted;
	struct blob_list blobs;
};

/* Room for a canonical name. */
#define CATALOG_NAME_BYTES 512

void catalog_init(struct catalog *catalog);
void catalog_finish(struct catalog *catalog);

/*
 * The one spelling of a name: without "registry.ollama.ai/" and "library/", lower case, with
 * ":latest" if it has no tag. False for an invalid name (empty, too long, a character that no name
 * has).
 */
MUST_CHECK bool catalog_canonical(const char *name, char ret_name[CATALOG_NAME_BYTES]);
/* NULL when it is not installed (or the name is invalid). */
struct model *catalog_find(const struct catalog *catalog, const char *name);
struct model *catalog_find_in_registry(const struct catalog *catalog, const char *name);
/* Installs a copy of a model, in place of one of that name. keep_digest: the same manifest (a copy,
 * not a variant). */
struct model *catalog_install(
	struct catalog *catalog, const struct model *original, const char *name, bool keep_digest);
void catalog_delete(struct catalog *catalog, struct model *model);
/* A bare model that is in no list yet. */
struct model *catalog_new_model(const char *name);
void catalog_free_model(struct model *model);

struct blob *catalog_find_blob(const struct catalog *catalog, const char *digest);
void catalog_add_blob(struct catalog *catalog, const char *digest, uint64_t size);

#endif
