"""The cheap rungs of recovery: another connection for the same page, the page in another tab; the browser stays."""

import json
import os
import signal

from support.embeddings import infer, rows
from support.processes import kill_hard
from support.waiting import eventually

SLOT = "headless_shell/0"


def ends_of_outages(server):
    events = json.loads(server.get("/admin/v1/events").body)["events"]
    return [event for event in events if event.get("to") == "ready" and event.get("rung")]


def pids(server):
    roles = server.workers()[SLOT]
    return roles["driver"], roles["browser"]


def test_each_rung_keeps_what_it_can(launch, seed):
    server = launch(pool__browsers="kind=headless_shell,backends=wasm,threads=1", pool__heartbeat_silence="2s").start()
    row = rows(seed, 1, 16)[0]
    before = infer(server, row)
    assert before.status == 200
    browser = pids(server)

    def loads():
        return len(server.events("model_loaded"))

    at_first = loads()
    strikes = [
        ("network", signal.SIGKILL, "resume", "broken"),
        ("renderer", signal.SIGKILL, "tab", "crashed"),
        ("renderer", signal.SIGSTOP, "tab", "hung"),
        ("browser", signal.SIGKILL, "browser", "crashed"),
    ]
    for number, (role, what, rung, loss) in enumerate(strikes):
        victim = server.victim(SLOT, role)
        if what == signal.SIGKILL:
            kill_hard(victim)
        else:
            os.kill(victim, what)
        seen = eventually(f"{role} is made good", 30, lambda count=number: ends_of_outages(server)[count:])[0]
        print(f"{what.name} of {role}: rung {seen['rung']}, {seen['loss']}, {seen['outage_ms']} ms")
        assert (seen["rung"], seen["loss"]) == (rung, loss), seen
        assert (pids(server) == browser) == (rung != "browser")
        answer = infer(server, row)
        assert answer.status == 200, answer
        assert answer.json()["outputs"] == before.json()["outputs"]
        if rung == "resume":
            assert loads() == at_first, "what the browser had loaded stayed"
    scrape = server.scrape()
    assert scrape.value("shoal_worker_restarts_total") == 1
    for rung, count in (("resume", 1), ("tab", 2), ("browser", 1)):
        assert scrape.value("shoal_worker_recovery_seconds_count", rung=rung) == count
