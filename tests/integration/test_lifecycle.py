"""From start to end: what the server says while it comes up and goes down, and that it leaves nothing behind."""

import http.client
import json
import signal
import socket
import subprocess
import threading
import time

import pytest
from support.embeddings import infer, rows, states
from support.machine import slowdown
from support.processes import kill_hard
from support.server import AGENT, MODEL, ROOT, binary, environment
from support.waiting import eventually


def test_the_listener_is_up_while_models_load(launch, seed):
    server = launch().listen()
    live, ready = server.get("/v2/health/live"), server.get("/v2/health/ready")
    assert live.status == 200
    assert ready.status == 503
    assert ready.headers["content-type"] == "application/json"
    assert ready.json()["ready"] is False
    assert ready.json()["code"] == "UNAVAILABLE"
    assert len(ready.json()["error"]) > 10, "a reason that says something"
    # Work is accepted as soon as the model is known, and waits for the browser.
    eventually("the model is known", 10, lambda: server.get(f"/v2/models/{MODEL}").status == 200)
    answer = infer(server, rows(seed, 1, 8)[0])
    assert answer.status == 200, answer
    assert states(answer).shape == (8, 384)
    server.wait_ready()
    assert server.get("/v2/health/ready").json() == {"ready": True}
    assert server.get(f"/v2/models/{MODEL}/ready").status == 200


def test_sigterm_drains(launch, seed):
    server = launch(pool__browsers="kind=headless_shell,backends=wasm").start()
    answers = []

    def request(row):
        answers.append((infer(server, row), time.monotonic()))

    threads = [threading.Thread(target=request, args=(row,)) for row in rows(seed, 12, 128)]
    for thread in threads:
        thread.start()
    eventually("most requests wait", 10,
               lambda: server.scrape().value("nv_inference_pending_request_count", model=MODEL) >= 8)
    server.signal(signal.SIGTERM)
    server.wait_event("draining", 5)
    ready = server.get("/v2/health/ready")
    dropped = time.monotonic()
    refused = infer(server, rows(seed + 1, 1, 8)[0])
    for thread in threads:
        thread.join(60)
    assert ready.status == 503
    assert "shutting down" in ready.json()["error"]
    assert refused.status == 503
    assert refused.json()["code"] == "UNAVAILABLE"
    # One that came to the server after the signal is refused; nothing that it had taken is lost.
    assert {answer.status for answer, _ in answers} <= {200, 503}
    assert all(answer.json()["code"] == "UNAVAILABLE" for answer, _ in answers if answer.status == 503)
    assert len(answers) == 12 and sum(answer.status == 200 for answer, _ in answers) >= 8
    assert max(at for _, at in answers) > dropped, "readiness dropped only after the work was done"
    assert server.wait_exit(15) == 0
    assert server.processes() == []


def test_a_second_signal_ends_it_now(launch, seed):
    server = launch(pool__browsers="kind=headless_shell,backends=wasm").start()
    outcomes = []

    def request(row):
        try:
            outcomes.append(infer(server, row).status)
        except (OSError, http.client.HTTPException) as cut:
            outcomes.append(type(cut).__name__)

    threads = [threading.Thread(target=request, args=(row,)) for row in rows(seed, 24, 256)]
    for thread in threads:
        thread.start()
    eventually("most requests wait", 10,
               lambda: server.scrape().value("nv_inference_pending_request_count", model=MODEL) >= 16)
    server.signal(signal.SIGTERM)
    server.wait_event("draining", 5)
    server.signal(signal.SIGTERM)
    before = time.monotonic()
    status = server.wait_exit(5)
    took = time.monotonic() - before
    for thread in threads:
        thread.join(60)
    assert status != 0
    assert took < 1, f"{took:.2f} s"
    assert len(outcomes) == 24, "every client has learnt of it"
    server.wait_gone(5)


def test_kill_9_of_the_server_leaves_no_process_and_no_profile(launch):
    server = launch().start()
    roles = {found.role for found in server.processes()}
    assert {"supervisor", "driver", "browser", "renderer"} <= roles, roles
    profiles = list((server.folder / "profiles").iterdir())
    assert profiles
    kill_hard(server.pid)
    server.wait_exit(5)
    server.wait_gone(5)
    eventually("the profiles are deleted", 5, lambda: not any(profile.exists() for profile in profiles))


def test_a_second_start_is_quick_and_the_first_leaves_no_profile(launch, tmp_path):
    times = []
    for _ in range(2):
        server = launch(tmp_path / "home", pool__browsers="kind=headless_shell,backends=wasm").start()
        times.append(time.monotonic() - server.started)
        server.stop()
        assert list((server.folder / "profiles").iterdir()) == []
    print(f"start to ready: first {times[0]:.2f} s, second {times[1]:.2f} s")
    assert times[1] < 10 * slowdown()


SITE = {"SHOAL_AGENT_DIR": str(AGENT)}


def refusal(folder, *flags, config=None, **variables):
    """Exit status and what it says of a serve that must not start."""
    if config is not None:
        (folder / "shoal.yaml").write_text(config)
    ended = subprocess.run([str(binary()), "serve", *flags], cwd=folder, env=environment(folder) | SITE | variables,
                           capture_output=True, timeout=20, text=True, stdin=subprocess.DEVNULL)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(
    ("says", "flags", "config", "variables"),
    [
        (["--server-http-port", "65535"], ["--server-http-port=70000"], None, {}),
        (["SHOAL_SERVER_DRAIN_TIMEOUT", "30s"], [], None, {"SHOAL_SERVER_DRAIN_TIMEOUT": "soon"}),
        (["server.htp_port", "shoal.yaml"], [], "server:\n  htp_port: 1\n", {}),
        (["shoal.yaml"], [], "server: [\n", {}),
        (["absent.yaml"], ["--config=absent.yaml"], None, {}),
        (["server.host", "server.insecure"], ["--server-host=0.0.0.0"], None, {}),
        (["pool.browsers", "backends"], ["--pool-browsers=kind=headless_shell,backends=cuda"], None, {}),
        (["netscape", "headless_shell"], ["--pool-browsers=kind=netscape"], None, {}),
        (["--log-level", "debug, info, warn, error"], ["--log-level=loud"], None, {}),
        (["--no-such-flag"], ["--no-such-flag"], None, {}),
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path, says, flags, config, variables):
    status, text = refusal(tmp_path, *flags, config=config, **variables)
    assert status == 2, text
    for words in says:
        assert words in text, text
    assert "listening" not in text, "refused before anything is started"


@pytest.mark.parametrize("port", ["http", "grpc", "metrics"])
def test_a_port_in_use_is_said(tmp_path, port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        ports = {name: 0 for name in ("http", "grpc", "metrics")} | {port: number}
        flags = [f"--models-repository={tmp_path}", *(f"--server-{name}-port={value}" for name, value in ports.items())]
        status, text = refusal(tmp_path, *flags)
    assert status == 1, text
    assert str(number) in text.splitlines()[-1], text


@pytest.mark.parametrize("flag", ["--pool-headless-shell", "--pool-chromedriver", "--models-repository", "--agent-dir"])
def test_what_is_missing_is_said(tmp_path, flag):
    absent = tmp_path / "absent"
    status, text = refusal(tmp_path, "--server-http-port=0", "--server-grpc-port=0", "--server-metrics-port=0",
                           f"--models-repository={tmp_path}", f"{flag}={absent}")
    assert status in (1, 2), text
    assert str(absent) in text.splitlines()[-1], text


def test_a_killed_server_starts_again_on_the_same_state(launch, tmp_path, seed):
    """The lock-like leftovers of a profile (SingletonLock, half a cache) must not keep the next browser from starting."""
    first = launch(tmp_path / "home").start()
    left = {found.pid for found in first.processes()}
    kill_hard(first.pid)
    first.wait_exit(5)
    second = launch(tmp_path / "home").start()
    assert infer(second, rows(seed, 1, 8)[0]).status == 200
    assert first.marker != second.marker
    assert not [found for found in second.processes() if found.pid in left], "the first server's browsers still run"


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_run_script_reads_where_the_server_listens(launch, form):
    server = launch(pool__browsers="kind=headless_shell,backends=wasm,threads=1", models__warm_up="none").listen()
    line = next(line for line in server.log_path.read_text().splitlines() if '"listening"' in line)
    event = json.loads(line)
    log = server.folder / f"ports-{form}.log"
    fields = [(name, f'"{value}"' if isinstance(value, str) else value) for name, value in event.items()]
    words = " ".join(f"{name}={value}" for name, value in fields if name not in ("time", "level", "event"))
    log.write_text(line if form == "json" else f"2026-11-21T10:00:00.000Z info  listening {words}")
    (field,) = [line for line in (ROOT / "run").read_text().splitlines() if line.startswith("field()")]
    for name in ("http", "grpc", "metrics"):
        script = f'log="{log}"\n{field}\nfield {name}'
        found = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=10)
        assert found.stdout.strip() == str(event[name]), (name, line)
