"""Browsers that have served long enough are replaced under load, one at a time, and nobody notices."""

from support.embeddings import rows
from support.load import Load, references
from support.server import MODEL
from support.waiting import eventually


def test_recycling_under_load_loses_nothing(launch, seed):
    # Joined, so many requests would be a handful of runs.
    server = launch(pool__browsers="kind=headless_shell,count=2,backends=wasm,threads=1", pool__recycle_runs="40",
                    schedule__dynamic_batching="false").start()
    made = rows(seed, 60, 16)
    answers = references(server, made)
    for _ in range(3):
        outcomes = Load(server, made, 60).start(waiting=1).join()
        assert all(outcome.ok for outcome in outcomes), [outcome.answer for outcome in outcomes if not outcome.ok]
    assert len(answers) == len(made)
    eventually("a browser was replaced", 10, lambda: server.events("worker_lost"))
    assert all("worn: " in event["what"] for event in server.events("worker_lost")), server.events("worker_lost")
    assert server.events("request_redispatched") == [], "work is never on a browser that is replaced on purpose"
    eventually("the pool is whole", 30, lambda: server.ready_workers() == 2)


def test_browsers_that_take_what_they_may_together_are_said_to_and_get_no_company(launch, seed):
    server = launch(pool__browsers="kind=headless_shell,min=1,max=2,backends=wasm,threads=1", pool__total_memory="64MiB",
                    pool__memory_budget="1GiB", pool__scale_up_queue="0", pool__scale_up_after="100ms",
                    schedule__dynamic_batching="false").start()
    eventually("the pool is pressed", 30, lambda: [
        event for event in server.events("slot_state") if event["slot"] == "pool" and event["to"] == "pressed"])
    scrape = server.scrape()
    assert scrape.value("shoal_pool_memory_limit_bytes") == 64 << 20
    assert scrape.value("shoal_pool_memory_bytes") > 0.9 * (64 << 20)
    outcomes = Load(server, rows(seed, 60, 16), 60).start(waiting=5).join()
    assert all(outcome.ok for outcome in outcomes), [outcome.answer for outcome in outcomes if not outcome.ok]
    assert server.scrape().value("shoal_workers_wanted", kind="headless_shell") == 1, "a queue that asks for more"


def test_a_model_beyond_the_budget_is_a_typed_error(launch, seed):
    server = launch(pool__browsers="kind=headless_shell,backends=wasm", pool__memory_budget="1MiB").listen()
    eventually("the browser is there", 30, lambda: server.events("worker_ready"))
    eventually("the repository is read", 30, lambda: server.get(f"/v2/models/{MODEL}").status == 200)
    answer = server.post("/v1/embeddings", {"model": "all-minilm-l6-v2", "input": "too big"})
    assert answer.status == 507, answer
    assert answer.json()["error"]["code"] == "resource_limit", answer
    assert "pool.memory_budget" in str(answer.json()), answer
