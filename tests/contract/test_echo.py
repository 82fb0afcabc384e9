"""The echo backend: protocols and queues without a browser, by stock clients; and nothing of it unless it is asked for."""

import queue
import threading
import time

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from support.echo_models import delay, echo_model
from tritonclient.utils import InferenceServerException

BATCHING = "max_batch_size: 8 dynamic_batching { max_queue_delay_microseconds: 200000 preferred_batch_size: [8] }"
QUEUE = "max_batch_size: 1 dynamic_batching { default_queue_policy { max_queue_size: 2 } }"
QUEUE_BYTES = 'max_batch_size: 1 parameters { key: "shoal_max_queue_bytes" value { string_value: "8" } }\n'
LEVELS = "max_batch_size: 1 dynamic_batching { priority_levels: 2 default_priority_level: 2 }"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    echo_model(root, "echo")
    echo_model(root, "text", datatype="TYPE_STRING")
    echo_model(root, "slow", more=delay(2_000_000))
    echo_model(root, "batched", shape="1", more=BATCHING)
    echo_model(root, "bounded", shape="1", more=QUEUE + delay(1_000_000))
    echo_model(root, "heavy", shape="1", more=QUEUE_BYTES + delay(500_000))
    echo_model(root, "levels", shape="1", more=LEVELS + delay(500_000))
    echo_model(root, "broken", shape="0")
    return root


@pytest.fixture(scope="module")
def server(launch, repository):
    return launch(pool__browsers="none", echo__workers="1", models__repository=str(repository), schedule__max_in_flight="1").start()


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(server.grpc) as made:
        yield made


def tensor(values, datatype="FP32", module=triton):
    made = module.InferInput("INPUT0", list(values.shape), datatype)
    made.set_data_from_numpy(values)
    return made


def back(result):
    return result.as_numpy("OUTPUT0")


@pytest.mark.parametrize("values", [
    np.array([1.5, np.nan, -0.0, np.inf], np.float32), np.zeros(0, np.float32), np.arange(4 << 20, dtype=np.float32),
])
def test_bytes_come_back_as_they_were(server, client, values):
    assert back(client.infer("echo", [tensor(values)])).tobytes() == values.tobytes()
    with triton_http.InferenceServerClient(server.http) as rest:
        assert back(rest.infer("echo", [tensor(values, module=triton_http)])).tobytes() == values.tobytes()


def test_text_comes_back(client):
    values = np.array(["", "Fisch", "\N{FISH}"], object)
    assert [text.decode() for text in back(client.infer("text", [tensor(values, "BYTES")]))] == list(values)


def test_it_says_what_it_is(server, client):
    assert client.get_model_metadata("echo").platform == "shoal_echo"
    assert client.get_model_config("echo").config.backend == "echo"
    result = client.infer("echo", [tensor(np.ones(2, np.float32))]).get_response()
    assert result.parameters["shoal_backend"].string_param == "echo"
    assert result.parameters["shoal_worker"].string_param == "echo/0"
    metrics = server.scrape()
    assert metrics.value("shoal_request_duration_seconds_count", model="echo", backend="echo") >= 1


def test_a_bad_configuration_is_named(server):
    states = {entry["name"]: entry for entry in server.post("/v2/repository/index", {}).json()}
    assert states["broken"]["state"] == "UNAVAILABLE"
    assert "INPUT0" in states["broken"]["reason"]
    assert states["echo"]["state"] == "READY"


def many(client, model, values, **options):
    """All at once; what came back, in the order in which it came: (index, result or error)."""
    came = queue.Queue()
    for index, value in enumerate(values):
        client.async_infer(model, [tensor(value)], lambda result, error, index=index: came.put((index, error or back(result))), **options)
    return [came.get(timeout=30) for _ in values]


def test_requests_are_joined_and_taken_apart(client):
    before = client.get_inference_statistics("batched").model_stats[0]
    values = [np.full((1, 1), number, np.float32) for number in range(8)]
    for index, result in many(client, "batched", values):
        assert result.tolist() == [[index]]
    after = client.get_inference_statistics("batched").model_stats[0]
    assert after.inference_count - before.inference_count == 8
    assert after.execution_count - before.execution_count < 8


def test_a_full_queue_refuses_at_once(server, client):
    # One runs, two wait, and the rest is refused while they still wait.
    began = time.monotonic()
    results = many(client, "bounded", [np.full((1, 1), number, np.float32) for number in range(8)])
    refused = [error for _, error in results if isinstance(error, InferenceServerException)]
    assert time.monotonic() - began >= 3
    assert len(refused) == 5
    assert all(error.status() == "StatusCode.UNAVAILABLE" for error in refused), refused
    assert [isinstance(result, InferenceServerException) for _, result in results] == [True] * 5 + [False] * 3


def test_a_queue_is_bounded_by_its_bytes(client):
    # One runs, two of four bytes wait, and the rest is refused while they still wait.
    results = many(client, "heavy", [np.full((1, 1), number, np.float32) for number in range(6)])
    refused = [error for _, error in results if isinstance(error, InferenceServerException)]
    assert len(refused) == 3
    assert all(error.status() == "StatusCode.UNAVAILABLE" and "shoal_max_queue_bytes" in error.message() for error in refused), refused


def test_higher_priority_goes_first(client):
    order = queue.Queue()

    def send(priority):
        client.async_infer("levels", [tensor(np.ones((1, 1), np.float32))], lambda result, error: order.put(error or priority),
                           priority=priority)

    for priority in (2, 2, 2, 2, 1):  # the first runs at once
        send(priority)
    came = [order.get(timeout=30) for _ in range(5)]
    assert came.index(1) <= 1
    assert sorted(came) == [1, 2, 2, 2, 2]


def test_a_deadline_ends_what_waits(client):
    blocked = threading.Thread(target=client.infer, args=("slow", [tensor(np.ones(1, np.float32))]))
    blocked.start()
    began = time.monotonic()
    with pytest.raises(InferenceServerException) as refused:
        client.infer("slow", [tensor(np.ones(1, np.float32))], timeout=50_000)
    assert time.monotonic() - began < 1.5
    assert refused.value.status() == "StatusCode.DEADLINE_EXCEEDED"
    blocked.join()


def test_it_is_off_unless_it_is_asked_for(launch, repository):
    server = launch(pool__browsers="none", models__repository=str(repository)).listen()
    states = {entry["name"]: entry for entry in server.post("/v2/repository/index", {}).json()}
    assert states["echo"]["state"] == "UNAVAILABLE"
    assert "echo.workers" in states["echo"]["reason"]
    answer = server.post("/v2/models/echo/infer", {"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [1], "data": [1]}]})
    assert answer.status >= 400
    assert "echo.workers" in answer.json()["error"]
