"""A warm spare: it has the model and no work, and serves as soon as the browser that served is gone."""

import itertools
import threading

import pytest
from support.embeddings import infer, rows
from support.load import Outcome, attempt
from support.processes import kill_hard
from support.waiting import eventually

FIRST, SECOND = "headless_shell/0", "headless_shell/1"
ONE = "kind=headless_shell,count=1,backends=wasm,threads=1"


def states(server):
    return {worker["slot"]: worker["state"] for worker in server.get("/admin/v1/workers").json()["workers"]}


def is_warm(server, slot):
    worker = server.get(f"/admin/v1/workers/{slot}").json()
    return worker["state"] in ("spare", "ready") and any(found["state"] == "loaded" for found in worker["instances"])


class Stream:
    """Requests one after the other until it is stopped."""

    def __init__(self, server, made):
        self.outcomes: list[Outcome] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(server, made), daemon=True)
        self._thread.start()

    def _ask(self, server, made):
        for row in itertools.cycle(made):
            if self._stopped.is_set():
                return
            outcome = Outcome()
            attempt(outcome, lambda row=row: infer(server, row))
            self.outcomes.append(outcome)

    def answered(self, count):
        want = len(self.outcomes) + count
        eventually(f"{count} more answers", 40, lambda: len(self.outcomes) >= want)

    def stop(self):
        self._stopped.set()
        self._thread.join(40)
        return self.outcomes


def longest_after_kill(server, slot, made):
    """The longest that a request took while the browser that served was killed; every one was answered."""
    stream = Stream(server, made)
    stream.answered(20)
    kill_hard(server.victim(slot, "browser"))
    stream.answered(30)
    outcomes = stream.stop()
    assert all(outcome.ok for outcome in outcomes), [outcome for outcome in outcomes if not outcome.ok]
    return max(outcome.seconds for outcome in outcomes)


@pytest.fixture(scope="module")
def spared(launch):
    return launch(pool__browsers=f"{ONE},spares=1").start()


def test_a_spare_is_loaded_and_given_nothing(spared, seed):
    server = spared
    eventually("one serves and one is the spare", 60, lambda: sorted(states(server).values()) == ["ready", "spare"])
    serving = next(slot for slot, state in states(server).items() if state == "ready")
    spare = SECOND if serving == FIRST else FIRST
    eventually("the spare has the model", 60, lambda: is_warm(server, spare))
    assert server.get(f"/admin/v1/workers/{spare}").json()["takes_work"] is False
    for row in rows(seed, 12, 16):
        assert infer(server, row).json()["parameters"]["shoal_worker"] == serving
    assert server.scrape().value("shoal_workers", state="spare") == 1


def test_it_takes_over_at_once_and_the_lost_one_is_the_spare_when_it_is_back(launch, spared, seed):
    made = rows(seed, 10, 16)
    with_spare, without = [], []
    alone = launch(pool__browsers=ONE).start()
    for _ in range(3):
        serving = next(slot for slot, state in states(spared).items() if state == "ready")
        spare = SECOND if serving == FIRST else FIRST
        eventually("the spare is there", 60, lambda spare=spare: states(spared)[spare] == "spare" and is_warm(spared, spare))
        before = spared.scrape().value("shoal_spare_takeovers_total", kind="headless_shell")
        with_spare.append(longest_after_kill(spared, serving, made))
        assert spared.scrape().value("shoal_spare_takeovers_total", kind="headless_shell") == before + 1
        changed = {serving: "spare", spare: "ready"}
        eventually("they have changed places", 60, lambda changed=changed: states(spared) == changed)
        without.append(longest_after_kill(alone, FIRST, made))
        eventually("it is back", 60, lambda: is_warm(alone, FIRST))
    print(f"longest request around kill -9 of the browser: with a spare {[round(1000 * one) for one in with_spare]} ms, "
          f"without {[round(1000 * one) for one in without]} ms")
    assert max(with_spare) < min(without)
    taken = [event for event in spared.get("/admin/v1/events").json()["events"] if event["from"] == "spare" and event["to"] == "ready"]
    assert taken[-1]["reason"].startswith("takes over from headless_shell/"), taken


def test_pressure_takes_the_spare_before_it_launches_anybody(launch, seed):
    server = launch(pool__browsers="kind=headless_shell,count=1,max=2,spares=1,backends=wasm,threads=1", pool__scale_up_queue="2",
                    pool__scale_up_after="200ms", pool__scale_down_idle="2s", pool__scale_cooldown="500ms").start()
    eventually("one serves, one is the spare", 60, lambda: sorted(states(server).values()) == ["dormant", "ready", "spare"])
    spare = next(slot for slot, state in states(server).items() if state == "spare")
    eventually("the spare has the model", 60, lambda: is_warm(server, spare))
    streams = [Stream(server, rows(seed, 10, 96)) for _ in range(8)]
    try:
        eventually("the spare serves", 20, lambda: states(server)[spare] == "ready")
        eventually("another one is the spare", 60, lambda: sorted(states(server).values()) == ["ready", "ready", "spare"])
    finally:
        outcomes = [outcome for stream in streams for outcome in stream.stop()]
    assert all(outcome.ok and outcome.attempts == 1 for outcome in outcomes), [outcome for outcome in outcomes if not outcome.ok]
    eventually("all is as before", 60, lambda: sorted(states(server).values()) == ["dormant", "ready", "spare"])
