"""Makes transcripts/exchanges.json of the recorded exchanges with a real Ollama: python3 derive.py RECORDINGS_FOLDER.

Kept of each exchange: the request as sent, the head of the answer (values that change from run to run left out), its
framing, and for each chunk (or the whole body) its form: see shapes.py. README.md says what is left out and why.
"""

import json
import pathlib
import re
import sys

import shapes
import wire

# Recorded with a body that was cut in the file, or in another format: test_blobs.py does these by hand.
BY_HAND = {
    "58_blob_post",
    "59_blob_head_present",
    "60_blob_post_again",
    "61_blob_post_baddigest",
    "63_blob_post_chunked_expect",
}

def unescape(text):
    """The recording spells line ends out and breaks its own lines after them."""
    codes = {"r": "\r", "n": "\n", "t": "\t", "'": "'", "\\": "\\", '"': '"'}
    return re.sub(r"\\(.)", lambda match: codes[match.group(1)], text.replace("\n", ""))


def parse(text):
    request, answer = text.split("\n<<< RESPONSE", 1)
    request = request.split(">>> REQUEST\n", 1)[1]
    head, _, body = request.partition("\n\n")
    # The file has one more line end behind the request.
    raw = head.replace("\n", "\r\n") + "\r\n\r\n" + body.rstrip("\n")
    answer_bytes = b""
    for part in re.split(r"\n--- \+", answer)[1:]:
        first, _, rest = part.partition("\n")
        if first.endswith("EOF"):
            continue
        data = unescape(rest).encode()
        expected = int(first.split()[1])
        assert len(data) == expected, (first, len(data))
        answer_bytes += data
    return raw, answer_bytes


def check_length(raw):
    """A body that is shorter than its Content-Length was stripped of blanks that belong to it."""
    head, _, body = raw.partition("\r\n\r\n")
    length = re.search(r"Content-Length: (\d+)", head)
    missing = int(length.group(1)) - len(body.encode()) if length else 0
    assert 0 <= missing <= 1, raw
    return raw + " " * missing


def main(folder):
    exchanges = []
    files = sorted(pathlib.Path(folder).glob("*.txt"), key=lambda path: (int(path.name.split("_")[0]), path.name))
    for path in files:
        name = path.stem
        if name in BY_HAND:
            continue
        raw, answer_bytes = parse(path.read_text())
        answers = list(wire.parse_answers(answer_bytes, raw.split(" ")[0]))
        exchanges.append({"name": name, "request": check_length(raw), "answers": [shapes.describe(a) for a in answers]})
    target = pathlib.Path(__file__).parent / "transcripts" / "exchanges.json"
    lines = ",\n".join(json.dumps(exchange, ensure_ascii=False) for exchange in exchanges)
    target.write_text("[\n" + lines + "\n]\n")
    print(len(exchanges), "exchanges")


if __name__ == "__main__":
    main(sys.argv[1])
