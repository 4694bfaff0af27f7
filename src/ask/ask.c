#include "ask/ask.h"

#include <poll.h>

#include "ask/place.h"

/* Health has some 300 bytes. */
enum { HEALTH_MOST_BYTES = 64 * 1024 };

enum ask_end ask_send(
	const struct place *place, const struct ask_request *request, struct ask_answer *ret_answer)
{
	struct enquiry *enquiry = enquiry_start(place, request);
	enum ask_end end;

	while (!enquiry_step(enquiry)) {
		struct pollfd target = {0};

		target.fd = enquiry_fd(enquiry, &target.events);
		poll(&target, 1, enquiry_left_ms(enquiry));
	}
	end = enquiry_take(enquiry, ret_answer);
	enquiry_destroy(enquiry);
	return end;
}

enum ask_end ask_get(const struct place *place, struct ask_answer *ret_answer)
{
	const struct ask_request request = {
		.method = "GET", .target = place->target, .answer_most_bytes = HEALTH_MOST_BYTES};

	return ask_send(place, &request, ret_answer);
}
