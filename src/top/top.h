/*
 * `shared-ollama top [URL]`: the queue of a running shared-ollama live in a terminal, like top
 * (PRODUCT 8). Called by main.c; never part of serving.
 */
#ifndef SO_TOP_TOP_H
#define SO_TOP_TOP_H

/* main's own arguments and environment. Returns the exit code: 0 fine, 1 nothing could be shown, 2
 * wrong usage. */
int top_run(int argc, char **argv, char **environment);

#endif
