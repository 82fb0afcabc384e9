"""Every fault of faults.py on every kind of browser: nothing that was accepted is lost or answered twice, the slot works
again, and the server holds what it held before.

One round of each by default, 20 in ./test --long. SHOAL_FAULT_RESULTS=FILE keeps the times, for docs/recovery.md.
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from fault.faults import ALL, FAULTS, Target, holdings
from support import fault_models
from support.embeddings import Row, infer, rows, states, tokens_that_take
from support.http import Answer
from support.kinds import group
from support.load import Load, counted, pending, references
from support.proxy import Proxy
from support.server import HOME, MODEL
from support.waiting import eventually

MOST_ROUNDS, DEADLINE_S, IN_FLIGHT = 20, 120, 8
# Shorter than the defaults, so that a round takes minutes and not ten.
SILENCE = {"pool__heartbeat_silence": "5s", "pool__page_silence": "12s", "pool__engine_silence": "12s"}
INSTALLED = {
    "firefox": HOME / "tools/geckodriver/bin/geckodriver",
    "webkitgtk": Path("/usr/bin/WebKitWebDriver"),
}
pytestmark = pytest.mark.timeout(7200)


@pytest.fixture(scope="module")
def repository(tmp_path_factory, seed):
    root = tmp_path_factory.mktemp("models")
    (root / MODEL).symlink_to(HOME / "models" / MODEL)
    fault_models.write(root, "gpu", fault_models.products(fault_models.matrices(seed)), "webgpu")
    fault_models.write(root, "spin", fault_models.spin(), "wasm")
    fault_models.write(root, "hog", fault_models.hog(), "wasm")
    return root


@dataclass
class Scene:
    """A server with a browser of one kind, requests with their answers, and what it holds while all is well."""

    target: Target
    work: tuple[list[Row], list[np.ndarray]]
    before: dict[str, int]


def begin(launch, repository, seed, kind):
    program = INSTALLED.get(kind)
    if program is not None and not program.exists():
        pytest.skip(f"{program} is not installed: scripts/install_browsers.sh {kind}")
    proxy = Proxy()
    backends = "wasm+webgpu" if kind in ("headless_shell", "chromium") else "wasm"
    server = launch(pool__browsers=group(kind, backends=backends, threads="1", agent_url=proxy.page), pool__connect_timeout="60s",
                    pool__memory_budget="3GiB", pool__adapter="software", models__repository=str(repository), **SILENCE).listen()
    proxy.target = server.http
    server.wait_ready(120)
    target = Target(server, kind, proxy, fault_models.matrices(seed))
    made = rows(seed, IN_FLIGHT, tokens_that_take(server, 0.1, seed))
    work = (made, references(server, made))
    # After a first loss: it makes caches and pools of threads as large as they get.
    one_round(target, next(fault for fault in FAULTS if fault.name == "SIGKILL browser"), work)
    return Scene(target, work, holdings(target))


def end(scene):
    server = scene.target.server
    if server.running():
        server.stop()
        assert list((server.folder / "profiles").iterdir()) == []
    scene.target.proxy.close()


@pytest.fixture(scope="module")
def stage(launch, repository, seed):
    """The scene of a kind; the one before it ends first."""
    current: list[Scene] = []

    def scene_of(kind):
        if not current or current[0].target.kind != kind:
            if current:
                end(current.pop())
            current.append(begin(launch, repository, seed, kind))
        return current[0]

    yield scene_of
    if current:
        end(current.pop())


class GpuLoad(Load):
    """Requests of the webgpu model; its rows are vectors."""

    def send(self, index: int) -> Answer:
        return fault_models.multiply(self.server, "gpu", self.rows[index], self.seconds)


def load_of(target, fault, work):
    """Requests in flight, and a check of their answers."""
    made, expected = work
    if fault.model == MODEL:
        load = Load(target.server, made, DEADLINE_S)
        return load, lambda index, answer: float(np.abs(states(answer) - expected[index]).max())
    vectors = np.random.default_rng(1).standard_normal((3 * IN_FLIGHT, fault_models.WIDTH)).astype(np.float32)
    right = vectors
    for matrix in target.matrices:
        right = right @ matrix
    load = GpuLoad(target.server, list(vectors), DEADLINE_S)
    return load, lambda index, answer: float(np.abs(np.array(answer.json()["outputs"][0]["data"]) - right[index]).max())


def settle(target):
    eventually("the pool is whole", 120, lambda: target.server.ready_workers() == 1)
    target.server.wait_ready(120)
    eventually("nothing waits", 60, lambda: pending(target.server) == 0)


def one_round(target, fault, work):
    """Strikes while requests are in flight; the seconds until the slot answers again."""
    server = target.server
    losses = len(server.events("worker_lost"))
    numbers = counted(server, model=fault.model)
    load, error = load_of(target, fault, work)
    load.start(waiting=0)
    eventually("some are answered", 60, lambda: any(outcome.answer for outcome in load.outcomes), every=0.002)
    began = time.monotonic()
    fault.strike(target)
    if fault.loses:
        server.wait_event("worker_lost", 90, after=losses)
        fault.undo(target)
    answer = (fault_models.multiply(server, "gpu", np.ones(fault_models.WIDTH, np.float32), DEADLINE_S) if fault.model == "gpu"
              else infer(server, work[0][0], DEADLINE_S, shoal_worker=target.slot))
    took = time.monotonic() - began
    if not fault.loses:
        fault.undo(target)
    assert answer.status == 200, answer
    for index, outcome in enumerate(load.join()):
        assert outcome.ok, f"request {index} is lost: {outcome}"
        assert error(index, outcome.answer) < 1e-2, f"request {index} got another's answer"
    settle(target)
    good, bad = (after - was for after, was in zip(counted(server, model=fault.model), numbers, strict=True))
    assert (good, bad) == (len(load.outcomes) + 1, 0), "each request counts once"
    return took, len(server.events("worker_lost")) > losses


CASES = [pytest.param(kind, fault, id=f"{kind}-{fault.name}") for kind in ALL for fault in FAULTS if kind in fault.kinds]


@pytest.mark.parametrize(("kind", "fault"), CASES)
def test_it_recovers(stage, kind, fault, request):
    scene = stage(kind)
    target, before = scene.target, scene.before
    times, losses = [], 0
    for _ in range(min(MOST_ROUNDS, request.config.getoption("--rounds"))):
        took, lost = one_round(target, fault, scene.work)
        times.append(took)
        losses += lost
    print(f"{kind}, {fault.name}: well again after {np.median(times):.2f} s, at most {max(times):.2f} s, {losses} browsers lost")
    keep(target, fault, times, losses)
    # An engine that is lost six times within a minute takes its browser along.
    assert not fault.keeps or losses <= len(times) // 2

    def grown():
        now = holdings(target)
        return {name: (before[name], now[name]) for name in now if now[name] > before[name]}

    eventually("it holds what it held before", 30, lambda: not grown() or print(f"more than before: {grown()}"), every=1)


def keep(target, fault, times, losses):
    place = os.environ.get("SHOAL_FAULT_RESULTS")
    if not place:
        return
    path = Path(place)
    found = json.loads(path.read_text()) if path.exists() else {}
    version = target.server.events("browser_launched")[-1]["browser"]
    found.setdefault(target.kind, {"version": version, "faults": {}})["faults"][fault.name] = {"times": times, "lost": losses}
    path.write_text(json.dumps(found, indent=1))
