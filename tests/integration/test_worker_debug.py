"""`shoal workers debug`: what an agent tells of itself, with the real binary and a real browser."""

import json
import subprocess
import threading

import pytest
from support.embeddings import infer, rows
from support.server import binary, environment
from support.waiting import eventually

SLOT = "headless_shell/0"
DEBUG = f"/admin/v1/workers/{SLOT}/debug"


@pytest.fixture(scope="module")
def server(launch):
    return launch(pool__browsers="kind=headless_shell,backends=wasm+webgpu,threads=1", models__warm_up="none").start()


@pytest.fixture(scope="module")
def row(server, seed):
    made = rows(seed, 1, 8)[0]
    for backend in ("wasm", "webgpu"):
        assert infer(server, made, 60, shoal_backend=backend).status == 200
    return made


def ask(server, **what):
    answer = server.post(DEBUG, what)
    assert answer.status == 200, answer
    return answer.json()


def test_operations_are_traced_only_when_asked(server, row):
    assert ask(server, operations=True)["report"]["operations"] == [], "off"
    ask(server, trace_ms=30_000)
    for _ in range(3):
        assert infer(server, row, shoal_backend="wasm").status == 200
    assert infer(server, row, shoal_backend="webgpu").status == 200
    traced = ask(server, operations=True)["report"]["operations"]
    assert [(found["backend"], found["kind"]) for found in traced if found["backend"] == "wasm"] == [("wasm", "run")] * 3
    assert [found["kind"] for found in traced if found["backend"] == "webgpu"] == ["run"]
    for found in traced:
        assert 0 < found["compute_us"] <= found["total_us"], found
        assert found["input_bytes"] >= 3 * 8 * 8 and found["output_bytes"] == 8 * 384 * 4, found
        assert "all-minilm" in found["instance"] and found["error"] == ""
    ask(server, trace_ms=0)
    infer(server, row, shoal_backend="wasm")
    assert ask(server, operations=True)["report"]["operations"] == []


def test_shaders_have_text_and_say_so_when_there_are_none(server, row):
    report = ask(server, shaders=True)["report"]
    assert report["shaders"], report["notes"]
    assert all(shader["backend"] == "webgpu" and "fn " in shader["text"] for shader in report["shaders"])
    assert any(shader["entry_point"] for shader in report["shaders"]), "of pipelines"
    assert any("wasm: the engine gave no shader" in note for note in report["notes"])


def test_errors_are_kept_with_their_time(server, row):
    refused = infer(server, row, 0.001, shoal_backend="webgpu")
    assert refused.status != 200
    kept = ask(server, errors=True)["report"]["errors"]
    assert isinstance(kept, list)
    for error in kept:
        assert error["unix_ms"] > 1_700_000_000_000 and error["message"] and error["code"], error


def test_the_memory_curve_grows_with_the_heartbeats(server, row):
    curve = eventually("three samples", 15, lambda: len(found := ask(server, memory=True)["memory"]) >= 3 and found)
    times = [sample["unix_ms"] for sample in curve]
    assert times == sorted(times) and len(curve) <= 600
    assert curve[-1]["memory"]["wasm_bytes"] > 1 << 20 and curve[-1]["memory"]["gpu_bytes"] > 0


def test_the_command_line(server, row):
    def shoal(*words):
        done = subprocess.run([str(binary()), "workers", "--server", f"http://{server.http}", "debug", SLOT, *words],
                              capture_output=True, text=True, timeout=60, env=environment(server.folder), check=False)
        assert done.returncode == 0, done
        return done.stdout

    later = threading.Timer(0.5, lambda: infer(server, row, shoal_backend="wasm"))
    later.start()
    assert "COMPUTE" in shoal("--ops", "--trace", "3")
    later.join()
    assert "PROCESSES" in shoal()
    assert json.loads(shoal("--shaders", "--json"))["report"]["shaders"]


def test_an_unknown_worker_is_refused(server):
    assert server.post("/admin/v1/workers/nobody/0/debug", {}).status == 404
