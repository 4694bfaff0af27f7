#include "load.h"
#include "response.h"
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum { READ_BYTES = 16384, ANSWER_LIMIT_MS = 10000, SETTLE_US = 200000 };

/* False: no whole answer came. */
static bool ask(struct wire *wire, const char *request, struct response *response)
{
	char bytes[READ_BYTES];

	response_begin(response);
	wire_send(wire, request, strlen(request));
	while (response->state != RESPONSE_DONE && response->state != RESPONSE_WRONG) {
		struct pollfd ready = {.fd = wire->fd, .events = POLLIN};
		ssize_t got = wire_read(wire, bytes, sizeof(bytes));

		if (got > 0)
			response_feed(response, bytes, (size_t)got, NULL, NULL);
		else if (got == 0 || (errno != EAGAIN && errno != EINTR) ||
			 poll(&ready, 1, ANSWER_LIMIT_MS) == 0)
			return false;
	}
	return response->state == RESPONSE_DONE && response->status == LOAD_STATUS_OK;
}

int idle_run(const struct load_options *options)
{
	struct wire *wires = mem_zalloc_array((size_t)options->connections, sizeof(*wires));
	struct response *response = mem_zalloc(sizeof(*response));
	char *request = load_request(options, 0);
	int64_t cpu_ns = load_cpu_ns(options->pid);
	long errors = 0, closed = 0;

	printf("{\"mode\":\"idle\",\"connections\":%d,\"requests_each\":%d,", options->connections,
		options->requests);
	load_print_memory("rss_kib_before", options->pid);
	for (int i = 0; i < options->connections; i++) {
		wire_open(&wires[i], options, i);
		for (int j = 0; j < options->requests; j++)
			errors += !ask(&wires[i], request, response);
	}
	/* the last ones have to be accepted as well */
	usleep(SETTLE_US);
	for (int i = 0; i < options->connections; i++) {
		char byte;
		ssize_t got = wire_read(&wires[i], &byte, 1);

		closed += got == 0 || (got < 0 && errno != EAGAIN);
	}
	printf(",");
	load_print_memory("rss_kib", options->pid);
	printf(",\"errors\":%ld,\"closed\":%ld,\"cpu_us_per_connection\":%.3f}\n", errors + closed,
		closed,
		(double)(load_cpu_ns(options->pid) - cpu_ns) / LOAD_NS_PER_US /
			options->connections);
	for (int i = 0; i < options->connections; i++)
		wire_close(&wires[i]);
	free(request);
	free(response);
	free(wires);
	return errors + closed ? EXIT_FAILURE : EXIT_SUCCESS;
}
