"""Answers of the upstream whose framing is malformed, that break off, or behind which more bytes come (RFC 9112 §6.3, §7,
§8, §9.2): a client never takes them for whole, and the next client never sees a byte of them."""

from case import (
    ANSWERED,
    CLOSE,
    EARLY,
    FLUSH,
    HOLD,
    RESET,
    Case,
    answered,
    bad_answer,
    body,
    broken_answer,
    has,
    lacks,
    reply,
)

EVIL = b"evil"
LENGTH = b"Content-Length: 4"
CHUNKED = b"Transfer-Encoding: chunked"
EVHTTP = {
    "pending": "evhttp takes it for sound, and we see only what evhttp made of it",
    "pending_ways": ("get", "job"),
}
SPLIT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


def bad_length(id, value, what, rule="RFC 9112 §6.3, malformed length"):
    return bad_answer("answer-length-" + id, rule, what, reply(b"Content-Length:" + value, body=EVIL), CLOSE)


def bad_coding(id, lines, what, rule="RFC 9112 §6.3", **more):
    return bad_answer("answer-coding-" + id, rule, what, reply(*lines, body=b"4\r\nevil\r\n0\r\n\r\n"), CLOSE, **more)


def bad_chunk(id, what, *pieces, rule="RFC 9112 §7.1", **more):
    """Behind one sound chunk that the client may have by then."""
    return broken_answer(
        "answer-chunk-" + id,
        rule,
        what,
        reply(CHUNKED, body=b"2\r\nok\r\n"),
        FLUSH,
        *pieces,
        CLOSE,
        status=(200, 502),
        **more,
    )


def good_chunk(id, what, *pieces, rule="RFC 9112 §7.1", **more):
    more.setdefault("client", (body(b"fine"),))
    return answered("answer-chunk-" + id, rule, what, reply(CHUNKED, body=pieces[0]), *pieces[1:], **more)


CASES = [
    answered(
        "answer-length",
        "RFC 9112 §6.3",
        "an answer of known length",
        reply(LENGTH, body=b"fine"),
        connection="open",
        client=(has("Content-Length", "4"), body(b"fine")),
    ),
    answered(
        "answer-length-zero",
        "RFC 9112 §6.3",
        "an answer of no bytes",
        reply(b"Content-Length: 0"),
        connection="open",
        client=(body(b""),),
    ),
    answered(
        "answer-until-close",
        "RFC 9112 §6.3",
        "neither length nor coding: the end of the connection is the end",
        reply(b"X: y", body=b"fine"),
        CLOSE,
        client=(body(b"fine"),),
    ),
    answered(
        "answer-until-close-1.0",
        "RFC 9112 §6.3",
        "the same of HTTP/1.0",
        reply(b"X: y", start=b"HTTP/1.0 200 OK", body=b"fine"),
        CLOSE,
        client=(body(b"fine"),),
    ),
    answered(
        "answer-until-close-keep-alive",
        "RFC 9112 §9.3",
        "the same, though it says keep-alive",
        reply(b"Connection: keep-alive", body=b"fine"),
        CLOSE,
        client=(body(b"fine"),),
    ),
    answered(
        "answer-close",
        "RFC 9112 §9.6",
        "the upstream says close: nothing more is sent there; the client's connection lives on",
        reply(b"Connection: close", LENGTH, body=b"fine"),
        connection="open",
        client=(body(b"fine"),),
    ),
    answered(
        "answer-early",
        "RFC 9112 §9.3",
        "an answer before the body was read",
        EARLY,
        reply(LENGTH, body=b"fine"),
        client=(body(b"fine"),),
    ),
    # lengths
    bad_length("empty", b"", "an empty length"),
    bad_length("plus", b" +4", "a sign"),
    bad_length("minus", b" -4", "a negative length"),
    bad_length("hex", b" 0x4", "hexadecimal"),
    bad_length("letters", b" four", "letters"),
    bad_length("tail", b" 4x", "letters behind the number"),
    bad_length("space-inside", b" 4 0", "a blank inside"),
    bad_length("list-differs", b" 4, 5", "two lengths in one line"),
    bad_length("list", b" 4, 4", "the same length twice in one line"),
    bad_length("2-to-64", b" 18446744073709551620", "2^64 + 4"),
    bad_length("2-to-63", b" 9223372036854775808", "2^63"),
    bad_answer(
        "answer-length-twice-differs",
        "RFC 9112 §6.3, duplicate length",
        "two lines that differ",
        reply(LENGTH, b"Content-Length: 2", body=EVIL),
        CLOSE,
    ),
    bad_answer(
        "answer-length-twice-same", "duplicate length", "two lines that agree", reply(LENGTH, LENGTH, body=EVIL), CLOSE
    ),
    bad_answer(
        "answer-length-space-before-colon",
        "space before the colon",
        "a length with a blank before the colon",
        reply(b"Content-Length : 4", body=EVIL),
        CLOSE,
    ),
    bad_answer(
        "answer-length-and-coding",
        "RFC 9112 §6.3, TE.CL",
        "both length and coding",
        reply(LENGTH, CHUNKED, body=b"4\r\nevil\r\n0\r\n\r\n"),
        CLOSE,
    ),
    bad_answer(
        "answer-coding-and-length",
        "RFC 9112 §6.3, CL.TE",
        "both, the other way round",
        reply(CHUNKED, b"Content-Length: 14", body=b"4\r\nevil\r\n0\r\n\r\n"),
        CLOSE,
    ),
    bad_answer(
        "answer-coding-on-1.0",
        "RFC 9112 §6.1",
        "chunked of HTTP/1.0: faulty framing",
        reply(CHUNKED, start=b"HTTP/1.0 200 OK", body=b"4\r\nevil\r\n0\r\n\r\n"),
        CLOSE,
    ),
    # codings
    bad_coding("twice", (b"Transfer-Encoding: chunked, chunked",), "chunked twice", rule="RFC 9112 §6.1"),
    bad_coding("two-lines", (CHUNKED, CHUNKED), "chunked in two lines", rule="RFC 9112 §6.1"),
    bad_coding(
        "gzip-chunked", (b"Transfer-Encoding: gzip, chunked",), "a coding that we cannot undo and did not ask for"
    ),
    bad_coding("chunked-gzip", (b"Transfer-Encoding: chunked, gzip",), "chunked is not the last"),
    bad_coding("gzip", (b"Transfer-Encoding: gzip",), "no chunked at all"),
    bad_coding("identity", (b"Transfer-Encoding: identity",), "identity"),
    bad_coding("empty", (b"Transfer-Encoding:",), "an empty coding"),
    bad_coding("xchunked", (b"Transfer-Encoding: xchunked",), "a word that ends like chunked"),
    bad_coding("vertical-tab", (b"Transfer-Encoding: \x0bchunked",), "a vertical tab in front"),
    bad_coding("obs-fold", (b"Transfer-Encoding:", b" chunked"), "chunked behind a fold", **EVHTTP),
    # chunks
    good_chunk("plain", "chunks", b"2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n", connection="open", client=(body(b"fine"),)),
    good_chunk(
        "byte-by-byte",
        "chunks that come byte by byte",
        *[step for b in b"2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n" for step in (bytes([b]), FLUSH)],
    ),
    good_chunk(
        "trailer",
        "trailers are dropped",
        b"4\r\nfine\r\n0\r\nX-T: v\r\n\r\n",
        rule="RFC 9112 §7.1.2",
        client=(body(b"fine"), lacks("X-T")),
    ),
    good_chunk(
        "extension",
        "extensions are ignored: on evhttp's way they are malformed (a known deviation; Ollama sends none)",
        b"4;name=value\r\nfine\r\n0\r\n\r\n",
        rule="RFC 9112 §7.1.1",
        status=(200, 502),
        whole=None,
        client=(),
    ),
    good_chunk(
        "upper-case-zeros",
        "a size with leading zeros in upper case",
        b"000A\r\n0123456789\r\n000\r\n\r\n",
        client=(body(b"0123456789"),),
    ),
    good_chunk(
        "big",
        "a chunk of 300,000 bytes",
        b"493e0\r\n" + b"x" * 300000 + b"\r\n0\r\n\r\n",
        client=(body(b"x" * 300000),),
    ),
    bad_chunk("no-size", "an empty size", b"\r\nevil\r\n0\r\n\r\n"),
    bad_chunk("0x", "a prefix of 0x", b"0x4\r\nevil\r\n0\r\n\r\n", **EVHTTP),
    bad_chunk("sign", "a sign", b"+4\r\nevil\r\n0\r\n\r\n", **EVHTTP),
    bad_chunk("minus", "a negative size", b"-4\r\nevil\r\n0\r\n\r\n"),
    bad_chunk("not-hex", "a letter that is no digit", b"g\r\nevil\r\n0\r\n\r\n"),
    bad_chunk("blank", "a blank before the size", b" 4\r\nevil\r\n0\r\n\r\n", **EVHTTP),
    bad_chunk("2-to-64", "2^64 + 4", b"10000000000000004\r\nevil\r\n0\r\n\r\n", rule="RFC 9112 §7.1, overflow"),
    bad_chunk("2-to-63", "2^63", b"8000000000000000\r\nevil\r\n0\r\n\r\n", rule="RFC 9112 §7.1, overflow"),
    bad_chunk("size-lf", "a size line that ends in LF alone", b"4\nevil\r\n0\r\n\r\n", rule="bare LF", **EVHTTP),
    bad_chunk("size-cr", "CR CR LF behind a size", b"4\r\r\nevil\r\n0\r\n\r\n", rule="bare CR"),
    bad_chunk(
        "extension-lf", "an LF inside of an extension", b"4;a\nevil\r\n0\r\n\r\n", rule="chunk extensions, bare LF"
    ),
    bad_chunk("data-longer", "more data than the size says", b"2\r\nevil\r\n0\r\n\r\n"),
    bad_chunk("data-shorter", "less data than the size says", b"6\r\nevil\r\n0\r\n\r\n", **EVHTTP),
    bad_chunk("data-lf", "LF alone behind the data", b"4\r\nevil\n0\r\n\r\n", rule="bare LF", **EVHTTP),
    bad_chunk("data-no-end", "no line end behind the data", b"4\r\nevil0\r\n\r\n", **EVHTTP),
    bad_chunk("last-lf", "LF alone behind the last size", b"0\n\r\n", rule="bare LF", **EVHTTP),
    bad_chunk("end-lf", "LF alone for the empty line at the end", b"0\r\n\n", rule="bare LF", **EVHTTP),
    bad_chunk("trailer-no-colon", "a trailer that is no field", b"0\r\nevil\r\n\r\n", rule="RFC 9112 §7.1.2"),
    # breaking off
    broken_answer(
        "answer-cut-length",
        "RFC 9112 §8",
        "fewer bytes than the length says",
        reply(b"Content-Length: 100", body=b"some"),
        FLUSH,
        CLOSE,
        status=(200, 502),
    ),
    broken_answer(
        "answer-cut-length-all",
        "RFC 9112 §8",
        "no byte of the body",
        reply(b"Content-Length: 100"),
        FLUSH,
        CLOSE,
        status=(200, 502),
    ),
    broken_answer(
        "answer-cut-length-reset",
        "RFC 9112 §8",
        "a reset in the body",
        reply(b"Content-Length: 100", body=b"some"),
        FLUSH,
        RESET,
        status=(200, 502),
    ),
    broken_answer(
        "answer-cut-chunked",
        "RFC 9112 §8",
        "no last chunk",
        reply(CHUNKED, body=b"4\r\nsome\r\n"),
        FLUSH,
        CLOSE,
        status=(200, 502),
    ),
    broken_answer(
        "answer-cut-chunk",
        "RFC 9112 §8",
        "the end in a chunk",
        reply(CHUNKED, body=b"8\r\nsome"),
        FLUSH,
        CLOSE,
        status=(200, 502),
    ),
    broken_answer(
        "answer-cut-last-chunk",
        "RFC 9112 §8",
        "a last chunk without the empty line",
        reply(CHUNKED, body=b"4\r\nsome\r\n0\r\n"),
        FLUSH,
        CLOSE,
        status=(200, 502),
    ),
    broken_answer(
        "answer-cut-chunked-reset",
        "RFC 9112 §8",
        "a reset between two chunks",
        reply(CHUNKED, body=b"4\r\nsome\r\n"),
        FLUSH,
        RESET,
        status=(200, 502),
    ),
    broken_answer(
        "answer-cut-until-close-reset",
        "RFC 9112 §8",
        "a reset where only the end of the connection says the end",
        reply(b"X: y", body=b"some"),
        FLUSH,
        RESET,
        status=(200, 502),
    ),
    Case(
        "answer-cut-to-1.0",
        "RFC 9112 §8",
        "an HTTP/1.0 client, too, must see that its answer broke off: by a reset",
        (b"GET /t/x HTTP/1.0\r\n\r\n",),
        side="answer",
        answer=(reply(CHUNKED, body=b"4\r\nsome\r\n"), FLUSH, CLOSE),
        status=(200, 502),
        whole=False,
        forwarded=None,
    ),
    bad_answer(
        "answer-nothing", "RFC 9112 §8", "the connection ends without a byte", CLOSE, tries={"get": 2, "job": 2}
    ),
    bad_answer("answer-reset", "RFC 9112 §8", "a reset without a byte", RESET, tries={"get": 2, "job": 2}),
    bad_answer(
        "answer-cut-head",
        "RFC 9112 §8",
        "the end in the head",
        b"HTTP/1.1 200 OK\r\nX: evil\r\n",
        CLOSE,
        tries={"job": 2},
    ),
    bad_answer(
        "answer-cut-start",
        "RFC 9112 §8",
        "the end in the status line",
        b"HTTP/1.1 20",
        CLOSE,
        tries={"job": 2},
    ),
    bad_answer("answer-silent", "PRODUCT 2", "no byte for as long as we wait", HOLD, status=504),
    broken_answer(
        "answer-silent-in-body",
        "PRODUCT 2",
        "no more bytes in mid-answer",
        reply(b"Content-Length: 100", body=b"some"),
        HOLD,
        status=(200, 504),
    ),
    broken_answer(
        "answer-silent-until-close",
        "PRODUCT 2",
        "no more bytes where only the end of the connection says the end",
        reply(b"X: y", body=b"some"),
        HOLD,
        status=(200, 504),
    ),
    # more bytes than the answer
    answered(
        "answer-extra-length",
        "RFC 9112 §9.2, response smuggling",
        "more bytes than the length says, at once",
        reply(LENGTH, body=b"fine" + SPLIT),
        never=(EVIL,),
        status=(200, 502),
        connection=None,
    ),
    answered(
        "answer-extra-length-later",
        "RFC 9112 §9.2, response smuggling",
        "bytes behind the answer, when the client has it: they wait for the next request on that connection",
        reply(LENGTH, body=b"fine"),
        ANSWERED,
        SPLIT,
        never=(EVIL,),
        client=(body(b"fine"),),
    ),
    answered(
        "answer-extra-chunked",
        "RFC 9112 §9.2, response smuggling",
        "bytes behind the last chunk",
        reply(CHUNKED, body=b"4\r\nfine\r\n0\r\n\r\n" + SPLIT),
        never=(EVIL,),
        status=(200, 502),
    ),
    answered(
        "answer-extra-204",
        "RFC 9110 §15.3.5",
        "a body on 204",
        reply(start=b"HTTP/1.1 204 No Content", body=SPLIT),
        never=(EVIL,),
        status=(204, 502),
    ),
    answered(
        "answer-extra-304",
        "RFC 9110 §15.4.5",
        "a body on 304",
        reply(b"Content-Length: 4", start=b"HTTP/1.1 304 Not Modified", body=EVIL),
        never=(EVIL,),
        status=(304, 502),
    ),
    answered(
        "answer-extra-zero",
        "RFC 9112 §9.2",
        "a body behind a length of 0",
        reply(b"Content-Length: 0", body=EVIL),
        never=(EVIL,),
        status=(200, 502),
    ),
    answered(
        "answer-extra-head",
        "RFC 9110 §9.3.2",
        "a body on the answer to HEAD",
        reply(LENGTH, body=EVIL),
        never=(EVIL,),
        status=(200, 502),
        ways=("head",),
    ),
    answered(
        "answer-extra-close",
        "RFC 9112 §9.6",
        "bytes behind an answer that says close",
        reply(b"Connection: close", LENGTH, body=b"fine" + SPLIT),
        never=(EVIL,),
        status=(200, 502),
    ),
]
