"""Several workers in one browser: each tab computes, is lost and comes back by itself; with the browser go all of its tabs."""

import numpy as np
import pytest
from support import processes
from support.embeddings import infer, rows, states, tokens_that_take
from support.load import Load
from support.processes import kill_hard
from support.server import Server
from support.waiting import eventually

WORKERS = "/admin/v1/workers"


@pytest.fixture(scope="module", params=["headless_shell", "chromium"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def server(launch, kind):
    return launch(pool__browsers=f"kind={kind},count=1,tabs=2,backends=wasm,threads=1").start()


@pytest.fixture
def slots(kind, server, seed):
    """Both tabs, ready and with the model."""
    names = [f"{kind}/0", f"{kind}/1"]
    are_back(server, names, seed)
    return names


def are_back(server, names, seed):
    for slot in names:
        eventually(f"{slot} is ready", 60, lambda slot=slot: state(server, slot) == "ready")
        assert infer(server, rows(seed, 1, 8)[0], shoal_worker=slot).status == 200


def state(server, slot):
    return server.get(f"{WORKERS}/{slot}").json()["state"]


def events(server, slot, after=0):
    found = server.get(f"/admin/v1/events?after={after}").json()["events"]
    return [event for event in found if event["slot"] == slot and not event["instance"]]


def last(server):
    return server.get("/admin/v1/events").json()["last_sequence"]


def test_two_tabs_of_one_browser_compute_the_same(server, slots, kind, seed):
    assert set(server.workers()) == {f"{kind}/0"}, "one driver and one browser for both"
    row = rows(seed, 1, 32)[0]
    first, second = (infer(server, row, shoal_worker=slot) for slot in slots)
    assert np.array_equal(states(first), states(second)) and np.abs(states(first)).sum() > 0
    made = rows(seed, 30, tokens_that_take(server, 0.05, seed))
    outcomes = Load(server, made).start(waiting=5).join()
    assert all(outcome.ok and outcome.attempts == 1 for outcome in outcomes), outcomes
    assert {outcome.answer.json()["parameters"]["shoal_worker"] for outcome in outcomes} == set(slots)


def test_the_tree_is_counted_once(server, slots):
    def counted():
        memory = [server.get(f"{WORKERS}/{slot}").json()["memory"]["pss_bytes"] for slot in slots]
        return memory if memory[0] > 0 else None

    first, second = eventually("the first one's is measured", 30, counted)
    assert first > 100 << 20 and second == 0


def renderer_of(server, slots, kind, lost_first):
    """The renderer whose death costs the tab that is wanted: they are told apart by their numbers, the older one is the host's."""
    pids = sorted(server.workers()[f"{kind}/0"]["renderer"], key=processes.resident)[-2:]
    return min(pids) if lost_first else max(pids)


@pytest.mark.parametrize("lost_first", [False, True])
def test_a_renderer_that_dies_costs_its_tab_only(server, slots, kind, seed, lost_first):
    after = last(server)
    browser = server.workers()[f"{kind}/0"]["browser"]
    kill_hard(renderer_of(server, slots, kind, lost_first))
    lost = eventually("one of them is lost", 30, lambda: [slot for slot in slots if any(
        event["to"] == "losing" for event in events(server, slot, after))])
    assert len(lost) == 1
    other = next(slot for slot in slots if slot not in lost)
    assert infer(server, rows(seed, 1, 8)[0], shoal_worker=other).status == 200
    are_back(server, slots, seed)
    assert events(server, other, after) == [], "the other one did not notice"
    assert server.workers()[f"{kind}/0"]["browser"] == browser
    back = next(event for event in events(server, lost[0], after) if event["to"] == "ready")
    assert back["rung"] == "tab", back
    print(f"{kind}: tab {lost[0]} was back after {back['outage_ms']} ms")


def test_a_browser_that_dies_costs_both_and_both_come_back(server, slots, kind, seed):
    after = last(server)
    before = server.workers()[f"{kind}/0"]["browser"]
    load = Load(server, rows(seed, 20, tokens_that_take(server, 0.05, seed)), seconds=60).start(waiting=5)
    kill_hard(server.victim(f"{kind}/0", "browser"))
    assert all(outcome.ok for outcome in load.join())
    eventually("both were lost", 30, lambda: all(any(event["to"] == "losing" for event in events(server, slot, after)) for slot in slots))
    are_back(server, slots, seed)
    assert server.workers()[f"{kind}/0"]["browser"] != before
    for slot in slots:
        back = [event for event in events(server, slot, after) if event["to"] == "ready"][-1]
        print(f"{kind}: {slot} was back after {back['outage_ms']} ms by rung {back['rung']}")


def test_recycling_one_tab_leaves_the_other(server, slots, kind, seed):
    after = last(server)
    browser = server.workers()[f"{kind}/0"]["browser"]
    assert server.post(f"{WORKERS}/{slots[1]}/recycle", {"reason": "old"}).status == 200
    eventually("it was replaced", 30, lambda: any(event["to"] == "ready" for event in events(server, slots[1], after)))
    are_back(server, slots, seed)
    assert events(server, slots[0], after) == [] and server.workers()[f"{kind}/0"]["browser"] == browser


def test_recycling_the_first_replaces_the_browser_and_both(server, slots, kind, seed):
    browser = server.workers()[f"{kind}/0"]["browser"]
    load = Load(server, rows(seed, 20, tokens_that_take(server, 0.05, seed)), seconds=60).start(waiting=5)
    assert server.post(f"{WORKERS}/{slots[0]}/recycle", {"reason": "old"}).status == 200
    outcomes = load.join()
    assert all(outcome.ok and outcome.attempts == 1 for outcome in outcomes), outcomes
    eventually("another browser is there", 60, lambda: server.workers().get(f"{kind}/0", {}).get("browser", browser) != browser)
    are_back(server, slots, seed)


@pytest.mark.parametrize(("browsers", "words"), [
    ("kind=firefox,tabs=2,backends=wasm", "tabs: the driver of 'firefox'"),
    ("kind=webkitgtk,tabs=2,backends=wasm", "tabs: the driver of 'webkitgtk'"),
    ("kind=remote,url=http://127.0.0.1:4444,tabs=2", "tabs: the driver of 'remote'"),
    ("kind=headless_shell,tabs=2,max=2", "tabs: not with min, max or spares"),
])
def test_where_tabs_cannot_be_had_the_start_is_refused(tmp_path, browsers, words):
    server = Server(tmp_path, pool__browsers=browsers)
    server.spawn()
    assert server.wait_exit(20) != 0
    assert words in server.tail()
