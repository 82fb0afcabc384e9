"""Models loaded and unloaded by the stock clients of KServe v2, over both protocols."""

import json

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from support import small_graphs
from support.waiting import eventually
from tritonclient.utils import InferenceServerException


@pytest.fixture(scope="module", params=[triton_grpc, triton_http], ids=["grpc", "http"])
def triton(request):
    return request.param


@pytest.fixture(scope="module")
def root(tmp_path_factory, triton):
    """Of each client its own: what one has loaded is nothing that the other starts with."""
    folder = tmp_path_factory.mktemp("repository")
    small_graphs.write(folder, "first", small_graphs.adding(1))
    small_graphs.write(folder, "second", small_graphs.adding(2))
    return folder


@pytest.fixture(scope="module")
def server(launch, root):
    made = launch(models__repository=str(root), models__control="explicit", models__load_on_start="first",
                  pool__browsers="kind=headless_shell,backends=wasm,threads=1")
    return made.start()


@pytest.fixture(scope="module")
def client(server, triton):
    return triton.InferenceServerClient(server.grpc if triton is triton_grpc else server.http)


def index(client):
    answer = client.get_model_repository_index()
    entries = answer if isinstance(answer, list) else [
        {"name": one.name, "version": one.version, "state": one.state, "reason": one.reason} for one in answer.models]
    return {entry["name"]: entry for entry in entries}


def infer(client, triton, model, version=""):
    tensor = triton.InferInput("x", [1, small_graphs.WIDTH], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, small_graphs.WIDTH), np.float32))
    return client.infer(model, [tensor], model_version=version).as_numpy("y")[0, 0]


def test_only_what_was_asked_for_is_served(client, triton):
    assert index(client)["first"]["state"] == "READY"
    assert infer(client, triton, "first") == 1
    waiting = index(client)["second"]
    assert (waiting["version"], waiting["state"], waiting["reason"]) == ("", "UNAVAILABLE", "not loaded")
    assert not client.is_model_ready("second")
    with pytest.raises(InferenceServerException, match="not loaded"):
        infer(client, triton, "second")


def test_load_and_unload(client, triton):
    client.load_model("second")
    assert client.is_model_ready("second")
    assert index(client)["second"] == {"name": "second", "version": "1", "state": "READY", "reason": ""}
    assert infer(client, triton, "second") == 2
    client.unload_model("second")
    eventually("it is gone", 10, lambda: index(client)["second"]["state"] == "UNAVAILABLE")
    assert index(client)["second"]["reason"] == "unloaded"
    with pytest.raises(InferenceServerException, match="'second' version 1 is not at ready state: unloaded"):
        infer(client, triton, "second")
    client.unload_model("second", unload_dependents=True)
    assert infer(client, triton, "first") == 1


def test_a_reload_serves_the_next_version(client, triton, root):
    small_graphs.write(root, "second", small_graphs.adding(2))
    client.load_model("second")
    small_graphs.write(root, "second", small_graphs.adding(20), version=2)
    assert infer(client, triton, "second") == 2
    client.load_model("second")
    assert infer(client, triton, "second") == 20
    with pytest.raises(InferenceServerException, match="'second' version 1 is not found"):
        infer(client, triton, "second", "1")
    (root / "second/2/model.onnx").unlink()
    (root / "second/2").rmdir()
    client.unload_model("second")


def test_a_broken_folder_leaves_the_old_version_serving(client, triton, root):
    small_graphs.write(root, "first", b"no graph")
    with pytest.raises(InferenceServerException, match="load failed for model 'first': version 1 is at UNAVAILABLE state"):
        client.load_model("first")
    assert infer(client, triton, "first") == 1
    small_graphs.write(root, "first", small_graphs.adding(1).replace(b"Add", b"Odd"))
    with pytest.raises(InferenceServerException, match="Odd"):
        client.load_model("first")
    assert infer(client, triton, "first") == 1
    small_graphs.write(root, "first", small_graphs.adding(1))
    client.load_model("first")


def test_a_configuration_with_the_load(client):
    def rows():
        config = client.get_model_config("first")
        return config["max_batch_size"] if isinstance(config, dict) else config.config.max_batch_size

    client.load_model("first", config=json.dumps({"max_batch_size": 3}))
    assert rows() == 3
    with pytest.raises(InferenceServerException, match="parameter 'config'"):
        client.load_model("first", config='{"max_bach_size": 3}')
    client.load_model("first")
    assert rows() != 3


def test_what_is_wrong_is_named(client):
    with pytest.raises(InferenceServerException, match="'absent'"):
        client.load_model("absent")
    with pytest.raises(InferenceServerException, match="'absent'"):
        client.unload_model("absent")
    with pytest.raises(InferenceServerException, match="path traversal"):
        client.load_model("a..b")
    with pytest.raises(InferenceServerException, match="parameter 'file:1/model.onnx' is not offered"):
        client.load_model("first", config="{}", files={"file:1/model.onnx": b"graph"})


def test_a_bad_body_is_refused(server):
    for body, named in [
        (b'{"parameters": {"config": 3}}', "'config' must be a string"),
        (b'{"parameters": {"conf": "{}"}}', "'conf' is not known"),
        (b'{"parameter": {}}', "'parameter' is not known"),
        (b'{"parameters": {}', "failed to parse the request JSON"),
    ]:
        answer = server.post("/v2/repository/models/first/load", body)
        assert answer.status == 400 and named in answer.json()["error"], answer
