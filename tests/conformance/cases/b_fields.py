"""Field lines: names, values, line ends, Host (RFC 9112 §2.2, §3.2, §5; RFC 9110 §5, §7.2)."""

from case import ALL, has, head, in_order, refused, taken


def filled(size):
    """A sound head of so many bytes; no line of it is over 2,000."""
    bare = head(start=b"GET /t/x HTTP/1.1")
    lines = []
    left = size - len(bare)
    while left > 0:
        line = min(left, 2000)
        if 0 < left - line < 10:
            line -= 10
        lines.append(b"A: " + b"v" * (line - 5))
        left -= line
    return head(*lines, start=b"GET /t/x HTTP/1.1")


CASES = [
    taken(
        "fields-order-case-duplicates",
        "RFC 9110 §5.3",
        "order, case, duplicates and empty values of fields are kept",
        head(b"X-b: 1", b"x-A: two words", b"X-b: 3", b"X-Empty:", b"X-b: 1"),
        ways=ALL,
        upstream=(in_order(("X-b", "1"), ("x-A", "two words"), ("X-b", "3"), ("X-Empty", ""), ("X-b", "1")),),
    ),
    taken(
        "value-blanks-around",
        "RFC 9110 §5.5",
        "blanks around a value are no part of it",
        head(b"A: \t b c \t "),
        upstream=(has("A", "b c"),),
    ),
    taken("value-no-blank", "RFC 9112 §5", "no blank behind the colon", head(b"A:b"), upstream=(has("A", "b"),)),
    taken(
        "value-high-bytes",
        "RFC 9112 §2.2",
        "bytes over 0x7f in a value are opaque and pass",
        head(b"A: caf\xe9 \xf0\x9f\x98\x80"),
        upstream=(has("A", "caf\xe9 \xf0\x9f\x98\x80"),),
    ),
    taken(
        "value-tab-inside",
        "RFC 9110 §5.5",
        "a tab inside of a value passes",
        head(b"A: b\tc"),
        upstream=(has("A", "b\tc"),),
    ),
    taken(
        "name-all-marks",
        "RFC 9110 §5.1",
        "every mark of a token in a name",
        head(b"X!#$%&'*+-.^_`|~9: b"),
        upstream=(has("X!#$%&'*+-.^_`|~9", "b"),),
    ),
    taken(
        "value-8k",
        "RFC 9110 §5.4",
        "a value of 8,192 bytes",
        head(b"A: " + b"v" * 8192),
        upstream=(has("A", "v" * 8192),),
    ),
    *[
        taken(f"head-{size}", "RFC 9110 §5.4", f"a head of {size} bytes, where buffers of readers end", filled(size))
        for size in (4095, 4096, 4097, 8191, 8192, 8193, 16384, 65535)
    ],
    refused(
        "space-before-colon", "RFC 9112 §5.1, space before the colon", "a blank between name and colon", head(b"A : b")
    ),
    refused(
        "tab-before-colon", "RFC 9112 §5.1, space before the colon", "a tab between name and colon", head(b"A\t: b")
    ),
    refused(
        "host-space-before-colon",
        "space before the colon",
        "Host with a blank before the colon",
        head(b"Host : localhost", host=None),
    ),
    refused(
        "space-before-first-field",
        "RFC 9112 §2.2",
        "a blank before the first field",
        b"GET /t/x HTTP/1.1\r\n A: b\r\nHost: localhost\r\n\r\n",
    ),
    refused(
        "space-before-host",
        "RFC 9112 §2.2",
        "Host with a blank in front, as the first field",
        b"GET /t/x HTTP/1.1\r\n Host: localhost\r\n\r\n",
    ),
    refused(
        "space-line-behind-request-line",
        "RFC 9112 §2.2",
        "a line of blanks behind the request line",
        b"GET /t/x HTTP/1.1\r\n \r\nHost: localhost\r\n\r\n",
    ),
    refused("obs-fold-space", "RFC 9112 §5.2, obs-fold", "a value that goes on behind a blank", head(b"A: b", b" c")),
    refused("obs-fold-tab", "RFC 9112 §5.2, obs-fold", "a value that goes on behind a tab", head(b"A: b", b"\tc")),
    refused("obs-fold-empty-line", "RFC 9112 §5.2, obs-fold", "a fold of blanks only", head(b"A: b", b"  ")),
    refused("obs-fold-last", "obs-fold", "a fold in the last field", head(b"A:", b" b")),
    refused("obs-fold-name", "obs-fold", "a name whose colon stands in the next line", head(b"A", b" : b")),
    refused(
        "obs-fold-hides-length",
        "obs-fold",
        "a length behind a fold",
        head(b"A: b", b" Content-Length: 38", start=b"POST /t/x HTTP/1.1")
        + b"GET /evil HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ),
    refused(
        "obs-fold-in-length",
        "obs-fold",
        "a length that goes on in the next line",
        head(b"Content-Length: 1", b"\t0", start=b"POST /t/x HTTP/1.1") + b"0123456789",
    ),
    refused("no-colon", "RFC 9112 §5", "a line without a colon", head(b"A b")),
    refused("empty-name", "RFC 9112 §5", "a field without a name", head(b": b")),
    refused("name-control", "RFC 9110 §5.1", "a control byte in a name", head(b"A\x01: b")),
    refused("name-nul", "RFC 9110 §5.1", "a NUL in a name", head(b"A\0B: b")),
    refused("name-delimiter", "RFC 9110 §5.1", "a delimiter in a name", head(b"A@B: b")),
    refused("name-space-inside", "RFC 9110 §5.1", "a blank inside of a name", head(b"A B: b")),
    refused("name-high-byte", "RFC 9110 §5.1", "a byte over 0x7f in a name", head(b"\xefA: b")),
    refused("name-quoted", "RFC 9110 §5.1", "a quoted name", head(b'"A": b')),
    refused("value-nul", "RFC 9110 §5.5", "a NUL in a value", head(b"A: b\0c")),
    refused("value-control", "RFC 9110 §5.5", "another control byte in a value", head(b"A: b\x01c")),
    refused("value-del", "RFC 9110 §5.5", "0x7f in a value", head(b"A: b\x7fc")),
    refused("value-bare-cr", "RFC 9112 §2.2, bare CR", "a CR inside of a value", head(b"A: b\rc")),
    refused(
        "value-bare-cr-hides-field",
        "bare CR",
        "a field behind a CR",
        head(b"A: b\rTransfer-Encoding: chunked", start=b"POST /t/x HTTP/1.1"),
    ),
    refused(
        "empty-value-bare-cr",
        "bare CR",
        "a CR for an empty value, a field behind it",
        head(b"A:\rTransfer-Encoding: chunked", start=b"POST /t/x HTTP/1.1") + b"1\r\nA\r\n0\r\n\r\n",
    ),
    refused("value-cr-cr-lf", "bare CR", "CR CR LF ends a line", head(b"A: b\r")),
    refused(
        "name-bare-cr",
        "bare CR",
        "a CR inside of a name",
        head(b"Content\rLength: 3", start=b"POST /t/x HTTP/1.1") + b"abc",
    ),
    refused(
        "head-end-cr-something",
        "bare CR",
        "a CR and then no LF where the head should end",
        b"GET /t/x HTTP/1.1\r\nHost: localhost\r\n\rZGET /evil HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ),
    refused(
        "head-end-cr-cr-lf", "bare CR", "CR CR LF ends the head", b"GET /t/x HTTP/1.1\r\nHost: localhost\r\n\r\r\n\r\n"
    ),
    refused(
        "field-lf-end",
        "RFC 9112 §2.2, bare LF",
        "a field line that ends in LF alone",
        b"GET /t/x HTTP/1.1\r\nHost: localhost\nA: b\r\n\r\n",
    ),
    refused(
        "head-lf-end",
        "bare LF",
        "an empty line of LF alone ends the head",
        b"GET /t/x HTTP/1.1\r\nHost: localhost\r\n\n",
    ),
    refused("head-all-lf", "bare LF", "no CR anywhere", b"GET /t/x HTTP/1.1\nHost: localhost\n\n"),
    refused(
        "value-lf-hides-field",
        "bare LF",
        "a length behind an LF",
        b"GET /t/x HTTP/1.1\r\nHost: localhost\r\nA: b\nContent-Length: 43\r\n\r\nGET /evil HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ),
    refused(
        "value-lf-hides-coding",
        "bare LF",
        "a coding behind an LF",
        b"POST /t/x HTTP/1.1\r\nHost: localhost\r\nA:b\nTransfer-Encoding: chunked\r\n\r\n1\r\nA\r\n0\r\n\r\n",
    ),
    refused(
        "head-end-lf-lf",
        "bare LF",
        "two LFs hide the end of the head",
        b"GET /t/x HTTP/1.1\r\nHost: localhost\r\nA: b\n\nGET /evil HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ),
    refused(
        "field-line-too-long",
        "RFC 9110 §5.4",
        "a field over the head's limit is 431",
        head(b"A: " + b"v" * 70000),
        status=431,
        connection=None,
    ),
    refused("too-many-fields", "RFC 9110 §5.4", "20,000 fields are 431", head(*[b"A: b"] * 20000), status=431),
    # Host
    refused("host-missing", "RFC 9112 §3.2", "HTTP/1.1 without Host", head(host=None)),
    refused("host-twice", "RFC 9112 §3.2", "two Host lines", head(b"Host: 127.0.0.1")),
    refused("host-twice-same", "RFC 9112 §3.2", "two Host lines that agree", head(b"Host: localhost")),
    refused("host-twice-other-case", "RFC 9112 §3.2", "HOST and host", head(b"HOST: other")),
    refused("host-space-inside", "RFC 9112 §3.2", "a blank inside of Host", head(host=b"Host: local host")),
    refused("host-path", "RFC 9112 §3.2", "a path in Host", head(host=b"Host: localhost/evil")),
    refused("host-userinfo", "RFC 9112 §3.2", "user information in Host", head(host=b"Host: user@localhost")),
    refused("host-list", "RFC 9112 §3.2", "two hosts in one line", head(host=b"Host: localhost, evil")),
    refused("host-query", "RFC 9112 §3.2", "a query in Host", head(host=b"Host: localhost?x")),
    refused("host-fragment", "RFC 9112 §3.2", "a fragment in Host", head(host=b"Host: localhost#x")),
    refused("host-high-byte", "RFC 9112 §3.2", "a byte over 0x7f in Host", head(host=b"Host: localh\xf6st")),
    refused(
        "host-bad-port",
        "RFC 9112 §3.2",
        "a port that is no number",
        head(host=b"Host: localhost:8a"),
    ),
    refused(
        "host-two-ports",
        "RFC 9112 §3.2",
        "two colons in Host",
        head(host=b"Host: localhost:80:80"),
    ),
    refused(
        "host-open-bracket",
        "RFC 9112 §3.2",
        "an IPv6 address that does not end",
        head(host=b"Host: [::1"),
    ),
    refused("host-obs-fold", "obs-fold", "a Host that goes on in the next line", head(b" x", host=b"Host: local")),
    taken("host-ipv6", "RFC 9112 §3.2", "an IPv6 address with a port", head(host=b"Host: [::1]:8000")),
    taken(
        "host-empty",
        "RFC 9112 §3.2",
        "an empty Host is legal where the target has no authority",
        head(host=b"Host:"),
        lax="RFC 9112 §3.2 allows an empty value; Host never goes further than to us",
    ),
    taken(
        "host-last",
        "RFC 9112 §3.2",
        "Host need not be first",
        head(b"A: b", b"Host: localhost", host=None),
        methods=("GET",),
        upstream=(has("A", "b"),),
    ),
    # Second reading
    taken(
        "value-30k",
        "RFC 9110 §5.4",
        "a value of 30,000 bytes: tokens of Kerberos are as long",
        head(b"A: " + b"v" * 30000),
        upstream=(has("A", "v" * 30000),),
    ),
    taken(
        "name-300",
        "RFC 9110 §5.1",
        "a name of 300 bytes",
        head(b"A" * 300 + b": b"),
        upstream=(has("A" * 300, "b"),),
        lax="RFC 9110 §5.1 has no limit for a name: the head's counts; HAProxy takes 255 bytes",
    ),
    refused(
        "name-vertical-tab",
        "space before the colon",
        "a vertical tab between name and colon",
        head(b"Content-Length\x0b: 5") + b"hello",
    ),
    refused(
        "name-nbsp",
        "space before the colon",
        "a no-break space between name and colon",
        head(b"Content-Length\xa0: 5") + b"hello",
    ),
    refused(
        "name-long-s",
        "TE.TE",
        "a long s, whose upper case is S for readers of Unicode",
        head("Tran\u017ffer-Encoding: chunked".encode()) + b"0\r\n\r\n",
    ),
    refused(
        "name-kelvin",
        "TE.TE",
        "a Kelvin sign, whose lower case is k for readers of Unicode",
        head("\u212aeep-Alive: 1".encode()),
    ),
    refused("value-escape", "RFC 9110 §5.5", "an escape sequence, which would reach a terminal", head(b"A: \x1b[2J")),
    refused("value-vertical-tab", "RFC 9110 §5.5", "a vertical tab in front of a value", head(b"A: \x0bb")),
    refused("host-nul", "RFC 9112 §3.2", "a NUL in Host", head(host=b"Host: localhost\0.evil")),
    refused("host-backslash", "RFC 9112 §3.2", "a backslash in Host", head(host=b"Host: localhost\\evil")),
    refused("host-port-too-big", "RFC 9112 §3.2", "a port over 65535", head(host=b"Host: localhost:65536")),
    refused("host-scheme", "RFC 9112 §3.2", "a URL in Host", head(host=b"Host: http://localhost")),
    refused("host-broken-escape", "RFC 9112 §3.2", "a broken escape in Host", head(host=b"Host: local%zzhost")),
    refused(
        "host-ipv6-bad",
        "RFC 9112 §3.2",
        "brackets around what is no address",
        head(host=b"Host: [localhost]"),
        status=(400, 403),
        connection=None,
    ),
    refused(
        "host-foreign",
        "DNS rebinding",
        "a name that is not ours",
        head(host=b"Host: evil.example"),
        status=403,
        connection=None,
    ),
]
