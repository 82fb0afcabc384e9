"""Models that change while a real browser serves them: nothing that was accepted is lost."""

import threading
import time

import pytest
from support import small_graphs
from support.waiting import eventually

INFER = "/v2/models/m/infer"
LOAD = "/v2/repository/models/m/load"
UNLOAD = "/v2/repository/models/m/unload"
BROWSERS = "kind=headless_shell,backends=wasm,threads=1"


@pytest.fixture
def root(tmp_path):
    small_graphs.write(tmp_path / "models", "m", small_graphs.adding(0))
    return tmp_path / "models"


def result(answer):
    assert answer.status == 200, answer
    return answer.json()["outputs"][0]["data"][0]


class Clients:
    """Some that ask one after the other, each noting when it asked and what it got."""

    def __init__(self, server, count):
        self.server = server
        self.answers = []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.ask) for _ in range(count)]

    def ask(self):
        while not self.stopped.is_set():
            asked = time.monotonic()
            try:
                answer = self.server.post(INFER, small_graphs.body())
            except OSError as lost:
                answer = lost
            self.answers.append((asked, answer))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for thread in self.threads:
            thread.join(60)


def graphs_of(server):
    workers = server.get("/admin/v1/workers").json()["workers"]
    return [instance["name"] for worker in workers for instance in worker.get("instances", []) if instance["name"].startswith("m:")]


def test_reloads_under_load_lose_no_request(launch, root):
    server = launch(models__repository=str(root), models__control="explicit", models__load_on_start="*", pool__browsers=BROWSERS)
    server.start()
    served = [(0.0, 0)]  # from when on which result is the only one
    with Clients(server, 4) as clients:
        eventually("there is load", 30, lambda: len(clients.answers) > 20)
        for amount in range(1, 7):
            # In place, and as another version.
            small_graphs.write(root, "m", small_graphs.adding(amount), version=1 + amount // 3)
            answer = server.post(LOAD, b"", timeout=120)
            assert answer.status == 200, answer
            served.append((time.monotonic(), amount))
            seen = len(clients.answers)
            eventually("they have asked again", 30, lambda seen=seen: len(clients.answers) > seen + 12)
    lost = [answer for _, answer in clients.answers if isinstance(answer, OSError) or answer.status != 200]
    assert not lost, f"{len(lost)} of {len(clients.answers)}: {lost[:3]}"
    for asked, answer in clients.answers:
        least = max(amount for since, amount in served if since <= asked)
        assert result(answer) >= least, (asked, answer, served)
    assert {result(answer) for _, answer in clients.answers} == set(range(7))
    eventually("only the last graph is loaded", 10, lambda: len(graphs_of(server)) == 1)
    print(f"{len(clients.answers)} requests through 6 reloads, none lost")


def test_unload_frees_the_browser_and_load_brings_it_back(launch, root):
    server = launch(models__repository=str(root), models__control="explicit", models__load_on_start="m", pool__browsers=BROWSERS)
    server.start()
    for _ in range(2):
        assert result(server.post(INFER, small_graphs.body())) == 0
        assert graphs_of(server)
        with Clients(server, 3) as clients:
            eventually("there is load", 30, lambda clients=clients: len(clients.answers) > 10)
            assert server.post(UNLOAD, b"").status == 200
            unloaded = time.monotonic()
            eventually("it is refused", 10, lambda: server.post(INFER, small_graphs.body()).status == 503)
        for asked, answer in clients.answers:
            assert answer.status == 200 or (answer.status == 503 and "unloaded" in answer.json()["error"]), answer
            assert asked < unloaded or answer.status == 503, answer
        eventually("its graph is gone", 10, lambda: graphs_of(server) == [])
        assert server.get("/v2/models/m/ready").status == 503
        assert server.post(LOAD, b"", timeout=120).status == 200
        assert server.get("/v2/models/m/ready").status == 200


def test_polling_serves_what_the_repository_holds(launch, root):
    server = launch(models__repository=str(root), models__control="poll", models__poll_interval="200ms", pool__browsers=BROWSERS)
    server.start()
    assert result(server.post(INFER, small_graphs.body())) == 0
    small_graphs.write(root, "m", small_graphs.adding(5), version=2)
    eventually("the new version", 30, lambda: result(server.post(INFER, small_graphs.body())) == 5)
    small_graphs.write(root, "m", b"no graph", version=3)
    server.wait_event("model_load_refused", 30)
    assert result(server.post(INFER, small_graphs.body())) == 5
    assert "not allowed: models.control is 'poll'" in server.post(LOAD, b"").json()["error"]
