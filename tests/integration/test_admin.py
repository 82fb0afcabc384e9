"""What operators see of the browsers and do to them: REST and `shoal workers`, with the real binary and real browsers."""

import json
import os
import subprocess

import pytest
from support.embeddings import infer, rows, tokens_that_take
from support.load import Load
from support.server import binary, environment
from support.waiting import eventually

WORKERS = "/admin/v1/workers"
FIRST, SECOND = "headless_shell/0", "headless_shell/1"


@pytest.fixture(scope="module")
def server(launch):
    """Two browsers on one backend: what one does not take the other can."""
    return launch(pool__browsers="kind=headless_shell,count=2,backends=wasm,threads=1").start()


@pytest.fixture(autouse=True)
def whole(server, seed):
    """Each test finds both browsers ready and with the model, and leaves them so."""
    yield
    for slot in (FIRST, SECOND):
        assert server.post(f"{WORKERS}/{slot}/resume", "").status == 200
        eventually(f"{slot} is ready", 30, lambda slot=slot: state(server, slot) == "ready")
        assert infer(server, rows(seed, 1, 8)[0], shoal_worker=slot).status == 200


def worker(server, slot):
    answer = server.get(f"{WORKERS}/{slot}")
    assert answer.status == 200, answer
    return answer.json()


def state(server, slot):
    return worker(server, slot)["state"]


def events(server, after=0, slot=None):
    found = server.get(f"/admin/v1/events?after={after}").json()["events"]
    return [event for event in found if slot is None or event["slot"] == slot and not event["instance"]]


def last(server):
    return server.get("/admin/v1/events").json()["last_sequence"]


def shoal(server, *words, status=0):
    done = subprocess.run([str(binary()), "workers", "--server", f"http://{server.http}", *words], capture_output=True, text=True,
                          timeout=30, env=environment(server.folder), check=False)
    assert done.returncode == status, done
    return done.stdout if status == 0 else done.stderr


def test_a_worker_is_described(server):
    listed = server.get(WORKERS).json()["workers"]
    assert [found["slot"] for found in listed] == [FIRST, SECOND]
    # The heartbeat after the load says what it took.
    eventually("its memory is told", 10, lambda: worker(server, FIRST)["memory"]["wasm_bytes"] > 1 << 20)
    one = worker(server, FIRST)
    assert one["state"] == "ready" and one["takes_work"] is True
    assert one["backends"] == ["wasm"] and one["browser"]
    assert one["heartbeat_age_ms"] < 10_000
    assert {found["state"] for found in one["instances"]} <= {"loaded", "loading"}
    assert one["capabilities"]["wasm_simd"] is True
    assert one["capabilities"]["benchmarks"][0]["gflops"] > 0


def test_draining_under_load_loses_nothing(server, seed):
    made = rows(seed, 40, tokens_that_take(server, 0.06, seed))
    after = last(server)
    load = Load(server, made).start(waiting=20)
    answer = server.post(f"{WORKERS}/{FIRST}/drain", {"reason": "a new disk"})
    assert answer.status == 200 and answer.json()["takes_work"] is False
    outcomes = load.join()
    assert all(outcome.ok for outcome in outcomes), [outcome.answer for outcome in outcomes if not outcome.ok]
    assert all(outcome.attempts == 1 for outcome in outcomes), "what it had it finished itself"
    eventually("it is drained", 10, lambda: state(server, FIRST) == "drained")
    assert server.get("/v2/health/ready").status == 200, "the other one has the model"
    for row in made[:6]:
        assert infer(server, row).json()["parameters"]["shoal_worker"] == SECOND
    refused = infer(server, made[0], shoal_worker=FIRST)
    assert refused.status == 503 and refused.json()["code"] == "UNAVAILABLE", refused
    assert FIRST in refused.json()["error"]
    story = events(server, after, FIRST)
    assert [(event["from"], event["to"]) for event in story] == [("ready", "draining"), ("draining", "drained")]
    assert story[0]["reason"] == "a new disk"
    assert server.post(f"{WORKERS}/{FIRST}/resume", "").json()["state"] == "ready"
    assert infer(server, made[0], shoal_worker=FIRST).status == 200


def test_the_server_is_not_ready_when_all_are_drained(server, seed):
    for slot in (FIRST, SECOND):
        server.post(f"{WORKERS}/{slot}/drain", "")
    answer = server.get("/v2/health/ready")
    assert answer.status == 503 and "drained" in answer.json()["error"], answer
    refused = infer(server, rows(seed, 1, 8)[0])
    assert refused.status == 503 and refused.json()["code"] == "UNAVAILABLE", refused


def test_recycling_waits_for_the_work_and_replaces_the_browser(server, seed):
    before, after = server.workers()[FIRST]["browser"], last(server)
    made = rows(seed, 20, tokens_that_take(server, 0.06, seed))
    load = Load(server, made).start(waiting=8)
    assert server.post(f"{WORKERS}/{FIRST}/recycle", {"reason": "old"}).status == 200
    outcomes = load.join()
    assert all(outcome.ok and outcome.attempts == 1 for outcome in outcomes), outcomes
    eventually("another browser is there", 20,
               lambda: server.workers().get(FIRST, {}).get("browser", before) != before and state(server, FIRST) == "ready")
    assert worker(server, FIRST)["reason"] == "old"
    story = [event["to"] for event in events(server, after, FIRST) if event["to"] != "connecting"]
    assert story == ["losing", "launching", "ready"], story


def test_a_killed_worker_comes_back_and_its_events_say_why(server, seed):
    after, before = last(server), server.scrape()
    made = rows(seed, 20, tokens_that_take(server, 0.06, seed))
    load = Load(server, made).start(waiting=8)
    assert server.post(f"{WORKERS}/{FIRST}/kill", "").status == 200
    assert all(outcome.ok for outcome in load.join())
    eventually("it is back", 20, lambda: [event for event in events(server, after, FIRST) if event["outage_ms"]])
    story = events(server, after, FIRST)
    assert [event["to"] for event in story if event["to"] not in ("connecting", "resuming")] == ["losing", "launching", "ready"]
    lost = next(event for event in story if event["to"] == "losing")
    assert lost["loss"] in ("crashed", "driver") and lost["reason"]
    assert all(one["to"] == other["from"] for one, other in zip(story, story[1:], strict=False)), "no state is left out"
    assert 0 < story[-1]["outage_ms"] < 20_000
    recovered = server.scrape().value("shoal_worker_recoveries_total") - before.value("shoal_worker_recoveries_total")
    assert recovered == 1
    assert server.scrape().value("shoal_worker_launch_seconds_count", kind="headless_shell") >= 3


def test_unknown_slots_and_strangers_are_refused(server):
    answer = server.post(f"{WORKERS}/headless_shell/9/kill", "")
    assert answer.status == 404 and "headless_shell/9" in answer.json()["error"]
    assert server.post(f"{WORKERS}/{FIRST}/kill", "", Origin="http://evil.example").status == 403
    assert server.get(WORKERS, Host="evil.example").status == 403
    assert state(server, FIRST) == "ready"


def test_the_command_line(server):
    text = shoal(server)
    assert text.splitlines()[0].split()[:3] == ["WORKER", "STATE", "TIER"]
    assert [line.split()[:4] for line in text.splitlines()[1:]] == [[slot, "ready", "trusted", "wasm"] for slot in (FIRST, SECOND)]
    assert shoal(server, "list") .splitlines()[0] == text.splitlines()[0]
    assert json.loads(shoal(server, "--json"))["workers"][0]["slot"] == FIRST
    assert "GFLOP/s" in shoal(server, "inspect", FIRST)
    assert shoal(server, "drain", FIRST, "--reason", "lunch").startswith(f"{FIRST} is drain")
    assert shoal(server, "resume", FIRST) == f"{FIRST} is ready\n"
    assert json.loads(shoal(server, "inspect", FIRST, "--json"))["state"] == "ready"
    assert "lunch" in shoal(server, "events")
    assert "no worker 'nobody/0'" in shoal(server, "inspect", "nobody/0", status=1)


def test_events_are_followed(server):
    with subprocess.Popen([str(binary()), "workers", "--server", f"http://{server.http}", "events", "--follow", "--after",
                           str(last(server))], stdout=subprocess.PIPE, text=True, env=environment(server.folder)) as follower:
        try:
            os.set_blocking(follower.stdout.fileno(), True)
            server.post(f"{WORKERS}/{SECOND}/drain", {"reason": "followed"})
            assert "ready -> draining" in follower.stdout.readline()
            assert "draining -> drained" in follower.stdout.readline()
        finally:
            follower.terminate()


def test_no_server_is_said(tmp_path):
    done = subprocess.run([str(binary()), "workers", "--server", "127.0.0.1:1"], capture_output=True, text=True, timeout=30,
                          env=environment(tmp_path), check=False)
    assert done.returncode == 1 and "no server answers at 127.0.0.1:1" in done.stderr, done
