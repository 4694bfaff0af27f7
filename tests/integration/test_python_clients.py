"""Real clients change their base URL and nothing else: ollama and openai from PyPI, curl (PRODUCT 1)."""

import asyncio
import json
import subprocess

import ollama
import openai
import pytest
from boxes import talker

# With OLLAMA_TEST_URL the clients go through the proxy to a real Ollama that has the recorded tiny models.
MODEL = "tiny"
EMBEDDER = "tinyembed"


@pytest.fixture
def server(ollama_url, proxy):
    return proxy(upstream=ollama_url)


@pytest.fixture
def client(server):
    return ollama.Client(host=server.url)


@pytest.fixture
def openai_client(server):
    return openai.OpenAI(base_url=server.url + "/v1", api_key="anything")


MESSAGES = [{"role": "user", "content": "why is the sky blue?"}]


def test_ollama_chat(client):
    answer = client.chat(MODEL, MESSAGES, options={"num_predict": 8})
    assert answer.done and answer.message.content


def test_ollama_chat_stream(client, server):
    parts = list(client.chat(MODEL, MESSAGES, stream=True, options={"num_predict": 8}))
    assert len(parts) > 3
    assert parts[-1].done
    assert server.wait_log(1)[0]["user_agent"].startswith("ollama-python")


def test_ollama_generate_embed_and_lists(client):
    assert client.generate(MODEL, "hi", options={"num_predict": 4}).response
    assert len(client.embed(EMBEDDER, ["a", "b"]).embeddings) == 2
    assert MODEL in {model.model.split(":")[0] for model in client.list().models}
    assert client.ps().models
    assert client.show(MODEL).modelinfo is not None


def test_ollama_copy_and_delete(client):
    client.copy(MODEL, "tiny-copy")
    assert client.delete("tiny-copy").status == "success"


def test_ollama_error_is_an_error(client):
    with pytest.raises(ollama.ResponseError) as raised:
        client.chat("no-such-model", MESSAGES)
    assert raised.value.status_code == 404


def test_ollama_async_clients_together(server):
    async def talk():
        client = ollama.AsyncClient(host=server.url)

        async def one():
            return [part async for part in await client.chat(MODEL, MESSAGES, stream=True, options={"num_predict": 5})]

        return await asyncio.gather(*(one() for _ in range(8)))

    for parts in asyncio.run(talk()):
        assert parts[-1].done


def test_openai_chat(openai_client):
    answer = openai_client.chat.completions.create(model=MODEL, messages=MESSAGES, max_tokens=8)
    assert answer.choices[0].message.content
    assert answer.usage.completion_tokens > 0


def test_openai_chat_stream(openai_client, server):
    stream = openai_client.chat.completions.create(
        model=MODEL, messages=MESSAGES, max_tokens=8, stream=True, stream_options={"include_usage": True}
    )
    parts = list(stream)
    assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices)
    assert parts[-1].usage.completion_tokens > 0
    line = server.wait_log(1)[0]
    assert line["generation_eval_count"] == parts[-1].usage.completion_tokens
    assert line["stream"] is True


def test_openai_embeddings_models_and_responses(openai_client):
    assert len(openai_client.embeddings.create(model=EMBEDDER, input="x").data[0].embedding) > 0
    assert MODEL in {model.id.split(":")[0] for model in openai_client.models.list()}
    assert openai_client.responses.create(model=MODEL, input="hi", max_output_tokens=6).output_text


def test_openai_error_is_an_error(openai_client):
    with pytest.raises(openai.NotFoundError):
        openai_client.chat.completions.create(model="no-such-model", messages=MESSAGES)


@pytest.mark.sim(config=talker(100, 50, num_parallel=1))
def test_openai_retries_a_full_queue_and_gets_in(sim, proxy):
    server = proxy("--max-concurrent", 1, "--max-queue-size", 1)
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="x", max_retries=5)

    async def talk():
        asynchronous = openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="x", max_retries=8)
        create = asynchronous.chat.completions.create
        return await asyncio.gather(*(create(model="m", messages=MESSAGES, max_tokens=5) for _ in range(4)))

    assert all(answer.choices[0].message.content for answer in asyncio.run(talk()))
    assert client.chat.completions.create(model="m", messages=MESSAGES, max_tokens=2).choices
    assert server.stats()["rejected"] > 0


def curl(*arguments, data=None):
    return subprocess.run(["curl", "-sS", "--noproxy", "*", *arguments], input=data, capture_output=True, check=True, timeout=30).stdout


def test_curl_streams_a_chat(server):
    body = json.dumps({"model": MODEL, "messages": MESSAGES, "options": {"num_predict": 5}})
    lines = curl("-N", server.url + "/api/chat", "-d", body).splitlines()
    assert json.loads(lines[-1])["done"] is True


def test_curl_sends_a_big_chunked_body_with_expect(server):
    body = json.dumps({"model": MODEL, "stream": False, "prompt": "x" * 3_000_000, "options": {"num_predict": 2}}).encode()
    answer = curl("-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue", "-d", "@-", server.url + "/api/generate", data=body)
    assert json.loads(answer)["done"] is True
