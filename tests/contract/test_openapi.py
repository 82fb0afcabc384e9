"""The server does what its OpenAPI description says: schemathesis asks for everything that the description allows, and for much
that it does not, and every answer must be one that the description has. Keys are asked for; models are the echo's and a real one,
so that requests get as far as the queue; operators drain and kill a real browser; what it computes is described, too."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import schemathesis
from schemathesis.specs.openapi.checks import ignored_auth
from support.echo_models import echo_model
from support.server import HOME, MODEL, binary, environment
from support.waiting import eventually

SECONDS = 600  # of one run, which takes about 20 of an idle machine
pytestmark = pytest.mark.timeout(900)
BROWSER = "kind=headless_shell,backends=wasm,threads=1"
TENSOR = {"name": "INPUT0", "datatype": "FP32", "shape": [2], "data": [1.5, -2]}
CONFIG = """
[generation]
deterministic = true
database = "none"

[phases.stateful]
enabled = false

[checks.not_a_server_error]
# What a server may say of itself is no fault of it: what a model cannot do, not now, too late, too large.
expected-statuses = ["2xx", "3xx", "4xx", "501", "503", "504", "507"]
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    echo_model(root, "echo")
    echo_model(root, "text", datatype="TYPE_STRING")
    (root / MODEL).symlink_to(HOME / "models" / MODEL)
    return root


@pytest.fixture
def guarded(launch, tmp_path, repository):
    """guarded(**settings): a server that asks for keys, and a key with all scopes."""

    def make(**settings):
        command = [str(binary()), "keys", "create", "schemathesis", "--scopes", "infer,admin,metrics,join"]
        key = subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment(tmp_path), check=True).stdout.strip()
        server = launch(folder=tmp_path, auth__enabled="true", echo__workers="1", models__repository=str(repository),
                        **({"pool__browsers": "none"} | settings)).listen()
        ready = "/v2/models/echo/ready"
        eventually("a model is ready", 60, lambda: server.get(ready, Authorization=f"Bearer {key}").status == 200)
        return server, key

    return make


def described(server, key):
    answer = server.get("/openapi.json", Authorization=f"Bearer {key}")
    assert answer.status == 200
    return answer.json()


def named(description, **values):
    """Path parameters that are not in the description because each server has its own: names that are there, beside others."""
    for name, known in values.items():
        schema = description["components"]["parameters"][name]["schema"]
        description["components"]["parameters"][name]["schema"] = {"anyOf": [{"enum": known}, schema]}
    return description


def exercise(folder: Path, address, key, description, *words):
    """One run of schemathesis with all its checks. What it says is the failure's message."""
    (folder / "description.json").write_text(json.dumps(description))
    (folder / "schemathesis.toml").write_text(CONFIG)
    program = Path(sys.executable).parent / "schemathesis"
    done = subprocess.run(
        [str(program), "--config-file", "schemathesis.toml", "run", "description.json", "--url", f"http://{address}",
         "-H", f"Authorization: Bearer {key}", "--no-color", "--checks", "all", "--max-examples", "6", "--no-shrink",
         "--continue-on-failure", "--suppress-health-check", "all", "--request-timeout", "60", *words],
        cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# Nobody can describe which tensors a model takes, so that what fits the schema may still be refused.
UNDESCRIBABLE = ["--exclude-checks", "positive_data_acceptance"]


def test_what_models_are_asked(guarded, tmp_path):
    server, key = guarded()
    description = named(described(server, key), model=["echo", "text", MODEL], version=["1"])
    for path, item in description["paths"].items():
        if path.endswith("/infer"):
            # With a size of 0 any bytes are an input, also those of JSON that does not fit the schema.
            del item["post"]["parameters"]
    schemas = description["components"]["schemas"]
    schemas["InferRequest"]["example"] = {"id": "a", "inputs": [TENSOR], "outputs": [{"name": "OUTPUT0"}]}
    schemas["ParallelRequest"]["example"] = {"requests": [{"model_name": "echo", "inputs": [TENSOR]}, {"model_name": "none", "inputs": []}]}
    schemas["GenerateRequest"]["example"] = {"INPUT0": [1.5, -2], "id": "a"}
    schemas["EmbeddingsRequest"]["example"] = {"model": MODEL, "input": ["a shoal", "of fish"]}
    schemas["EmbeddingsRequest"]["properties"]["model"] = {"enum": [MODEL, "echo", "none"]}
    said = exercise(tmp_path, server.http, key, description, *UNDESCRIBABLE, "--include-tag", "kserve", "--include-tag", "openai")
    assert server.live(), said


def test_what_operators_ask(guarded, tmp_path):
    server, key = guarded(models__control="explicit", models__load_on_start="*", pool__browsers=BROWSER,
                          join__enabled="true", join__bind="127.0.0.1", join__port="0")
    description = named(described(server, key), model=["echo", "text"], kind=["headless_shell"], number=[0], slot=["headless_shell/0"])
    exercise(tmp_path, server.http, key, description, *UNDESCRIBABLE, "--include-tag", "server", "--include-tag", "repository",
             "--include-tag", "settings", "--include-tag", "workers", "--include-tag", "join", "--exclude-path", "/metrics")
    assert server.live()


def test_the_metrics_port(guarded, tmp_path):
    server, key = guarded()
    description = described(server, key)
    exercise(tmp_path, server.metrics, key, description, "--include-path", "/metrics")
    # A description that is not true is found out.
    answer = description["paths"]["/metrics"]["get"]["responses"]["200"]
    answer["content"] = {"application/json": {}}
    with pytest.raises(AssertionError, match="Undocumented Content-Type"):
        exercise(tmp_path, server.metrics, key, description, "--include-path", "/metrics")


def test_what_a_browser_answers_is_described(launch):
    server = launch(pool__browsers=BROWSER).start()
    api = schemathesis.openapi.from_dict(server.get("/openapi.json").json())

    def asked(method, path, body=None, **values):
        case = api[path][method].Case(path_parameters=values, **({"body": body, "media_type": "application/json"} if body else {}))
        answer = case.call(base_url=f"http://{server.http}")
        assert answer.status_code == 200, answer.text
        case.validate_response(answer, excluded_checks=[ignored_auth])  # this server asks for no keys
        return answer.json()

    texts = {"model": MODEL, "input": ["a shoal", "of fish"]}
    assert len(asked("POST", "/v1/embeddings", texts)["data"]) == 2
    assert isinstance(asked("POST", "/v1/embeddings", texts | {"encoding_format": "base64"})["data"][0]["embedding"], str)
    asked("GET", "/v1/models/{model}", model=MODEL)
    names = ("input_ids", "attention_mask", "token_type_ids")
    run = {"id": "an id", "inputs": [{"name": name, "datatype": "INT64", "shape": [1, 2], "data": [1, 1]} for name in names]}
    assert asked("POST", "/v2/models/{model}/infer", run, model=MODEL)["id"] == "an id"
    both = asked("POST", "/v2/parallel", {"requests": [run | {"model_name": MODEL}, run | {"model_name": "none"}]})["responses"]
    assert both[0]["model_name"] == MODEL and both[1]["status"] == 404
    for path in ("/v2/models/{model}", "/v2/models/{model}/config", "/v2/models/{model}/stats"):
        asked("GET", path, model=MODEL)
    assert asked("GET", "/v2/models/stats")["model_stats"][0]["inference_count"] >= 1
    worker = "/admin/v1/workers/{kind}/{number}"
    shell = {"kind": "headless_shell", "number": 0}
    assert asked("GET", worker, **shell)["capabilities"]["wasm_simd"]
    everything = {"errors": True, "operations": True, "memory": True, "shaders": True, "trace_ms": 1000}
    assert asked("POST", worker + "/debug", everything, **shell)["slot"] == "headless_shell/0"
    assert asked("PUT", worker + "/budget", {"bytes": 1 << 30}, **shell)["budget_bytes"] == 1 << 30
    assert not asked("POST", worker + "/drain", {"reason": "a test"}, **shell)["takes_work"]
    for act in ("/resume", "/recycle", "/kill"):
        asked("POST", worker + act, **shell)
        eventually("it takes work", 120, lambda: asked("GET", worker, **shell)["takes_work"])
    assert asked("GET", "/admin/v1/workers")["workers"][0]["slot"] == "headless_shell/0"
    assert asked("GET", "/admin/v1/events")["events"]
