/*
 * Asks the service, its Ollama and this machine for what the checks look at. Blocks, each question
 * for 5 s at most. Changes nothing: one GET /api/version goes through the service. Called by
 * doctor.
 */
#ifndef SO_DOCTOR_GATHER_H
#define SO_DOCTOR_GATHER_H

struct facts;
struct place;
struct settings;

/* `key` may be NULL. */
void gather_service(struct facts *facts, const struct place *place, const char *key);
/* What a start here would read, where the service does not tell. */
void gather_settings(struct facts *facts, const struct settings *settings);
void gather_upstream(struct facts *facts);
/* `environment` as environ. */
void gather_machine(struct facts *facts, const struct place *place, char **environment);
/* Before and after all else: what the wall clock did meanwhile. */
void gather_clock_begin(struct facts *facts);
void gather_clock_end(struct facts *facts);

#endif
