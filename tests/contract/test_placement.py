"""Where a request goes when nobody, the request or the model says, and which graphs stay: real browsers, stock clients."""

import json

import numpy as np
import pytest
import tritonclient.grpc as triton
from support import small_graphs
from support.waiting import eventually
from tritonclient.utils import InferenceServerException

PARAMETER = 'parameters {{ key: "{}" value {{ string_value: "{}" }} }}\n'


def configured(root, name, *parameters, more=""):
    small_graphs.write(root, name, small_graphs.adding(1))
    text = more + "".join(PARAMETER.format(key, value) for key, value in parameters)
    (root / name / "config.pbtxt").write_text(text)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository")
    small_graphs.write(folder, "plain", small_graphs.adding(1))
    configured(folder, "kept", ("shoal_pinned", "true"), ("shoal_family", "vision"))
    configured(folder, "single", more="instance_group { count: 1 }\n")
    return folder


@pytest.fixture(scope="module")
def server(launch, root):
    return launch(models__repository=str(root), models__control="explicit", models__load_on_start="*",
                  pool__browsers="kind=headless_shell,count=2,backends=wasm,threads=1").start()


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(server.grpc) as made:
        yield made


def infer(client, model, **parameters):
    made = triton.InferInput("x", [1, small_graphs.WIDTH], "FP32")
    made.set_data_from_numpy(np.zeros((1, small_graphs.WIDTH), np.float32))
    answer = client.infer(model, [made], parameters=parameters)
    assert answer.as_numpy("y").tolist() == [[1.0] * small_graphs.WIDTH]
    return {name: value.string_param for name, value in answer.get_response().parameters.items()}


def instances(server, model):
    """The model's graphs that are loaded, by worker."""
    found = {}
    for worker in server.get("/admin/v1/workers").json()["workers"]:
        found[worker["slot"]] = [one for one in worker["instances"] if one["name"].startswith(model + ":") and one["state"] == "loaded"]
    return found


def test_a_preference_is_met_as_far_as_it_goes_and_told(client):
    answer = infer(client, "plain", shoal_backend="webgpu,wasm")
    assert answer["shoal_backend"] == "wasm"
    assert answer["shoal_fallback_from"] == "webgpu"
    assert "shoal_fallback_from" not in infer(client, "plain", shoal_backend="wasm,webgpu")


def test_a_single_backend_is_a_demand(client):
    with pytest.raises(InferenceServerException, match="webgpu"):
        infer(client, "plain", shoal_backend="webgpu")
    with pytest.raises(InferenceServerException, match="several of them by preference"):
        infer(client, "plain", shoal_backend="wasm,wasm")


def test_without_a_wish_nothing_is_passed_over(client):
    for model in ("plain", "kept"):
        answer = infer(client, model)
        assert answer["shoal_backend"] == "wasm"
        assert "shoal_fallback_from" not in answer


def test_what_is_kept_and_what_was_measured_is_shown(server, client):
    for _ in range(4):
        infer(client, "kept", shoal_worker="headless_shell/0")
    loaded = instances(server, "kept")["headless_shell/0"]
    assert [one["kept"] for one in loaded] == [True]
    assert loaded[0]["load_ms"] > 0
    assert loaded[0]["run_ms"] > 0
    assert not any(one["kept"] for one in instances(server, "plain")["headless_shell/0"])
    worker = server.get("/admin/v1/workers/headless_shell/0").json()
    assert worker["guessed_order"] == ["wasm"]
    assert worker["favours"] == ["vision", "multimodal"]


def test_as_many_workers_as_the_instance_groups_say(server, client):
    eventually("one worker has it", 30, lambda: sum(map(bool, instances(server, "single").values())) == 1)
    eventually("both have the other model", 30, lambda: all(instances(server, "plain").values()))
    for _ in range(8):
        infer(client, "single")
    assert sum(map(bool, instances(server, "single").values())) == 1


def test_naming_a_worker_makes_it_no_more_workers_than_the_model_may_have(server, client):
    infer(client, "single")
    having = {slot for slot, graphs in instances(server, "single").items() if graphs}
    (has,), (has_not,) = having, {"headless_shell/0", "headless_shell/1"} - having
    assert infer(client, "single", shoal_worker=has)["shoal_worker"] == has
    with pytest.raises(InferenceServerException, match="instance_group allows the model 1 workers") as refused:
        infer(client, "single", shoal_worker=has_not)
    assert refused.value.status() == "StatusCode.UNAVAILABLE"
    assert {slot for slot, graphs in instances(server, "single").items() if graphs} == {has}


@pytest.mark.parametrize("config, named", [
    ({"instance_group": [{"count": 1, "gpus": [0]}]}, r"instance_group\.gpus"),
    ({"instance_group": [{"kind": "KIND_MODEL"}]}, r"instance_group\[0\].kind"),
    ({"parameters": {"shoal_family": {"string_value": "txt"}}}, "shoal_family is 'txt'"),
    ({"parameters": {"shoal_min_resident": {"string_value": "x"}}}, "shoal_min_resident is 'x'"),
])
def test_what_a_configuration_cannot_have_is_named(client, config, named):
    with pytest.raises(InferenceServerException, match=named):
        client.load_model("plain", config=json.dumps(config))
    infer(client, "plain")
