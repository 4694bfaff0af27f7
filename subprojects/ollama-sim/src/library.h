/*
 * The endpoints about models and the server that need no runner: what is there, what is loaded,
 * pull, push, create, copy, delete.
 */
#ifndef SIM_LIBRARY_H
#define SIM_LIBRARY_H

struct conn;

void library_root(struct conn *conn);
void library_version(struct conn *conn);
void library_status(struct conn *conn);
void library_tags(struct conn *conn);
void library_ps(struct conn *conn);
void library_pull(struct conn *conn);
void library_push(struct conn *conn);
void library_create(struct conn *conn);
void library_copy(struct conn *conn);
void library_delete(struct conn *conn);
void library_v1_models(struct conn *conn);
void library_v1_model(struct conn *conn);

#endif
