"""One browser at a time has the accelerators of this machine; another one takes them when it has gone for good."""

from support.embeddings import infer, rows
from support.load import Load
from support.waiting import eventually

WORKERS = "/admin/v1/workers"
FIRST, SECOND = "headless_shell/0", "headless_shell/1"


def workers(server):
    return {worker["slot"]: worker for worker in server.get(WORKERS).json()["workers"]}


def who_has(server, backend):
    return [slot for slot, worker in workers(server).items() if backend in worker.get("backends", [])]


def test_the_next_one_takes_what_nobody_has_any_more(launch, seed):
    server = launch(pool__browsers="kind=headless_shell,count=1,max=2,backends=wasm+webgpu,threads=1", pool__accelerator_lease="exclusive",
                    pool__scale_down_idle="1h").start()
    assert who_has(server, "webgpu") == [FIRST]
    row = rows(seed, 1, 96)[0]
    # Requests for the second one wake it, and while it has work the first one is the one too many.
    loads = [Load(server, rows(seed, 30, 96), seconds=120, demand={"shoal_worker": SECOND, "shoal_backend": "wasm"}) for _ in range(2)]
    for load in loads:
        load.start(waiting=1)
    eventually("the second one is there, without", 60,
               lambda: workers(server)[SECOND].get("why_not", {}).get("webgpu") == f"leased to {FIRST}")
    eventually("the first one sleeps", 60, lambda: workers(server)[FIRST]["state"] == "dormant")
    eventually("the second one has webgpu", 90, lambda: who_has(server, "webgpu") == [SECOND])
    assert all(outcome.ok for load in loads for outcome in load.join())
    assert infer(server, row, seconds=60, shoal_backend="webgpu").json()["parameters"]["shoal_worker"] == SECOND
    reasons = [event["reason"] for event in server.get("/admin/v1/events").json()["events"] if event["slot"] == SECOND]
    assert "takes webgpu, which no browser has any more" in reasons


def test_the_others_say_why_they_have_none(launch, seed):
    server = launch(pool__browsers="kind=headless_shell,count=2,backends=wasm+webgpu,threads=1",
                    pool__accelerator_lease="exclusive").start()
    eventually("both are ready", 60, lambda: all(worker["state"] == "ready" for worker in workers(server).values()))
    holder, = who_has(server, "webgpu")
    other = FIRST if holder == SECOND else SECOND
    assert workers(server)[other]["why_not"]["webgpu"] == f"leased to {holder}"
    refused = infer(server, rows(seed, 1, 8)[0], shoal_backend="webgpu", shoal_worker=other)
    assert refused.json()["code"] == "BACKEND_UNAVAILABLE", refused
    assert f"leased to {holder}" in refused.json()["error"]
    server.post(f"{WORKERS}/{holder}/kill", "")
    eventually("who was lost has it again", 60, lambda: who_has(server, "webgpu") == [holder])
