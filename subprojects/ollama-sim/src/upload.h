/* HEAD and POST /api/blobs/sha256:…: hashed while it is read, never kept. One that exists is
 * answered before its body. */
#ifndef SIM_UPLOAD_H
#define SIM_UPLOAD_H

#include <stdbool.h>

struct conn;

void upload_look(struct conn *conn);
bool upload_begin(struct conn *conn);
void upload_end(struct conn *conn);

#endif
