"""Models that generate, served by a browser: KServe and OpenAI's completions, against what PyTorch answered."""

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from support.command import document
from support.server import Server
from support.waiting import eventually

CHATS = ["llama", "llama3", "qwen2"]
PROMPTS = ["gpt2", "t5"]


@pytest.fixture(scope="module")
def server(launch, fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    home = tmp_path_factory.mktemp("packages")
    for model in CHATS + PROMPTS:
        document("import", fixtures / model, "--name", model, "--bits", 32, home=home)
    return launch(models__repository=str(home / "models"), models__warm_up="none").start(120)


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://{server.http}/v1", api_key="none", max_retries=0)


def cases(fixtures: Path, model: str, name: str) -> list[dict[str, Any]]:
    found = json.loads((fixtures / model / "reference" / "cases.json").read_text())["cases"]
    return [one for one in found if name in one["raw"] and len(one["raw"][name]) == 1]


def events(server: Server, path: str, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Of a stream of server-sent events, without [DONE]."""
    answer = server.post(path, body, timeout=60)
    assert answer.status == 200, answer
    assert answer.headers["content-type"].startswith("text/event-stream")
    for event in answer.body.decode().split("\n\n")[:-1]:
        assert event.startswith("data: ")
        if event != "data: [DONE]":
            yield json.loads(event.removeprefix("data: "))


@pytest.mark.parametrize("model", CHATS)
def test_a_chat_answers_what_pytorch_does(client: openai.OpenAI, fixtures: Path, model: str) -> None:
    case = cases(fixtures, model, "messages")[0]
    asked = {"model": model, "messages": case["raw"]["messages"], "max_tokens": 24, "temperature": 0}
    whole = client.chat.completions.create(**asked, extra_body={"return_token_ids": True})
    choice = whole.choices[0]
    assert choice.token_ids == case["generate"]["ids"][0]
    assert choice.message.content == case["generate"]["text"][0]
    assert choice.finish_reason == "length"
    assert whole.usage.completion_tokens == 24 and whole.usage.total_tokens == whole.usage.prompt_tokens + 24
    assert whole.shoal["backend"] == "wasm" and whole.shoal["bits"] == 32
    assert whole.shoal["timing"]["prefill_us"] > 0 and whole.shoal["timing"]["decode_us"] > 0
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == choice.message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 2) + ["length"]
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert chunks[-2].shoal["worker"] == whole.shoal["worker"]


@pytest.mark.parametrize("model", PROMPTS)
def test_a_completion_answers_what_pytorch_does(server: Server, client: openai.OpenAI, fixtures: Path, model: str) -> None:
    for case in cases(fixtures, model, "texts"):
        prompt, expected = case["raw"]["texts"][0], case["generate"]["text"][0]
        done = client.completions.create(model=model, prompt=prompt, max_tokens=24, temperature=0)
        assert done.choices[0].text == expected
        body = {"text_input": prompt, "max_tokens": 24}
        whole = server.post(f"/v2/models/{model}/generate", body, timeout=60).json()
        assert whole["text_output"] == expected
        assert (whole["finish_reason"], whole["completion_tokens"]) == ("length", 24)
        pieces = list(events(server, f"/v2/models/{model}/generate_stream", body))
        assert "".join(piece["text_output"] for piece in pieces) == expected
        assert pieces[-1]["finish_reason"] == "length" and len(pieces) > 1


def test_several_prompts_and_choices_each_have_their_place(client: openai.OpenAI, fixtures: Path) -> None:
    used = cases(fixtures, "gpt2", "texts")[:2]
    prompts = [case["raw"]["texts"][0] for case in used]
    done = client.completions.create(model="gpt2", prompt=prompts, n=2, max_tokens=24, temperature=0, echo=True)
    expected = [prompt + case["generate"]["text"][0] for prompt, case in zip(prompts, used, strict=True) for _ in range(2)]
    assert [choice.text for choice in done.choices] == expected
    assert [choice.index for choice in done.choices] == [0, 1, 2, 3]
    drawn = client.completions.create(model="gpt2", prompt=prompts[0], n=3, max_tokens=24, temperature=1, seed=5)
    assert len({choice.text for choice in drawn.choices}) == 3
    again = client.completions.create(model="gpt2", prompt=prompts[0], n=3, max_tokens=24, temperature=1, seed=5)
    assert [choice.text for choice in again.choices] == [choice.text for choice in drawn.choices]
    parts: dict[int, str] = {}
    for chunk in client.completions.create(model="gpt2", prompt=prompts[0], n=3, max_tokens=24, temperature=1, seed=5,
                                           stream=True):
        parts[chunk.choices[0].index] = parts.get(chunk.choices[0].index, "") + chunk.choices[0].text
    assert [parts[index] for index in range(3)] == [choice.text for choice in drawn.choices]


def test_a_stop_string_ends_the_text_before_it(server: Server, client: openai.OpenAI, fixtures: Path) -> None:
    case = cases(fixtures, "gpt2", "texts")[0]
    prompt, text = case["raw"]["texts"][0], case["generate"]["text"][0]
    stop = text[9:12]
    expected = text[: text.index(stop)]
    failures = server.scrape().value("nv_inference_request_failure", model="gpt2")
    for stream in (False, True):
        done = client.completions.create(model="gpt2", prompt=prompt, max_tokens=24, temperature=0, stop=["\0\0", stop],
                                         stream=stream)
        if stream:
            chunks = list(done)
            assert "".join(chunk.choices[0].text for chunk in chunks) == expected
            assert chunks[-1].choices[0].finish_reason == "stop"
        else:
            assert (done.choices[0].text, done.choices[0].finish_reason) == (expected, "stop")
            assert done.usage.completion_tokens < 24
    assert server.scrape().value("nv_inference_request_failure", model="gpt2") == failures


def test_what_is_wrong_is_said_before_the_first_token(server: Server, client: openai.OpenAI) -> None:
    hello = [{"role": "user", "content": "hello"}]
    for options, error, param in [
        ({"model": "nothing"}, openai.NotFoundError, "model"),
        ({"model": "gpt2"}, openai.BadRequestError, "messages"),
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, openai.BadRequestError, "messages[0].role"),
        ({"temperature": 3}, openai.BadRequestError, "temperature"),
        ({"stop": ["a"] * 5}, openai.BadRequestError, "stop"),
        ({"messages": [{"role": "user", "content": "word " * 5000}]}, openai.BadRequestError, "prompt"),
        ({"logit_bias": {"5": 1000}}, openai.BadRequestError, "logit_bias"),
        ({"extra_body": {"shoal": {"bits": 4}}}, openai.APIStatusError, "shoal_bits"),
        ({"stream_options": {"include_usage": True}}, openai.BadRequestError, "stream_options"),
    ]:
        for stream in (False, True):
            if stream and "stream_options" in options:
                continue
            with pytest.raises(error) as caught:
                client.chat.completions.create(**({"model": "llama", "messages": hello, "stream": stream} | options))
            if param is not None:
                assert caught.value.param == param, options
    long = server.post("/v1/completions", {"model": "gpt2", "prompt": [5] * 2000}).json()
    assert long["error"]["code"] == "context_length_exceeded"
    for body, words in [({"text_input": "x", "max_tokens": "many"}, "max_tokens"), ({"text_input": "x", "top_p": 0}, "top_p"),
                        ({"max_tokens": 3}, "text_input")]:
        refused = server.post("/v2/models/gpt2/generate", body)
        assert refused.status == 400 and words in refused.json()["error"], refused
    unary = server.post("/v2/models/gpt2/infer", {"inputs": [{"name": "text_input", "datatype": "BYTES", "shape": [1],
                                                              "data": ["x"]}]})
    assert unary.status == 501 and "decoupled" in unary.json()["error"]


def test_a_client_that_goes_away_frees_the_worker(server: Server) -> None:
    body = json.dumps({"model": "gpt2", "prompt": "I think", "max_tokens": 100, "ignore_eos": True, "stream": True})
    host, _, port = server.http.rpartition(":")

    def pending() -> float:
        return server.scrape().value("nv_inference_pending_request_count", model="gpt2")

    for _ in range(3):
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
        assert connection.getresponse().read(20)
        connection.close()
    eventually("nothing is pending", 10, lambda: pending() == 0)
    began = time.monotonic()
    assert server.post("/v1/completions", {"model": "gpt2", "prompt": "I", "max_tokens": 1}, timeout=30).status == 200
    assert time.monotonic() - began < 10


def test_keys_and_values_of_few_bits(launch, fixtures: Path, tmp_path: Path) -> None:
    case = cases(fixtures, "llama3", "texts")[0]
    prompt, expected = case["raw"]["texts"][0], case["generate"]["text"][0]
    for bits in ("32", "16", "8", "4,2"):
        name = "kv" + bits.replace(",", "_")
        document("import", fixtures / "llama3", "--name", name, "--bits", 32, home=tmp_path)
        config = f'parameters {{ key: "shoal_kv_bits" value {{ string_value: "{bits}" }} }}'
        (tmp_path / "models" / name / "config.pbtxt").write_text(config)
    server = launch(models__repository=str(tmp_path / "models"), models__warm_up="none").start(60)
    texts = {}
    for bits in ("32", "16", "8", "4,2"):
        body = {"model": "kv" + bits.replace(",", "_"), "prompt": prompt, "max_tokens": 24, "temperature": 0}
        texts[bits] = server.post("/v1/completions", body, timeout=60).json()["choices"][0]["text"]
        native = document("run", fixtures / "llama3", prompt, "--raw", "--max-tokens", 24, "--kv-bits", bits)["text"]
        assert texts[bits] == native, bits
    assert texts["32"] == texts["16"] == expected != texts["4,2"]


def kept(ids: list[int], context: int, sinks: int) -> list[int]:
    """What docs/chat.md says of a text that has filled the context."""
    return ids if len(ids) < context else ids[:sinks] + ids[-((context - sinks) // 2) :]


def test_a_text_that_outgrows_the_context_goes_on(server: Server, client: openai.OpenAI, fixtures: Path) -> None:
    context = json.loads((fixtures / "llama" / "config.json").read_text())["max_position_embeddings"]
    prompt = list(range(5, 15))
    asked = {"model": "llama", "temperature": 0}

    def made(ids: list[int], count: int, **more: Any) -> Any:
        body = {"ignore_eos": True, "return_token_ids": True} | more
        return client.completions.create(prompt=ids, max_tokens=count, extra_body=body, **asked)

    wanted = 2 * context
    read, expected = list(prompt), []
    while len(expected) < wanted:
        read = kept(read, context, 3)
        new = made(read, min(wanted - len(expected), context - len(read))).choices[0].token_ids
        read, expected = read + new, expected + new
    whole = made(prompt, wanted, shoal={"overflow": "shift", "sinks": 3})
    assert whole.choices[0].token_ids == expected and whole.choices[0].finish_reason == "length"
    assert whole.shoal["context_shifts"] >= 2 and whole.usage.completion_tokens == wanted
    streamed = [chunk.choices[0] for chunk in client.completions.create(
        prompt=prompt, max_tokens=wanted, stream=True,
        extra_body={"ignore_eos": True, "return_token_ids": True, "shoal": {"overflow": "shift", "sinks": 3}}, **asked)]
    assert [token for one in streamed for token in one.token_ids] == expected
    # Without it the answer ends where the context does, and a prompt that is too long is refused.
    assert made(prompt, wanted).usage.completion_tokens == context - len(prompt)
    long = list(range(5, 5 + context + 20))
    with pytest.raises(openai.BadRequestError) as refused:
        made(long, 1)
    assert refused.value.code == "context_length_exceeded"
    cut = made(long, 4, shoal={"overflow": "shift", "sinks": 3})
    assert cut.choices[0].token_ids == made(kept(long, context, 3), 4).choices[0].token_ids
    assert cut.usage.prompt_tokens == len(kept(long, context, 3))
    options = {"text_input": "Once", "max_tokens": wanted, "ignore_eos": True, "shoal_overflow": "shift", "shoal_sinks": 3}
    answer = server.post("/v2/models/llama/generate", options)
    assert answer.status == 200 and answer.json()["completion_tokens"] == wanted, answer.body
    assert answer.json()["shoal_context_shifts"] >= 2


@pytest.mark.parametrize(("shoal", "words"), [
    ({"overflow": "wrap"}, "'error' or 'shift'"),
    ({"sinks": 4}, "beside shoal_overflow"),
    ({"overflow": "shift", "sinks": -1}, "an integer from 0"),
    ({"overflow": 3}, "a string"),
])  # fmt: skip
def test_a_wrong_overflow_is_told(client: openai.OpenAI, shoal: dict[str, Any], words: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(model="llama", prompt=[5, 6], max_tokens=1, extra_body={"shoal": shoal})
    assert words in str(refused.value), refused.value
