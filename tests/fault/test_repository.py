"""A model repository full of damage beside one good model: the good one serves, each bad one says what is wrong."""

import random

import numpy as np
import pytest
from onnx import TensorProto, helper
from support.waiting import eventually


def graph(operator="Add", width=4, domain="", **attributes):
    """y = operator(x, w), x is [n, width]; w counts from 0."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [width], list(range(width)))
    node = helper.make_node(operator, ["x", "w"], ["y"], name="node", domain=domain, **attributes)
    made = helper.make_graph(
        [node], "graph", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", width])], [weights])
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(made, ir_version=8, opset_imports=opsets)


def external(location):
    model = graph()
    weights = model.graph.initializer[0]
    weights.ClearField("float_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    return model.SerializeToString()


def damage(seed):
    """Name to what model.onnx holds; None: there is none."""
    source = random.Random(seed)
    good = graph().SerializeToString()
    return {
        "random_bytes": source.randbytes(5000),
        "truncated": good[: len(good) // 2],
        "empty": b"",
        "text": b"this is not a graph\n" * 50,
        "zeros": bytes(4096),
        "absent": None,
        "outside_by_dots": external("../../../../../etc/passwd"),
        "outside_by_root": external("/etc/passwd"),
        "external_absent": external("weights.bin"),
    }


# What libonnx lets through and a browser does not: told when it is loaded.
def refused_by_browsers():
    huge = graph()
    del huge.graph.initializer[0].float_data[:]
    huge.graph.initializer[0].dims[:] = [1 << 40, 1 << 40]
    return {
        "huge_tensor": huge.SerializeToString(),
        "unknown_operator": graph("NoSuchOperator").SerializeToString(),
        "unknown_domain": graph("Whatever", domain="com.example.absent").SerializeToString(),
        "opset_of_the_future": future().SerializeToString(),
    }


def future():
    model = graph()
    model.opset_import[0].version = 9999
    return model


CONFIGS = {
    "config_not_text": b"\xff\xfe\x00\x01" * 20,
    "config_unclosed": b'name: "config_unclosed"\nparameters {',
    "config_unknown_field": b"no_such_field: 3\n",
    "config_wrong_input": b'input [ { name: "z" data_type: TYPE_FP32 dims: [ 4 ] } ]\n',
    "config_wrong_name": b'name: "another"\n',
    "config_wrong_backend": b'parameters { key: "shoal_backend" value { string_value: "cuda" } }\n',
}


def write(root, name, model, config=None):
    folder = root / name / "1"
    folder.mkdir(parents=True)
    if model is not None:
        (folder / "model.onnx").write_bytes(model)
    if config is not None:
        (root / name / "config.pbtxt").write_bytes(config)


@pytest.fixture(scope="module")
def bad(seed):
    print(f"seed {seed}")
    return damage(seed)


@pytest.fixture(scope="module")
def server(launch, bad, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    good = graph().SerializeToString()
    write(root, "good", good)
    for name, model in (bad | refused_by_browsers()).items():
        write(root, name, model)
    for name, config in CONFIGS.items():
        write(root, name, good, config)
    (root / "a_file").write_text("not a folder")
    (root / "no_version").mkdir()
    (root / "odd_version/one").mkdir(parents=True)
    (root / ".hidden/1").mkdir(parents=True)
    (root / "loop").symlink_to(root)
    made = launch(pool__browsers="kind=headless_shell,backends=wasm", models__repository=str(root)).listen()
    eventually("the good model is ready", 60, lambda: made.get("/v2/models/good/ready").status == 200)
    return made


BODY = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 4], "data": [1, 2, 3, 4, 5, 6, 7, 8]}]}


def good_answer(server):
    answer = server.post("/v2/models/good/infer", BODY)
    assert answer.status == 200, answer
    output = answer.json()["outputs"][0]
    assert np.array_equal(output["data"], [1, 3, 5, 7, 5, 7, 9, 11])


def test_the_good_model_serves(server):
    good_answer(server)


def test_the_server_is_ready_without_the_bad_ones(server):
    """A model that can never be ready does not take the others off the air."""
    eventually("ready", 30, lambda: server.get("/v2/health/ready").status == 200)


def index(server):
    answer = server.post("/v2/repository/index", b"{}")
    assert answer.status == 200, answer
    return {entry["name"]: entry for entry in answer.json()}


@pytest.mark.parametrize("name", [*damage(0), *CONFIGS, "no_version", "odd_version"])
def test_a_damaged_model_says_what_is_wrong(server, name):
    entry = index(server)[name]
    assert entry["state"] == "UNAVAILABLE"
    assert len(entry["reason"]) > 10, entry
    assert "root:" not in entry["reason"]
    ready = server.get(f"/v2/models/{name}/ready")
    assert ready.status in (400, 404, 503), ready
    answer = server.post(f"/v2/models/{name}/infer", BODY)
    assert answer.status in (400, 404, 503), answer
    assert name in answer.json()["error"], answer
    good_answer(server)


@pytest.mark.parametrize("name", refused_by_browsers())
def test_a_graph_that_no_browser_builds_is_a_typed_refusal(server, name):
    answer = server.post(f"/v2/models/{name}/infer", BODY)
    assert answer.status >= 400, answer
    assert answer.json()["code"] in ("OPERATOR_NOT_SUPPORTED", "GRAPH_BUILDING_ERROR", "UNAVAILABLE"), answer
    assert len(answer.json()["error"]) > 20
    entry = index(server)[name]
    assert (entry["state"], len(entry["reason"]) > 20) == ("UNAVAILABLE", True), entry
    if name == "unknown_operator":
        assert "NoSuchOperator" in answer.json()["error"]
    good_answer(server)
    assert server.events("worker_lost") == [], "the browser itself is unharmed"


def test_folders_that_are_no_models_are_left_out(server):
    assert not {".hidden", "a_file"} & set(index(server))


def test_an_empty_repository_is_ready(launch, tmp_path):
    (tmp_path / "models").mkdir()
    empty = launch(models__repository=str(tmp_path / "models"), pool__browsers="kind=headless_shell,backends=wasm").start()
    assert empty.post("/v2/repository/index", b"{}").json() == []
