"""kill -9 of the processes of each kind of browser: its requests are answered, the pool is whole again, nothing is left.

One round of each by default; --rounds=20 and more (./test --long) make a slow leak visible.
"""

import os
import re
from pathlib import Path

import pytest
from support import processes
from support.embeddings import infer, rows, tokens_that_take
from support.kinds import group
from support.load import Load, pending
from support.processes import kill_hard
from support.waiting import eventually

MOST_ROUNDS = 20
# What each is made of. Killing WebKit's network process or Xvfb ends the browser, killing a Firefox tab does not.
ROLES = {
    "chromium": ["renderer", "browser", "driver"],
    "firefox": ["renderer", "browser", "driver"],
    "webkitgtk": ["renderer", "network", "display", "browser", "driver"],
}
pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module", params=list(ROLES))
def server(launch, request):
    server = launch(pool__browsers=group(request.param, threads="1"), pool__connect_timeout="60s").start()
    server.kind = request.param
    yield server
    if server.running():
        displays = {found.pid for found in processes.tree(server.pid) if found.role == "display"}
        server.stop()
        eventually("its display is gone", 5, lambda: not any(Path(f"/proc/{pid}").exists() for pid in displays))
        assert list((server.folder / "profiles").iterdir()) == []


def settle(server):
    eventually("the pool is whole", 90, lambda: server.ready_workers() == 1)
    server.wait_ready(90)
    eventually("nothing waits", 20, lambda: pending(server) == 0)


def holdings(server):
    roles = [found.role for found in processes.tree(server.pid)]
    # Others' may come and go there; a leak of ours would grow with every round.
    displays = sum(bool(re.fullmatch(r"X\d+", entry.name)) for entry in Path("/tmp/.X11-unix").glob("*"))
    return {
        "descriptors": len(os.listdir(f"/proc/{server.pid}/fd")),
        "threads": len(os.listdir(f"/proc/{server.pid}/task")),
        "zombies": processes.zombies(server.pid),
        "profiles": len(list((server.folder / "profiles").iterdir())),
        "displays": displays if server.kind == "webkitgtk" else 0,
    } | {role: roles.count(role) for role in ("supervisor", "driver", "browser", "display")}


def test_everything_is_answered_and_nothing_grows(server, seed, request):
    rounds = min(MOST_ROUNDS, request.config.getoption("--rounds"))
    made = rows(seed, 8, tokens_that_take(server, 0.1, seed))

    def strike(role):
        victim = server.victim(f"{server.kind}/0", role)
        load = Load(server, made, 60).start(waiting=2)
        kill_hard(victim)
        outcomes = load.join()
        assert all(outcome.ok for outcome in outcomes), [outcome for outcome in outcomes if not outcome.ok]
        settle(server)
        ready = server.events("worker_ready")[-1]
        print(f"kill -9 of {server.kind}'s {role}: ready again after {ready['ms_since_loss'] / 1000:.1f} s")

    for role in ROLES[server.kind]:
        strike(role)
    before = holdings(server)
    for _ in range(rounds):
        for role in ROLES[server.kind]:
            strike(role)

    def grown():
        now = holdings(server)
        return {name: (before[name], now[name]) for name in now if now[name] > before[name]}

    eventually("it holds what it held before", 15, lambda: not grown() or print(f"more than before: {grown()}"), every=1)
    assert infer(server, made[0]).status == 200


def test_a_killed_server_leaves_nothing(launch, tmp_path):
    """Also not the display, which is no browser's child."""
    server = launch(pool__browsers=f"{group('webkitgtk')};{group('firefox')}", pool__connect_timeout="60s").start()
    eventually("both are there", 60, lambda: server.ready_workers() == 2)
    kill_hard(server.pid)
    server.wait_exit(5)
    server.wait_gone(15)
    eventually("the profiles are gone", 5, lambda: list((server.folder / "profiles").iterdir()) == [])
