/*
 * A keep_alive of the configuration, in the form in which Ollama takes it as a JSON string: Go's
 * durations ("30m", "1h30m", "0"; below zero: for ever). Bare numbers are seconds, as in JSON
 * numbers, and get their unit here. Called by load and groups.
 */
#ifndef SO_CONFIG_KEEP_ALIVE_H
#define SO_CONFIG_KEEP_ALIVE_H

/* For messages. */
#define KEEP_ALIVE_FORM "a duration such as \"30m\", \"1h30m\", \"0\" or, for ever, \"-1\""

/* A new text ("3600" gives "3600s"), or NULL: Ollama would not take it. */
char *keep_alive_read(const char *text);

#endif
