/*
 * `shared-ollama doctor [URL]`: some twenty checks of a running shared-ollama, its Ollama and this
 * machine, each with its fix (PRODUCT 8, docs/tools.md). Called by main.c; never part of serving.
 */
#ifndef SO_DOCTOR_DOCTOR_H
#define SO_DOCTOR_DOCTOR_H

/* main's own arguments and environment. Returns the exit code: 0 nothing failed, 1 something
 * failed, 2 wrong usage. */
int doctor_run(int argc, char **argv, char **environment);

#endif
