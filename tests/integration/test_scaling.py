"""The number of browsers follows the work: up under load, down when idle, from none by a request; nothing accepted is lost."""

import pytest
from support.embeddings import infer, rows, tokens_that_take
from support.load import Load
from support.waiting import eventually

FIRST, SECOND = "headless_shell/0", "headless_shell/1"
QUICK = {"pool__scale_up_queue": "2", "pool__scale_up_after": "300ms", "pool__scale_down_idle": "1500ms", "pool__scale_cooldown": "500ms"}


def states(server):
    return {worker["slot"]: worker["state"] for worker in server.get("/admin/v1/workers").json()["workers"]}


def events(server, slot):
    return [event for event in server.get("/admin/v1/events").json()["events"] if event["slot"] == slot and not event["instance"]]


def profiles(server):
    return sorted(path.name for path in (server.folder / "profiles").iterdir())


@pytest.fixture(scope="module")
def one_or_two(launch):
    return launch(pool__browsers="kind=headless_shell,count=1,max=2,backends=wasm,threads=1", **QUICK).start()


def test_load_raises_the_number_and_idleness_lowers_it(one_or_two, seed):
    server = one_or_two
    assert states(server) == {FIRST: "ready", SECOND: "dormant"}
    assert set(server.workers()) == {FIRST} and profiles(server) == ["headless_shell-0"]
    row = rows(seed, 1, 8)[0]
    expected = infer(server, row).json()["outputs"]
    made = rows(seed, 60, tokens_that_take(server, 0.15, seed))
    load = Load(server, made, seconds=60).start(waiting=20)
    eventually("a second one serves", 30, lambda: states(server)[SECOND] == "ready")
    assert infer(server, row, shoal_worker=SECOND).json()["outputs"] == expected
    outcomes = load.join()
    assert all(outcome.ok and outcome.attempts == 1 for outcome in outcomes), [outcome for outcome in outcomes if not outcome.ok]
    assert {outcome.answer.json()["parameters"]["shoal_worker"] for outcome in outcomes} == {FIRST, SECOND}
    eventually("it sleeps again", 30, lambda: states(server)[SECOND] == "dormant")
    assert states(server)[FIRST] == "ready"
    eventually("nothing of it is left", 10, lambda: set(server.workers()) == {FIRST})
    assert profiles(server) == ["headless_shell-0"]
    story = events(server, SECOND)
    assert [event["to"] for event in story if event["to"] != "connecting"] == [
        "dormant", "launching", "ready", "draining", "losing", "dormant"]
    woken, retired = (next(event for event in story if event["to"] == state) for state in ("launching", "draining"))
    assert "requests wait, more than 2 for each of 1 workers" in woken["reason"]
    assert "was not needed" in retired["reason"]
    assert next(event for event in story if event["to"] == "losing")["loss"] == "retired"
    scrape = server.scrape()
    assert scrape.value("shoal_workers_wanted", kind="headless_shell") == 1
    assert scrape.value("shoal_scaling_steps_total", kind="headless_shell", direction="up") == 1
    assert scrape.value("shoal_scaling_steps_total", kind="headless_shell", direction="down") == 1
    assert scrape.value("shoal_worker_restarts_total", kind="headless_shell") == 0
    assert scrape.value("shoal_workers", state="dormant") == 1


def test_going_down_while_requests_come_loses_none(one_or_two, seed):
    """One request at a time: one browser is enough, and whichever is idle goes in the middle of them."""
    server = one_or_two
    made = rows(seed, 40, tokens_that_take(server, 0.1, seed))
    load = Load(server, made, seconds=60).start(waiting=10)
    eventually("a second one serves", 30, lambda: set(states(server).values()) == {"ready"})
    assert all(outcome.ok for outcome in load.join())
    asked = 0
    while "dormant" not in states(server).values():
        answer = infer(server, made[asked % len(made)])
        assert answer.status == 200, answer
        assert int(answer.json()["parameters"].get("shoal_attempts", 1)) == 1
        asked += 1
        assert asked < 1000
    assert asked > 0


def test_a_request_that_names_a_dormant_worker_wakes_it(one_or_two, seed):
    server = one_or_two
    asleep = eventually("one of them sleeps", 30,
                        lambda: next((slot for slot, state in states(server).items() if state == "dormant"), None))
    answer = infer(server, rows(seed, 1, 8)[0], shoal_worker=asleep)
    assert answer.status == 200 and answer.json()["parameters"]["shoal_worker"] == asleep, answer
    eventually("one of them sleeps", 30, lambda: sorted(states(server).values()) == ["dormant", "ready"])


def test_a_drained_worker_is_no_capacity(one_or_two, seed):
    server = one_or_two
    eventually("one of them sleeps", 30, lambda: sorted(states(server).values()) == ["dormant", "ready"])
    awake = next(slot for slot, state in states(server).items() if state == "ready")
    asleep = SECOND if awake == FIRST else FIRST
    assert server.post(f"/admin/v1/workers/{awake}/drain", "").status == 200
    eventually("another one serves instead", 30, lambda: states(server)[asleep] == "ready")
    assert infer(server, rows(seed, 1, 8)[0]).json()["parameters"]["shoal_worker"] == asleep
    assert server.post(f"/admin/v1/workers/{awake}/resume", "").status == 200
    eventually("one is enough", 30, lambda: sorted(states(server).values()) == ["dormant", "ready"])


def test_from_none_to_one_and_back(launch, seed):
    server = launch(pool__browsers="kind=headless_shell,count=0,min=0,max=1,backends=wasm,threads=1", **QUICK).start(20)
    assert states(server) == {FIRST: "dormant"} and server.workers() == {}
    made = rows(seed, 5, 16)
    outcomes = Load(server, made).start(waiting=1).join()
    assert all(outcome.ok and outcome.attempts == 1 for outcome in outcomes), outcomes
    print(f"from none: the first of {len(made)} requests took {min(outcome.seconds for outcome in outcomes) * 1000:.0f} ms")
    story = events(server, FIRST)
    assert story[1]["to"] == "launching" and "no browser runs" in story[1]["reason"], story
    eventually("it sleeps again", 30, lambda: states(server)[FIRST] == "dormant" and not server.workers())
    assert server.get("/v2/health/ready").status == 200, "the next request wakes it"
    assert infer(server, made[0]).status == 200
