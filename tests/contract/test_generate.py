"""Triton's generate extension: flat JSON in, flat JSON or server-sent events out, by plain HTTP and by curl."""

import contextlib
import http.client
import json
import subprocess

import numpy as np
import pytest
import tritonclient.grpc as triton
from support.echo_models import decoupled, echo_model
from support.http import ask
from support.waiting import eventually

HOUR = 3_600_000_000  # microseconds
MINUTE = 60_000_000
SOON = 30_000_000  # less than what A_WHILE leaves of a minute, and long enough for any machine
A_WHILE = 10_000_000


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    echo_model(root, "text", datatype="TYPE_STRING")
    echo_model(root, "numbers")
    echo_model(root, "batched", shape="2", more="max_batch_size: 4")
    echo_model(root, "square", shape="2, 2")
    echo_model(root, "open", shape="-1, -1")
    echo_model(root, "half", datatype="TYPE_FP16")
    echo_model(root, "three", datatype="TYPE_STRING", more=decoupled(3))
    echo_model(root, "one", datatype="TYPE_STRING", more=decoupled(1))
    echo_model(root, "none", datatype="TYPE_STRING", more=decoupled(0))
    echo_model(root, "burst", more=decoupled(4096))
    # Its second response comes after a minute: who gets an answer sooner has not waited for it.
    echo_model(root, "waits", datatype="TYPE_STRING", more=decoupled(2, gap=MINUTE))
    return launch(pool__browsers="none", echo__workers="1", models__repository=str(root), schedule__max_in_flight="1").start()


def generate(server, model, body, route="generate"):
    return server.post(f"/v2/models/{model}/{route}", body)


def events(answer):
    """The objects of a body of server-sent events, which has nothing else."""
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    parts = answer.body.decode().split("\n\n")
    assert parts.pop() == ""
    assert all(part.startswith("data: ") for part in parts)
    return [json.loads(part.removeprefix("data: ")) for part in parts]


def test_text_in_and_text_out(server):
    answer = generate(server, "text", {"INPUT0": "a shoal", "id": "7", "parameters": {"temperature": 0.5}, "stream": False})
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert {name: body[name] for name in ("id", "model_name", "model_version", "OUTPUT0", "shoal_backend")} == {
        "id": "7", "model_name": "text", "model_version": "1", "OUTPUT0": "a shoal", "shoal_backend": "echo"}
    several = generate(server, "text/versions/1", {"parameters": {"INPUT0": ["a", "", "\N{FISH}"]}}).json()
    assert several["OUTPUT0"] == ["a", "", "\N{FISH}"] and "id" not in several


@pytest.mark.parametrize(("model", "sent", "back"), [
    ("numbers", 1.5, 1.5), ("numbers", [1, 2, 3], [1, 2, 3]), ("numbers", [], []),
    ("batched", [1, 2], [1, 2]), ("square", [1, 2, 3, 4], [1, 2, 3, 4]), ("square", [[1, 2], [3, 4]], [1, 2, 3, 4]),
])
def test_arrays_take_the_shape_of_the_model(server, model, sent, back):
    assert generate(server, model, {"INPUT0": sent}).json()["OUTPUT0"] == back


def test_a_large_array_comes_back(server):
    sent = np.arange(50_000, dtype=np.float32).tolist()
    assert generate(server, "numbers", {"INPUT0": sent}).json()["OUTPUT0"] == sent
    assert events(generate(server, "numbers", {"INPUT0": sent}, "generate_stream"))[0]["OUTPUT0"] == sent


@pytest.mark.parametrize("route", ["generate", "generate_stream"])
@pytest.mark.parametrize(("model", "body", "status", "said"), [
    ("text", "{", 400, ""),
    ("text", {"INPUT0": 7}, 400, "input 'INPUT0' has an element in 'data' that is no BYTES"),
    ("text", {"OTHER": "a"}, 400, "INPUT0"),
    ("text", {"INPUT0": "a", "OTHER": {"a": 1}}, 400, "parameter 'OTHER' has invalid type"),
    ("text", {"INPUT0": "a", "parameters": {"INPUT0": "b"}}, 400, "input 'INPUT0' is given twice"),
    ("text", {"INPUT0": "a", "shoal_backend": "cuda"}, 400, "shoal_backend"),
    ("text", {"INPUT0": "a", "sequence_id": 1}, 400, "sequence_id"),
    ("batched", {"INPUT0": [1, 2, 3]}, 400, "INPUT0"),
    ("square", {"INPUT0": [1, 2, 3]}, 400, "INPUT0"),
    ("open", {"INPUT0": [1, 2, 3]}, 400, "more than one open dimension"),
    ("half", {"INPUT0": [1]}, 400, "FP16"),
    ("nothing", {"INPUT0": "a"}, 404, "unknown model: 'nothing'"),
])
def test_what_is_wrong_is_an_http_error(server, route, model, body, status, said):
    answer = generate(server, model, body, route)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert said in answer.json()["error"]


def test_other_methods(server):
    answer = ask(server.http, "GET", "/v2/models/text/generate")
    assert answer.status == 405 and answer.headers["allow"] == "POST"


@pytest.mark.parametrize(("model", "count"), [("text", 1), ("one", 1), ("three", 3), ("none", 0)])
def test_a_stream_has_an_event_for_each_response(server, model, count):
    came = events(generate(server, model, {"INPUT0": "a", "id": "7"}, "generate_stream"))
    assert [(event["id"], event["model_name"], event["OUTPUT0"]) for event in came] == [("7", model, "a")] * count


def test_generate_is_for_exactly_one_response(server):
    assert generate(server, "one", {"INPUT0": "a"}).json()["OUTPUT0"] == "a"
    for model in ("three", "none"):
        answer = generate(server, model, {"INPUT0": "a"})
        assert answer.status == 400
        assert "generate expects model to produce exactly 1 response" in answer.json()["error"]


def test_all_of_many_events_come(server):
    answer = server.post("/v2/models/burst/generate_stream", {"INPUT0": 1, "timeout": HOUR}, timeout=300)
    assert [event["OUTPUT0"] for event in events(answer)] == [1] * 4096


def test_the_connection_is_used_again(server):
    host, port = server.http.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    for model, route in (("three", "generate_stream"), ("text", "generate"), ("none", "generate_stream")):
        connection.request("POST", f"/v2/models/{model}/{route}", json.dumps({"INPUT0": "a"}))
        answer = connection.getresponse()
        assert answer.status == 200 and answer.version == 11
        answer.read()
    connection.close()


def test_curl_of_both_versions_of_http(server):
    for version in ("--http1.1", "--http1.0"):
        done = subprocess.run(["curl", "-sSN", version, "--max-time", "60", f"http://{server.http}/v2/models/three/generate_stream",
                               "-d", '{"INPUT0":"a"}'], capture_output=True, text=True, timeout=90, check=True)
        assert done.stdout.count("data: {") == 3, done


@contextlib.contextmanager
def half_read(server, body):
    """A stream of which the first event has come, and the second one takes a minute."""
    host, port = server.http.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request("POST", "/v2/models/waits/generate_stream", json.dumps(body))
    answer = connection.getresponse()
    assert answer.status == 200
    line = answer.readline()
    assert json.loads(line.removeprefix(b"data: "))["OUTPUT0"] == "a"
    assert answer.readline() == b"\n"
    yield answer
    connection.close()
    answer.close()


def answers_at_once(server):
    """The worker does one run at a time, and what was given up would have taken it for a minute."""
    with triton.InferenceServerClient(server.grpc) as client:
        tensor = triton.InferInput("INPUT0", [2], "FP32")
        tensor.set_data_from_numpy(np.ones(2, np.float32))
        assert client.infer("numbers", [tensor], timeout=SOON).as_numpy("OUTPUT0").tolist() == [1, 1]


def test_each_event_is_sent_at_once_and_who_leaves_frees_the_worker(server):
    with half_read(server, {"INPUT0": "a", "timeout": HOUR}):
        pass
    answers_at_once(server)


def test_what_fails_later_is_an_event(server):
    with half_read(server, {"INPUT0": "a", "timeout": A_WHILE}) as answer:
        last = json.loads(answer.readline().removeprefix(b"data: "))
        assert "Request timeout expired" in last["error"] and last["code"] == "DEADLINE_EXCEEDED"
        assert answer.read() == b"\n"
    answers_at_once(server)


def test_one_who_leaves_generate_frees_the_worker(server):
    def executions():
        return server.get("/v2/models/waits/stats").json()["model_stats"][0]["execution_count"]

    before = executions()
    host, port = server.http.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=60)
    connection.request("POST", "/v2/models/waits/generate", json.dumps({"INPUT0": "a", "timeout": HOUR}))
    eventually("it runs", 60, lambda: executions() > before)
    connection.close()
    answers_at_once(server)
