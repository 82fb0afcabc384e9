"""Memory that large tensors took goes back to the machine once the server is quiet."""

import numpy as np
import psutil
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from support.echo_models import echo_model
from support.waiting import eventually

MIB = 1 << 20
SIZE, REQUESTS, SLACK = 16 * MIB, 12, 24 * MIB


def test_memory_of_large_tensors_goes_back(launch, tmp_path):
    echo_model(tmp_path / "models", "echo")
    server = launch(pool__browsers="none", echo__workers="1", models__repository=str(tmp_path / "models")).start()
    process = psutil.Process(server.pid)
    values = np.ones(SIZE // 4, np.float32)
    sides = [
        (triton, triton.InferenceServerClient(server.grpc)), (triton_http, triton_http.InferenceServerClient(server.http)),
    ]
    before, most = process.memory_info().rss, 0
    for module, client in sides:
        for _ in range(REQUESTS):
            tensor = module.InferInput("INPUT0", list(values.shape), "FP32")
            tensor.set_data_from_numpy(values)
            assert client.infer("echo", [tensor]).as_numpy("OUTPUT0").nbytes == SIZE
            most = max(most, process.memory_info().rss)
        client.close()
    eventually("the memory is back", 30, lambda: process.memory_info().rss < before + SLACK, every=0.2)
    print(f"before {before / MIB:.0f} MiB, at most {most / MIB:.0f} MiB, after {process.memory_info().rss / MIB:.0f} MiB")
    assert most > before + SLACK
