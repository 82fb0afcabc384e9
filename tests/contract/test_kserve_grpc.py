"""The stock gRPC client of KServe v2, unmodified, against the real server and a real browser."""

import queue
import threading

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.server import MODEL
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

IDS = [[101, 7592, 2088, 102], [101, 2204, 2851, 102]]
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@pytest.fixture(scope="module")
def client(endpoints):
    with triton.InferenceServerClient(endpoints.grpc) as made:
        yield made


@pytest.fixture(scope="module")
def stub(endpoints):
    with grpc.insecure_channel(endpoints.grpc) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


def tensors(ids=IDS):
    ids = np.array(ids, np.int64)
    made = []
    for name, values in zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True):
        made.append(triton.InferInput(name, list(values.shape), "INT64"))
        made[-1].set_data_from_numpy(values)
    return made


@pytest.fixture(scope="module")
def output(client):
    return client.get_model_metadata(MODEL).outputs[0].name


@pytest.fixture(scope="module")
def expected(client, output):
    return client.infer(MODEL, tensors()).as_numpy(output)


def test_server_and_model_describe_themselves(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert not client.is_model_ready("none")
    assert client.get_server_metadata().name == "shoal"
    model = client.get_model_metadata(MODEL)
    assert {tensor.name: tensor.datatype for tensor in model.inputs} == dict.fromkeys(INPUTS, "INT64")
    config = client.get_model_config(MODEL).config
    assert config.name == MODEL
    assert config.max_batch_size > 0
    assert {tensor.name for tensor in config.input} == set(INPUTS)
    assert {entry.name: entry.state for entry in client.get_model_repository_index().models}[MODEL] == "READY"


def test_infer_with_and_without_named_outputs(client, output, expected):
    result = client.infer(MODEL, tensors(), outputs=[triton.InferRequestedOutput(output)], request_id="7")
    np.testing.assert_allclose(result.as_numpy(output), expected, atol=1e-4)
    response = result.get_response()
    assert response.id == "7"
    assert response.model_version == "1"
    assert response.parameters["shoal_compute_us"].int64_param > 0


def test_typed_contents_are_the_raw_ones(stub, output, expected):
    request = service_pb2.ModelInferRequest(model_name=MODEL)
    ids = np.array(IDS)
    for name, values in zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True):
        tensor = request.inputs.add(name=name, datatype="INT64", shape=values.shape)
        tensor.contents.int64_contents.extend(values.ravel().tolist())
    response = stub.ModelInfer(request, timeout=60)
    index = [tensor.name for tensor in response.outputs].index(output)
    got = np.frombuffer(response.raw_output_contents[index], np.float32).reshape(expected.shape)
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_many_at_once(client, output, expected):
    answers = queue.Queue()
    for _ in range(16):
        client.async_infer(MODEL, tensors(), lambda result, error: answers.put((result, error)))
    for _ in range(16):
        result, error = answers.get(timeout=60)
        assert error is None, error
        np.testing.assert_allclose(result.as_numpy(output), expected, atol=1e-4)


def test_a_stream_answers_each_and_says_errors_in_band(client, output, expected):
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    try:
        for number in range(4):
            client.async_stream_infer("none" if number == 2 else MODEL, tensors(), request_id=str(number))
        got = [answers.get(timeout=60) for _ in range(4)]
    finally:
        client.stop_stream()
    errors = [error for _, error in got if error is not None]
    assert len(errors) == 1
    assert "'none' is not found" in str(errors[0])
    results = [result for result, error in got if error is None]
    assert {result.get_response().id for result in results} == {"0", "1", "3"}
    for result in results:
        np.testing.assert_allclose(result.as_numpy(output), expected, atol=1e-4)


def test_statistics_move(client):
    def count():
        return client.get_inference_statistics(MODEL, "1").model_stats[0].inference_stats.success.count

    before = count()
    client.infer(MODEL, tensors())
    assert count() == before + 1


def test_errors_have_status_and_trailer(stub):
    with pytest.raises(grpc.RpcError) as raised:
        stub.ModelInfer(service_pb2.ModelInferRequest(model_name="none"), timeout=10)
    assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    trailers = dict(raised.value.trailing_metadata())
    assert trailers["shoal-error-code"] == "NOT_FOUND"
    assert len(trailers["x-request-id"]) == 36


def test_deadline_and_cancel(client, stub):
    with pytest.raises(InferenceServerException, match="Deadline Exceeded|DEADLINE"):
        client.infer(MODEL, tensors([[101] * 128] * 8), client_timeout=0.001)
    ended = threading.Event()
    request = triton._utils._get_inference_request(MODEL, tensors(), "", "", None, 0, False, False, 0, None, None)
    call = stub.ModelInfer.future(request)
    call.add_done_callback(lambda _: ended.set())
    call.cancel()
    assert ended.wait(10)
    assert client.infer(MODEL, tensors()).get_response().model_name == MODEL


def test_what_is_not_offered_says_so(client):
    with pytest.raises(InferenceServerException, match="load / unload is not allowed: models.control is 'none'"):
        client.load_model(MODEL)
    with pytest.raises(InferenceServerException, match="shared memory is not offered"):
        client.get_system_shared_memory_status()


def test_standard_health_service(endpoints):
    with grpc.insecure_channel(endpoints.grpc) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        serving = health_pb2.HealthCheckResponse.SERVING
        for service in ("", "inference.GRPCInferenceService"):
            assert health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5).status == serving
        watch = health.Watch(health_pb2.HealthCheckRequest(), timeout=5)
        assert next(watch).status == serving
        watch.cancel()
        with pytest.raises(grpc.RpcError) as raised:
            health.Check(health_pb2.HealthCheckRequest(service="none"), timeout=5)
        assert raised.value.code() == grpc.StatusCode.NOT_FOUND
