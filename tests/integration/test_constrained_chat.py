"""Answers that obey a schema or call tools, and the probabilities of their tokens, by a real browser. Schemas are checked by an
independent validator."""

import json
import random
import re
import subprocess
import sys
import textwrap
from typing import Any

import jsonschema_rs
import openai
import pytest
from support.chat_model import serve_chat
from support.server import ROOT, Server
from support.waiting import eventually

MODEL = "smollm2"
TOOLS = "smollm2-tools"
HELLO = [{"role": "user", "content": "Describe a fish as JSON."}]
ROUNDS, ROUNDS_OF_LONG = 12, 200
WEATHER = {"type": "function", "function": {
    "name": "weather", "description": "The weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}, "days": {"$ref": "#/$defs/days"}},
                   "required": ["city", "days"], "additionalProperties": False,
                   "$defs": {"days": {"type": "integer", "minimum": 1, "maximum": 9}}}}}
CLOCK = {"type": "function", "function": {"name": "clock"}}
TEMPLATE = """{%- if tools %}<|im_start|>system
You may call functions: {{ tools | tojson }}
For a call answer with <tool_call>
{"name": <name>, "arguments": <object>}
</tool_call><|im_end|>
{% endif %}{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory: pytest.TempPathFactory) -> Server:
    return serve_chat(launch, tmp_path_factory.mktemp("packages"), {MODEL: None, TOOLS: TEMPLATE})


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"http://{server.http}/v1", api_key="none", max_retries=0, timeout=120)


def schema(numbers: random.Random, depth: int = 2) -> dict[str, Any]:
    """Bounded, so that an answer that obeys it ends."""
    kinds = ["integer", "string", "boolean", "enum", "number", "null", "const"] + ["object", "array", "anyOf"] * (depth > 0)
    match numbers.choice(kinds):
        case "integer":
            low = numbers.randint(-50, 50)
            return {"type": "integer", "minimum": low, "maximum": low + numbers.randint(0, 900)}
        case "number":
            return {"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.25}
        case "string":
            if numbers.random() < 0.4:
                return {"type": "string", "pattern": numbers.choice(["^[a-z]{1,6}$", "^\\d{2}-\\d{2}$", "^(cod|herring)s?$"])}
            return {"type": "string", "maxLength": numbers.randint(0, 8)}
        case "enum":
            return {"enum": numbers.sample(["cod", "herring", 3, None, True, {"a": [1]}], 3)}
        case "const":
            return {"const": numbers.choice(["x \"quoted\"", 7, [1, 2]])}
        case "object":
            names = numbers.sample(["name", "kind", "length", "\u00fc", "a b"], numbers.randint(1, 3))
            required = [name for name in names if numbers.random() < 0.7]
            return {"type": "object", "properties": {name: schema(numbers, depth - 1) for name in names}, "required": required,
                    "additionalProperties": False}
        case "array":
            least = numbers.randint(0, 2)
            return {"type": "array", "items": schema(numbers, depth - 1), "minItems": least, "maxItems": least + numbers.randint(0, 2)}
        case "anyOf":
            return {"anyOf": [schema(numbers, 0), schema(numbers, 0)]}
        case kind:
            return {"type": kind}


def formed(wanted: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": wanted}}


def test_answers_obey_random_schemas(client: openai.OpenAI, seed: int, request: pytest.FixtureRequest) -> None:
    numbers = random.Random(seed)
    for _ in range(ROUNDS if request.config.getoption("--rounds") == 1 else ROUNDS_OF_LONG):
        wanted = schema(numbers)
        done = client.chat.completions.create(model=MODEL, messages=HELLO, response_format=formed(wanted), max_tokens=600,
                                              temperature=numbers.choice([0, 1]), seed=numbers.randint(0, 999))
        choice = done.choices[0]
        assert choice.finish_reason == "stop", (wanted, choice)
        jsonschema_rs.validator_for(wanted).validate(json.loads(choice.message.content))


def test_a_stream_obeys_too_and_responses(client: openai.OpenAI) -> None:
    wanted = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 0, "maximum": 9}}, "required": ["n"],
              "additionalProperties": False}
    chunks = list(client.chat.completions.create(model=MODEL, messages=HELLO, response_format=formed(wanted), temperature=0,
                                                 stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert 0 <= json.loads(text)["n"] <= 9
    whole = client.chat.completions.create(model=MODEL, messages=HELLO, response_format=formed(wanted), temperature=0)
    assert whole.choices[0].message.content == text
    response = client.responses.create(model=MODEL, input=HELLO, temperature=0,
                                       text={"format": {"type": "json_schema", "name": "answer", "schema": wanted}})
    assert response.output_text == text and response.status == "completed"


def test_the_example_of_the_documentation(server: Server) -> None:
    [example] = re.findall(r"^  ```python\n(.*?)^  ```", (ROOT / "docs/chat.md").read_text(), re.MULTILINE | re.DOTALL)
    program = textwrap.dedent(example).replace("127.0.0.1:8000", server.http).replace("smollm2-135m-instruct", MODEL)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert 0 <= int(done.stdout) <= 8


def test_any_object(client: openai.OpenAI) -> None:
    done = client.chat.completions.create(model=MODEL, messages=HELLO, response_format={"type": "json_object"}, max_tokens=300,
                                          temperature=0)
    if done.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(done.choices[0].message.content), dict)
    else:
        assert done.choices[0].message.content.lstrip().startswith("{")


@pytest.mark.parametrize("wanted", [{"type": "fish"}, {"type": "object", "unevaluatedItems": False, "uniqueItems": True},
                                    {"$ref": "https://example.com/x"}])
def test_what_would_not_be_obeyed_is_refused(client: openai.OpenAI, wanted: dict) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=MODEL, messages=HELLO, response_format=formed(wanted), stream=stream)
        assert caught.value.param == "response_format"


def test_a_tool_that_must_be_called_is(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": TOOLS, "messages": [{"role": "user", "content": "How is Rome?"}], "tools": [WEATHER, CLOCK],
                             "temperature": 0, "max_tokens": 100}
    for choice, parallel in ((("required", False)), ({"type": "function", "function": {"name": "weather"}}, True)):
        done = client.chat.completions.create(**asked, tool_choice=choice, parallel_tool_calls=parallel)
        assert done.choices[0].finish_reason == "tool_calls" and done.choices[0].message.content is None
        [call] = done.choices[0].message.tool_calls
        assert call.type == "function" and call.id.startswith("call_")
        if call.function.name == "weather":
            jsonschema_rs.validator_for(WEATHER["function"]["parameters"]).validate(json.loads(call.function.arguments))
        if isinstance(choice, dict):
            assert call.function.name == "weather"
        chunks = list(client.chat.completions.create(**asked, tool_choice=choice, parallel_tool_calls=parallel, stream=True))
        [told] = [chunk.choices[0].delta.tool_calls[0] for chunk in chunks if chunk.choices[0].delta.tool_calls]
        assert (told.index, told.function.name, told.function.arguments) == (0, call.function.name, call.function.arguments)
        assert chunks[-1].choices[0].finish_reason == "tool_calls"
    flat = {"type": "function", "name": "weather", "parameters": WEATHER["function"]["parameters"]}
    response = client.responses.create(model=TOOLS, input="How is Rome?", tools=[flat], tool_choice="required", temperature=0,
                                       max_output_tokens=100, parallel_tool_calls=False)
    assert [item.type for item in response.output] == ["function_call"] and response.output[0].name == "weather"


def test_log_probabilities(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": MODEL, "messages": HELLO, "max_tokens": 6, "temperature": 0, "logprobs": True,
                             "top_logprobs": 3}
    whole = client.chat.completions.create(**asked)
    told = whole.choices[0].logprobs.content
    assert len(told) == 6
    assert b"".join(bytes(one.bytes) for one in told).decode() == whole.choices[0].message.content
    for one in told:
        assert one.logprob <= 0 and len(one.top_logprobs) == 3
        assert one.top_logprobs[0].token == one.token and abs(one.top_logprobs[0].logprob - one.logprob) < 1e-4
        assert [two.logprob for two in one.top_logprobs] == sorted((two.logprob for two in one.top_logprobs), reverse=True)
    streamed = [one for chunk in client.chat.completions.create(**asked, stream=True)
                for one in (chunk.choices[0].logprobs.content if chunk.choices[0].logprobs else [])]
    assert [one.token for one in streamed] == [one.token for one in told]
    plain = client.completions.create(model=MODEL, prompt="A fish", max_tokens=4, temperature=0, logprobs=2).choices[0]
    assert "".join(plain.logprobs.tokens) == plain.text and len(plain.logprobs.top_logprobs[0]) == 2


def test_a_framework_that_knows_nothing_of_this_server(server: Server) -> None:
    command = ["node", str(ROOT / "tests/clients/framework.mjs"), f"http://{server.http}/v1", TOOLS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["whole"]["text"] == told["streamed"]["text"] and "Red" in told["whole"]["text"]
    assert told["many"] == [told["whole"]["text"]] * 6
    assert told["streamed"]["parts"] > 5 and told["streamed"]["finish"] == told["whole"]["finish"]
    assert told["streamed"]["usage"]["totalTokens"] == told["whole"]["usage"]["totalTokens"] > 20
    assert re.fullmatch("[a-z]{1,8}", told["object"]["name"]) and 1 <= told["object"]["fins"] <= 9 and told["partials"] > 1
    assert [name for name, _ in told["calls"]] == ["weather"] and told["calls"][0][1]["city"] in ("Oslo", "Rome")
    assert told["results"] == [f"It rains in {told['calls'][0][1]['city']}."]
    assert told["unknown_model"]["kind"] == "APICallError" and told["unknown_model"]["status"] == 404
    assert told["too_hot"]["status"] == 400 and "temperature" in told["too_hot"]["message"]
    assert told["aborted"]
    workers = lambda: server.get("/admin/v1/workers").json()["workers"]
    eventually("nothing is pending", 10, lambda: not any(int(one["pending_work"]) for one in workers()))
