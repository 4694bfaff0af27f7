"""traceparent (W3C Trace Context): passed on as it is, started where absent if wanted, in the log."""

import re

import pytest
from boxes import QUICK, chat_body

pytestmark = pytest.mark.sim(config=QUICK)

SENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SOUND = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")


def ask(server, wire, *values):
    """A job and a pass with these values of traceparent."""
    headers = [("traceparent", value) for value in values]
    assert wire(server.url).ask("POST", "/api/chat", chat_body(), headers).status == 200
    assert wire(server.url).ask("GET", "/api/tags", b"", headers).status == 200


@pytest.mark.parametrize("how", ["off", "start"])
def test_a_trace_goes_on(how, proxy, wire, recorder):
    server = proxy("--traceparent", how, upstream=recorder.url)
    ask(server, wire, SENT)
    for target in ("/api/chat", "/api/tags"):
        assert recorder.fields(target, "traceparent")[-1] == [SENT]
    assert [line["traceparent"] for line in server.wait_log(2)] == [SENT, SENT]


def test_no_trace_is_started_by_default(proxy, wire, recorder):
    server = proxy(upstream=recorder.url)
    ask(server, wire)
    for target in ("/api/chat", "/api/tags"):
        assert recorder.fields(target, "traceparent")[-1] == []
    assert [line["traceparent"] for line in server.wait_log(2)] == [None, None]


def test_a_trace_is_started_where_wanted(proxy, wire, recorder):
    server = proxy("--traceparent", "start", upstream=recorder.url)
    ask(server, wire)
    lines = server.wait_log(2)
    for target, line in zip(("/api/chat", "/api/tags"), lines, strict=True):
        assert recorder.fields(target, "traceparent")[-1] == [line["traceparent"]]
        assert SOUND.fullmatch(line["traceparent"])
    assert lines[0]["traceparent"] != lines[1]["traceparent"]


# It is not ours to mend: what came stands, ours beside it.
@pytest.mark.parametrize("values", [("00-0AF7-1-01",), (SENT, SENT)])
def test_a_malformed_one_is_passed_on_and_counts_as_none(values, proxy, wire, recorder):
    server = proxy("--traceparent", "start", upstream=recorder.url)
    ask(server, wire, *values)
    for target, line in zip(("/api/chat", "/api/tags"), server.wait_log(2), strict=True):
        assert SOUND.fullmatch(line["traceparent"])
        assert recorder.fields(target, "traceparent")[-1] == [*values, line["traceparent"]]


def test_a_malformed_one_is_left_alone_by_default(proxy, wire, recorder):
    server = proxy(upstream=recorder.url)
    ask(server, wire, "00-0AF7-1-01")
    assert recorder.fields("/api/chat", "traceparent")[-1] == ["00-0AF7-1-01"]
    assert server.wait_log(2)[0]["traceparent"] == "00-0AF7-1-01"
