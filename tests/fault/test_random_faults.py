"""A random fault every two seconds under steady load: each request is answered once, or with a typed error in its time.

The order of faults comes from --seed. ./test --long: 8 browsers and 2,000 requests; else 3 browsers and 300.
"""

import os
import random
import signal
import threading
import time

import pytest
from support import processes
from support.embeddings import infer, rows
from support.load import Outcome, attempt, counted
from support.processes import kill_hard
from support.waiting import eventually

EVERY_S, DEADLINE_S, CLIENTS = 2, 30, 16
FAULTS = ["renderer", "renderer", "browser", "driver", "network", "supervisor", "stopped renderer", "stopped browser"]
pytestmark = pytest.mark.timeout(1800)


class Pace:
    """Lets requests go so that they last for a number of faults, whatever the machine's speed."""

    def __init__(self, count, seconds):
        self.count, self._seconds, self._began = count, seconds, time.monotonic()

    def due(self, index):
        return self._began + index * self._seconds / self.count


def strike(server, source):
    """One fault to one browser that is whole; what was done, or nothing where none is."""
    fault = source.choice(FAULTS)
    role = fault.removeprefix("stopped ")
    whole = sorted(slot for slot, roles in server.workers().items() if roles.get(role))
    if not whole:
        return None
    slot = source.choice(whole)
    try:
        victim = max(server.workers()[slot][role], key=processes.resident)
        if fault.startswith("stopped"):
            os.kill(victim, signal.SIGSTOP)
        else:
            kill_hard(victim)
    except (KeyError, ProcessLookupError):
        return None  # it went by itself just now
    return f"{fault} of {slot}"


def drive(server, made, pace):
    outcomes = [Outcome() for _ in range(pace.count)]
    indices = iter(range(len(outcomes)))
    lock = threading.Lock()

    def client():
        while True:
            with lock:
                index = next(indices, None)
            if index is None:
                return
            time.sleep(max(0.0, pace.due(index) - time.monotonic()))
            attempt(outcomes[index], lambda index=index: infer(server, made[index % len(made)], DEADLINE_S))

    threads = [threading.Thread(target=client, daemon=True) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    return outcomes, threads


def test_every_request_has_one_outcome(launch, seed, request):
    is_long = request.config.getoption("--rounds") > 1
    browsers, count, seconds = (8, 2000, 120) if is_long else (3, 300, 24)
    server = launch(pool__browsers=f"kind=headless_shell,count={browsers},backends=wasm,threads=1", pool__heartbeat_silence="4s").start(180)
    eventually("all are there", 180, lambda: server.ready_workers() == browsers)
    made = rows(seed, 64, 8)
    before = counted(server)
    source, struck = random.Random(seed), []
    outcomes, threads = drive(server, made, Pace(count, seconds))
    began = time.monotonic()
    while any(thread.is_alive() for thread in threads):
        if time.monotonic() - began >= EVERY_S * (len(struck) + 1):
            struck.append(strike(server, source))
        time.sleep(0.05)
    done = [fault for fault in struck if fault]
    late = [outcome for outcome in outcomes if outcome.seconds > DEADLINE_S + 1]
    unanswered = [outcome for outcome in outcomes if not outcome.ok and not outcome.is_typed_error]
    good = sum(outcome.ok for outcome in outcomes)
    print(f"{len(done)} faults, {good} of {count} answered, slowest {max(outcome.seconds for outcome in outcomes):.1f} s, "
          f"sent again {server.scrape().value('shoal_requests_redispatched_total'):.0f}; in order: {done}")
    assert not late, late[:5]
    assert not unanswered, unanswered[:5]
    assert len(done) >= seconds / EVERY_S / 2, struck
    assert good >= 0.95 * count, [outcome.answer for outcome in outcomes if not outcome.ok][:5]
    assert [now - was for now, was in zip(counted(server), before, strict=True)] == [good, count - good], "each request counts once"
    eventually("the pool is whole", 120, lambda: server.ready_workers() == browsers)
    assert processes.zombies(server.pid) == 0
