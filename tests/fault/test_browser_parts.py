"""kill -9 of the processes that a browser itself restarts: its GPU process and its network service."""

import http.client
import threading

import numpy as np
import pytest
from support import fault_models
from support.processes import kill_hard
from support.waiting import eventually

REQUESTS = 24


@pytest.fixture(scope="module")
def matrices(seed):
    return fault_models.matrices(seed)


@pytest.fixture(scope="module")
def server(launch, matrices, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    for backend in ("webgpu", "wasm"):
        fault_models.write(root, backend, fault_models.products(matrices), backend)
    return launch(pool__browsers="kind=headless_shell,backends=wasm+webgpu,threads=1", models__repository=str(root)).start()


@pytest.mark.parametrize(("part", "model"), [("gpu-process", "webgpu"), ("network", "wasm")])
def test_its_work_is_answered(server, matrices, seed, part, model):
    inputs = np.random.default_rng(seed + 1).standard_normal((REQUESTS, fault_models.WIDTH)).astype(np.float32)
    expected = inputs
    for matrix in matrices:
        expected = expected @ matrix
    assert fault_models.multiply(server, model, inputs[0]).status == 200
    victim = server.victim("headless_shell/0", part)
    answers = {}

    def request(index):
        try:
            answers[index] = fault_models.multiply(server, model, inputs[index])
        except (OSError, http.client.HTTPException) as cut:
            answers[index] = cut

    threads = [threading.Thread(target=request, args=(index,)) for index in range(len(inputs))]
    for thread in threads:
        thread.start()
    eventually("some are answered", 20, lambda: len(answers) >= 3, every=0.001)
    kill_hard(victim)
    for thread in threads:
        thread.join(60)
    good = [index for index, answer in answers.items() if getattr(answer, "status", 0) == 200]
    print(f"kill -9 of {part}: {len(good)} of {len(inputs)} answered")
    for index, answer in answers.items():
        assert getattr(answer, "status", 0) >= 200, (index, answer)
        assert index in good or answer.json()["code"], answer
    assert len(good) >= 0.95 * len(inputs), [answer for index, answer in answers.items() if index not in good]
    for index in good:
        assert np.allclose(answers[index].json()["outputs"][0]["data"], expected[index], atol=1e-2), index
    eventually("the pool is whole", 30, lambda: server.ready_workers() == 1)
    assert fault_models.multiply(server, model, inputs[0]).status == 200
