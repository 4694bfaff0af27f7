/*
 * Names of models: "x", "x:latest", "X" and "registry.ollama.ai/library/x" are one model to Ollama.
 * Called by core/residency, which everybody else asks, and by rules for names in the file.
 */
#ifndef SO_CONFIG_MODEL_NAME_H
#define SO_CONFIG_MODEL_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* The longest name that json/peek gives, with a registry and a tag that are added. */
enum { MODEL_NAME_BYTES = 320 };

/* Writes at most `bytes` bytes with NUL; a longer name is cut. */
void model_name_canonical(const char *model, char *ret_name, size_t bytes);
bool model_name_is_same(const char *left, const char *right);

#endif
