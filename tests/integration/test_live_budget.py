"""A worker's memory budget changed while it serves: idle graphs go, its successor has the new one too."""

import json

from support.embeddings import infer, rows
from support.waiting import eventually

SLOT = "headless_shell/0"


def test_a_lowered_budget_evicts_and_stays_with_the_worker(launch, seed):
    server = launch(pool__browsers="kind=headless_shell,backends=wasm,threads=1").start()
    row = rows(seed, 1, 16)[0]
    assert infer(server, row).status == 200
    path = f"/admin/v1/workers/{SLOT}"
    assert int(server.get(path).json()["resident_bytes"]) > 1 << 20

    refused = server.ask("PUT", path + "/budget", {"bytes": 1000})
    assert refused.status == 400, refused
    assert refused.json()["code"] == "INVALID_ARGUMENT"
    assert server.ask("PUT", "/admin/v1/workers/nobody/7/budget", {"bytes": 1 << 30}).status == 404

    changed = server.ask("PUT", path + "/budget", {"bytes": 1 << 20})
    assert changed.status == 200, changed
    assert changed.json()["budget_bytes"] == 1 << 20
    assert not changed.json().get("resident_bytes")
    events = json.loads(server.get("/admin/v1/events").body)["events"]
    assert {event["reason"] for event in events if event.get("to") == "unloaded"} == {"the worker's memory budget was lowered"}
    too_big = infer(server, row)
    assert too_big.status == 507, too_big
    assert too_big.json()["code"] == "RESOURCE_LIMIT"

    ready = len(server.events("worker_ready"))
    assert server.post(path + "/recycle", {"force": True}).status == 200
    server.wait_event("worker_ready", 30, after=ready, slot=SLOT)
    assert server.get(path).json()["budget_bytes"] == 1 << 20
    assert infer(server, row).status == 507

    assert server.ask("PUT", path + "/budget", {"bytes": 4 << 30}).status == 200
    eventually("it serves again", 30, lambda: infer(server, row).status == 200)
