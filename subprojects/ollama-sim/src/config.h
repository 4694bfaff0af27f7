/*
 * What the simulated Ollama is like: its settings and its models, read from a JSON file
 * (sim.example.json; README.md has the table of keys) or, without one, from the built-in text of
 * defaults.c, which has the same form. main.c calls it once; the settings never change afterwards.
 */
#ifndef SIM_CONFIG_H
#define SIM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "catalog.h"
#include "mem.h"

#define CONFIG_ERROR_BYTES 256

/* Names as in the file; the first five are Ollama's OLLAMA_… variables. */
struct settings {
	double max_loaded_models;
	double max_queue; /* pending loads; the one in work not counted */
	double num_parallel;
	double keep_alive_s;
	double context_length; /* num_ctx where neither request nor model says one */
	double vram;	       /* bytes; 0 = no limit but max_loaded_models */
	double warm_min_ms;    /* how long a resident runner takes to be granted */
	double warm_max_ms;
	double body_max;    /* bytes of a JSON body */
	bool evict_revival; /* a request with keep_alive takes back an eviction (Ollama's issue
			       17408) */
	bool check_host;
	char *version;
};

/* The text of a whole configuration into settings and catalog. False: error says what and where. */
MUST_CHECK bool config_parse(const char *text, struct settings *settings, struct catalog *catalog,
	char error[CONFIG_ERROR_BYTES]);
MUST_CHECK bool config_read_file(const char *path, struct settings *settings,
	struct catalog *catalog, char error[CONFIG_ERROR_BYTES]);
void config_finish(struct settings *settings);

/* The built-in configuration (defaults.c). */
extern const char config_default_text[];

#endif
