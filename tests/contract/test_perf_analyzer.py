"""perf_analyzer, unmodified, drives the server over both protocols; and its calls in its order."""

import re
import subprocess

import grpc
import numpy as np
import pytest
from support.echo_models import echo_model
from support.server import HOME
from tritonclient.grpc import service_pb2, service_pb2_grpc

PERF_ANALYZER = HOME / "tools/clients/perf_analyzer.sh"


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    echo_model(root, "echo", shape="16")
    echo_model(root, "batched", shape="16", more="max_batch_size: 8 dynamic_batching { }")
    return launch(pool__browsers="none", echo__workers="1", models__repository=str(root)).start()


@pytest.mark.parametrize(("protocol", "more"), [
    ("grpc", ["-m", "echo"]),
    ("grpc", ["-m", "echo", "--streaming"]),
    ("grpc", ["-m", "batched", "-b", "2", "--async"]),
    ("http", ["-m", "echo"]),
    ("http", ["-m", "batched", "-b", "2", "--async"]),
])
def test_it_measures(server, protocol, more):
    # As many requests as are said and no window: whether the machine keeps a steady pace is not asked here.
    measured = subprocess.run(
        [PERF_ANALYZER, "-i", protocol, "-u", getattr(server, protocol), "--concurrency-range", "4", "--request-count", "400",
         "-v", *more], capture_output=True, timeout=120, check=False)
    said = measured.stdout.decode() + measured.stderr.decode()
    assert measured.returncode == 0, said
    rows = 2 if "-b" in more else 1
    assert "Request count: 400" in said, said
    assert int(re.search(r"Inference count: (\d+)", said).group(1)) >= 300 * rows, said  # of its window
    # Its share of the time as the server's statistics tell it.
    assert re.search(r"Avg request latency: [1-9]\d* usec \(overhead \d+ usec \+ queue \d+ usec", said), said


def test_its_calls_in_its_order_over_grpc(server):
    with grpc.insecure_channel(server.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        assert "statistics" in stub.ServerMetadata(service_pb2.ServerMetadataRequest()).extensions
        metadata = stub.ModelMetadata(service_pb2.ModelMetadataRequest(name="echo"))
        config = stub.ModelConfig(service_pb2.ModelConfigRequest(name="echo")).config
        # It gives up where the configuration has a tensor that the metadata has not.
        assert {tensor.name for tensor in (*config.input, *config.output)} == {"INPUT0", "OUTPUT0"}
        assert {tensor.name for tensor in (*metadata.inputs, *metadata.outputs)} == {"INPUT0", "OUTPUT0"}
        assert (metadata.platform, config.backend) == ("shoal_echo", "echo")

        def executed():
            found = stub.ModelStatistics(service_pb2.ModelStatisticsRequest(name="echo")).model_stats
            return found[0].execution_count

        before = executed()
        values = np.arange(16, dtype=np.float32)
        request = service_pb2.ModelInferRequest(model_name="echo", outputs=[{"name": "OUTPUT0"}])
        request.inputs.add(name="INPUT0", datatype="FP32", shape=[16])
        request.raw_input_contents.append(values.tobytes())
        request.parameters["triton_enable_empty_final_response"].bool_param = True
        for _ in range(5):
            assert stub.ModelInfer(request).raw_output_contents[0] == values.tobytes()
        assert executed() == before + 5


def test_its_calls_in_its_order_over_rest(server):
    assert "statistics" in server.get("/v2").json()["extensions"]
    assert server.get("/v2/models/echo").json()["platform"] == "shoal_echo"
    assert server.get("/v2/models/echo/config").json()["backend"] == "echo"
    before = server.get("/v2/models/echo/stats").json()["model_stats"][0]["execution_count"]
    tensor = {"name": "INPUT0", "datatype": "FP32", "shape": [16], "data": list(range(16))}
    answer = server.post("/v2/models/echo/infer", {"inputs": [tensor]})
    assert answer.json()["outputs"][0]["data"] == list(range(16))
    assert server.get("/v2/models/echo/stats").json()["model_stats"][0]["execution_count"] == before + 1
