"""/metrics: every family as the golden list has it, and numbers that move with what happens."""

import re
from pathlib import Path

import pytest
from support.embeddings import infer, rows
from support.http import ask
from support.server import MODEL
from support.waiting import eventually

GOLDEN = Path(__file__).resolve().parents[1] / "golden/metrics.txt"


@pytest.fixture(scope="module")
def server(launch):
    return launch().start()


def test_counters_move_by_exactly_what_was_asked(server, seed):
    labels = {"model": MODEL, "version": "1"}
    before = server.scrape()
    for row in rows(seed, 3, 16):
        assert infer(server, row).status == 200
    wrong = rows(seed, 1, 16)[0].body()
    wrong["inputs"][0]["datatype"] = "INT32"
    assert server.post(f"/v2/models/{MODEL}/infer", wrong).status == 400
    after = server.scrape()

    def moved(name, **more):
        return after.value(name, **more) - before.value(name, **more)

    for name in ("nv_inference_request_success", "nv_inference_count", "nv_inference_exec_count"):
        assert moved(name, **labels) == 3, name
    total = moved("nv_inference_request_duration_us", **labels)
    compute = moved("nv_inference_compute_infer_duration_us", **labels)
    queue = moved("nv_inference_queue_duration_us", **labels)
    assert 0 < compute < total
    assert 0 <= queue < total
    assert moved("shoal_request_duration_seconds_count", model=MODEL, backend="wasm") == 3
    assert moved("shoal_request_compute_seconds_sum", model=MODEL, backend="wasm") == pytest.approx(compute / 1e6, rel=0.01)
    assert moved("shoal_http_responses_total", route="kserve", status="200") == 3
    assert moved("shoal_http_responses_total", route="kserve", status="400") == 1
    assert moved("shoal_websocket_sent_bytes_total") > 3 * 16 * 8
    assert moved("shoal_websocket_received_bytes_total") > 3 * 16 * 384 * 4
    assert after.value("nv_inference_pending_request_count", **labels) == 0


def test_histograms_are_whole(server):
    scrape = server.scrape()
    for name in ("duration", "queue", "compute", "overhead"):
        buckets = [value for sample, _, value in scrape.samples if sample == f"shoal_request_{name}_seconds_bucket"]
        assert len(buckets) > 10
        assert buckets == sorted(buckets)
        assert buckets[-1] == scrape.value(f"shoal_request_{name}_seconds_count") > 0


def test_every_family_is_in_the_golden_list(server, seed):
    infer(server, rows(seed, 1, 8)[0])
    golden = {}
    for line in GOLDEN.read_text().splitlines():
        if line and not line.startswith("#"):
            name, kind, *labels = line.split()
            golden[name] = (kind, set(labels[0].split(",")) if labels else set())
    scrape = server.scrape()
    for name, kind in scrape.types.items():
        assert name in golden, f"{name} is not in {GOLDEN.name}"
        assert kind == golden[name][0], name
        assert scrape.helps.get(name), name
    for sample, labels, _ in scrape.samples:
        assert set(labels) - {"le"} == golden[scrape.family_of(sample)][1], (sample, labels)
    # These appear with the first event of their kind.
    assert set(golden) - set(scrape.types) <= {
        "shoal_requests_redispatched_total", "shoal_auth_refusals_total", "shoal_quarantine_refusals_total", "shoal_spot_checks_total",
        "shoal_worker_recoveries_total", "shoal_worker_recovery_seconds", "shoal_prompt_tokens_total", "shoal_cached_prompt_tokens_total",
        "shoal_generated_tokens_total", "shoal_time_to_first_token_seconds", "shoal_time_per_output_token_seconds", "shoal_decode_rows"}


def test_names_from_clients_never_become_labels(server):
    name = "planted-label-7f3a"
    assert server.post(f"/v2/models/{name}/infer", {"inputs": []}).status == 404
    assert server.get(f"/{name}").status == 404
    assert server.post("/v1/embeddings", {"model": name, "input": "x"}).status == 404
    assert name not in server.scrape().text


def test_workers_are_counted_by_state_and_backend(server):
    scrape = eventually("both workers are ready", 30,
                        lambda: (s := server.scrape()).value("shoal_workers", state="ready") == 2 and s)
    assert scrape.value("shoal_workers") == 2
    assert {backend: scrape.value("shoal_workers_by_backend", backend=backend) for backend in ("wasm", "webgpu", "webnn")} == {
        "wasm": 1, "webgpu": 1, "webnn": 1}
    # A browser with a model in it takes more than 50 MiB: the sum of its process tree, not of one process.
    eventually("its memory is measured", 15,
               lambda: server.scrape().value("shoal_worker_memory_bytes", worker="headless_shell/0") > 50 << 20)


def test_the_metrics_port_answers_nothing_else(server):
    assert ask(server.metrics, "GET", "/v2/health/live").status == 404
    assert ask(server.metrics, "POST", "/metrics", b"").status == 405


def test_the_server_itself_stays_small(server, seed):
    """At most 60 MiB resident when idle, after work; the number is the kernel's and the server's own."""
    for row in rows(seed, 20, 64):
        assert infer(server, row).status == 200

    def idle():
        status = Path(f"/proc/{server.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    resident = idle()
    reported = server.scrape().value("shoal_process_resident_memory_bytes")
    print(f"server RSS: {resident / 2**20:.1f} MiB")
    assert abs(reported - resident) < 8 << 20
    assert resident <= 60 << 20, f"{resident / 2**20:.1f} MiB"
