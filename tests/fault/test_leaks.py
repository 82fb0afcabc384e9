"""Round after round of faults: what the server holds after them is what it held before them.

One round of each fault by default; --rounds=50 (./test --long) makes a slow leak visible.
"""

import gc
import os
import socket
import time
from pathlib import Path

import pytest
from support import processes
from support.embeddings import PATH, infer, rows, tokens_that_take
from support.load import Load, pending
from support.processes import kill_hard
from support.waiting import eventually

SLOT = "headless_shell/0"
SLACK = {"threads": 1}  # gRPC keeps one more or one less for its timers; a round that leaks them leaks more


@pytest.fixture(scope="module")
def server(launch):
    return launch(pool__browsers="kind=headless_shell,backends=wasm,threads=1").start()


def temporary(server):
    """Where its browser puts temporary files, as the driver's environment has it."""
    variables = Path(f"/proc/{server.victim(SLOT, 'driver')}/environ").read_bytes().decode().split("\0")
    return Path(next(text for text in variables if text.startswith("TMPDIR=")).removeprefix("TMPDIR="))


def holdings(server):
    """Counts that must not grow: descriptors, threads, processes, zombies, folders, temporary files."""
    roles = sorted(found.role for found in processes.tree(server.pid))
    return {
        "descriptors": processes.descriptors(server.pid),
        "threads": len(os.listdir(f"/proc/{server.pid}/task")),
        "supervisors": roles.count("supervisor"),
        "drivers": roles.count("driver"),
        "browsers": roles.count("browser"),
        "zombies": processes.zombies(server.pid),
        "profiles": len(list((server.folder / "profiles").iterdir())),
        "temporary": len(list(temporary(server).iterdir())),
    }


def settle(server):
    """The pool is whole, nothing is in flight, and this process holds no connection either."""
    eventually("the pool is whole", 40, lambda: server.ready_workers() == 1)
    server.wait_ready(40)
    eventually("nothing waits", 10, lambda: pending(server) == 0)
    gc.collect()


def cut_clients(server, made):
    host, _, port = server.http.rpartition(":")
    for row in made:
        with socket.create_connection((host, int(port)), 10) as connection:
            body = str(row.body()).replace("'", '"').encode()
            connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: {server.http}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


def one_round(server, made):
    for role in ("renderer", "browser", "driver"):
        victim = server.victim(SLOT, role)
        load = Load(server, made, 30).start(waiting=0)
        kill_hard(victim)
        assert all(outcome.ok or outcome.is_typed_error for outcome in load.join())
        settle(server)
    cut_clients(server, made)
    settle(server)


@pytest.mark.timeout(3600)
def test_nothing_grows(server, seed, request):
    rounds = request.config.getoption("--rounds")
    made = rows(seed, 8, tokens_that_take(server, 0.1, seed))
    one_round(server, made)  # warms up: caches, thread pools, the driver's own files
    settle(server)
    before = holdings(server)
    memory = processes.resident(server.pid)
    for number in range(rounds):
        began = time.monotonic()
        one_round(server, made)
        print(f"round {number}: {time.monotonic() - began:.1f} s, {holdings(server)}, {processes.resident(server.pid) >> 20} MiB")
    assert infer(server, made[0]).status == 200
    settle(server)

    def grown():
        now = holdings(server)
        return {name: (before[name], now[name]) for name in now if now[name] > before[name] + SLACK.get(name, 0)}

    eventually("it holds what it held before", 30, lambda: not grown() or print(f"more than before: {grown()}"), every=1)
    assert processes.zombies(server.pid) == 0
    growth = processes.resident(server.pid) - memory
    assert growth < (8 << 20) + rounds * (256 << 10), f"{growth >> 10} KiB in {rounds} rounds"
    folder = temporary(server)
    server.stop()
    assert not folder.exists()
    assert list((server.folder / "profiles").iterdir()) == []
