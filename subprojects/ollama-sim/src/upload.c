#include "upload.h"

#include <stdio.h>
#include <string.h>

#include "catalog.h"
#include "conn.h"
#include "reply.h"
#include "sim.h"

#define PREFIX "/api/blobs/"
#define DIGEST_DIGITS 64
#define TEXT_BYTES 512

/* "sha256:" or "sha256-" and 64 hex digits; NULL if it is not that. */
static const char *digest_of(const struct conn *conn)
{
	const char *digest = conn->request.path + strlen(PREFIX);
	bool is_named = strncmp(digest, "sha256:", strlen("sha256:")) == 0 ||
			strncmp(digest, "sha256-", strlen("sha256-")) == 0;

	digest += strlen("sha256:") < strlen(digest) ? strlen("sha256:") : strlen(digest);
	if (!is_named || strspn(digest, "0123456789abcdef") != DIGEST_DIGITS ||
		digest[DIGEST_DIGITS] != '\0')
		return NULL;
	return digest;
}

static const char *check(struct conn *conn)
{
	const char *digest = digest_of(conn);

	if (digest == NULL)
		reply_error(conn, 400, "invalid digest format");
	return digest;
}

void upload_look(struct conn *conn)
{
	const char *digest = check(conn);
	char text[TEXT_BYTES];

	if (digest == NULL)
		return;
	if (catalog_find_blob(&conn->sim->catalog, digest) != NULL) {
		reply_full(conn, 200, &(struct reply_fields){.has_no_length = true}, "", 0);
		return;
	}
	snprintf(text, sizeof(text), "blob \"sha256:%s\" not found", digest);
	reply_error(conn, 404, text);
}

bool upload_begin(struct conn *conn)
{
	const char *digest = check(conn);

	if (digest == NULL)
		return true;
	if (catalog_find_blob(&conn->sim->catalog, digest) == NULL)
		return false;
	reply_empty(conn, 200);
	return true;
}

void upload_end(struct conn *conn)
{
	const char *digest = digest_of(conn);
	char got[BODY_HASH_TEXT_BYTES], text[TEXT_BYTES];

	body_hash_text(&conn->body, got);
	if (strcmp(got, digest) != 0) {
		snprintf(text, sizeof(text),
			"digest mismatch, expected \"sha256:%s\", got \"sha256:%s\"", digest, got);
		reply_error(conn, 400, text);
		return;
	}
	if (catalog_find_blob(&conn->sim->catalog, digest) == NULL)
		catalog_add_blob(&conn->sim->catalog, digest, conn->body.received);
	reply_empty(conn, 201);
}
