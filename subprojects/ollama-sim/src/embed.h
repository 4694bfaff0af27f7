/* POST /api/embed, /api/embeddings and /v1/embeddings. The vectors are made from a hash of the
 * text: always the same. */
#ifndef SIM_EMBED_H
#define SIM_EMBED_H

struct conn;

void embed_native(struct conn *conn);
void embed_old(struct conn *conn);
void embed_openai(struct conn *conn);

#endif
