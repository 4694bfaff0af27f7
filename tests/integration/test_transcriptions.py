"""POST /v1/audio/transcriptions (PRODUCT 1.2, 3.3): a job whose model is a form field beside the sound."""

import pytest
from boxes import QUICK

pytestmark = pytest.mark.sim(config=QUICK)

BOUNDARY = "------------------------d74496d66958873e"
TYPE = [("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")]
TARGET = "/v1/audio/transcriptions"


def part(head, content):
    return b"--%s\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (BOUNDARY.encode(), head, content)


def form(model, sound=b"RIFF\r\n--\r\n\0\xff"):
    file = part(b'name="file"; filename="a.wav"', sound)
    return file + part(b'name="model"', model) + b"--%s--\r\n" % BOUNDARY.encode()


def test_the_form_field_is_the_model_of_log_and_runner(proxy, recorder, wire):
    server = proxy(upstream=recorder.url)
    body = form(b"m", b"\r\n-" * 1000000)
    # the simulated Ollama does not know this path
    assert wire(server.url, timeout=30).ask("POST", TARGET, body, TYPE).status == 404
    assert recorder.bodies(TARGET) == [body]
    line = server.wait_log(1)[0]
    assert (line["operation"], line["model"], line["runner"]) == ("transcribe", "m", "m:latest")


def test_the_model_of_a_form_has_aliases_and_permissions(proxy, recorder, wire):
    server = proxy("--model-alias", "whisper-1=m", "--allow-models", "m", upstream=recorder.url)
    connection = wire(server.url)
    assert connection.ask("POST", TARGET, form(b"whisper-1"), TYPE).status == 404
    assert recorder.bodies(TARGET) == [form(b"m")]
    assert connection.ask("POST", TARGET, form(b"e"), TYPE).status == 403
    assert connection.ask("POST", TARGET, form(b""), TYPE).status == 403
    assert [line["model"] for line in server.wait_log(3)] == ["m", "e", None]


def test_a_form_without_a_model_goes_as_it_is(proxy, recorder, wire):
    server = proxy(upstream=recorder.url)
    body = part(b'name="file"; filename="model"', b"x") + b"--%s--" % BOUNDARY.encode()
    assert wire(server.url).ask("POST", TARGET, body, TYPE).status == 404
    assert recorder.bodies(TARGET) == [body]
    line = server.wait_log(1)[0]
    assert (line["model"], line["runner"]) == (None, None)
