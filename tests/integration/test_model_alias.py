"""model_alias (PRODUCT 5): names that clients use for other models."""

import json

import pytest
from boxes import QUICK

pytestmark = pytest.mark.sim(config=QUICK)

ALIASES = ("--model-alias", "gpt-4o=m,text-embedding-3-small=e")


def test_the_model_takes_the_place_of_its_alias(proxy, recorder, wire):
    server = proxy(*ALIASES, upstream=recorder.url)
    connection = wire(server.url)
    body = b'{"messages":[{"role":"user","content":"gpt-4o"}], "model" : "GPT-4o:latest" ,"stream":false}'
    for target in ("/api/chat", "/v1/chat/completions"):
        answer = connection.ask("POST", target, body)
        assert answer.status == 200
        # answers are not edited
        assert json.loads(answer.body)["model"] == "m"
        assert recorder.bodies(target) == [body.replace(b"GPT-4o:latest", b"m")]
    assert connection.ask("POST", "/v1/embeddings", b'{"model":"text-embedding-3-small","input":"x"}').status == 200
    lines = server.wait_log(3)
    assert [line["model"] for line in lines] == ["m", "m", "e"]
    assert lines[0]["runner"] == "m:latest"


def test_other_names_and_other_requests_stay(proxy, recorder, wire):
    connection = wire(proxy(*ALIASES, upstream=recorder.url).url)
    body = b'{"prompt":"x","model":"m","stream":false}'
    assert connection.ask("POST", "/api/generate", body).status == 200
    assert recorder.bodies("/api/generate")[-1] == body
    # a pass: which models there are is Ollama's to say
    assert connection.ask("POST", "/api/show", b'{"model":"gpt-4o"}').status == 404


def test_an_unload_by_the_alias_unloads_the_model(sim, proxy, wire):
    server = proxy(*ALIASES)
    connection = wire(server.url)
    assert connection.ask("POST", "/api/generate", b'{"prompt":"x","model":"gpt-4o","stream":false}').status == 200
    assert sim.state()["models"]["m:latest"]["resident"]
    answer = connection.ask("POST", "/api/generate", b'{"model":"gpt-4o","keep_alive":0}')
    assert json.loads(answer.body)["done_reason"] == "unload"
    sim.wait_for(lambda state: not state["models"]["m:latest"]["resident"])


def test_what_is_permitted_is_the_model(proxy, wire):
    connection = wire(proxy("--model-alias", "gpt-4o=m,good=e", "--allow-models", "m,good").url)
    assert connection.ask("POST", "/api/generate", b'{"prompt":"x","model":"gpt-4o","stream":false}').status == 200
    answer = connection.ask("POST", "/api/embed", b'{"input":"x","model":"good"}')
    assert answer.status == 403
    assert "the model e is not permitted" in json.loads(answer.body)["error"]
