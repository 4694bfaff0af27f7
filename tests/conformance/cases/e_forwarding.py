"""What an intermediary has to change and must not change (RFC 9110 §7.6, §7.8, §10.1.1, §15.2), and connections
(RFC 9112 §9)."""

from case import ALL, EARLY, Case, body, framing, has, has_match, head, in_order, interim, lacks, line, refused, reply, taken

GET = b"GET /t/x HTTP/1.1"
JSON = b'{"model":"m"}'
NEXT = b"GET /t/y HTTP/1.1\r\nHost: localhost\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

CASES = [
    taken("connection-names-fields", "RFC 9110 §7.6.1", "fields that Connection names stay behind, and Connection too", head(b"Connection: keep-alive, X-One, x-TWO", b"X-One: 1", b"X-Two: 2", b"X-Three: 3"), ways=ALL, upstream=(lacks("X-One", "X-Two"), has("X-Three", "3"))),
    taken("connection-two-lines", "RFC 9110 §7.6.1", "Connection in two lines", head(b"Connection: X-One", b"X-One: 1", b"connection: , X-Two,", b"X-Two: 2"), ways=ALL, upstream=(lacks("X-One", "X-Two"),)),
    taken("connection-names-itself-last", "RFC 9110 §7.6.1", "the field stands before the Connection that names it", head(b"X-One: 1", b"Connection: X-One"), upstream=(lacks("X-One"),)),
    taken("hop-by-hop-fields", "RFC 9110 §7.6.1", "Keep-Alive, Proxy-Connection, TE, Upgrade stay behind even if nobody names them", head(b"Keep-Alive: timeout=5", b"Proxy-Connection: keep-alive", b"TE: trailers", b"Upgrade: websocket", b"Trailer: X-T"), ways=ALL, upstream=(lacks("Keep-Alive", "Proxy-Connection", "TE", "Upgrade", "Trailer"),)),
    taken("connection-cannot-strip-host", "hop-by-hop abuse", "Connection cannot strip Host", head(b"Connection: Host"), upstream=(has_match("Host", r"127\.0\.0\.1:\d+"),)),
    taken("connection-cannot-strip-ours", "hop-by-hop abuse", "nor what we add", head(b"Connection: X-Forwarded-For, Via, X-Request-Id"), upstream=(has("X-Forwarded-For", "127.0.0.1"), has_match("Via", "1.1 .+"), has_match("X-Request-Id", ".+"))),
    taken("connection-cannot-strip-authorization", "hop-by-hop abuse", "nor Authorization: the request would go up as another user's", head(b"Connection: Authorization", b"Authorization: Bearer k"), upstream=(has("Authorization", "Bearer k"),)),
    refused("connection-endless", "RFC 9110 §7.6.1", "a thousand connection options: each field would be looked up among them", head(b"Connection: " + b", ".join(b"x%d" % n for n in range(1000)))),
    taken("end-to-end-fields", "RFC 9110 §7.6", "all other fields pass, known or not", head(b"Accept-Encoding: gzip", b"Authorization: Bearer k", b"Cookie: a=b", b"Origin: http://localhost", b"Range: bytes=0-1", b"If-None-Match: \"x\"", b"X-New: 1"), ways=ALL, upstream=(in_order(("Accept-Encoding", "gzip"), ("Authorization", "Bearer k"), ("Cookie", "a=b"), ("Origin", "http://localhost"), ("Range", "bytes=0-1"), ("If-None-Match", '"x"'), ("X-New", "1")),)),
    taken("via-appended", "RFC 9110 §7.6.3", "Via is appended to, X-Forwarded-For too", head(b"Via: 1.0 a, 1.1 b", b"X-Forwarded-For: 10.0.0.1", b"Via: 1.1 c"), ways=ALL, upstream=(has_match("Via", "1.0 a, 1.1 b, 1.1 c, 1.1 shared-ollama-.+"), has("X-Forwarded-For", "10.0.0.1, 127.0.0.1"))),
    taken("max-forwards-get", "RFC 9110 §7.6.2", "Max-Forwards says nothing on a GET", head(b"Max-Forwards: 0", start=GET), upstream=(has("Max-Forwards", "0"),)),
    taken("max-forwards-counted", "RFC 9110 §7.6.2", "Max-Forwards on OPTIONS is one less behind us", head(b"Max-Forwards: 5", start=b"OPTIONS /t/x HTTP/1.1"), upstream=(has("Max-Forwards", "4"),)),
    Case("max-forwards-zero-options", "RFC 9110 §7.6.2", "Max-Forwards: 0 on OPTIONS is ours to answer", (head(b"Max-Forwards: 0", start=b"OPTIONS /t/x HTTP/1.1"),), status=(200, 204), forwarded=0),
    Case("max-forwards-zero-trace", "RFC 9110 §7.6.2", "Max-Forwards: 0 on TRACE is ours to answer", (head(b"Max-Forwards: 0", start=b"TRACE /t/x HTTP/1.1"),), status=(200, 405, 501), forwarded=0),
    taken("upgrade-websocket", "RFC 9110 §7.8", "an Upgrade is not passed on, the request is", head(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", start=GET), upstream=(lacks("Upgrade", "Connection"),)),
    taken("upgrade-h2c", "h2c smuggling", "an upgrade to h2c neither", head(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA", start=GET), upstream=(lacks("Upgrade", "HTTP2-Settings"),)),
    taken("te-not-passed", "RFC 9112 §7.4", "TE is ours alone", head(b"Connection: TE", b"TE: gzip, trailers"), upstream=(lacks("TE"),)),
    # Expect
    Case("expect", "RFC 9110 §10.1.1", "100-continue: our 100 for what is collected, Ollama's for what streams through", (head(b"Expect: 100-continue", b"Content-Length: 13"), JSON), ways=ALL, answer=(EARLY, CONTINUE, reply(b"Content-Length: 2", body=b"ok")), client=(interim(100), body(b"ok"))),
    taken("expect-upper-case", "RFC 9110 §10.1.1", "its value has no case", head(b"Expect: 100-CONTINUE", b"Content-Length: 13") + JSON, upstream=(body(JSON),), connection=None),
    refused("expect-unknown", "RFC 9110 §10.1.1", "an expectation that nobody knows is 417", head(b"Expect: magic"), status=417, connection=None),
    refused("expect-two", "RFC 9110 §10.1.1", "two expectations", head(b"Expect: 100-continue", b"Expect: 100-continue", b"Content-Length: 13") + JSON, status=(400, 417), connection=None),
    refused("expect-obfuscated", "0.CL by Expect", "an Expect that another reader may take for a sound one", head(b"Expect: y 100-continue", b"Content-Length: 13") + JSON, status=(400, 417), connection=None),
    Case("expect-http-1.0", "RFC 9110 §10.1.1", "from an HTTP/1.0 client it is ignored, and no 100 is sent", (head(b"Expect: 100-continue", b"Content-Length: 13", start=b"POST /t/x HTTP/1.0") + JSON,), client=(interim(),), upstream=(body(JSON), lacks("Expect"))),
    Case("expect-refused-early", "RFC 9110 §10.1.1", "a final answer instead of the 100: the client sees it and no 100", (head(b"Expect: 100-continue", b"Content-Length: 1000000", start=b"POST /t/x HTTP/1.1"),), answer=(EARLY, reply(b"Content-Length: 2", b"Connection: close", start=b"HTTP/1.1 413 Too Large", body=b"no")), status=413, forwarded=0, client=(interim(), body(b"no"))),
    # connections
    taken("keep-alive", "RFC 9112 §9.3", "HTTP/1.1 connections persist", head(), ways=ALL),
    taken("close", "RFC 9112 §9.6", "close is said back and done", head(b"Connection: close"), ways=ALL, connection="closed", client=(has_match("Connection", "(?i)close"),)),
    taken("close-among-others", "RFC 9112 §9.6", "close in a list, in capitals", head(b"Connection: foo, CLOSE"), ways=ALL, connection="closed"),
    taken("close-then-request", "RFC 9112 §9.6", "what follows a close is not served", head(b"Connection: close") + NEXT, ways=ALL, connection="closed", forwarded=1),
    taken("close-wins", "RFC 9112 §9.3", "close and keep-alive: close", head(b"Connection: keep-alive", b"Connection: close"), connection="closed"),
    taken("pipelined", "RFC 9112 §9.3.2", "five requests in one packet are answered in order", head(start=b"GET /t/1 HTTP/1.1") * 5, methods=("GET",) * 5, forwarded=5),
    taken("pipelined-mixed", "RFC 9112 §9.3.2", "a job, a pass and a streamed body in one packet", b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n" + JSON + b"POST /t/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n" + NEXT, methods=("POST", "POST", "GET"), forwarded=3),
    Case("pipelined-then-bad", "RFC 9112 §9.3.2", "a malformed request behind a sound one: the sound one is answered first", (head(start=GET) + b"GET /evil HTTP/1.1\r\nHost : x\r\n\r\n",), methods=("GET", "GET"), forwarded=1, connection="closed"),
    # answers to particular methods
    taken("head-length", "RFC 9110 §9.3.2", "a HEAD's answer keeps its length and has no body", head(start=b"HEAD /t/x HTTP/1.1"), answer=(reply(b"Content-Length: 5000"),), client=(has("Content-Length", "5000"), body(b""))),
    taken("head-no-length", "RFC 9110 §9.3.2", "nor is one made up", head(start=b"HEAD /t/x HTTP/1.1"), answer=(reply(b"X: y"),), client=(lacks("Content-Length", "Transfer-Encoding"),)),
    taken("head-chunked", "RFC 9112 §6.1", "a HEAD's answer that says chunked has no body", head(start=b"HEAD /t/x HTTP/1.1"), answer=(reply(b"Transfer-Encoding: chunked"),), client=(body(b""),)),
    taken("head-in-pipeline", "RFC 9112 §9.2", "behind a HEAD's answer the next one is read at the right place", head(start=b"HEAD /t/x HTTP/1.1") + NEXT, answer=(reply(b"Content-Length: 5000"),), methods=("HEAD", "HEAD"), forwarded=2),
    refused("loop", "RFC 9110 §7.6", "never forward to ourselves: tested where Via names us (tests/integration/test_forwarding.py); a Via of another proxy of our kind is no loop", head(b"Via: 1.1 shared-ollama-zzzzzzzz", b"A : b")),
]
