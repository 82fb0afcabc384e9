"""Stock clients of Node.js, unmodified: OpenAI's, and gRPC's for health. What they need is in tests/clients."""

import json
import signal
import subprocess

import pytest
from support.echo_models import echo_model
from support.server import MODEL, ROOT, binary, environment
from support.waiting import eventually

CLIENTS = ROOT / "tests/clients"


def node(script, *words, timeout=120):
    done = subprocess.run(["node", str(CLIENTS / script), *words], capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def told(endpoints):
    return json.loads(node("openai.mjs", f"http://{endpoints.http}/v1", "unused", MODEL))


def test_models_and_embeddings(told):
    assert MODEL in told["names"]
    assert told["retrieved"] == MODEL
    assert told["count"] == 2 and told["width"] == 384 and told["tokens"] > 4
    assert told["difference"] < 2e-3, "base64, which the client asks for by itself, is the same vector"


@pytest.mark.parametrize(("case", "kind", "status", "param"), [
    ("unknown_model", "NotFoundError", 404, None), ("unknown_name", "NotFoundError", 404, None),
    ("empty", "BadRequestError", 400, "input"), ("wrong_dimensions", "BadRequestError", 400, "dimensions"),
    ("no_such_route", "NotFoundError", 404, None)])
def test_errors_are_the_clients_own_classes(told, case, kind, status, param):
    failure = told["failures"][case]
    assert failure["is_openai"]
    assert (failure["kind"], failure["status"]) == (kind, status)
    assert failure["type"] == "invalid_request_error"
    assert param is None or failure["param"] == param
    if case.startswith("unknown"):
        assert failure["code"] == "model_not_found"


def key_of(folder, *words):
    command = [str(binary()), "keys", "create", "node", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment(folder), check=True).stdout.strip()


def test_429_is_tried_again_after_the_time_that_it_names(launch, tmp_path):
    key = key_of(tmp_path, "--rate", "0.001", "--burst", "1")
    (tmp_path / "models").mkdir()
    server = launch(folder=tmp_path, auth__enabled="true", echo__workers="1", pool__browsers="none",
                    models__repository=str(tmp_path / "models")).listen()
    assert server.get("/v1/models", Authorization=f"Bearer {key}").status == 200, "which is all that it may"
    told = json.loads(node("openai.mjs", f"http://{server.http}/v1", key))
    for failure in (told["once"], told["again"]):
        assert (failure["kind"], failure["status"], failure["code"]) == ("RateLimitError", 429, "rate_limit_exceeded")
    assert told["requests"] == 2
    assert told["waited_ms"] >= 900, "Retry-After is 1"


def test_the_health_client(launch, tmp_path):
    echo_model(tmp_path / "models", "echo")
    server = launch(folder=tmp_path, echo__workers="1", pool__browsers="none", models__repository=str(tmp_path / "models")).start()
    assert node("health.mjs", server.grpc, "").strip() == "SERVING"
    assert node("health.mjs", server.grpc, "inference.GRPCInferenceService").strip() == "SERVING"
    assert node("health.mjs", server.grpc, "nobody.Service").strip() == "NOT_FOUND"
    watch = subprocess.Popen(["node", str(CLIENTS / "health.mjs"), server.grpc, "", "watch"], stdout=subprocess.PIPE, text=True)
    try:
        assert watch.stdout.readline().strip() == "SERVING"
        assert server.post("/admin/v1/drain", {"reason": "a test"}).status == 200
        assert watch.stdout.readline().strip() == "NOT_SERVING"
        assert node("health.mjs", server.grpc, "").strip() == "NOT_SERVING"
        assert server.post("/admin/v1/resume", {}).status == 200
        assert watch.stdout.readline().strip() == "SERVING"
        server.signal(signal.SIGTERM)
        assert watch.stdout.readline().strip() == "NOT_SERVING"
        assert server.wait_exit(30) == 0
        eventually("the watch has ended", 20, lambda: watch.poll() is not None)
    finally:
        watch.kill()
        watch.wait()
