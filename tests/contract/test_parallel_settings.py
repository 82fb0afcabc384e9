"""What each request of a parallel call says of itself, and what the call says of all: with the echo backend."""

import time

import pytest
from support.echo_models import delay, echo_model

BATCHING = "max_batch_size: 8 dynamic_batching { max_queue_delay_microseconds: 300000 preferred_batch_size: [4] }"


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    echo_model(root, "slow", more=delay(1_500_000))
    echo_model(root, "one", shape="1", more="max_batch_size: 1\n" + delay(150_000))
    echo_model(root, "batched", shape="1", more=BATCHING)
    low = 'parameters { key: "shoal_priority" value { string_value: "low" } }\n'
    echo_model(root, "low", shape="1", more="max_batch_size: 1\n" + low + delay(150_000))
    return launch(pool__browsers="none", echo__workers="1", models__repository=str(root), schedule__max_in_flight="1").start()


def item(model, shape=(1, 1), **parameters):
    return {"model_name": model, "parameters": parameters,
            "inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": list(shape), "data": [1.0]}]}


def test_one_deadline_is_for_all(server):
    began = time.monotonic()
    asked = {"requests": [item("one"), item("slow", (1,)), item("slow", (1,), timeout=50_000)], "timeout": 700_000}
    first, second, third = server.post("/v2/parallel", asked).json()["responses"]
    assert time.monotonic() - began < 1.4, "the slow one takes 1.5 s"
    assert first["model_name"] == "one"
    assert (second["status"], third["status"]) == (504, 504)


def executions(server):
    return server.get("/v2/models/batched/stats").json()["model_stats"][0]["execution_count"]


@pytest.mark.parametrize(("most", "runs"), [(None, 1), (2, 2), (1, 4)])
def test_a_largest_batch(server, most, runs):
    before = executions(server)
    said = {} if most is None else {"shoal_max_batch_size": most}
    responses = server.post("/v2/parallel", {"requests": [item("batched", **said) for _ in range(4)]}).json()["responses"]
    assert all(response["outputs"][0]["data"] == [1.0] for response in responses), responses
    assert executions(server) - before == runs


def test_a_family(server):
    asked = [item("one", shoal_family=family) for family in ("text", "vision", "audio", "multimodal", "smell", 1)]
    responses = server.post("/v2/parallel", {"requests": asked}).json()["responses"]
    assert all(response["outputs"][0]["data"] == [1.0] for response in responses[:4]), responses
    for refused in responses[4:]:
        assert refused["status"] == 400 and "'shoal_family' must be 'text', 'vision', 'audio' or 'multimodal'" in refused["error"]


def test_priorities_have_words_and_models_a_default(server):
    # One runs at a time. What waits is served by its priority, whatever its place in the list.
    words = ["low", "medium", "high"]
    asked = [item("one"), *(item("one", priority=word) | {"id": word} for word in words), item("low") | {"id": "default"}]
    responses = server.post("/v2/parallel", {"requests": asked}).json()["responses"]
    waited = {response["id"]: response["parameters"]["shoal_queue_us"] for response in responses[1:]}
    assert waited["high"] < waited["medium"] < waited["low"] and waited["medium"] < waited["default"], waited
    (refused,) = server.post("/v2/parallel", {"requests": [item("one", priority="urgent")]}).json()["responses"]
    assert refused["status"] == 400 and "'high', 'medium' or 'low'" in refused["error"]
