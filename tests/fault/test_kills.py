"""kill -9 of each process that an answer depends on, with 50 requests in flight.

Each request gets its answer or a typed error within its own deadline, at least 95 % get the answer, and the right one;
the first lost request is on another browser within 3 s; and the pool is whole again.
"""

import os
import signal
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from support.embeddings import infer, rows, tokens_that_take
from support.load import Load, pending, references
from support.machine import slowdown
from support.processes import kill_hard
from support.waiting import eventually

IN_FLIGHT, DEADLINE_S, REDISPATCH_S, RELAUNCH_S = 50, 30, 3, 5
VICTIM = "headless_shell/0"


@pytest.fixture(scope="module")
def server(launch):
    """Two browsers on one backend: what the first loses the second can take."""
    return launch(pool__browsers="kind=headless_shell,count=2,backends=wasm,threads=1").start()


@pytest.fixture(scope="module")
def lone_server(launch):
    """One browser: what it loses waits for its successor."""
    return launch(pool__browsers="kind=headless_shell,backends=wasm,threads=1").start()


@pytest.fixture(scope="module")
def work(server, seed):
    """Requests and their answers while nothing is wrong."""
    made = rows(seed, IN_FLIGHT, tokens_that_take(server, 0.06, seed))
    return made, references(server, made)


def clock(event):
    return datetime.fromisoformat(event["time"]).timestamp()


def check(outcomes, answers):
    for index, outcome in enumerate(outcomes):
        assert outcome.ok or outcome.is_typed_error, f"request {index}: {outcome}"
        assert outcome.seconds <= DEADLINE_S + 1, f"request {index} took {outcome.seconds:.1f} s"
    answered = [index for index, outcome in enumerate(outcomes) if outcome.ok]
    assert len(answered) >= 0.95 * len(outcomes), [outcome.answer for outcome in outcomes if not outcome.ok]
    for index in answered:
        output = outcomes[index].answer.json()["outputs"][0]
        got = np.array(output["data"], dtype=np.float32).reshape(output["shape"])[0]
        assert np.abs(got - answers[index]).max() < 1e-3, f"request {index} got another's answer"


def strike(server, role, work, bound=REDISPATCH_S):
    made, answers = work
    for slot in server.workers():
        # Whole is: connected, and the model loaded.
        assert infer(server, made[0], shoal_worker=slot).status == 200
    redispatched, ready = len(server.events("request_redispatched")), len(server.events("worker_ready"))
    before = server.scrape()
    victim = server.victim(VICTIM, role)
    load = Load(server, made, DEADLINE_S).start(waiting=IN_FLIGHT // 2)
    at = kill_hard(victim)
    outcomes = load.join()
    check(outcomes, answers)
    first = server.wait_event("request_redispatched", 5, after=redispatched)
    print(f"kill -9 of {role}: re-dispatch after {clock(first) - at:.3f} s, "
          f"{sum(outcome.ok for outcome in outcomes)} of {len(outcomes)} answered, "
          f"slowest {max(outcome.seconds for outcome in outcomes):.1f} s")
    assert first["from"] == VICTIM
    assert -0.01 <= clock(first) - at <= bound
    moved = server.scrape().value("shoal_requests_redispatched_total") - before.value("shoal_requests_redispatched_total")
    assert moved >= 1
    server.wait_event("worker_ready", 30, after=ready, slot=VICTIM)
    eventually("the pool is whole", 30,
               lambda: server.scrape().value("shoal_workers", state="ready") == server.scrape().value("shoal_workers"))
    # A lost page gets another tab: its browser is not started again.
    restarts = 0 if role == "renderer" else 1
    assert server.scrape().value("shoal_worker_restarts_total") == before.value("shoal_worker_restarts_total") + restarts
    assert pending(server) == 0
    return first


@pytest.mark.parametrize("role", ["browser", "driver", "renderer", "supervisor"])
def test_a_second_browser_takes_over(server, role, work):
    first = strike(server, role, work)
    assert first["worker"] != VICTIM


@pytest.mark.parametrize("role", ["browser", "driver", "renderer"])
def test_a_lone_browser_is_replaced_in_time(lone_server, role, work):
    """Where nobody else is there: relaunch, agent and model take 2 s of an idle machine's time."""
    strike(lone_server, role, work, RELAUNCH_S * slowdown())


def test_both_browsers_at_once(server, work):
    made, answers = work
    load = Load(server, made, DEADLINE_S).start(waiting=IN_FLIGHT // 2)
    for slot in ("headless_shell/0", "headless_shell/1"):
        kill_hard(server.victim(slot, "browser"))
    check(load.join(), answers)
    eventually("the pool is whole", 30, lambda: server.ready_workers() == 2)


def test_a_stopped_renderer_is_noticed(launch, work):
    """Its connection stays open and answers pings: only its silence tells."""
    made, answers = work
    watched = launch(pool__browsers="kind=headless_shell,count=2,backends=wasm,threads=1", pool__heartbeat_silence="4s").start()
    for slot in watched.workers():
        assert infer(watched, made[0], shoal_worker=slot).status == 200
    victim = watched.victim(VICTIM, "renderer")
    load = Load(watched, made, DEADLINE_S).start(waiting=IN_FLIGHT // 2)
    os.kill(victim, signal.SIGSTOP)
    check(load.join(), answers)
    lost = watched.wait_event("worker_lost", 5, slot=VICTIM)
    assert lost["what"].startswith("hung"), lost
    eventually("the pool is whole", 30, lambda: watched.ready_workers() == 2)
    eventually("the stopped process is gone", 5, lambda: not Path(f"/proc/{victim}").exists())


def test_a_request_past_its_deadline_is_not_run_again(lone_server, seed):
    """The browser goes, and the deadline comes before its successor: a typed error, at the deadline."""
    load = Load(lone_server, rows(seed, 20, 256), seconds=0.5).start(waiting=5)
    kill_hard(lone_server.victim(VICTIM, "browser"))
    before = time.monotonic()
    outcomes = load.join()
    late = [outcome for outcome in outcomes if not outcome.ok]
    assert late, "256 tokens twenty times do not fit into half a second"
    codes = []
    for outcome in late:
        assert outcome.answer is not None
        codes.append(outcome.answer.json()["code"])
        assert outcome.seconds < 2.5, outcome
    # Those that came later may have been told at once that they would be too late.
    assert set(codes) <= {"DEADLINE_EXCEEDED", "WORKER_LOST", "OVERLOADED"}, codes
    assert set(codes) - {"OVERLOADED"}, codes
    assert time.monotonic() - before < 10
    lone_server.wait_ready(30)
