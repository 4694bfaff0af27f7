"""Answers of the upstream whose head is malformed: 502, nothing of them reaches a client; and heads that are unusual but
sound (RFC 9112 §4, §5, §6; RFC 9110 §15)."""

from case import CLOSE, FLUSH, Case, answered, bad_answer, body, has, has_match, in_order, interim, lacks, line, reply

EVIL = b"evil"
CHUNKED = b"Transfer-Encoding: chunked"
LENGTH = b"Content-Length: 4"
EVHTTP = {
    "pending": "evhttp takes it for sound, and we see only what evhttp made of it",
    "pending_ways": ("get", "job"),
}


def bad_start(id, start, what, rule="RFC 9112 §4", **more):
    return bad_answer("answer-" + id, rule, what, start + b"\r\nContent-Length: 4\r\n\r\nevil", **more)


def bad_line(id, text, what, rule="RFC 9112 §5", **more):
    return bad_answer("answer-" + id, rule, what, reply(text, LENGTH, body=EVIL), **more)


CASES = [
    answered(
        "answer-fields",
        "RFC 9110 §5.3",
        "order, case and duplicates of an answer's fields are kept",
        reply(b"X-b: 1", b"x-A: two", b"X-b: 3", b"Set-Cookie: a=b", b"Set-Cookie: c=d", LENGTH, body=b"fine"),
        status=200,
        client=(
            in_order(("X-b", "1"), ("x-A", "two"), ("X-b", "3"), ("Set-Cookie", "a=b"), ("Set-Cookie", "c=d")),
            body(b"fine"),
        ),
    ),
    answered(
        "answer-hop-by-hop",
        "RFC 9110 §7.6.1",
        "what is meant for us stays behind",
        reply(
            b"Connection: keep-alive, X-One",
            b"X-One: 1",
            b"Keep-Alive: timeout=5",
            b"Proxy-Connection: keep-alive",
            b"Upgrade: h2c",
            b"X-Two: 2",
            LENGTH,
            body=b"fine",
        ),
        client=(lacks("X-One", "Keep-Alive", "Proxy-Connection", "Upgrade"), has("X-Two", "2"), body(b"fine")),
    ),
    answered(
        "answer-high-bytes",
        "RFC 9112 §2.2",
        "bytes over 0x7f in a value pass",
        reply(b"X: caf\xe9", LENGTH, body=b"fine"),
        client=(has("X", "caf\xe9"),),
    ),
    answered(
        "answer-no-reason",
        "RFC 9112 §4",
        "an empty reason; its blank is sent all the same",
        reply(LENGTH, start=b"HTTP/1.1 299 ", body=b"fine"),
        status=299,
        client=(line(b"HTTP/1.1 299 "),),
    ),
    answered(
        "answer-no-reason-no-blank",
        "RFC 9112 §4",
        "no blank behind the status: many servers do so; we send it",
        reply(LENGTH, start=b"HTTP/1.1 299", body=b"fine"),
        status=(299, 502),
    ),
    answered(
        "answer-reason-high-bytes",
        "RFC 9112 §4",
        "bytes over 0x7f in the reason",
        reply(LENGTH, start=b"HTTP/1.1 200 caf\xe9", body=b"fine"),
    ),
    answered(
        "answer-unknown-status",
        "RFC 9110 §15",
        "a status that nobody knows passes",
        reply(LENGTH, start=b"HTTP/1.1 499 Client Closed", body=b"fine"),
        status=499,
    ),
    answered(
        "answer-1.0",
        "RFC 9112 §2.3",
        "an HTTP/1.0 answer goes down as HTTP/1.1",
        reply(LENGTH, start=b"HTTP/1.0 200 OK", body=b"fine"),
        CLOSE,
        client=(line(b"HTTP/1.1 200 OK"), body(b"fine")),
    ),
    answered(
        "answer-date-added",
        "RFC 9110 §6.6.1",
        "an answer without Date gets ours",
        reply(LENGTH, body=b"fine"),
        client=(has_match("Date", r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"),),
        pending="no Date is added",
    ),
    answered(
        "answer-date-kept",
        "RFC 9110 §6.6.1",
        "an answer's own Date stays",
        reply(b"Date: Sun, 06 Nov 1994 08:49:37 GMT", LENGTH, body=b"fine"),
        client=(has("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),),
    ),
    answered(
        "answer-via-request-id",
        "RFC 9110 §7.6.3",
        "Via of the answer passes as it is",
        reply(b"Via: 1.1 b", LENGTH, body=b"fine"),
        client=(has("Via", "1.1 b"),),
    ),
    answered(
        "answer-204",
        "RFC 9110 §15.3.5",
        "204 has neither body nor length",
        reply(start=b"HTTP/1.1 204 No Content"),
        status=204,
        client=(lacks("Content-Length", "Transfer-Encoding"), body(b"")),
    ),
    answered(
        "answer-204-length-0",
        "RFC 9110 §8.6",
        "a length on 204 is not passed on",
        reply(b"Content-Length: 0", start=b"HTTP/1.1 204 No Content"),
        status=204,
        client=(lacks("Content-Length"),),
        pending="passes pass it on",
        pending_ways=("get", "tunnel"),
    ),
    answered(
        "answer-204-chunked",
        "RFC 9112 §6.1",
        "204 with Transfer-Encoding: it must not get there",
        reply(b"Transfer-Encoding: chunked", start=b"HTTP/1.1 204 No Content"),
        status=(204, 502),
        client=(lacks("Transfer-Encoding"),),
    ),
    answered(
        "answer-304-length",
        "RFC 9110 §15.4.5",
        "304 has no body, whatever its length says",
        reply(b"Content-Length: 5000", b'ETag: "x"', start=b"HTTP/1.1 304 Not Modified"),
        status=304,
        client=(has("ETag", '"x"'), body(b"")),
    ),
    answered(
        "answer-304-chunked",
        "RFC 9112 §6.3",
        "304 that says chunked has no body",
        reply(CHUNKED, start=b"HTTP/1.1 304 Not Modified"),
        status=304,
        client=(body(b""),),
    ),
    answered(
        "answer-100-with-length",
        "RFC 9110 §15.2",
        "a 100 with a length has no body all the same",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\n" + reply(LENGTH, body=b"fine"),
        status=(200, 502),
        lax="RFC 9110 §15.2: a 1xx has no content, whatever its fields say; nginx waits for one that never comes",
    ),
    answered(
        "answer-301",
        "RFC 9110 §15.4",
        "a redirection is passed on, not followed",
        reply(b"Location: http://other/", b"Content-Length: 0", start=b"HTTP/1.1 301 Moved"),
        status=301,
        client=(has("Location", "http://other/"),),
    ),
    answered(
        "answer-head-byte-by-byte",
        "RFC 9112 §2.2",
        "a head that comes byte by byte",
        *[step for b in reply(LENGTH, body=b"fine") for step in (bytes([b]), FLUSH)],
        client=(body(b"fine"),),
    ),
    # interim answers
    answered(
        "answer-100-endless",
        "RFC 9110 §15.2",
        "2,000 of them: taken or refused, but not kept in memory for ever",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 2000 + reply(LENGTH, body=b"fine"),
        status=(200, 502),
    ),
    answered(
        "answer-100-unasked",
        "RFC 9110 §15.2",
        "a 100 that nobody asked for is not the answer",
        b"HTTP/1.1 100 Continue\r\n\r\n" + reply(LENGTH, body=b"fine"),
        client=(body(b"fine"),),
    ),
    answered(
        "answer-100-twice",
        "RFC 9110 §15.2",
        "several of them",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + reply(LENGTH, body=b"fine"),
        client=(body(b"fine"),),
    ),
    answered(
        "answer-102",
        "RFC 9110 §15.2",
        "102 before the answer: evhttp takes it for the answer, so 502 there (a known deviation; Ollama sends none)",
        b"HTTP/1.1 102 Processing\r\n\r\n" + reply(LENGTH, body=b"fine"),
        status=(200, 502),
    ),
    answered(
        "answer-103",
        "RFC 8297",
        "103 before the answer, likewise",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + reply(LENGTH, body=b"fine"),
        status=(200, 502),
    ),
    bad_answer(
        "answer-101-unasked",
        "RFC 9110 §7.8",
        "a switch to a protocol that nobody asked for",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nevil",
    ),
    bad_answer(
        "answer-only-100", "RFC 9110 §15.2", "a 100, then the end", b"HTTP/1.1 100 Continue\r\n\r\n", CLOSE, status=502
    ),
    Case(
        "answer-100-to-1.0",
        "RFC 9110 §15.2",
        "no 1xx to an HTTP/1.0 client",
        (b"GET /t/x HTTP/1.0\r\n\r\n",),
        side="answer",
        answer=(b"HTTP/1.1 100 Continue\r\n\r\n" + reply(LENGTH, body=b"fine"),),
        client=(interim(), body(b"fine")),
    ),
    # status lines
    bad_answer("answer-not-http", "RFC 9112 §4", "bytes that are no answer", b"evil\r\n\r\n"),
    bad_answer("answer-http-0.9", "RFC 9112 §4", "a body without a head", b"<html>evil</html>", CLOSE),
    bad_answer(
        "answer-empty-line-first",
        "RFC 9112 §4",
        "an empty line in front of the head",
        b"\r\n" + reply(LENGTH, body=EVIL),
    ),
    bad_start("version-2", b"HTTP/2.0 200 OK", "a version that we did not speak"),
    bad_start(
        "version-1.2",
        b"HTTP/1.2 200 OK",
        "a minor version that does not exist: RFC 9110 §2.5 allows to read it as 1.1",
        status=(200, 502),
        never=(),
    ),
    bad_start("version-1.10", b"HTTP/1.10 200 OK", "two digits behind the dot", **EVHTTP),
    bad_start("version-01.1", b"HTTP/01.1 200 OK", "two digits before the dot", **EVHTTP),
    bad_start("version-none", b"HTTP 200 OK", "no version"),
    bad_start("protocol", b"ICY 200 OK", "another protocol"),
    bad_start("protocol-case", b"http/1.1 200 OK", "the name in lower case"),
    bad_start("status-two-digits", b"HTTP/1.1 20 OK", "a status of two digits"),
    bad_start("status-four-digits", b"HTTP/1.1 2000 OK", "a status of four digits"),
    bad_start("status-letters", b"HTTP/1.1 2xx OK", "letters in the status"),
    bad_start("status-sign", b"HTTP/1.1 +20 OK", "a sign in the status"),
    bad_start("status-000", b"HTTP/1.1 000 OK", "a status below 100"),
    bad_start("status-600", b"HTTP/1.1 600 OK", "a status over 599"),
    bad_start("status-none", b"HTTP/1.1", "no status"),
    bad_start("status-tail", b"HTTP/1.1 200OK", "no blank behind the status", **EVHTTP),
    bad_start("two-blanks", b"HTTP/1.1  200 OK", "two blanks before the status"),
    bad_start("tab", b"HTTP/1.1\t200 OK", "a tab before the status"),
    bad_start("reason-nul", b"HTTP/1.1 200 O\0K", "a NUL in the reason", **EVHTTP),
    bad_start("reason-control", b"HTTP/1.1 200 O\x01K", "a control byte in the reason"),
    bad_start("reason-bare-cr", b"HTTP/1.1 200 O\rX: evil", "a CR in the reason", rule="bare CR"),
    bad_answer(
        "answer-start-lf",
        "bare LF",
        "the status line ends in LF alone",
        b"HTTP/1.1 200 OK\nContent-Length: 4\r\n\r\nevil",
        **EVHTTP,
    ),
    bad_answer(
        "answer-all-lf",
        "bare LF",
        "no CR anywhere in the head",
        b"HTTP/1.1 200 OK\nContent-Length: 4\n\nevil",
        **EVHTTP,
    ),
    bad_answer(
        "answer-start-cr-cr-lf",
        "bare CR",
        "CR CR LF ends the status line",
        b"HTTP/1.1 200 OK\r\r\nContent-Length: 4\r\n\r\nevil",
    ),
    # fields
    bad_line(
        "space-before-colon",
        b"X-Evil : evil",
        "a blank before the colon: to be removed or refused",
        rule="RFC 9112 §5.1",
        never=(),
    ),
    bad_line("no-colon", b"evil", "a line without a colon"),
    bad_line("empty-name", b": evil", "a field without a name"),
    bad_line("name-space", b"X evil: v", "a blank in a name"),
    bad_line("name-control", b"X\x01: evil", "a control byte in a name"),
    bad_line("name-high-byte", b"X\xe9: evil", "a byte over 0x7f in a name"),
    bad_line("value-nul", b"X: a\0evil", "a NUL in a value", rule="RFC 9110 §5.5", **EVHTTP),
    bad_line("value-control", b"X: a\x01evil", "a control byte in a value", rule="RFC 9110 §5.5"),
    bad_line("value-bare-cr", b"X: a\revil: b", "a CR in a value (response splitting)", rule="RFC 9112 §2.2, bare CR"),
    bad_line("value-lf", b"X: a\nevil: b", "an LF in a value", rule="bare LF", **EVHTTP),
    bad_line("space-before-first-field", b" X: evil", "a blank before the first field", rule="RFC 9112 §2.2"),
    bad_answer(
        "answer-obs-fold",
        "RFC 9112 §5.2, obs-fold",
        "a folded value: 502",
        reply(b"X: a", b" evil", LENGTH, body=EVIL),
        **EVHTTP,
    ),
    bad_answer(
        "answer-obs-fold-length", "obs-fold", "a folded length", reply(b"Content-Length:", b" 4", body=EVIL), **EVHTTP
    ),
    bad_answer(
        "answer-head-too-long",
        "RFC 9110 §5.4",
        "a head of 200,000 bytes",
        reply(b"X: " + b"v" * 200000, LENGTH, body=EVIL),
    ),
    bad_answer(
        "answer-head-endless-fields", "RFC 9110 §5.4", "20,000 fields", reply(*[b"X: evil"] * 20000, LENGTH, body=EVIL)
    ),
    bad_answer(
        "answer-connection-endless",
        "RFC 9110 §7.6.1",
        "a thousand connection options",
        reply(b"Connection: " + b", ".join(b"x%d" % n for n in range(1000)), LENGTH, body=EVIL),
        status=(200, 502),
        never=(),
    ),
]
