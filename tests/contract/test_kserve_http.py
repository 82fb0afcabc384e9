"""The stock HTTP client of KServe v2, unmodified, against the real server and a real browser."""

import json

import numpy as np
import pytest
import tritonclient.http as triton
from support.http import ask
from support.server import MODEL
from tritonclient.utils import InferenceServerException

IDS = [[101, 7592, 2088, 102], [101, 2204, 2851, 102]]
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


@pytest.fixture(scope="module")
def client(endpoints):
    with triton.InferenceServerClient(endpoints.http, concurrency=4, network_timeout=60) as made:
        yield made


def tensors(ids=IDS, binary=True):
    ids = np.array(ids, np.int64)
    made = []
    for name, values in zip(INPUTS, (ids, np.ones_like(ids), np.zeros_like(ids)), strict=True):
        made.append(triton.InferInput(name, list(values.shape), "INT64"))
        made[-1].set_data_from_numpy(values, binary_data=binary)
    return made


@pytest.fixture(scope="module")
def output(client):
    return client.get_model_metadata(MODEL)["outputs"][0]["name"]


@pytest.fixture(scope="module")
def expected(client, output):
    return client.infer(MODEL, tensors()).as_numpy(output)


def test_server_and_model_describe_themselves(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "1")
    server = client.get_server_metadata()
    assert server["name"] == "shoal"
    assert {"binary_tensor_data", "statistics", "model_configuration"} <= set(server["extensions"])
    model = client.get_model_metadata(MODEL)
    assert model["versions"] == ["1"]
    assert {tensor["name"]: tensor["datatype"] for tensor in model["inputs"]} == dict.fromkeys(INPUTS, "INT64")
    assert model["inputs"][0]["shape"] == [-1, -1]
    config = client.get_model_config(MODEL)
    assert config["max_batch_size"] > 0
    # The tools abort when the configuration names a tensor that the metadata does not.
    for kind, plural in (("input", "inputs"), ("output", "outputs")):
        assert {tensor["name"] for tensor in config[kind]} <= {tensor["name"] for tensor in model[plural]}
        assert all(isinstance(dim, int) for tensor in config[kind] for dim in tensor["dims"])
    index = {entry["name"]: entry for entry in client.get_model_repository_index()}
    assert index[MODEL]["state"] == "READY"


def test_unknown_models_are_not_ready(client):
    assert not client.is_model_ready("none")
    assert not client.is_model_ready(MODEL, "99")
    with pytest.raises(InferenceServerException, match="unknown model: 'none' is not found"):
        client.get_model_metadata("none")


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_binary_and_json_agree(client, output, expected, binary_in, binary_out):
    wanted = [triton.InferRequestedOutput(output, binary_data=binary_out)]
    result = client.infer(MODEL, tensors(binary=binary_in), outputs=wanted, request_id="my id \u00e9")
    # Digits are the shortest that read back as the same float: nothing is lost in JSON.
    np.testing.assert_array_equal(result.as_numpy(output), expected)
    response = result.get_response()
    assert response["id"] == "my id \u00e9"
    assert response["model_name"] == MODEL
    assert response["model_version"] == "1"
    parameters = response["parameters"]
    assert parameters["shoal_backend"] in ("wasm", "webgpu", "webnn")
    assert parameters["shoal_compute_us"] > 0
    assert "shoal_worker" in parameters


def test_a_batch_is_its_singles(client, output, expected):
    for row, ids in enumerate(IDS):
        single = client.infer(MODEL, tensors([ids])).as_numpy(output)
        np.testing.assert_allclose(single[0], expected[row], atol=1e-4)


def test_many_at_once(client, output, expected):
    calls = [client.async_infer(MODEL, tensors()) for _ in range(16)]
    for call in calls:
        np.testing.assert_allclose(call.get_result().as_numpy(output), expected, atol=1e-4)


def test_statistics_move(client):
    def counts():
        (row,) = client.get_inference_statistics(MODEL, "1")["model_stats"]
        return row["inference_count"], row["inference_stats"]["success"]["count"]

    before = counts()
    client.infer(MODEL, tensors())
    after = counts()
    assert (after[0] - before[0], after[1] - before[1]) == (2, 1)
    assert any(row["name"] == MODEL for row in client.get_inference_statistics()["model_stats"])


def test_demand_is_met_or_refused(client):
    result = client.infer(MODEL, tensors(), parameters={"shoal_backend": "wasm"})
    assert result.get_response()["parameters"]["shoal_backend"] == "wasm"
    with pytest.raises(InferenceServerException, match="'wasm', 'webgpu' or 'webnn'"):
        client.infer(MODEL, tensors(), parameters={"shoal_backend": "cuda"})
    with pytest.raises(InferenceServerException):
        client.infer(MODEL, tensors(), parameters={"shoal_worker": "none/0"})
    for priority in (1, 2, 3):
        client.infer(MODEL, tensors(), priority=priority)
    with pytest.raises(InferenceServerException, match="'priority' must be at most 3"):
        client.infer(MODEL, tensors(), priority=4)


def test_a_timeout_is_a_deadline(endpoints):
    body = {
        "inputs": [{"name": name, "datatype": "INT64", "shape": [1, 128], "data": [1] * 128} for name in INPUTS],
        "parameters": {"timeout": 1},
    }
    answer = ask(endpoints.http, "POST", f"/v2/models/{MODEL}/infer", body)
    assert answer.status == 504, answer.body
    assert answer.json()["code"] == "DEADLINE_EXCEEDED"


def test_headers_of_an_answer(endpoints):
    answer = ask(endpoints.http, "GET", "/v2", headers={"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"})
    assert answer.status == 200
    assert len(answer.headers["x-request-id"]) == 36
    assert answer.headers["content-type"] == "application/json"
    live = ask(endpoints.http, "GET", "/v2/health/live")
    assert live.status == 200
    assert json.loads(live.body) == {"live": True}
