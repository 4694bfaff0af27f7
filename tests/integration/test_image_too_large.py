"""image_pixels_max (PRODUCT 5): 413 that names size, limit and the client's setting."""

import base64
import json
import struct

import pytest
from boxes import QUICK

pytestmark = pytest.mark.sim(config=QUICK)


def png(width, height):
    """What of a PNG says how large it is."""
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return base64.b64encode(header + bytes(64)).decode()


def chat(*images):
    message = {"role": "user", "content": "read", "images": list(images)}
    return json.dumps({"model": "m", "messages": [message], "stream": False}).encode()


def openai(image):
    url = {"url": f"data:image/png;base64,{image}"}
    content = [{"type": "image_url", "image_url": url}]
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()


def test_any_size_passes_by_default(proxy, wire):
    assert wire(proxy().url).ask("POST", "/api/chat", chat(png(20000, 20000))).status == 200


def test_an_image_over_the_limit_is_refused_with_what_to_do(sim, proxy, wire):
    server = proxy("--image-pixels-max", "4000000")
    connection = wire(server.url)
    assert connection.ask("POST", "/api/chat", chat(png(2000, 2000), png(100, 100))).status == 200
    answer = connection.ask("POST", "/api/chat", chat(png(100, 100), png(2480, 3508)))
    assert answer.status == 413
    text = json.loads(answer.body)["error"]
    for part in ("2480x3508", "8699840", "4000000", "image_pixels_max", "scale", "max_size"):
        assert part in text
    answer = connection.ask("POST", "/v1/chat/completions", openai(png(2001, 2000)), [("X-Project-Name", "Pages")])
    assert answer.status == 413
    error = json.loads(answer.body)["error"]
    assert error["code"] == "image_too_large" and "for project Pages" in error["message"]
    lines = server.wait_log(3)
    assert [line["error_type"] for line in lines] == [None, "image_too_large", "image_too_large"]
    assert [line["images_max"] for line in lines] == ["2000x2000", "2480x3508", "2001x2000"]
    assert server.stats()["rejected"] == 2
    assert sim.state()["models"]["m:latest"]["requests"] <= 2


def test_a_project_has_a_limit_of_its_own(proxy, wire, tmp_path):
    file = tmp_path / "rules.conf"
    file.write_text('projects = ( { name = "Pages"; image_pixels_max = 1000000; } );\n')
    connection = wire(proxy("--config", file).url)
    image = chat(png(1001, 1000))
    assert connection.ask("POST", "/api/chat", image).status == 200
    answer = connection.ask("POST", "/api/chat", image, [("X-Project-Name", "Pages")])
    assert answer.status == 413
    assert "1000000 pixels for project Pages" in json.loads(answer.body)["error"]
