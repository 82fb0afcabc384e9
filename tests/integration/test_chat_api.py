"""The default chat model behind OpenAI's API: stock clients, unmodified, against the real server and a real browser."""

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

import openai
import pytest
from support.chat_model import serve_chat
from support.server import ROOT, Server
from support.waiting import eventually

MODEL = "smollm2"
TOOLS = "smollm2-tools"  # the same weights with a chat template that takes tools
HELLO = [{"role": "user", "content": "Name three primary colors."}]
WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"],
                   "additionalProperties": False}}}
# As Qwen's: what is called stands between tags.
TEMPLATE = """{%- if tools %}<|im_start|>system
You may call functions: {{ tools | tojson }}
For a call answer with <tool_call>
{"name": <name>, "arguments": <object>}
</tool_call><|im_end|>
{% endif %}{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}{%- for call in message.tool_calls or [] %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory: pytest.TempPathFactory) -> Server:
    return serve_chat(launch, tmp_path_factory.mktemp("packages"), {MODEL: None, TOOLS: TEMPLATE}, server__stream_silence="500ms")


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://{server.http}/v1", api_key="none", max_retries=0, timeout=120)


def pending(server: Server) -> float:
    return server.scrape().value("nv_inference_pending_request_count", model=MODEL)


def test_models_say_what_they_are_for(client: openai.OpenAI) -> None:
    listed = {one.id: one for one in client.models.list()}
    assert listed[MODEL].shoal["kind"] == "chat" and listed[MODEL].shoal["context"] > 1000


def test_a_stream_is_the_answer_in_pieces(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": MODEL, "messages": HELLO, "max_tokens": 40, "temperature": 0}
    whole = client.chat.completions.create(**asked, extra_body={"return_token_ids": True})
    choice = whole.choices[0]
    assert "Red" in choice.message.content and choice.finish_reason == "stop"
    assert len(choice.token_ids) == whole.usage.completion_tokens
    assert whole.id.startswith("chatcmpl-") and whole.object == "chat.completion" and abs(whole.created - time.time()) < 60
    assert whole.shoal["backend"] == "wasm" and whole.shoal["worker"] == "headless_shell/0" and whole.shoal["bits"] == 4
    chunks = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert chunks[0].choices[0].delta.role == "assistant" and chunks[0].choices[0].delta.content == ""
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == choice.message.content
    assert len(chunks) > 10, "it comes as it is made"
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == whole.usage.total_tokens
    assert chunks[-2].choices[0].finish_reason == "stop" and chunks[-2].shoal["worker"] == "headless_shell/0"
    with client.chat.completions.stream(model=MODEL, messages=HELLO, max_tokens=40, temperature=0) as stream:
        assert stream.get_final_completion().choices[0].message.content == choice.message.content


def test_tokens_may_be_the_prompt(server: Server, client: openai.OpenAI) -> None:
    told = server.post("/tokenize", {"model": MODEL, "messages": HELLO, "return_token_strs": True}).json()
    assert told["count"] == len(told["tokens"]) == len(told["token_strs"]) and told["max_model_len"] > 1000
    text = server.post("/detokenize", {"model": MODEL, "tokens": told["tokens"]}).json()["prompt"]
    assert text == "".join(told["token_strs"]) and text.endswith("<|im_start|>assistant\n")
    plain = server.post("/tokenize", {"model": MODEL, "prompt": text, "add_special_tokens": False}).json()
    assert plain["tokens"] == told["tokens"]
    chat = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=12, temperature=0)
    for prompt in (text, told["tokens"]):
        done = client.completions.create(model=MODEL, prompt=prompt, max_tokens=12, temperature=0)
        assert done.choices[0].text == chat.choices[0].message.content
        assert done.usage.prompt_tokens == told["count"]


def test_responses_are_the_same_answers(client: openai.OpenAI) -> None:
    chat = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=12, temperature=0)
    asked: dict[str, Any] = {"model": MODEL, "input": HELLO, "max_output_tokens": 12, "temperature": 0}
    whole = client.responses.create(**asked)
    assert whole.output_text == chat.choices[0].message.content
    assert whole.status == "incomplete" and whole.incomplete_details.reason == "max_output_tokens"
    assert whole.usage.output_tokens == 12 and whole.usage.input_tokens == chat.usage.prompt_tokens
    assert whole.shoal["worker"] == "headless_shell/0"
    events = list(client.responses.create(**asked, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole.output_text
    assert (events[0].type, events[-1].type) == ("response.created", "response.incomplete")
    assert events[-1].response.output_text == whole.output_text
    with client.responses.stream(model=MODEL, input="Name three primary colors.", max_output_tokens=60, temperature=0) as stream:
        final = stream.get_final_response()
    assert final.status == "completed" and final.output_text.startswith(whole.output_text)


@pytest.mark.parametrize(("asked", "error", "param", "code"), [
    ({"model": "nobody"}, openai.NotFoundError, "model", "model_not_found"),
    ({"messages": []}, openai.BadRequestError, "messages", None),
    ({"temperature": 3}, openai.BadRequestError, "temperature", None),
    ({"n": 99}, openai.BadRequestError, "n", None),
    ({"messages": [{"role": "user", "content": "word " * 9000}]}, openai.BadRequestError, None, "context_length_exceeded"),
    ({"tools": [WEATHER]}, openai.BadRequestError, "tools", None),
    ({"tool_choice": "required"}, openai.BadRequestError, "tool_choice", None),
    ({"extra_body": {"shoal": {"backend": "webgpu"}}}, openai.BadRequestError, None, "backend_unavailable"),
    ({"extra_body": {"shoal": {"bits": 7}}}, openai.APIStatusError, None, None),
    ({"extra_body": {"shoal": {"worker": "nobody/9"}}}, openai.APIStatusError, None, None)])
def test_errors_come_before_the_first_token(client: openai.OpenAI, asked: dict, error: type, param: str | None,
                                            code: str | None) -> None:
    for stream in (False, True):
        with pytest.raises(error) as caught:
            client.chat.completions.create(**({"model": MODEL, "messages": HELLO, "stream": stream} | asked))
        assert set(caught.value.body) == {"message", "type", "param", "code"}
        assert param is None or caught.value.param == param
        assert code is None or caught.value.code == code


@pytest.mark.parametrize("asked", [{"store": True}, {"previous_response_id": "resp_1"}])
def test_no_response_is_kept(client: openai.OpenAI, asked: dict) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=MODEL, input="hi", **asked)
    assert caught.value.param == next(iter(asked))


def test_what_was_read_serves_the_same_salt_only(client: openai.OpenAI) -> None:
    prompt = "Salt keeps " + "and pepper burns " * 30

    def cached(**body: str) -> int:
        done = client.completions.create(model=MODEL, prompt=prompt, max_tokens=1, temperature=0, extra_body=body)
        return done.usage.prompt_tokens_details.cached_tokens

    assert cached() == 0
    assert cached() > 64
    assert cached(cache_salt="mine") == 0
    assert cached(cache_salt="mine") > 64
    assert cached(cache_salt="another's") == 0


def test_a_client_that_goes_frees_the_slot(server: Server, client: openai.OpenAI) -> None:
    for _ in range(3):
        stream = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=2000, stream=True,
                                                extra_body={"ignore_eos": True})
        for _ in range(3):
            next(stream)
        stream.close()
    eventually("nothing is pending", 10, lambda: pending(server) == 0)
    began = time.monotonic()
    client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=1)
    assert time.monotonic() - began < 10


def test_tool_messages_are_read_by_the_template(server: Server, client: openai.OpenAI) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    messages = [{"role": "user", "content": "How is Oslo?"}, {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": "rain"}]
    told = server.post("/tokenize", {"model": TOOLS, "messages": messages, "tools": [WEATHER]}).json()
    text = server.post("/detokenize", {"model": TOOLS, "tokens": told["tokens"]}).json()["prompt"]
    assert '"name": "weather", "arguments": {"city": "Oslo"}' in text and "The weather of a city" in text
    answer = client.chat.completions.create(model=TOOLS, messages=messages, tools=[WEATHER], max_tokens=8, temperature=0)
    assert answer.usage.prompt_tokens == told["count"]
    silent = client.chat.completions.create(model=TOOLS, messages=messages, tools=[WEATHER], tool_choice="none", max_tokens=8)
    assert silent.usage.prompt_tokens < told["count"], "tools that may not be called are not told of"


def test_a_silent_stream_is_kept_alive(server: Server) -> None:
    """The browser stands still after some tokens, and goes on."""
    body = {"model": MODEL, "prompt": "The sea is", "max_tokens": 400, "stream": True, "temperature": 0, "ignore_eos": True}
    connection = http.client.HTTPConnection(server.http, timeout=60)
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    lines = iter(connection.getresponse())
    kinds: list[bytes] = []

    def read(until: Callable[[], bool]) -> None:
        while not until():
            kinds.append(next(lines))

    read(lambda: sum(line.startswith(b"data: ") for line in kinds) >= 5)
    engine = server.victim("headless_shell/0", "renderer")
    os.kill(engine, signal.SIGSTOP)
    try:
        read(lambda: kinds.count(b": ping\n") >= 2)
    finally:
        os.kill(engine, signal.SIGCONT)
    read(lambda: kinds[-1] == b"data: [DONE]\n")
    assert sum(line.startswith(b"data: {") for line in kinds) > 100
    # Clients pass over comments: each has an empty line behind it.
    assert all(kinds[index + 1] == b"\n" for index, line in enumerate(kinds) if line == b": ping\n")
    connection.close()


def test_a_browser_that_is_killed_ends_streams(server: Server, client: openai.OpenAI) -> None:
    for _ in range(2):
        stream = client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=2000, stream=True,
                                                extra_body={"ignore_eos": True})
        for _ in range(3):
            next(stream)
        os.kill(server.victim("headless_shell/0", "browser"), signal.SIGKILL)
        with pytest.raises(openai.APIError) as caught:
            for _ in stream:
                pass
        assert caught.value.code == "worker_lost"
        server.wait_ready(60)
        eventually("nothing is pending", 10, lambda: pending(server) == 0)
    assert client.chat.completions.create(model=MODEL, messages=HELLO, max_tokens=1).usage.completion_tokens == 1


def test_the_client_for_node(server: Server) -> None:
    command = ["node", str(ROOT / "tests/clients/chat.mjs"), f"http://{server.http}/v1", MODEL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["streamed"] == told["whole"] and "Red" in told["whole"]
    assert told["response"] == told["whole"] == told["response_streamed"]
    assert told["finish"] == "stop" and told["usage"]["total_tokens"] > 20
    assert told["failures"]["unknown_model"] == {"kind": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"}
    assert told["failures"]["too_long"]["code"] == "context_length_exceeded"
    assert told["failures"]["too_hot"] == {"kind": "BadRequestError", "status": 400, "code": None, "param": "temperature"}
    assert told["aborted"] == "APIUserAbortError"
    eventually("nothing is pending", 10, lambda: pending(server) == 0)
