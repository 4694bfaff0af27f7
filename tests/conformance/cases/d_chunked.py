"""The chunked coding in requests (RFC 9112 §7.1), as jobs and collected passes take it (400 before anything goes
upstream) and as it streams through (the upstream's copy is cut and never ends)."""

from case import ALL, Case, body, head, lacks, taken

HEAD = head(b"Transfer-Encoding: chunked")
JSON = b'{"model":"m"}'
EVIL = b"GET /evil HTTP/1.1\r\nHost: localhost\r\n\r\n"


def good(id, rule, what, *pieces, **more):
    more.setdefault("upstream", (body(JSON),))
    return taken("chunk-" + id, rule, what, HEAD + pieces[0], *pieces[1:], ways=ALL, **more)


def bad(id, rule, what, *pieces, status=400, **more):
    return Case(
        "chunk-" + id,
        rule,
        what,
        (HEAD + pieces[0],) + pieces[1:],
        ways=ALL,
        status=status,
        forwarded=0,
        connection="closed",
        **more,
    )


CASES = [
    good("none", "RFC 9112 §7.1", "no chunk but the last", b"0\r\n\r\n", upstream=(body(b""),)),
    good("many-zeros", "RFC 9112 §7.1", "a last chunk of several zeros", b"d\r\n" + JSON + b"\r\n0000\r\n\r\n"),
    good("upper-case", "RFC 9112 §7.1", "sizes in upper case", b"D\r\n" + JSON + b"\r\n0\r\n\r\n"),
    good("leading-zeros", "RFC 9112 §7.1", "leading zeros", b"00d\r\n" + JSON + b"\r\n0\r\n\r\n"),
    good(
        "byte-by-byte",
        "RFC 9112 §7.1",
        "everything in pieces of one byte",
        *[bytes([b]) for b in b"d\r\n" + JSON + b"\r\n0\r\n\r\n"],
    ),
    good(
        "then-request",
        "RFC 9112 §9.3.2",
        "the next request stands right behind",
        b"d\r\n" + JSON + b"\r\n0\r\n\r\nGET /t/y HTTP/1.1\r\nHost: localhost\r\n\r\n",
        methods=("POST", "GET"),
        forwarded=2,
    ),
    good(
        "data-like-request",
        "chunk extensions",
        "data that looks like the end and a request",
        b"%x\r\n0\r\n\r\n" % (5 + len(EVIL)) + EVIL + b"\r\n0\r\n\r\n",
        upstream=(body(b"0\r\n\r\n" + EVIL),),
    ),
    good(
        "extension",
        "RFC 9112 §7.1.1",
        "extensions are ignored and dropped",
        b"d;name=value;flag\r\n" + JSON + b"\r\n0;last\r\n\r\n",
    ),
    good(
        "extension-quoted",
        "RFC 9112 §7.1.1",
        "a quoted extension",
        b'd;name="a \\"b\\"; c"\r\n' + JSON + b"\r\n0\r\n\r\n",
    ),
    good(
        "extension-blanks",
        "RFC 9112 §7.1.1",
        "blanks around the semicolon (BWS)",
        b"d ; name = value\r\n" + JSON + b"\r\n0\r\n\r\n",
    ),
    good(
        "trailer",
        "RFC 9112 §7.1.2",
        "trailer fields are dropped",
        b"d\r\n" + JSON + b"\r\n0\r\nX-Trailer: v\r\nX-Other: w\r\n\r\n",
    ),
    good(
        "trailer-framing",
        "RFC 9110 §6.5.1",
        "a trailer that would frame or route is dropped too",
        b"d\r\n" + JSON + b"\r\n0\r\nContent-Length: 99\r\nHost: evil\r\nTransfer-Encoding: chunked\r\n\r\n",
        upstream=(body(JSON), lacks("X-Trailer")),
    ),
    bad("no-size", "RFC 9112 §7.1", "an empty size", b"\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("0x", "malformed length", "a prefix of 0x", b"0xd\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("plus", "malformed length", "a sign", b"+d\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("minus", "malformed length", "a negative size", b"-d\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("underscore", "malformed length", "an underscore", b"0_d\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("not-hex", "malformed length", "a letter that is no digit", b"g\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("leading-blank", "malformed length", "a blank before the size", b" d\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("space-inside", "malformed length", "a blank and then more digits", b"d 0\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad(
        "extension-no-semicolon",
        "chunk extensions",
        "words without a semicolon",
        b"d name\r\n" + JSON + b"\r\n0\r\n\r\n",
    ),
    bad("nul", "malformed length", "a NUL behind the size", b"d\0\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("high-byte", "malformed length", "a byte over 0x7f as a digit", b"\xb0d\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("full-width", "malformed length", "a digit of another alphabet", b"\xef\xbc\x91\r\nA\r\n0\r\n\r\n"),
    bad(
        "2-to-64",
        "RFC 9112 §7.1, overflow",
        "2^64 + 13: wraps round to 13",
        b"1000000000000000d\r\n" + JSON + b"\r\n0\r\n\r\n",
    ),
    bad("2-to-32-digits", "RFC 9112 §7.1, overflow", "17 digits", b"f" * 17 + b"\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad(
        "2-to-63",
        "RFC 9112 §7.1, overflow",
        "2^63: negative for some",
        b"8000000000000000\r\n" + JSON + b"\r\n0\r\n\r\n",
    ),
    bad("size-lf", "chunk extensions, bare LF", "a size line that ends in LF alone", b"d\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("size-cr", "bare CR", "a size line that ends in CR alone", b"d\r" + JSON + b"\r\n0\r\n\r\n"),
    bad("size-cr-cr-lf", "bare CR", "CR CR LF behind a size", b"d\r\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad(
        "size-cr-extension",
        "chunk extensions, bare CR",
        "CR, then an extension",
        b"d\r;name\r\n" + JSON + b"\r\n0\r\n\r\n",
    ),
    bad(
        "extension-lf",
        "chunk extensions, bare LF",
        "an LF inside of an extension (TERM.EXT)",
        b"d;a\n" + JSON + b"\r\n0\r\n\r\n",
    ),
    bad(
        "extension-lf-hides-chunk",
        "chunk extensions, bare LF",
        "an LF in an extension behind which another size stands (EXT.TERM)",
        b"2;\n26\r\nxx\r\n0\r\n\r\n" + EVIL + b"0\r\n\r\n",
    ),
    bad(
        "extension-cr",
        "chunk extensions, bare CR",
        "a CR inside of an extension",
        b"d;a\rb\r\n" + JSON + b"\r\n0\r\n\r\n",
    ),
    bad("extension-nul", "chunk extensions", "a NUL inside of an extension", b"d;a\0b\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad(
        "extension-open-quote",
        "chunk extensions",
        "quotes that do not end in their line",
        b'd;a="b\r\n' + JSON + b"\r\n0\r\n\r\n",
    ),
    bad(
        "extension-quoted-line-end",
        "chunk extensions",
        "a line end inside of quotes",
        b'd;a="\r\n' + JSON + b'\r\n0\r\n\r\n"\r\n' + EVIL,
    ),
    bad(
        "extension-endless",
        "RFC 9112 §7.1.1",
        "extensions of 100,000 bytes",
        b"d;" + b"a" * 100000 + b"\r\n" + JSON + b"\r\n0\r\n\r\n",
    ),
    bad(
        "data-longer", "RFC 9112 §7.1, chunk spill", "more data than the size says", b"4\r\n" + JSON + b"\r\n0\r\n\r\n"
    ),
    bad(
        "data-shorter", "RFC 9112 §7.1, chunk spill", "less data than the size says", b"f\r\n" + JSON + b"\r\n0\r\n\r\n"
    ),
    bad("data-no-end", "chunk spill", "no line end behind the data", b"d\r\n" + JSON + b"0\r\n\r\n"),
    bad(
        "data-two-bytes", "chunk spill", "two other bytes where the line end belongs", b"d\r\n" + JSON + b"XX0\r\n\r\n"
    ),
    bad("data-lf", "chunk spill, bare LF", "LF alone behind the data", b"d\r\n" + JSON + b"\n0\r\n\r\n"),
    bad("data-cr", "chunk spill, bare CR", "CR alone behind the data", b"d\r\n" + JSON + b"\r0\r\n\r\n"),
    bad("last-lf", "bare LF", "the last chunk's line ends in LF alone", b"d\r\n" + JSON + b"\r\n0\n\r\n"),
    bad("end-lf", "bare LF", "the body's empty line is LF alone", b"d\r\n" + JSON + b"\r\n0\r\n\n"),
    bad("end-cr-x", "bare CR", "CR and another byte for the empty line", b"d\r\n" + JSON + b"\r\n0\r\n\rX" + EVIL),
    bad("trailer-lf", "bare LF", "a trailer line that ends in LF alone", b"d\r\n" + JSON + b"\r\n0\r\nX-T: v\n\r\n"),
    bad(
        "trailer-no-colon",
        "RFC 9112 §7.1.2",
        "a trailer that is no field",
        b"d\r\n" + JSON + b"\r\n0\r\nGET /evil HTTP/1.1\r\n\r\n",
    ),
    bad(
        "trailer-space-before-colon",
        "RFC 9112 §7.1.2",
        "a trailer with a blank before the colon",
        b"d\r\n" + JSON + b"\r\n0\r\nX-T : v\r\n\r\n",
    ),
    bad("trailer-obs-fold", "obs-fold", "a folded trailer", b"d\r\n" + JSON + b"\r\n0\r\nX-T: v\r\n w\r\n\r\n"),
    bad(
        "trailer-endless",
        "RFC 9110 §6.5",
        "trailers of 100,000 bytes",
        b"d\r\n" + JSON + b"\r\n0\r\n" + b"X-T: v\r\n" * 12500 + b"\r\n",
    ),
    bad("cut-in-data", "RFC 9112 §8", "the body stops inside of a chunk", b"d\r\n" + JSON[:5], status=408),
    bad("cut-before-last", "RFC 9112 §8", "no last chunk: incomplete", b"d\r\n" + JSON + b"\r\n", status=408),
    bad(
        "cut-before-end",
        "RFC 9112 §8",
        "a last chunk without the empty line: incomplete",
        b"d\r\n" + JSON + b"\r\n0\r\n",
        status=408,
    ),
    # Second reading
    good(
        "extension-empty",
        "RFC 9112 §7.1.1",
        "a semicolon and nothing behind it",
        b"d;\r\n" + JSON + b"\r\n0;\r\n\r\n",
    ),
    good(
        "extension-like-size",
        "chunk extensions",
        "an extension that looks like a size",
        b"d;ff;0\r\n" + JSON + b"\r\n0\r\n\r\n",
    ),
    bad(
        "size-blanks",
        "malformed length",
        "blanks behind a size and no extension: no grammar has them",
        b"d \r\n" + JSON + b"\r\n0\r\n\r\n",
    ),
    bad("size-tab", "malformed length", "a tab behind a size", b"d\t\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("size-vertical-tab", "malformed length", "a vertical tab behind a size", b"d\x0b\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("size-leading-tab", "malformed length", "a tab before the size", b"\td\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("size-comma", "malformed length", "a comma behind the size", b"d,\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("size-h", "malformed length", "a suffix of assembly language", b"dh\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("size-dot", "malformed length", "a fraction", b"d.0\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("last-minus", "malformed length", "a last chunk of minus nothing", b"d\r\n" + JSON + b"\r\n-0\r\n\r\n"),
    bad("empty-line-first", "chunk spill", "an empty line before the first size", b"\r\nd\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad(
        "last-extension-lf",
        "chunk extensions, bare LF",
        "an LF in an extension of the last chunk (CVE-2025-55315)",
        b"d\r\n" + JSON + b"\r\n0;a\n\r\n",
    ),
    bad(
        "last-extension-cr",
        "chunk extensions, bare CR",
        "a CR in an extension of the last chunk (CVE-2025-55315)",
        b"d\r\n" + JSON + b"\r\n0;a\rb\r\n\r\n",
    ),
    bad(
        "extension-quoted-lf",
        "chunk extensions, bare LF",
        "an LF inside of quotes",
        b'd;a="\n"\r\n' + JSON + b"\r\n0\r\n\r\n",
    ),
    bad(
        "extension-escaped-end",
        "chunk extensions",
        "quotes whose end is escaped",
        b'd;a="\\"\r\n' + JSON + b"\r\n0\r\n\r\n",
    ),
    bad("extension-del", "chunk extensions", "0x7f in an extension", b"d;\x7f\r\n" + JSON + b"\r\n0\r\n\r\n"),
    bad("data-lf-cr", "chunk spill", "LF CR behind the data", b"d\r\n" + JSON + b"\n\r0\r\n\r\n"),
    bad("data-empty-line", "chunk spill", "an empty line behind the data", b"d\r\n" + JSON + b"\r\n\r\n0\r\n\r\n"),
    bad("trailer-cr", "bare CR", "a CR in a trailer", b"d\r\n" + JSON + b"\r\n0\r\nX-T: v\rw\r\n\r\n"),
    bad("trailer-nul", "RFC 9110 §5.5", "a NUL in a trailer", b"d\r\n" + JSON + b"\r\n0\r\nX-T: v\0w\r\n\r\n"),
    bad("trailer-empty-name", "RFC 9112 §7.1.2", "a trailer without a name", b"d\r\n" + JSON + b"\r\n0\r\n: v\r\n\r\n"),
    bad(
        "trailer-space-first",
        "RFC 9112 §2.2",
        "a blank before the first trailer",
        b"d\r\n" + JSON + b"\r\n0\r\n X-T: v\r\n\r\n",
    ),
    Case(
        "chunk-then-garbage",
        "RFC 9112 §9.3",
        "bytes behind the body that are no request: the first is answered, then 400",
        (HEAD + b"d\r\n" + JSON + b"\r\n0\r\n\r\nX-T: v\r\n\r\n",),
        ways=ALL,
        methods=("POST", "POST"),
        forwarded=1,
        connection="closed",
    ),
]
