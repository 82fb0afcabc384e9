"""Several inferences as one call, over REST and gRPC, with the real server and browser."""

import subprocess
import sys
from pathlib import Path

import grpc
import numpy as np
import pytest
from support.embeddings import states
from support.parallel import RunAll
from support.server import MODEL
from tritonclient.grpc import service_pb2

NAMES = ("input_ids", "attention_mask", "token_type_ids")
TEXTS = 4


@pytest.fixture(scope="module")
def rows(seed):
    random = np.random.default_rng(seed)
    return [random.integers(1000, 20000, (1, 6 + 3 * index)) for index in range(TEXTS)]


def body(row, **parameters):
    tensors = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
    return {"model_name": MODEL, "parameters": parameters, "outputs": [{"name": "last_hidden_state"}], "inputs": [
        {"name": name, "datatype": "INT64", "shape": list(row.shape), "data": tensors[name].ravel().tolist()} for name in NAMES]}


def message(row, **parameters):
    made = service_pb2.ModelInferRequest(model_name=MODEL, outputs=[{"name": "last_hidden_state"}])
    for name, values in {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}.items():
        made.inputs.add(name=name, datatype="INT64", shape=row.shape)
        made.raw_input_contents.append(values.astype(np.int64).tobytes())
    for name, value in parameters.items():
        made.parameters[name].string_param = value
    return made


def values(response):
    return np.array(response["outputs"][0]["data"], np.float32)


def single(server, row, **parameters):
    asked = body(row, **parameters)
    asked.pop("model_name")
    answer = server.post(f"/v2/models/{MODEL}/infer", asked)
    assert answer.status == 200, answer
    return states(answer).ravel()


def test_each_is_answered_in_its_place_by_its_backend(shared_server, rows):
    backends = ("wasm", "webgpu", "webnn", "wasm")
    items = [body(row, shoal_backend=backend) | {"id": str(index)} for index, (row, backend) in enumerate(zip(rows, backends, strict=True))]
    answer = shared_server.post("/v2/parallel", {"requests": items})
    assert answer.status == 200, answer
    responses = answer.json()["responses"]
    assert [response["id"] for response in responses] == ["0", "1", "2", "3"]
    for row, backend, response in zip(rows, backends, responses, strict=True):
        assert response["parameters"]["shoal_backend"] in (backend, "mixed")
        assert np.abs(values(response) - single(shared_server, row, shoal_backend=backend)).max() < 1e-3
    assert len({response["parameters"]["shoal_worker"] for response in responses}) > 1, "of more than one browser"


def test_each_fails_alone(shared_server, rows):
    items = [body(rows[0]), body(rows[1]) | {"model_name": "nobody"}, body(rows[2], priority=9), body(rows[3]) | {"inputs": []},
             body(rows[0]) | {"model_version": "99"}]
    answer = shared_server.post("/v2/parallel", {"requests": items})
    assert answer.status == 200
    first, *failures = answer.json()["responses"]
    assert first["model_name"] == MODEL
    assert [(failure["code"], failure["status"]) for failure in failures] == [
        ("NOT_FOUND", 404), ("INVALID_ARGUMENT", 400), ("INVALID_ARGUMENT", 400), ("NOT_FOUND", 404)]
    assert "priority" in failures[1]["error"]


@pytest.mark.parametrize(("text", "words"), [
    ('{"requests": []}', "expected 1 to 64"), ("{}", "expected 1 to 64"), ('{"requests": [1]}', "requests[0]: expected an object"),
    ('{"requests": [{}]}', "requests[0]: 'model_name' is missing"), ('{"request": []}', "expected 'requests'"), ("[", "JSON"),
    ('{"requests": [' + ",".join(['{"model_name": "m"}'] * 65) + "]}", "at most 64"), ('{"requests": [' + "[" * 5000, "JSON"),
])
def test_a_list_that_is_none_is_refused(shared_server, text, words):
    answer = shared_server.post("/v2/parallel", text)
    assert answer.status == 400, answer
    assert words in answer.json()["error"], answer
    assert shared_server.live()


def test_binary_data_is_refused_by_its_item(shared_server, rows):
    asked = body(rows[0])
    asked["outputs"][0]["parameters"] = {"binary_data": True}
    (refused,) = shared_server.post("/v2/parallel", {"requests": [asked]}).json()["responses"]
    assert refused["code"] == "INVALID_ARGUMENT" and "binary" in refused["error"]


def test_grpc_answers_each_as_it_finishes(shared_server, rows):
    requests = [message(row) for row in rows] + [service_pb2.ModelInferRequest(model_name="nobody")]
    with RunAll(shared_server.grpc) as client:
        answers = {answer.index: answer for answer in client.run(requests, timeout=60)}
    assert sorted(answers) == list(range(TEXTS + 1))
    assert answers[TEXTS].failure.message and answers[TEXTS].failure.code == client.code("NOT_FOUND")
    for index, row in enumerate(rows):
        got = np.frombuffer(answers[index].response.raw_output_contents[0], np.float32)
        assert np.abs(got - single(shared_server, row)).max() < 1e-3


ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_the_examples(shared_server, language, tmp_path):
    command = [sys.executable, "examples/parallel.py"]
    if language == "typescript":
        tools = ROOT / "browser_agent/node_modules/.bin"
        checks = ["--noEmit", "--strict", "--target", "esnext", "--module", "nodenext", "--types", "node", "--typeRoots",
                  str(ROOT / "browser_agent/node_modules/@types"), "--ignoreConfig", "examples/parallel.mts"]
        subprocess.run([tools / "tsc", *checks], cwd=ROOT, check=True, timeout=60)
        subprocess.run([tools / "esbuild", "examples/parallel.mts", f"--outfile={tmp_path}/parallel.mjs"], cwd=ROOT, check=True,
                       capture_output=True, timeout=60)
        command = ["node", str(tmp_path / "parallel.mjs")]
    done = subprocess.run([*command, f"http://{shared_server.http}"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    first, second, guessed, missing = done.stdout.splitlines()
    assert "wasm" in first and ("webgpu" in second or "mixed" in second) and missing.startswith("NOT_FOUND"), done.stdout
    assert "384" in guessed, done.stdout


def test_a_grpc_call_of_none_is_refused(shared_server):
    with RunAll(shared_server.grpc) as client, pytest.raises(grpc.RpcError) as refused:
        list(client.run([], timeout=10))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "expected 1 to 64" in refused.value.details()


def test_the_deadline_is_that_of_all(shared_server, rows):
    with RunAll(shared_server.grpc) as client, pytest.raises(grpc.RpcError) as late:
        list(client.run([message(np.ones((8, 256), np.int64)) for _ in range(32)], timeout=0.05))
    assert late.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert shared_server.live()
