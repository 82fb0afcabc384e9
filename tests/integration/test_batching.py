"""Requests that wait together are computed in one run, and each gets what it would have got alone: native onnxruntime says what.

Sentences of different lengths are asked for one a request and many at once, so that they are joined and padded.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.http as triton
from golden import native
from support.server import HOME

MODEL = "all-minilm-l6-v2-fp32"
EXPECTED_ERROR = 1e-5  # what rounding alone gives, as in test_embeddings_numeric.py
SECONDS = 240
SENTENCES = 16
ROUNDS = {"wasm": 4, "webnn": 4, "webgpu": 1}
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def server(launch):
    # On SwiftShader a token takes 50 ms: nothing would be joined there within the default time.
    return launch(
        models__warm_up="none", pool__browsers="kind=headless_shell,backends=wasm+webgpu+webnn", pool__adapter="software",
        server__request_timeout=f"{SECONDS}s", schedule__max_batch_time="60s",
    ).start()


@pytest.fixture(scope="module")
def expected():
    encoder = native.NativeEncoder(HOME / "models" / MODEL / "1")
    texts = sorted(native.sentences(), key=lambda text: len(encoder.token_ids(text)))
    return {text: encoder.embed(text) for text in texts[:SENTENCES]}


def embed(server, text, backend):
    body = {"model": MODEL, "input": text, "shoal": {"backend": backend}}
    answer = server.post("/v1/embeddings", body, timeout=SECONDS + 10)
    assert answer.status == 200, answer.body[:2000]
    assert answer.json()["shoal"]["backend"] == backend
    return np.array(answer.json()["data"][0]["embedding"], np.float32)


def statistics(server):
    with triton.InferenceServerClient(server.http) as client:
        return client.get_inference_statistics(MODEL)["model_stats"][0]


@pytest.mark.parametrize("backend", ROUNDS)
def test_joined_answers_are_those_of_native_onnxruntime(server, expected, backend, record_property):
    for text in list(expected)[:3]:
        embed(server, text, backend)  # loads, compiles, and measures what a run takes
    before = statistics(server)
    errors = []
    with ThreadPoolExecutor(SENTENCES) as pool:
        for _ in range(ROUNDS[backend]):
            answers = pool.map(lambda text: embed(server, text, backend), expected)
            errors += [float(np.abs(got - expected[text]).max()) for text, got in zip(expected, answers, strict=True)]
    after = statistics(server)
    record_property("max_error", max(errors))
    assert max(errors) <= EXPECTED_ERROR

    requests = len(expected) * ROUNDS[backend]
    assert after["inference_count"] - before["inference_count"] == requests
    runs = after["execution_count"] - before["execution_count"]
    print(f"{backend}: {requests} requests in {runs} runs, largest error {max(errors):.2e}")
    assert 0 < runs < requests, "nothing was joined"
    # One entry for each size that was run, and together they are all runs and all rows.
    sizes = {entry["batch_size"]: entry["compute_infer"]["count"] for entry in after["batch_stats"]}
    assert sum(sizes.values()) == after["execution_count"]
    assert sum(size * count for size, count in sizes.items()) == after["inference_count"]


def test_the_sizes_of_runs_are_a_histogram(server):
    labels = {"model": MODEL, "backend": "wasm"}
    rows = server.scrape().value("shoal_batch_rows_sum", **labels)
    runs = server.scrape().value("shoal_batch_rows_count", **labels)
    assert rows > runs > 0


def test_what_the_configuration_says_is_what_is_done(server):
    with triton.InferenceServerClient(server.http) as client:
        config = client.get_model_config(MODEL)
    assert "dynamic_batching" in config
