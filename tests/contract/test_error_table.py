"""What bad input gets, row by row, over REST and gRPC: Triton's words, and its status where that is the right one. With the
echo backend, so that what is answered are the checks and not a model. (Of REST alone, with a real model: test_bad_input.py.)"""

import json
import struct
import threading
import time

import grpc
import pytest
from support.echo_models import decoupled, delay, echo_model
from support.http import ask
from support.waiting import eventually
from tritonclient.grpc import service_pb2, service_pb2_grpc

INVALID, MISSING, AWAY, CANNOT = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE,
                                  grpc.StatusCode.UNIMPLEMENTED)
TWO = 'input { name: "INPUT1" data_type: TYPE_INT32 dims: [2] } output { name: "OUTPUT1" data_type: TYPE_INT32 dims: [2] }'


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    echo_model(root, "two", shape="4", more="max_batch_size: 2 " + TWO)
    echo_model(root, "flat", shape="-1")
    echo_model(root, "text", datatype="TYPE_STRING")
    echo_model(root, "broken", shape="0")
    echo_model(root, "many", more=decoupled(2))
    queue = "max_batch_size: 1 dynamic_batching { default_queue_policy { max_queue_size: 1 } }\n"
    echo_model(root, "full", shape="1", more=queue + delay(1_000_000))
    timeout = "max_batch_size: 1 dynamic_batching { default_queue_policy { default_timeout_microseconds: 200000 } }\n"
    echo_model(root, "late", shape="1", more=timeout + delay(3_000_000))
    return launch(pool__browsers="none", echo__workers="1", models__repository=str(root), schedule__max_in_flight="1").start()


@pytest.fixture(scope="module")
def stub(server):
    with grpc.insecure_channel(server.grpc) as channel:
        yield service_pb2_grpc.GRPCInferenceServiceStub(channel)


@pytest.fixture(autouse=True)
def stays_live(server):
    yield
    assert server.live()


def pair(**changes):
    """The inputs of the model "two" in JSON; the first one is changed."""
    first = {"name": "INPUT0", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]} | changes
    return [first, {"name": "INPUT1", "datatype": "INT32", "shape": [1, 2], "data": [1, 2]}]


def refused_over_grpc(stub, request):
    with pytest.raises(grpc.RpcError) as refused:
        stub.ModelInfer(request, timeout=20)
    return refused.value.code(), refused.value.details()


def message(inputs, model="two", version="", outputs=(), parameters=None):
    """The same in protobuf, its elements raw."""
    made = service_pb2.ModelInferRequest(model_name=model, model_version=version)
    for one in inputs:
        made.inputs.add(name=one["name"], datatype=one["datatype"], shape=one["shape"])
        kind = {"FP32": "f", "INT32": "i", "INT64": "q"}[one["datatype"]]
        made.raw_input_contents.append(struct.pack(f"<{len(one['data'])}{kind}", *one["data"]))
    for name in outputs:
        made.outputs.add(name=name)
    for name, (field, value) in (parameters or {}).items():
        setattr(made.parameters[name], field, value)
    return made


BOTH = {
    "unknown model": ({"model": "foo"}, 404, MISSING, "Request for unknown model: 'foo' is not found"),
    "unknown version": ({"version": "99"}, 404, MISSING, "Request for unknown model: 'two' version 99 is not found"),
    "a version that is not ready": ({"model": "broken", "version": "1"}, 503, AWAY, "is not at ready state"),
    "missing input": ({"inputs": pair()[1:]}, 400, INVALID,
                      "expected 2 inputs but got 1 inputs for model 'two'. Got input(s) ['INPUT1'], but missing required input(s) "
                      "['INPUT0']"),
    "extra input": ({"inputs": [*pair(), pair(name="INPUT2")[0]]}, 400, INVALID, "unexpected inference input 'INPUT2' for model 'two'"),
    "wrong datatype": ({"inputs": pair(datatype="INT32")}, 400, INVALID,
                       "inference input 'INPUT0' data-type is 'INT32', but model 'two' expects 'FP32'"),
    "wrong shape": ({"inputs": pair(shape=[1, 5], data=[1] * 5)}, 400, INVALID,
                    "unexpected shape for input 'INPUT0' for model 'two'. Expected [-1,4], got [1,5]"),
    "batch too large": ({"inputs": [dict(pair()[0], shape=[3, 4], data=[0] * 12), dict(pair()[1], shape=[3, 2], data=[0] * 6)]},
                        400, INVALID, "inference request batch-size must be <= 2 for 'two'"),
    "fewer elements than the shape": ({"inputs": pair(data=[1, 2, 3])}, 400, INVALID,
                                      "input byte size mismatch for input 'INPUT0' for model 'two'. Expected 16, got 12"),
    "duplicate input": ({"inputs": [*pair(), pair()[0]]}, 400, INVALID, "input 'INPUT0' already exists in request"),
    "duplicate output": ({"outputs": ["OUTPUT0", "OUTPUT0"]}, 400, INVALID, "output 'OUTPUT0' already exists in request"),
    "unknown output": ({"outputs": ["OUTPUT7"]}, 400, INVALID, "unexpected inference output 'OUTPUT7' for model 'two'"),
    "negative dimension": ({"inputs": pair(shape=[1, -4])}, 400, INVALID, "INPUT0"),
    "product beyond 64 bits": ({"inputs": pair(shape=[2**33, 2**32])}, 400, INVALID, "to exceed maximum size of"),
    "reserved parameter": ({"parameters": {"triton_mine": ("string_param", "a")}}, 400, INVALID, "'triton_mine' is reserved"),
    "headers": ({"parameters": {"headers": ("string_param", "a")}}, 400, INVALID, "'headers' is reserved"),
    "a sequence for a model without": ({"parameters": {"sequence_id": ("int64_param", 7)}}, 400, INVALID, "sequence_id"),
    "negative priority": ({"parameters": {"priority": ("int64_param", -1)}}, 400, INVALID, "parameter 'priority' must be"),
    "priority of another type": ({"parameters": {"priority": ("bool_param", True)}}, 400, INVALID, "parameter 'priority' must be"),
    "priority of another word": ({"parameters": {"priority": ("string_param", "urgent")}}, 400, INVALID, "'high', 'medium' or 'low'"),
    "timeout of another type": ({"parameters": {"timeout": ("string_param", "1")}}, 400, INVALID, "parameter 'timeout' must be"),
    "a batch that is larger than it may be": (
        {"inputs": [dict(pair()[0], shape=[2, 4], data=[0] * 8), dict(pair()[1], shape=[2, 2], data=[0] * 4)],
         "parameters": {"shoal_max_batch_size": ("int64_param", 1)}}, 400, INVALID, "parameter 'shoal_max_batch_size' must be at least 2"),
}


@pytest.mark.parametrize("row", BOTH)
def test_over_both(server, stub, row):
    asked, status, code, says = BOTH[row]
    asked = {"model": "two", "version": "", "inputs": pair(), "outputs": (), "parameters": {}} | asked
    sent = {"inputs": asked["inputs"], "outputs": [{"name": name} for name in asked["outputs"]],
            "parameters": {name: value for name, (_, value) in asked["parameters"].items()}}
    path = f"/v2/models/{asked['model']}" + (f"/versions/{asked['version']}" if asked["version"] else "") + "/infer"
    answer = server.post(path, sent)
    assert (answer.status, says in answer.json()["error"]) == (status, True), answer
    told = refused_over_grpc(stub, message(asked["inputs"], asked["model"], asked["version"], asked["outputs"], asked["parameters"]))
    assert (told[0], says in told[1]) == (code, True), told


@pytest.mark.parametrize(("version", "says"), [
    ("abc", "failed to get model version from specified version string"), ("-1", "version"), ("1.5", "version"), ("9" * 30, "version")])
def test_versions_that_are_none(server, stub, version, says):
    code, details = refused_over_grpc(stub, message(pair(), version=version))
    assert code == INVALID and says in details
    assert server.post(f"/v2/models/two/versions/{version}/infer", {"inputs": pair()}).status == 404


@pytest.mark.parametrize("method", ["ModelInfer", "ServerLive", "ModelStreamInfer"])
def test_a_message_of_no_type(server, method):
    path = f"/inference.GRPCInferenceService/{method}"
    with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as refused:
        if method == "ModelStreamInfer":
            list(channel.stream_stream(path)(iter([b"\xff\xff\xff"]), timeout=20))
        else:
            channel.unary_unary(path)(b"\xff\xff\xff", timeout=20)
    assert refused.value.code() == INVALID
    assert "not of the method's type" in refused.value.details()


def test_contents_of_protobuf(stub):
    both = message(pair())
    both.inputs[0].contents.fp32_contents.extend([1, 2, 3, 4])
    code, details = refused_over_grpc(stub, both)
    assert code == INVALID and "contents field must not be specified when using raw_input_contents" in details
    neither = message(pair())
    del neither.raw_input_contents[:]
    assert refused_over_grpc(stub, neither)[0] == INVALID
    one_raw = message(pair())
    one_raw.raw_input_contents.pop()
    assert refused_over_grpc(stub, one_raw)[0] == INVALID
    wrong = message(pair())
    del wrong.raw_input_contents[:]
    wrong.inputs[0].contents.int_contents.extend([1, 2, 3, 4])
    assert refused_over_grpc(stub, wrong)[0] == INVALID
    parameter = message(pair())
    parameter.parameters["mine"].SetInParent()
    code, details = refused_over_grpc(stub, parameter)
    assert code == INVALID and "parameter 'mine' has no value" in details


def text(raw, shape):
    made = service_pb2.ModelInferRequest(model_name="text", raw_input_contents=[raw])
    made.inputs.add(name="INPUT0", datatype="BYTES", shape=shape)
    return made


@pytest.mark.parametrize(("raw", "shape", "says"), [
    (b"\1\0\0\0a", [2], "2"), (b"\1\0\0\0a\1\0\0\0b", [1], "1"), (b"\5\0\0\0a", [1], "INPUT0"), (b"\1\0\0", [1], "INPUT0"),
    (b"\xff\xff\xff\xffa", [1], "INPUT0")])
def test_elements_of_bytes(stub, raw, shape, says):
    code, details = refused_over_grpc(stub, text(raw, shape))
    assert code == INVALID and says in details


def test_numbers_that_json_has_not_are_tokens_and_text_that_is_no_utf8_is_told(server, stub):
    values = [float("nan"), float("inf"), float("-inf"), 1.5]
    raw = struct.pack("<4f", *values)
    head = json.dumps({"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [4], "parameters": {"binary_data_size": 16}}]}).encode()
    size = {"Inference-Header-Content-Length": str(len(head))}
    answer = ask(server.http, "POST", "/v2/models/flat/infer", head + raw, size)
    assert answer.status == 200
    assert b"NaN" in answer.body and b"Infinity" in answer.body and b"-Infinity" in answer.body
    data = json.loads(answer.body)["outputs"][0]["data"]
    assert str(data) == str(values)
    # Back in as they came out.
    sent = '{"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [4], "data": [NaN, Infinity, -Infinity, 1.5]}]}'
    again = server.post("/v2/models/flat/infer", sent)
    assert again.status == 200 and str(json.loads(again.body)["outputs"][0]["data"]) == str(values)
    element = b"\xff\xfe\0a"
    raw = struct.pack("<I", len(element)) + element
    head = json.dumps({"inputs": [{"name": "INPUT0", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(raw)}}],
                       "outputs": [{"name": "OUTPUT0"}]}).encode()
    answer = ask(server.http, "POST", "/v2/models/text/infer", head + raw, {"Inference-Header-Content-Length": str(len(head))})
    assert answer.status == 400 and "UTF-8" in answer.json()["error"] and "binary" in answer.json()["error"]
    assert stub.ModelInfer(text(raw, [1]), timeout=20).raw_output_contents[0] == raw


def test_raw_bodies(server):
    answer = ask(server.http, "POST", "/v2/models/flat/infer", struct.pack("<3f", 1, 2, 3), {"Inference-Header-Content-Length": "0"})
    assert answer.status == 200 and answer.headers["content-type"] == "application/octet-stream"
    size = int(answer.headers["inference-header-content-length"])
    head = json.loads(answer.body[:size])
    assert head["outputs"][0]["shape"] == [3] and head["outputs"][0]["parameters"]["binary_data_size"] == 12
    assert answer.body[size:] == struct.pack("<3f", 1, 2, 3)
    for model, sent in (("two", b"1234"), ("flat", b"12345")):
        refused = ask(server.http, "POST", f"/v2/models/{model}/infer", sent, {"Inference-Header-Content-Length": "0"})
        assert refused.status == 400 and "raw binary request" in refused.json()["error"]


def test_decoupled_models_are_not_for_one_answer(server, stub):
    flat = [{"name": "INPUT0", "datatype": "FP32", "shape": [1], "data": [1]}]
    assert refused_over_grpc(stub, message(flat, "many"))[0] == CANNOT
    assert server.post("/v2/models/many/infer", {"inputs": flat}).status == 501


def test_shared_memory_is_not_offered_and_not_advertised(server, stub):
    assert not [name for name in server.get("/v2").json()["extensions"] if "shared_memory" in name]
    for kind in ("system", "cuda"):
        for method, path in (("GET", "status"), ("POST", "unregister"), ("GET", "region/a/status"), ("POST", "region/a/register"),
                             ("POST", "region/a/unregister")):
            answer = server.ask(method, f"/v2/{kind}sharedmemory/{path}", {} if method == "POST" else None)
            assert answer.status == 501 and "shared memory is not offered" in answer.json()["error"]
        assert server.ask("DELETE", f"/v2/{kind}sharedmemory/status").status == 405
    for call, request in ((stub.SystemSharedMemoryStatus, service_pb2.SystemSharedMemoryStatusRequest()),
                          (stub.SystemSharedMemoryRegister, service_pb2.SystemSharedMemoryRegisterRequest(name="a", key="b")),
                          (stub.SystemSharedMemoryUnregister, service_pb2.SystemSharedMemoryUnregisterRequest()),
                          (stub.CudaSharedMemoryStatus, service_pb2.CudaSharedMemoryStatusRequest()),
                          (stub.CudaSharedMemoryRegister, service_pb2.CudaSharedMemoryRegisterRequest(name="a")),
                          (stub.CudaSharedMemoryUnregister, service_pb2.CudaSharedMemoryUnregisterRequest())):
        with pytest.raises(grpc.RpcError) as refused:
            call(request, timeout=20)
        assert refused.value.code() == CANNOT


@pytest.fixture(scope="module")
def explicit(launch, tmp_path_factory):
    root = tmp_path_factory.mktemp("explicit")
    echo_model(root, "echo")
    return launch(pool__browsers="none", echo__workers="1", models__repository=str(root), models__control="explicit").listen()


@pytest.mark.parametrize("name", ["..", "a%2Fb", "%20", "a..b"])
def test_names_of_models_to_load(explicit, name):
    plain = name.replace("%2F", "/").replace("%20", " ")
    with grpc.insecure_channel(explicit.grpc) as channel, pytest.raises(grpc.RpcError) as refused:
        asked = service_pb2.RepositoryModelLoadRequest(model_name=plain)
        service_pb2_grpc.GRPCInferenceServiceStub(channel).RepositoryModelLoad(asked, timeout=20)
    assert refused.value.code() == INVALID
    assert explicit.post(f"/v2/repository/models/{name}/load", {}).status in (400, 404)


def test_loading_is_not_allowed_unless_it_is_explicit(server, stub):
    for act in ("load", "unload"):
        answer = server.post(f"/v2/repository/models/two/{act}", {})
        assert answer.status == 503 and "not allowed" in answer.json()["error"]
    with pytest.raises(grpc.RpcError) as refused:
        stub.RepositoryModelUnload(service_pb2.RepositoryModelUnloadRequest(model_name="two"), timeout=20)
    assert refused.value.code() == AWAY


ROW = [{"name": "INPUT0", "datatype": "FP32", "shape": [1, 1], "data": [1]}]


def busy(server, model, count):
    """So many requests at once; their answers, and what took them."""
    answers = []

    def one():
        began = time.monotonic()
        answers.append((server.post(f"/v2/models/{model}/infer", {"inputs": ROW}), time.monotonic() - began))

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_full_queue_is_told_at_once_and_when_to_come_back(server, stub):
    refused = [(answer, took) for answer, took in busy(server, "full", 6) if answer.status != 200]
    assert refused
    for answer, took in refused:
        assert answer.status == 503 and "Exceeds maximum queue size" in answer.json()["error"] and answer.headers["retry-after"]
        assert took < 0.8, "it did not wait for a place"


def test_a_queue_timeout_is_told_when_it_is_over(server):
    late = [(answer, took) for answer, took in busy(server, "late", 3) if answer.status != 200]
    assert late
    for answer, took in late:
        assert answer.status in (503, 504) and "Request timeout expired" in answer.json()["error"]
        assert 0.15 < took < 1.5, "and not when a worker is free, which takes 3 s"


def test_cancelled_calls_are_counted_as_such(server, stub):
    before = server.scrape().value("nv_inference_request_failure", model="late", reason="CANCELED")
    call = stub.ModelInfer.future(message(ROW, "late"), timeout=20)
    eventually("it is there", 10, lambda: server.get("/admin/v1/server").json()["open_requests"] >= 1)
    call.cancel()
    eventually("it was cancelled", 10,
               lambda: server.scrape().value("nv_inference_request_failure", model="late", reason="CANCELED") == before + 1)
