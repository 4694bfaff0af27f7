/*
 * What may be asked of Ollama (PRODUCT 5): allow_paths and allow_models, of the settings, of the
 * API key and of the listener; all must permit. Pure questions. Called by front/access for paths at
 * a complete head, by relay and pass for models when the body was read.
 */
#ifndef SO_CORE_PERMISSION_H
#define SO_CORE_PERMISSION_H

#include <stdbool.h>

#include "core/route.h"

struct api_key;
struct listener_rule;
struct settings;

/* Whose lists are asked; key and listener, both of these settings, may be NULL. */
struct permission {
	const struct settings *settings;
	const struct api_key *key;
	const struct listener_rule *listener;
};

/*
 * A prefix permits itself and all below it: "/v1" permits /v1 and /v1/models, not /v1x; with a
 * slash at its end only what is below. `path` is the decoded one; where lists stand, a path with
 * "." or
 * ".." segments is refused: what Ollama would make of it is not ours to guess. An alias is judged
 * by where it goes. SETTINGS_READ_ONLY permits the reading methods, jobs and POST /api/show.
 */
bool permission_path(const struct permission *permission, const char *method, const char *path,
	const struct route *route);

/* Is there any list of models for this request? */
bool permission_limits_models(const struct permission *permission);
/* NULL (none could be read) is refused where a list stands. Names are compared canonically. */
bool permission_model(const struct permission *permission, const char *model);

/* How the lists of models bear on a pass. */
enum permission_pass {
	PERMISSION_FREE,    /* it names no model, or a permitted one in its path */
	PERMISSION_BY_BODY, /* permission_model() of its body's model decides */
	PERMISSION_DENIED,  /* it names models that we do not read, or is unknown */
};
/*
 * copy and create are denied where a list stands: they give a permitted name to any other model.
 * Reading calls are free but for /v1/models/NAME.
 */
enum permission_pass permission_of_pass(const struct permission *permission, const char *method,
	const char *path, const struct route *route);

#endif
