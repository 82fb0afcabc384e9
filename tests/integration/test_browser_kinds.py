"""One server with a browser of every kind: each serves the same model, and its embeddings are native onnxruntime's."""

import numpy as np
import pytest
from golden import native
from support.kinds import LOCAL, Grid, group
from support.server import HOME, MODEL, Server
from support.waiting import eventually

FP32 = "all-minilm-l6-v2-fp32"
EXPECTED_ERROR = 1e-5  # rounding alone, as in test_embeddings_numeric.py
SECONDS = 240
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

WORKERS = [f"{kind}/0" for kind in LOCAL] + ["remote/0", "remote/1"]


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    grid = Grid(tmp_path_factory.mktemp("grid"))
    try:
        yield grid.start()
    finally:
        grid.destroy()


@pytest.fixture(scope="module")
def server(launch, grid):
    groups = [group(kind, backends="wasm+webgpu" if kind == "firefox" else "wasm", threads="1") for kind in LOCAL]
    groups += [grid.group(kind, threads="1") for kind in ("chromium", "headless_shell")]
    made = launch(pool__browsers=";".join(groups), pool__adapter="software", pool__connect_timeout="90s",
                  server__request_timeout=f"{SECONDS}s", models__warm_up="none").start(180)
    eventually("every browser is there", 180, lambda: made.ready_workers() == len(WORKERS), every=0.2)
    return made


@pytest.fixture(scope="module")
def expected():
    encoder = native.NativeEncoder(HOME / "models" / FP32 / "1")
    return {text: encoder.embed(text) for text in native.sentences()[:-1]}


def embed(server, texts, model=FP32, **demand):
    answer = server.post("/v1/embeddings", {"model": model, "input": texts, "shoal": demand}, timeout=SECONDS + 10)
    assert answer.status == 200, answer.body[:2000]
    document = answer.json()
    assert {name: document["shoal"][name] for name in demand} == demand
    return np.array([entry["embedding"] for entry in document["data"]], np.float32)


@pytest.mark.parametrize("worker", WORKERS)
def test_its_embeddings_are_native_ones(server, expected, worker, record_property):
    texts = list(expected)
    got = np.concatenate([embed(server, texts[first : first + 16], worker=worker, backend="wasm") for first in range(0, len(texts), 16)])
    worst = float(np.abs(got - np.array([expected[text] for text in texts])).max())
    record_property("max_error", worst)
    print(f"{worker}: largest error {worst:.2e} of {len(texts)}")
    assert worst <= EXPECTED_ERROR


def test_firefox_computes_on_webgpu(server, expected, record_property):
    texts = sorted(expected, key=len)[:4]
    got = embed(server, texts, worker="firefox/0", backend="webgpu")
    worst = float(np.abs(got - np.array([expected[text] for text in texts])).max())
    record_property("max_error", worst)
    assert worst <= EXPECTED_ERROR


def test_every_kind_serves_the_default_model(server):
    vectors = [embed(server, ["A shoal of fish"], MODEL, worker=worker)[0] for worker in WORKERS]
    # 8-bit weights: where rounding falls differs from engine to engine.
    assert max(float(np.abs(vector - vectors[0]).max()) for vector in vectors) < 0.02


def test_the_grid_chose_by_capability(server):
    launched = {event["slot"]: event["browser"] for event in server.events("browser_launched")}
    assert launched["remote/0"].startswith("chrome ")
    assert launched["remote/1"].startswith("chrome-headless-shell ")


def test_a_webkit_page_has_threads(server):
    """The environment variable that gives it SharedArrayBuffer has reached the browser."""
    environment = open(f"/proc/{server.victim('webkitgtk/0', 'renderer')}/environ").read()
    assert "JSC_useSharedArrayBuffer=1" in environment.split("\0")


@pytest.mark.parametrize(("browsers", "named"), [
    ("kind=edge", "'edge' needs driver_path"),
    ("kind=chrome,driver_path=/bin/true", "'chrome' needs browser_path"),
    ("kind=firefox,driver_path=/bin/true,browser_path=/nowhere/firefox", "/nowhere/firefox"),
    ("kind=firefox", "scripts/install_browsers.sh firefox"),
    ("kind=remote,url=https://grid", "http://host[:port][/path]"),
    ("kind=chromium,colour=red", "allowed: kind, count, min, max, tabs, spares, backends, threads"),
    ("kind=headless_shell,headed=true", "no window"),
])
def test_what_cannot_run_is_refused_at_the_start(tmp_path, browsers, named):
    refused = Server(tmp_path / "server", pool__browsers=browsers)
    refused.spawn()
    try:
        assert refused.wait_exit(20) != 0
        assert named in refused.tail()
    finally:
        refused.destroy()
