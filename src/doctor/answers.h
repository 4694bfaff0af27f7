/*
 * Reads the answers of a running service and of its Ollama into the doctor's facts. Called by
 * gather. Names are those of PRODUCT 6.2; what a service does not tell stays unknown. false: not
 * such an answer.
 */
#ifndef SO_DOCTOR_ANSWERS_H
#define SO_DOCTOR_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct facts;

/* GET /api/v1/health, /api/v1/queue/stats, /api/v1/config */
MUST_CHECK bool answers_read_health(struct facts *facts, const char *json, size_t length);
MUST_CHECK bool answers_read_stats(struct facts *facts, const char *json, size_t length);
MUST_CHECK bool answers_read_config(struct facts *facts, const char *json, size_t length);
/* Ollama's GET /api/version */
MUST_CHECK bool answers_read_version(struct facts *facts, const char *json, size_t length);

#endif
