"""What operators do to the server as a whole: its settings read again, drained and resumed. With the echo backend."""

import signal
import subprocess
import threading
import time

import grpc
import pytest
import tritonclient.grpc as triton_grpc
from support.admin_grpc import server_admin
from support.echo_models import delay, echo_model
from support.server import binary, environment
from support.waiting import eventually

TENSOR = {"name": "INPUT0", "datatype": "FP32", "shape": [2], "data": [1.5, -2]}
INFER = {"inputs": [TENSOR]}


@pytest.fixture
def made(launch, tmp_path):
    """made(yaml, **settings): a server with an echo model, a slow one, and that shoal.yaml."""
    echo_model(tmp_path / "models", "echo")
    echo_model(tmp_path / "models", "slow", more=delay(700_000))

    def make(text="", **settings):
        (tmp_path / "shoal.yaml").write_text(text)
        return launch(folder=tmp_path, pool__browsers="none", models__repository=str(tmp_path / "models"), echo__workers="1",
                      **settings).start()

    return make


def shoal(server, *words, status=0):
    done = subprocess.run([str(binary()), *words, "--server", f"http://{server.http}"], capture_output=True, text=True, timeout=30,
                          env=environment(server.folder), check=False)
    assert done.returncode == status, done
    return done.stdout if status == 0 else done.stderr


def write(server, text):
    (server.folder / "shoal.yaml").write_text(text)


def reload(server):
    answer = server.post("/admin/v1/reload", {})
    assert answer.status == 200, answer
    return answer.json()


# -- settings


def test_what_has_changed_is_named_and_holds_at_once(made):
    server = made("schedule: {max_queue: 100}\n")
    assert reload(server) == {"changed": [], "needs_restart": []}
    write(server, "schedule: {max_queue: 1}\nserver: {http_port: 1234, cors_origins: 'https://app.example'}\nlog: {level: debug}\n")
    # Flags win over the file: the port is one.
    assert reload(server) == {"changed": ["server.cors_origins", "log.level", "schedule.max_queue"], "needs_restart": []}
    assert reload(server) == {"changed": [], "needs_restart": []}, "unchanged keys say nothing"
    answer = server.get("/v2", Origin="https://app.example")
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert server.post("/v2/models/echo/infer", INFER).status == 200
    eventually("debug lines are written", 10, lambda: [event for event in server.events() if event["level"] == "debug"])
    is_over = threading.Event()

    def keep_asking() -> None:
        while not is_over.is_set():
            server.post("/v2/models/slow/infer", INFER)

    runs = [threading.Thread(target=keep_asking) for _ in range(4)]
    for run in runs:
        run.start()
    try:
        eventually("the queue of one is full", 10, lambda: server.post("/v2/models/slow/infer", INFER).status == 503)
    finally:
        is_over.set()
        for run in runs:
            run.join()


def test_what_needs_a_restart_is_named_each_time_and_in_the_log(made):
    server = made()
    write(server, "server: {cpu_threads: 5, drain_timeout: 9s}\nmodels: {control: explicit}\n")
    assert reload(server) == {"changed": ["server.drain_timeout"], "needs_restart": ["server.cpu_threads", "models.control"]}
    assert reload(server) == {"changed": [], "needs_restart": ["server.cpu_threads", "models.control"]}
    server.wait_event("setting_needs_restart", 5, setting="models.control")
    # The same value in other words is no change.
    write(server, "server: {drain_timeout: 9000ms}\n")
    assert reload(server) == {"changed": [], "needs_restart": []}
    assert shoal(server, "reload") == "nothing has changed\n"
    write(server, "server: {drain_timeout: 8s, cpu_threads: 5}\n")
    assert shoal(server, "reload") == "server.drain_timeout is changed\nserver.cpu_threads needs a restart\n"


@pytest.mark.parametrize(("text", "says"), [
    ("schedule: {max_queue: many}\nlog: {level: debug}\n", "shoal.yaml: schedule.max_queue: "),
    ("log: {level: debug}\nschedule: {queue: 3}\n", "shoal.yaml: schedule.queue: unknown key"),
    ("log: {level: debug\n", "shoal.yaml:2: "),
    ("log: {level: debug}\nserver: {cors_origins: '*'}\n", "'*' lets every web page use this server"),
    # Each alone would do, but keys are asked for only after a restart.
    ("log: {level: debug}\nserver: {cors_origins: '*'}\nauth: {enabled: true}\n", "with what takes a restart as it is"),
])
def test_a_wrong_file_changes_nothing_and_says_where(made, text, says):
    server = made("log: {level: info}\n")
    write(server, text)
    answer = server.post("/admin/v1/reload", {})
    assert answer.status == 400 and says in answer.json()["error"]
    assert says in server.wait_event("settings_not_reloaded", 5)["error"]
    assert says in shoal(server, "reload", status=2)
    assert server.post("/v2/models/echo/infer", INFER).status == 200
    write(server, "log: {level: info}\n")
    assert reload(server) == {"changed": [], "needs_restart": []}


def test_sighup_does_the_same(made):
    server = made()
    write(server, "server: {request_timeout: 300ms, cpu_threads: 5}\n")
    server.signal(signal.SIGHUP)
    assert server.wait_event("settings_reloaded", 10)["changed"] == ["server.request_timeout"]
    server.wait_event("setting_needs_restart", 10, setting="server.cpu_threads")
    assert server.post("/v2/models/slow/infer", INFER).status == 504
    write(server, "nonsense: 1\n")
    server.signal(signal.SIGHUP)
    server.wait_event("settings_not_reloaded", 10)
    assert server.running()


def test_keys_may_move(made, tmp_path):
    def key(file):
        command = [str(binary()), "keys", "create", "x", "--scopes", "infer,admin"]
        home = environment(tmp_path) | {"SHOAL_AUTH_KEYS": str(file)}
        return subprocess.run(command, capture_output=True, text=True, timeout=30, env=home, check=True).stdout.strip()

    first, second = tmp_path / "first.json", tmp_path / "second.json"
    old, new = key(first), key(second)
    (tmp_path / "shoal.yaml").write_text(f"auth: {{enabled: true, keys: {first}}}\n")
    server = made(f"auth: {{enabled: true, keys: {first}}}\n")
    assert server.get("/v2", Authorization=f"Bearer {new}").status == 401
    write(server, f"auth: {{enabled: true, keys: {tmp_path / 'none.json'}}}\n")
    refused = server.post("/admin/v1/reload", {}, Authorization=f"Bearer {old}")
    assert refused.status == 400 and "no usable key" in refused.json()["error"]
    write(server, f"auth: {{enabled: true, keys: {second}}}\n")
    assert server.post("/admin/v1/reload", {}, Authorization=f"Bearer {old}").json()["changed"] == ["auth.keys"]
    assert server.get("/v2", Authorization=f"Bearer {old}").status == 401
    assert server.get("/v2", Authorization=f"Bearer {new}").status == 200


def test_no_request_is_lost_by_it(made):
    server = made(schedule__max_queue="1000")
    statuses, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            statuses.append(server.post("/v2/models/echo/infer", INFER).status)

    clients = [threading.Thread(target=load) for _ in range(4)]
    for client in clients:
        client.start()
    for index in range(20):
        write(server, f"schedule: {{max_in_flight: {index % 4 + 1}, max_instances: {index % 3 + 2}, ageing: {index + 1}s}}\n"
                      f"pool: {{load_timeout: {index + 5}s}}\nmodels: {{warm_up: {('none', 'default', 'all')[index % 3]}}}\n")
        assert "schedule.ageing" in reload(server)["changed"] or index == 9, "10 s is the default"
    stop.set()
    for client in clients:
        client.join()
    assert len(statuses) > 50 and set(statuses) == {200}


# -- draining


def test_a_drained_server_is_not_ready_answers_what_it_has_and_comes_back(made):
    server = made()
    answers = []
    slow = threading.Thread(target=lambda: answers.append(server.post("/v2/models/slow/infer", INFER)))
    slow.start()
    eventually("it runs", 10, lambda: server.get("/admin/v1/server").json()["open_requests"] == 1)
    drained = server.post("/admin/v1/drain", {"reason": "a new kernel"}).json()
    assert drained["state"] == "draining" and drained["reason"] == "drained by an operator: a new kernel"
    ready = server.get("/v2/health/ready")
    assert ready.status == 503 and ready.json()["error"] == "drained by an operator: a new kernel" and not ready.json()["ready"]
    assert server.live()
    refused = server.post("/v2/models/echo/infer", INFER)
    assert refused.status == 503 and "a new kernel" in refused.json()["error"] and refused.headers["retry-after"]
    assert server.get("/v2/models/echo/ready").status == 503
    remote = triton_grpc.InferenceServerClient(server.grpc)
    assert not remote.is_server_ready() and not remote.is_model_ready("echo") and remote.is_server_live()
    index = server.post("/v2/repository/index", {}).json()
    assert {(model["name"], model["state"]) for model in index} == {("echo", "UNAVAILABLE"), ("slow", "UNAVAILABLE")}
    slow.join()
    assert answers[0].status == 200, "what was accepted is answered"
    assert server.get("/admin/v1/server").json()["state"] == "drained"
    assert shoal(server, "resume") == "serving; 0 requests in hand\n"
    assert server.get("/v2/health/ready").status == 200
    assert server.post("/v2/models/echo/infer", INFER).status == 200


def test_requests_are_taken_for_the_grace(made):
    server = made("server: {drain_grace: 1h}\n")
    state = server.post("/admin/v1/drain", {}).json()
    assert state["state"] == "leaving" and 3_500_000 < state["grace_left_ms"] <= 3_600_000
    assert server.get("/v2/health/ready").status == 503
    assert server.post("/v2/models/echo/infer", INFER).status == 200
    assert server.get("/v2/models/echo/ready").status == 200, "it takes requests still"
    began = time.monotonic()
    assert "leaving, drained by an operator: soon; 0 requests" in shoal(server, "drain", "--reason", "soon", "--grace", "500ms")
    eventually("it takes none", 20, lambda: server.post("/v2/models/echo/infer", INFER).status == 503)
    assert time.monotonic() - began >= 0.4
    assert server.get("/admin/v1/server").json()["state"] == "drained"
    server.post("/admin/v1/resume", {})
    # A grace that was called off ends nothing.
    server.post("/admin/v1/drain", {"grace_ms": 300})
    server.post("/admin/v1/resume", {})
    time.sleep(0.5)
    assert server.post("/v2/models/echo/infer", INFER).status == 200
    assert "at most an hour" in server.post("/admin/v1/drain", {"grace_ms": 3_600_001}).json()["error"]
    assert "--grace" in shoal(server, "drain", "--grace", "soon", status=2)
    write(server, "")
    assert reload(server)["changed"] == ["server.drain_grace"], "else SIGTERM would take an hour"


def test_sigterm_gives_the_grace_and_then_drains(made):
    server = made("server: {drain_grace: 1500ms}\n")
    server.signal(signal.SIGTERM)
    began = time.monotonic()
    eventually("it is not ready", 10, lambda: server.get("/v2/health/ready").status == 503)
    assert "shutting down" in server.get("/v2/health/ready").json()["error"]
    assert server.post("/v2/models/echo/infer", INFER).status == 200, "balancers have not noticed yet"
    assert server.post("/admin/v1/resume", {}).status == 503, "it is past being called back"
    assert server.wait_exit(30) == 0
    assert time.monotonic() - began >= 1.2


def test_ctrl_c_and_a_drained_server_wait_for_nobody(made):
    for drained in (False, True):
        server = made("server: {drain_grace: 30s}\n")
        if drained:
            server.post("/admin/v1/drain", {"grace_ms": 0})
        server.signal(signal.SIGTERM if drained else signal.SIGINT)
        assert server.wait_exit(15) == 0


def test_over_grpc(made):
    server = made()
    with grpc.insecure_channel(server.grpc) as channel:
        ask_over(server_admin(channel), server)


def ask_over(admin, server):
    assert admin("InspectServer", {})["state"] == "serving"
    assert admin("DrainServer", {"reason": "x"})["state"] in ("draining", "drained")
    assert not triton_grpc.InferenceServerClient(server.grpc).is_server_ready()
    assert admin("ResumeServer", {})["state"] == "serving"
    write(server, "log: {level: debug}\n")
    assert admin("ReloadSettings", {})["changed"] == ["log.level"]
    write(server, "log: {level: loud}\n")
    with pytest.raises(grpc.RpcError) as refused:
        admin("ReloadSettings", {})
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT and "log.level" in refused.value.details()
