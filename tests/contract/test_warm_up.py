"""model_warmup: samples that a model computes before it is given requests; and other fields of config.pbtxt that are honoured
or refused by their names."""

import struct
import time

import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from support import small_graphs
from support.echo_models import decoupled, delay, echo_model
from support.waiting import eventually
from tritonclient.utils import InferenceServerException

TENSOR = {"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [2], "data": [1, 2]}]}
ZEROS = "data_type: TYPE_FP32 dims: 2 zero_data: true"


def sample(entry, more="batch_size: 1", name="INPUT0"):
    return f'model_warmup {{ name: "first" {more} inputs {{ key: "{name}" value {{ {entry} }} }} }}\n'


@pytest.fixture
def served(launch, tmp_path):
    def make(**settings):
        return launch(folder=tmp_path / "home", pool__browsers="none", models__repository=str(tmp_path / "models"),
                      **({"echo__workers": "1"} | settings)).listen()

    return make


def test_a_model_is_not_ready_before_its_samples_have_run_and_they_count_nowhere(served, tmp_path):
    echo_model(tmp_path / "models", "warm", more=delay(400_000) + sample(ZEROS, "batch_size: 1 count: 3"))
    echo_model(tmp_path / "models", "many", more=decoupled(3) + sample("data_type: TYPE_FP32 dims: 2 random_data: true"))
    began = time.monotonic()
    server = served()
    ready = lambda: server.get("/v2/models/warm/ready")
    refused = eventually("it is known", 5, lambda: b"being read" not in (answer := ready()).body and answer)
    assert refused.status == 503 and "still loading" in refused.json()["error"]
    assert server.get("/v2/health/ready").status == 503
    server.wait_ready(30)
    assert time.monotonic() - began > 1, "three runs of 0.4 s"
    assert server.wait_event("model_loaded", 5)["warm_up_ms"] >= 0
    with triton_http.InferenceServerClient(server.http) as client:
        assert client.is_model_ready("warm") and client.is_model_ready("many")
        assert client.get_model_config("warm")["model_warmup"][0]["count"] == 3
        for model in client.get_inference_statistics()["model_stats"]:
            assert model["execution_count"] == model["inference_count"] == model["inference_stats"]["success"]["count"] == 0
    metrics = server.scrape()
    assert metrics.value("nv_inference_exec_count", model="warm") == 0
    assert metrics.value("shoal_request_duration_seconds_count") == metrics.value("shoal_batch_rows_count") == 0
    assert server.post("/v2/models/warm/infer", TENSOR).status == 200


def test_every_worker_is_warmed_up_and_takes_requests_only_then(served, tmp_path):
    echo_model(tmp_path / "models", "warm", more=delay(200_000) + sample(ZEROS, "batch_size: 1 count: 2"))
    server = served(echo__workers="3", models__warm_up="all")
    server.wait_ready(30)
    loads = eventually("all three are there", 20, lambda: len(server.events("model_loaded")) == 3 and server.events("model_loaded"))
    assert {load["worker"] for load in loads} == {"echo/0", "echo/1", "echo/2"}
    assert all(load["warm_up_ms"] >= 390 for load in loads)


FILE = "data_type: TYPE_FP32 dims: 2 input_data_file: "


@pytest.mark.parametrize(("more", "says"), [
    (sample(ZEROS, name="OTHER"), "config.pbtxt: model_warmup[0] 'first': inputs['OTHER']: the model has no input of this name"),
    (sample("data_type: TYPE_INT32 dims: 2 zero_data: true"), "data-type is 'INT32', but model 'm' expects 'FP32'"),
    (sample("data_type: TYPE_FP32 dims: [2, 2] zero_data: true"), "unexpected shape for input 'INPUT0'"),
    (sample("data_type: TYPE_FP32 dims: 2"), "one of zero_data, random_data and input_data_file must be set"),
    (sample(FILE + '"none.bin"'), "input_data_file: "),
    (sample(FILE + '"short.bin"'), "input_data_file 'short.bin' has 7 bytes"),
    (sample(FILE + '"../config.pbtxt"'), "is not a plain file name"),
    (sample(ZEROS, "batch_size: 3"), "batch_size is 3, it must be 1 to 1"),
    ('optimization { execution_accelerators { gpu_execution_accelerator { name: "tensorrt" } } }',
     "optimization.execution_accelerators is not supported"),
    ("response_cache { enable: true }", "response_cache.enable is not supported"),
    ("ensemble_scheduling { step { model_name: \"a\" } }", "ensemble_scheduling is not supported"),
    ("model_metrics { metric_control { } }", "model_metrics is not supported"),
    ("instance_group { rate_limiter { priority: 1 } }", "instance_group.rate_limiter is not supported"),
    ('metric_tags { key: "a b" value: "c" }', "metric_tags: the key 'a b'"),
    ('parameters { key: "shoal_priority" value { string_value: "urgent" } }', "shoal_priority is 'urgent'"),
])
def test_what_is_wrong_in_a_configuration_is_named(served, tmp_path, more, says):
    echo_model(tmp_path / "models", "m", more=more)
    (tmp_path / "models/m/warmup").mkdir()
    (tmp_path / "models/m/warmup/short.bin").write_bytes(b"1234567")
    server = served()
    entries = eventually("the repository was read", 20, lambda: server.post("/v2/repository/index", {}).json())
    assert entries[0]["state"] == "UNAVAILABLE"
    assert says in entries[0]["reason"]
    assert server.get("/v2/models/m/ready").status == 503
    remote = triton_grpc.InferenceServerClient(server.grpc)
    assert not remote.is_model_ready("m")
    with pytest.raises(InferenceServerException, match="is not at ready state"):
        remote.get_model_config("m")


def test_tags_are_labels(served, tmp_path):
    echo_model(tmp_path / "models", "m", more='metric_tags { key: "team" value: "blue" }')
    server = served()
    server.wait_ready(30)
    assert server.post("/v2/models/m/infer", TENSOR).status == 200
    assert server.scrape().value("nv_inference_request_success", model="m", version="1", _team="blue") == 1


BROWSER = "kind=headless_shell,backends=wasm,threads=1"
IDS = 'parameters { key: "shoal_backend" value { string_value: "wasm" } } max_batch_size: 0\n'


def ids(*values):
    return struct.pack(f"<{len(values)}q", *values)


def test_a_browser_computes_them_and_what_fails_there_is_a_failed_load(launch, tmp_path):
    root = tmp_path / "models"
    small_graphs.write(root, "table", small_graphs.looking_up(4))
    config = IDS + sample('data_type: TYPE_INT64 dims: 2 input_data_file: "ids.bin"', name="ids")
    (root / "table/config.pbtxt").write_text(config)
    (root / "table/warmup").mkdir()
    file = root / "table/warmup/ids.bin"
    file.write_bytes(ids(1, 7))
    server = launch(folder=tmp_path, models__repository=str(root), models__control="explicit", models__load_on_start="table",
                    pool__browsers=BROWSER).listen()
    with triton_http.InferenceServerClient(server.http, network_timeout=120) as client:
        reason = eventually("it has failed", 90, lambda: "model_warmup" in server.get("/v2/models/table/ready").json().get("error", "")
                            and server.get("/v2/models/table/ready").json()["error"])
        assert "model_warmup 'first': " in reason
        assert client.get_model_repository_index()[0]["state"] == "UNAVAILABLE"
        assert not client.is_model_ready("table")
        with pytest.raises(InferenceServerException, match="model_warmup 'first'"):
            client.load_model("table")
        file.write_bytes(ids(1, 3))
        client.load_model("table")
        assert client.is_model_ready("table")
        assert client.get_inference_statistics("table")["model_stats"][0]["execution_count"] == 0
        asked = triton_http.InferInput("ids", [1], "INT64")
        asked.set_data_from_numpy(np.array([2], np.int64))
        assert client.infer("table", [asked]).as_numpy("y").tolist() == [[2.0] * small_graphs.WIDTH]
        # A bad sample refuses the next load, and what was served is served still.
        file.write_bytes(ids(1, 9))
        with pytest.raises(InferenceServerException, match="model_warmup 'first'"):
            client.load_model("table")
        assert client.is_model_ready("table")
