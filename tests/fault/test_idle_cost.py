"""What a pool costs that has nothing to do: processor time of a browser, and of a server with many agents."""

import json
import time

import psutil
import pytest
from support import processes
from support.server import AGENT
from support.waiting import eventually
from support.webdriver_end import WebDriverEnd

AGENTS, SECONDS, WINDOWS = 64, 10, 3
pytestmark = pytest.mark.timeout(180)


def cpu_seconds(pids):
    total = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system
    return total


def share(pids, enough):
    """Of one core, over SECONDS: of the first window that is below `enough`, since a browser has work of its own now and
    then; else of the last."""
    for _ in range(WINDOWS):
        before, began = cpu_seconds(pids), time.monotonic()
        time.sleep(SECONDS)
        used = (cpu_seconds(pids) - before) / (time.monotonic() - began)
        if used < enough:
            break
    return used


def test_an_idle_browser(launch):
    """Its driver and supervisor too."""
    server = launch(pool__browsers="kind=headless_shell,backends=wasm", models__warm_up="none").start()
    eventually("it is there", 60, lambda: server.ready_workers() == 1)
    time.sleep(5)  # the browser's own start-up work
    used = share([found.pid for found in processes.tree(server.pid)], 0.01)
    print(f"an idle browser takes {100 * used:.2f} % of a core")
    assert used < 0.01


def test_a_server_with_many_idle_agents(launch):
    end = WebDriverEnd(json.loads((AGENT / "build.json").read_text())["build"])
    try:
        server = launch(pool__browsers=f"kind=remote,url={end.url},count={AGENTS},backends=wasm", models__warm_up="none").listen()
        eventually("all are there", 60, lambda: server.ready_workers() == AGENTS, every=0.2)
        used = share([server.pid], 0.05)
        print(f"a server with {AGENTS} idle agents takes {100 * used:.2f} % of a core")
        assert server.ready_workers() == AGENTS
        assert used < 0.05
        server.stop()
    finally:
        end.close()
