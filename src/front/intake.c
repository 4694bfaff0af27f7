#include "front/intake.h"

#include <string.h>

#include <event2/buffer.h>

void intake_begin(struct intake *intake, struct framing framing)
{
	memset(intake, 0, sizeof(*intake));
	intake->framing = framing;
	intake->left = framing.kind == FRAMING_LENGTH ? framing.length : 0;
	intake->is_complete = framing.kind == FRAMING_NONE ||
			      (framing.kind == FRAMING_LENGTH && framing.length == 0);
}

static enum intake_status read_length(
	struct intake *intake, struct evbuffer *input, struct evbuffer *output, size_t most)
{
	size_t take = most;
	int moved;

	if (intake->left < take)
		take = (size_t)intake->left;
	moved = evbuffer_remove_buffer(input, output, take);
	if (moved > 0) {
		intake->left -= (uint64_t)moved;
		intake->received += (uint64_t)moved;
	}
	intake->is_complete = intake->left == 0;
	return intake->is_complete ? INTAKE_COMPLETE : INTAKE_MORE;
}

static enum intake_status read_chunked(
	struct intake *intake, struct evbuffer *input, struct evbuffer *output, size_t most)
{
	size_t before = evbuffer_get_length(output);
	enum chunked_status status =
		chunked_decode(&intake->chunked, input, output, most, NULL, NULL);

	intake->received += evbuffer_get_length(output) - before;
	if (status == CHUNKED_WRONG)
		return INTAKE_WRONG;
	intake->is_complete = status == CHUNKED_DONE;
	return intake->is_complete ? INTAKE_COMPLETE : INTAKE_MORE;
}

enum intake_status intake_read(
	struct intake *intake, struct evbuffer *input, struct evbuffer *output, size_t most)
{
	if (intake->is_complete)
		return INTAKE_COMPLETE;
	if (intake->framing.kind == FRAMING_CHUNKED)
		return read_chunked(intake, input, output, most);
	return read_length(intake, input, output, most);
}
