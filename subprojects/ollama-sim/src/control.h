/* The test's own endpoints below /sim/, which no Ollama has (README.md describes them). */
#ifndef SIM_CONTROL_H
#define SIM_CONTROL_H

struct conn;

void control_faults(struct conn *conn);
void control_reset(struct conn *conn);
void control_state(struct conn *conn);
void control_echo(struct conn *conn);
void control_bytes(struct conn *conn);

#endif
