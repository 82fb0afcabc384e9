"""The classification extension by stock clients over every protocol, against numpy; the echo backend says the numbers."""

import queue

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from support.echo_models import echo_model
from support.parallel import RunAll
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

NAMES = ["cat", "dog", "a fish"]
TYPES = {"FP32": np.float32, "FP64": np.float64, "FP16": np.float16, "INT8": np.int8, "UINT8": np.uint8, "INT32": np.int32,
         "INT64": np.int64, "UINT64": np.uint64}


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for datatype in TYPES:
        echo_model(root, datatype, datatype=f"TYPE_{datatype}")
    echo_model(root, "rows", more="max_batch_size: 8")
    echo_model(root, "named", more="max_batch_size: 8", output='label_filename: "names.txt"')
    (root / "named" / "names.txt").write_text("\n".join(NAMES) + "\n")
    echo_model(root, "unnamed", output='label_filename: "names.txt"')
    echo_model(root, "text", datatype="TYPE_STRING")
    echo_model(root, "flags", datatype="TYPE_BOOL")
    return root


@pytest.fixture(scope="module")
def server(launch, repository):
    made = launch(pool__browsers="none", echo__workers="1", models__repository=str(repository))
    made.listen()
    return made


@pytest.fixture(scope="module")
def clients(server):
    with triton.InferenceServerClient(server.grpc) as grpc, triton_http.InferenceServerClient(server.http) as http:
        yield grpc, http


def row_classes(row, count, names=()):
    order = np.argsort(-row.astype(np.float64), kind="stable")[:count]
    value = "{:f}" if row.dtype.kind == "f" else "{}"
    return [":".join([value.format(row[index].item()), str(index), *names[index:index + 1]]).encode() for index in order]


def classes(values, count, names=()):
    """What is to come, by numpy alone."""
    if values.ndim == 1:
        return row_classes(values, count, names)
    return [row_classes(row.ravel(), count, names) for row in values]


def tensor(module, values, datatype):
    made = module.InferInput("INPUT0", list(values.shape), datatype)
    made.set_data_from_numpy(values)
    return made


def over_grpc(client, model, values, count, datatype="FP32"):
    output = triton.InferRequestedOutput("OUTPUT0", class_count=count)
    return client.infer(model, [tensor(triton, values, datatype)], outputs=[output]).as_numpy("OUTPUT0")


def over_http(client, model, values, count, datatype="FP32", binary=True):
    output = triton_http.InferRequestedOutput("OUTPUT0", binary_data=binary, class_count=count)
    return client.infer(model, [tensor(triton_http, values, datatype)], outputs=[output]).as_numpy("OUTPUT0")


def as_bytes(texts):
    return [text if isinstance(text, bytes) else text.encode() for text in np.asarray(texts).ravel()]


def both(clients, model, values, count, datatype="FP32"):
    """Over gRPC, and over REST in binary and in JSON; all must say the same."""
    grpc, http = clients
    results = [over_grpc(grpc, model, values, count, datatype), over_http(http, model, values, count, datatype),
               over_http(http, model, values, count, datatype, binary=False)]
    assert {result.shape for result in results} == {results[0].shape}
    assert as_bytes(results[0]) == as_bytes(results[1]) == as_bytes(results[2])
    return results[0]


@pytest.mark.parametrize("datatype", TYPES)
@pytest.mark.parametrize("count", [1, 5, 1000])
def test_the_largest_values_in_order(clients, seed, datatype, count):
    values = np.random.default_rng(seed).normal(size=40) * 50
    values = (np.abs(values) if datatype.startswith("U") else values).astype(TYPES[datatype])
    values[7] = values[3]
    assert both(clients, datatype, values, count, datatype).tolist() == classes(values, count)


def test_each_row_of_a_batch_by_itself(clients, seed):
    values = np.random.default_rng(seed).normal(size=(3, 20)).astype(np.float32)
    result = both(clients, "rows", values, 4)
    assert result.shape == (3, 4)
    assert result.tolist() == classes(values, 4)


def test_labels_of_the_models_folder(clients, seed):
    values = np.random.default_rng(seed).normal(size=(2, 4)).astype(np.float32)
    assert both(clients, "named", values, 4).tolist() == classes(values, 4, NAMES)


def test_a_large_output(clients, seed):
    """Large enough to be sorted beside the lane that serves everybody else."""
    values = np.random.default_rng(seed).normal(size=1 << 18).astype(np.float32)
    assert both(clients, "FP32", values, 10).tolist() == classes(values, 10)


def test_over_a_stream(server, seed):
    values = np.random.default_rng(seed).normal(size=30).astype(np.float32)
    came = queue.Queue()
    with triton.InferenceServerClient(server.grpc) as client:
        client.start_stream(lambda result, error: came.put(error or result.as_numpy("OUTPUT0").tolist()))
        outputs = [triton.InferRequestedOutput("OUTPUT0", class_count=3)]
        client.async_stream_infer("FP32", [tensor(triton, values, "FP32")], outputs=outputs)
        assert came.get(timeout=30) == classes(values, 3)


def test_as_one_of_several(server, seed):
    values = np.random.default_rng(seed).normal(size=12).astype(np.float32)
    inputs = [{"name": "INPUT0", "datatype": "FP32", "shape": [12], "data": values.tolist()}]
    items = [{"model_name": "FP32", "inputs": inputs, "outputs": [{"name": "OUTPUT0", "parameters": {"classification": count}}]}
             for count in (2, 0)]
    first, second = server.post("/v2/parallel", {"requests": items}).json()["responses"]
    assert [text.encode() for text in first["outputs"][0]["data"]] == classes(values, 2)
    assert second["status"] == 400
    message = service_pb2.ModelInferRequest(model_name="FP32", outputs=[{"name": "OUTPUT0"}], raw_input_contents=[values.tobytes()])
    message.inputs.add(name="INPUT0", datatype="FP32", shape=[12])
    message.outputs[0].parameters["classification"].int64_param = 2
    with RunAll(server.grpc) as client:
        (answer,) = client.run([message], timeout=30)
    assert answer.response.outputs[0].datatype == "BYTES"
    assert triton.InferResult(answer.response).as_numpy("OUTPUT0").tolist() == classes(values, 2)


@pytest.mark.parametrize(("model", "datatype", "values"), [
    ("text", "BYTES", np.array(["a"], object)), ("flags", "BOOL", np.array([True]))])
def test_what_has_no_order_is_refused(clients, model, datatype, values):
    for client, ask in zip(clients, (over_grpc, over_http), strict=True):
        with pytest.raises(InferenceServerException, match=f"'OUTPUT0' due to unsupported type '{datatype}'") as refused:
            ask(client, model, values, 1, datatype)
        assert refused.value.status() in ("StatusCode.INVALID_ARGUMENT", "400")


@pytest.mark.parametrize("count", [0, -1, 1.5, "1", True, 2**63])
def test_a_count_that_is_none_is_refused(server, count):
    answer = server.post("/v2/models/FP32/infer", {
        "inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [1], "data": [1]}],
        "outputs": [{"name": "OUTPUT0", "parameters": {"classification": count}}]})
    assert answer.status == 400
    assert "parameter 'classification' of output 'OUTPUT0' must be an integer > 0" in answer.json()["error"]


def test_more_text_than_the_bound_is_refused(clients):
    values = np.full(1 << 18, 1e308)
    for client, ask in zip(clients, (over_grpc, over_http), strict=True):
        with pytest.raises(InferenceServerException, match="ask for fewer") as refused:
            ask(client, "FP64", values, values.size, "FP64")
        assert refused.value.status() in ("StatusCode.RESOURCE_EXHAUSTED", "507")


def test_a_label_file_that_is_not_there_is_named(server):
    states = {entry["name"]: entry for entry in server.post("/v2/repository/index", {}).json()}
    assert states["unnamed"]["state"] == "UNAVAILABLE"
    assert "output 'OUTPUT0': label_filename" in states["unnamed"]["reason"]
    assert "names.txt" in states["unnamed"]["reason"]
    assert states["named"]["state"] == "READY"


def test_it_is_advertised(clients):
    grpc, http = clients
    assert "classification" in grpc.get_server_metadata().extensions
    assert "classification" in http.get_server_metadata()["extensions"]
