/*
 * The bodies of our own requests to Ollama for a runner. They carry its runner options, else Ollama
 * reloads the model at its defaults (FACTS-ollama 7). Called by back/loader and back/look.
 */
#ifndef SO_BACK_OWN_BODY_H
#define SO_BACK_OWN_BODY_H

struct runner;

/* /api/generate, or /api/embed for an embedding model. */
const char *own_target(const struct runner *runner);
/* An empty request, which loads or touches. `keep_alive` is a number or a text as in a request,
 * NULL: none. The caller frees, here and below. */
char *own_body_empty(const struct runner *runner, const char *keep_alive);
char *own_body_unload(const struct runner *runner);
/* {"model": ...} */
char *own_body_name(const char *model);

#endif
