/* Answers of a service for the tests of top. */
#ifndef SO_TESTS_TOP_ANSWERS_H
#define SO_TESTS_TOP_ANSWERS_H

static const char stats_answer[] =
	"{\"queued\":2,\"in_progress\":1,\"completed\":7,\"failed\":0,\"rejected\":3,\"timeout\":0,"
	"\"avg_wait_time_ms\":7452.985,\"max_wait_time_ms\":17832.537,\"max_concurrent\":3,"
	"\"max_queue_size\":50,\"cancelled\":0,\"reading\":0,\"wait_time_ms\":{\"p50\":10747.9,"
	"\"p90\":17832.5,\"p99\":null},\"latency_ms\":{\"mean\":17112.9},\"warm_start_rate\":0.571,"
	"\"model_loads\":1,\"load_time_ms\":6000.0,\"concurrency\":{\"limit\":5,\"reason\":"
	"\"raised\"},"
	"\"turn\":{\"state\":\"serving\",\"runner\":\"llama3:latest\",\"next\":null,\"since_ms\":"
	"8123.0,"
	"\"served\":12,\"left\":7,\"keys\":[{\"runner\":\"llama3:latest\"}]},\"runners\":[{"
	"\"name\":"
	"\"llama3:latest\",\"size_vram\":8356944198,\"vram_share\":0.5,\"context_length\":4096}],"
	"\"upstream\":{\"url\":\"http://"
	"127.0.0.1:11434\",\"state\":\"up\",\"version\":\"0.32.15\","
	"\"foreign_activity\":{\"count\":2,\"model\":\"phi4:latest\",\"age_s\":12.5}},"
	"\"projects\":{\"a/b\":{\"waiting\":1,\"served_s\":25.0,\"latency_ms\":{\"p50\":3}},"
	"\"zoo\":{\"served_s\":75.0},\"idle\":{\"served_s\":0}},\"cut_prompts\":{\"count\":3,"
	"\"projects\":{\"zoo\":3}},\"request_log_dropped\":4,"
	"\"paused\":true,\"uptime_s\":3723.4}";

static const char jobs_answer[] =
	"{\"requests\":[{\"id\":\"run\",\"project\":\"zoo\",\"class\":\"normal\",\"model\":"
	"\"llama3\","
	"\"operation\":\"chat\",\"state\":\"streaming\",\"age_ms\":12084.3,\"wait_ms\":5.0,"
	"\"place\":"
	"null,\"reason\":null,\"forecast_ms\":null,\"tokens\":12,\"tokens_per_s\":41.24},{\"id\":"
	"\"first\",\"project\":\"\\u001b[2Jant\",\"class\":\"normal\",\"model\":\"llama3\","
	"\"operation\":"
	"\"chat\",\"state\":\"queued\",\"age_ms\":900.0,\"wait_ms\":900.0,\"place\":1,\"reason\":"
	"\"waits for a free slot\",\"forecast_ms\":1655.6,\"tokens\":null,\"tokens_per_s\":null},"
	"{\"id\":\"second\",\"project\":\"bee\",\"class\":\"batch\",\"model\":\"llama3\","
	"\"operation\":"
	"\"chat\",\"state\":\"queued\",\"age_ms\":11000.0,\"wait_ms\":100.0,\"place\":2,\"reason\":"
	"\"waits too\",\"forecast_ms\":null,\"tokens\":null,\"tokens_per_s\":null}]}";

#endif
