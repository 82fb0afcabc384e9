"""A browser program that exits at once: its starts are bounded, and once it works again all of its workers come up."""

import json
import time

from support.server import HOME
from support.waiting import eventually

WORKERS, FAILURES, PLACES, PAUSE_S = 8, 4, 2, 3


def breaker(server):
    return json.loads(server.get("/admin/v1/workers").body)["breakers"][0]


def test_a_program_that_exits_at_once_is_left_alone_until_it_works(launch, tmp_path):
    works = tmp_path / "works"
    program = tmp_path / "browser.sh"
    program.write_text(f'#!/bin/sh\n[ -e {works} ] || exit 1\nexec {HOME}/tools/headless_shell/headless_shell.sh "$@"\n')
    program.chmod(0o755)
    server = launch(
        pool__browsers=f"kind=headless_shell,count={WORKERS},backends=wasm,threads=1,browser_path={program}",
        pool__start_concurrency=str(PLACES), pool__breaker_failures=str(FAILURES), pool__breaker_pause=f"{PAUSE_S}s",
        models__warm_up="none",
    ).listen()
    eventually("the breaker opens", 30, lambda: breaker(server)["state"] == "open")
    opened = time.monotonic()
    seen = breaker(server)
    assert seen["browser"] == str(program)
    assert seen["reason"]
    failed = len(server.events("browser_launch_failed"))
    # Those that were under way when it opened fail too, and nobody else tries.
    assert FAILURES <= failed <= FAILURES + PLACES - 1
    states = {worker["state"] for worker in json.loads(server.get("/admin/v1/workers").body)["workers"]}
    assert states <= {"waiting", "losing", "launching", "backing_off"}
    assert server.scrape().value("shoal_breaker_state") == 2
    time.sleep(max(0.0, opened + PAUSE_S - 0.5 - time.monotonic()))
    assert len(server.events("browser_launch_failed")) <= FAILURES + PLACES - 1
    eventually("one tried again", 20, lambda: int(breaker(server)["opened"]) == 2)
    tries = len(server.events("browser_launch_failed"))
    assert tries <= FAILURES + PLACES
    print(f"{WORKERS} workers, {tries} starts until the second pause")

    works.touch()
    eventually("all are ready", 90, lambda: server.ready_workers() == WORKERS)
    eventually("the breaker is closed", 10, lambda: breaker(server)["state"] == "closed")
    assert server.scrape().value("shoal_breaker_opened_total") >= 2
    changes = [(event["from"], event["to"]) for event in server.events("breaker_state")]
    assert changes[0] == ("closed", "open")
    assert changes[-1] == ("half_open", "closed")
    starting = [worker for worker in server.events("slot_state") if worker["to"] == "launching"]
    assert len(starting) >= WORKERS
