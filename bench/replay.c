#include "load.h"
#include "response.h"
#include "samples.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/memory.h"

/*
 * What the old service's analysis says about its traffic: 202 requests in bursts, 200 chat and 2
 * list_models, 198 of them qwen2.5vl:7b, 94 from Docling_Machine, 200 successes and 2 errors. Two
 * chats are left for another model; they ask for one that is not there, so they are the two errors.
 */
enum {
	REQUESTS = 202,
	CHATS = 198,
	LISTS = 2,
	DOCLING = 94,
	/* Which places of the order the odd ones have. */
	FIRST_LIST = CHATS,
	FIRST_MISSING = CHATS + LISTS,
	/* Four or five at once beside three slots give the old analysis's waits: 3 s on average, 8
	   s at most, when a page takes 8 s. */
	BURST_LEAST = 3,
	BURST_MOST = 6,
	/* Within a burst; between bursts, so that one is served before the next. */
	WITHIN_MS = 300,
	PAUSE_LEAST_MS = 18000,
	PAUSE_MOST_MS = 30000,
	/* A page of A4 at 100 dpi as base64: 40 KB. */
	IMAGE_BYTES = 40000,
	/* Of an answer: some 8 s, from 5 to 11, beside two others. */
	TOKENS_LEAST = 120,
	TOKENS_MOST = 300,

	NS_PER_MS = 1000000,
	NS_PER_S = 1000000000,
	READ_BYTES = 16384,
	EVENTS = 256,
	/* Of real time: nothing may take longer. */
	GRACE_S = 300,
	FIRST_ERROR = 400,
};

#define MODEL "qwen2.5vl:7b"
#define MISSING_MODEL "llava:13b"

struct request {
	int number; /* place in the mix, before shuffling */
	bool is_docling;
	int tokens;
	int64_t due_ns;
	int fd; /* -1: not open */
	struct response response;
};

struct run {
	const struct load_options *options;
	uint64_t random;
	int epoll;
	int timer;
	int next;
	int ended;
	int successes;
	int errors;
	int broken;
	int bursts;
	char *image;
	struct request requests[REQUESTS];
	struct samples latency_ns;
};

/* splitmix64: the same seed gives the same arrivals everywhere. */
static uint64_t draw(struct run *run, uint64_t below)
{
	uint64_t mixed = run->random += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (mixed ^ (mixed >> 31)) % below;
}

static int64_t between(struct run *run, int64_t least, int64_t most)
{
	return least + (int64_t)draw(run, (uint64_t)(most - least + 1));
}

static int64_t scaled_ns(const struct run *run, int64_t ms)
{
	return (int64_t)((double)ms * NS_PER_MS / run->options->time_scale);
}

static void shuffle(struct run *run)
{
	for (int i = REQUESTS - 1; i > 0; i--) {
		int j = (int)draw(run, (uint64_t)i + 1);
		struct request kept = run->requests[i];

		run->requests[i] = run->requests[j];
		run->requests[j] = kept;
	}
}

static void plan(struct run *run)
{
	int64_t at_ns = load_now_ns() + NS_PER_S / 10;
	int in_burst = 0;

	for (int i = 0; i < REQUESTS; i++) {
		run->requests[i].number = i;
		run->requests[i].is_docling = i < DOCLING;
		run->requests[i].tokens = (int)between(run, TOKENS_LEAST, TOKENS_MOST);
		run->requests[i].fd = -1;
	}
	shuffle(run);
	for (int i = 0; i < REQUESTS; i++) {
		if (in_burst == 0) {
			in_burst = (int)between(run, BURST_LEAST, BURST_MOST);
			run->bursts++;
			if (i > 0)
				at_ns +=
					scaled_ns(run, between(run, PAUSE_LEAST_MS, PAUSE_MOST_MS));
		}
		run->requests[i].due_ns = at_ns + scaled_ns(run, (int64_t)draw(run, WITHIN_MS));
		in_burst--;
	}
}

static int compare_due(const void *one, const void *other)
{
	int64_t a = ((const struct request *)one)->due_ns;
	int64_t b = ((const struct request *)other)->due_ns;

	return (a > b) - (a < b);
}

/* A PNG whose header tells its size; nobody decodes the rest. */
static char *make_image(void)
{
	/* signature, IHDR of 827 x 1169 */
	static const char begin[] = "iVBORw0KGgoAAAANSUhEUgAAAzsAAASRCAIAAAA";
	char *image = mem_alloc(IMAGE_BYTES + 1);

	memset(image, 'A', IMAGE_BYTES);
	memcpy(image, begin, strlen(begin));
	image[IMAGE_BYTES] = '\0';
	return image;
}

static char *body_of(const struct run *run, const struct request *request)
{
	if (request->is_docling)
		return mem_printf(
			"{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
			"\"text\":\"Convert this page to docling.\"},{\"type\":\"image_url\","
			"\"image_url\":{\"url\":\"data:image/png;base64,%s\"}}]}],"
			"\"max_tokens\":%d,\"model\":\"%s\"}",
			run->image, request->tokens, MODEL);
	return mem_printf(
		"{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"Describe "
		"the page.\",\"images\":[\"%s\"]}],\"stream\":%s,\"options\":{"
		"\"num_predict\":%d}}",
		request->number >= FIRST_MISSING ? MISSING_MODEL : MODEL, run->image,
		request->number % 2 ? "true" : "false", request->tokens);
}

static char *text_of(const struct run *run, const struct request *request)
{
	char *body, *text;

	if (request->number >= FIRST_LIST && request->number < FIRST_MISSING)
		return mem_printf("GET /api/tags HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n"
				  "User-Agent: bench-load\r\n\r\n",
			run->options->authority);
	body = body_of(run, request);
	text = mem_printf("POST %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nUser-Agent: "
			  "bench-load\r\nContent-Type: application/json\r\n%sContent-Length: "
			  "%zu\r\n\r\n%s",
		request->is_docling ? "/v1/chat/completions" : "/api/chat", run->options->authority,
		request->is_docling ? "X-Project-Name: Docling_Machine\r\n"
				    : "X-Project-Name: bench\r\n",
		strlen(body), body);
	free(body);
	return text;
}

static void send_request(struct run *run, struct request *request)
{
	char *text = text_of(run, request);

	response_begin(&request->response);
	request->fd = load_connect(run->options);
	load_watch(run->epoll, request->fd, request);
	load_send(request->fd, text, strlen(text));
	free(text);
}

static void send_due(struct run *run)
{
	while (run->next < REQUESTS && run->requests[run->next].due_ns <= load_now_ns())
		send_request(run, &run->requests[run->next++]);
	if (run->next < REQUESTS)
		load_timer_set(run->timer, run->requests[run->next].due_ns);
}

static void end_request(struct run *run, struct request *request, bool is_whole)
{
	close(request->fd);
	request->fd = -1;
	run->ended++;
	samples_add(&run->latency_ns, load_now_ns() - request->due_ns);
	if (!is_whole)
		run->broken++;
	else if (request->response.status < FIRST_ERROR)
		run->successes++;
	else
		run->errors++;
}

static void on_readable(struct run *run, struct request *request)
{
	char bytes[READ_BYTES];
	ssize_t got = recv(request->fd, bytes, sizeof(bytes), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0) {
		response_feed(&request->response, bytes, (size_t)got, NULL, NULL);
		if (request->response.state == RESPONSE_DONE)
			end_request(run, request, true);
		return;
	}
	end_request(run, request,
		request->response.is_until_close && request->response.state == RESPONSE_BODY);
}

static void turn(struct run *run)
{
	struct epoll_event ready[EVENTS];
	int count = epoll_wait(run->epoll, ready, EVENTS, 100);

	for (int i = 0; i < count; i++) {
		uint64_t expirations;

		if (ready[i].data.ptr)
			on_readable(run, ready[i].data.ptr);
		else if (read(run->timer, &expirations, sizeof(expirations)) > 0)
			send_due(run);
	}
}

int replay_run(const struct load_options *options)
{
	struct run *run = mem_zalloc(sizeof(*run));
	int64_t deadline_ns;
	bool is_fine;

	run->options = options;
	run->random = options->seed;
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	run->timer = load_timer();
	run->image = make_image();
	plan(run);
	qsort(run->requests, REQUESTS, sizeof(run->requests[0]), compare_due);
	deadline_ns = run->requests[REQUESTS - 1].due_ns + (int64_t)GRACE_S * NS_PER_S;
	load_watch(run->epoll, run->timer, NULL);
	load_timer_set(run->timer, run->requests[0].due_ns);
	while (run->ended < REQUESTS && load_now_ns() < deadline_ns)
		turn(run);
	printf("{\"mode\":\"replay\",\"seed\":%llu,\"time_scale\":%.1f,\"bursts\":%d,"
	       "\"requests\":%d,\"successes\":%d,\"errors\":%d,\"broken\":%d,\"unanswered\":%d,",
		(unsigned long long)options->seed, options->time_scale, run->bursts, REQUESTS,
		run->successes, run->errors, run->broken, REQUESTS - run->ended);
	samples_print(&run->latency_ns, "latency_ms", NS_PER_MS / options->time_scale);
	printf("}\n");
	is_fine = run->ended == REQUESTS && !run->broken;
	close(run->timer);
	close(run->epoll);
	samples_finish(&run->latency_ns);
	free(run->image);
	free(run);
	return is_fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
