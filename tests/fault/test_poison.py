"""A request whose workers die on each dispatch: answered, then refused; nobody who only ran beside it is."""

import json
import threading

from support.embeddings import infer, rows, tokens_that_take
from support.server import MODEL
from support.waiting import eventually

SLOT = "headless_shell/0"


def in_flight(server):
    worker = json.loads(server.get("/admin/v1/workers/" + SLOT).body)
    return sum(int(instance.get("in_flight", 0)) for instance in worker.get("instances", []))


def kill_whenever_it_runs(server, stop):
    """SIGKILL to the worker's processes each time that it is given something."""
    while not stop.is_set():
        if in_flight(server) > 0:
            server.post(f"/admin/v1/workers/{SLOT}/kill", {})
        stop.wait(0.005)


def listed(server):
    return json.loads(server.get("/admin/v1/poison").body).get("poison", [])


def test_a_request_that_kills_its_workers_is_quarantined(launch, seed):
    server = launch(
        pool__browsers="kind=headless_shell,backends=wasm,threads=1", schedule__max_attempts="2", schedule__poison_expiry="60s",
    ).start()
    long = tokens_that_take(server, 1.0, seed)
    deadly, innocent = rows(seed, 2, long)
    stop = threading.Event()
    killer = threading.Thread(target=kill_whenever_it_runs, args=(server, stop), daemon=True)
    killer.start()
    try:
        answer = infer(server, deadly, 60)
    finally:
        stop.set()
        killer.join()
    assert answer.status == 503, answer
    assert answer.json()["code"] == "WORKER_LOST", answer
    assert "the worker was lost on each of 2 attempts" in answer.json()["error"]
    assert "quarantined" in answer.json()["error"]
    assert len(server.events("worker_lost")) == 2

    # The same again is refused at once, and takes nobody down.
    server.wait_ready()
    refused = infer(server, deadly, 60)
    assert refused.status == 503, refused
    assert "this request is quarantined for" in refused.json()["error"]
    assert len(server.events("worker_lost")) == 2
    assert infer(server, innocent, 60).status == 200
    assert server.get("/v2/health/ready").status == 200

    (entry,) = listed(server)
    assert (entry["model"], entry["losses"], entry["refused"]) == (MODEL, 2, 1)
    assert entry["fingerprint"] in refused.json()["error"]
    assert server.scrape().value("shoal_requests_quarantined") == 1
    assert server.scrape().value("shoal_quarantine_refusals_total", model=MODEL) == 1

    # An operator lets it try again; now nobody kills, so it is answered, and not suspected any more.
    assert server.ask("DELETE", "/admin/v1/poison/" + "0" * 64).status == 404
    assert server.ask("DELETE", "/admin/v1/poison/" + entry["fingerprint"]).json() == {"cleared": 1}
    assert infer(server, deadly, 60).status == 200
    assert listed(server) == []
    eventually("nothing is quarantined", 5, lambda: server.scrape().value("shoal_requests_quarantined") == 0)
