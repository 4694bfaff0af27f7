/*
 * `shared-ollama report [FILE]...`: reads request logs and writes what they show (PRODUCT 6.5).
 * Called by main.c; never part of serving. Streams: memory does not grow with the logs.
 */
#ifndef SO_REPORT_REPORT_H
#define SO_REPORT_REPORT_H

/* The arguments after the word report. Writes to standard output; returns the exit code: 0 fine, 1
 * a file cannot be read, 2 wrong usage. */
int report_run(int count, char *const *arguments);

#endif
