"""API keys with the stock clients: what OpenAI's, Triton's and Prometheus' users do to send one."""

import json
import re
import subprocess
from pathlib import Path

import grpc
import numpy as np
import openai
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from support.http import ask
from support.server import MODEL, binary, environment
from support.waiting import eventually
from tritonclient.grpc import service_pb2, service_pb2_grpc


def keys(folder, *words, status=0):
    done = subprocess.run([str(binary()), "keys", *words], capture_output=True, text=True, timeout=30, env=environment(folder), check=False)
    assert done.returncode == status, done
    return done.stdout.strip() if status == 0 else done.stderr


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    keys(folder, "create", "everything", "--scopes", "infer,admin,metrics,join")
    made = launch(folder=folder, auth__enabled="true", pool__browsers="kind=headless_shell,backends=wasm,threads=1")
    made.listen()
    eventually("it is ready, which needs no key", 90, lambda: ask(made.http, "GET", "/v2/health/ready").status == 200)
    return made


@pytest.fixture(scope="module")
def infer_key(server):
    return keys(server.folder, "create", "a client")


def noticed(server, key, path="/v1/models"):
    """A server looks at its keys once a second."""
    eventually("the key is known", 10, lambda: server.get(path, Authorization=f"Bearer {key}").status == 200)


def test_the_openai_client_sends_its_key(server, infer_key):
    noticed(server, infer_key)
    client = openai.OpenAI(base_url=f"http://{server.http}/v1", api_key=infer_key, max_retries=0)
    assert len(client.embeddings.create(model=MODEL, input="a shoal").data[0].embedding) == 384
    with pytest.raises(openai.AuthenticationError) as refused:
        openai.OpenAI(base_url=f"http://{server.http}/v1", api_key="wrong", max_retries=0).models.list()
    assert refused.value.code == "invalid_api_key"


def test_triton_clients_send_it_as_a_header(server, infer_key):
    noticed(server, infer_key)
    header = {"authorization": f"Bearer {infer_key}"}
    http = triton_http.InferenceServerClient(server.http)
    assert http.get_model_metadata(MODEL, headers=header)["name"] == MODEL
    assert http.is_server_live() and http.is_server_ready()
    with pytest.raises(triton_http.InferenceServerException, match="API key is required"):
        http.get_model_metadata(MODEL)
    remote = triton_grpc.InferenceServerClient(server.grpc)
    inputs = [triton_grpc.InferInput(name, [1, 4], "INT64") for name in ("input_ids", "attention_mask", "token_type_ids")]
    for tensor in inputs:
        tensor.set_data_from_numpy(np.ones((1, 4), np.int64))
    assert remote.infer(MODEL, inputs, headers=header).get_response().model_name == MODEL
    with pytest.raises(triton_grpc.InferenceServerException) as refused:
        remote.infer(MODEL, inputs)
    assert refused.value.status() == "StatusCode.UNAUTHENTICATED"
    assert remote.is_server_live()


def test_a_stream_without_a_key_ends_with_the_reason(server):
    with grpc.insecure_channel(server.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        stream = stub.ModelStreamInfer(iter([service_pb2.ModelInferRequest(model_name=MODEL)]))
        with pytest.raises(grpc.RpcError) as refused:
            list(stream)
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert dict(refused.value.trailing_metadata())["shoal-error-code"] == "UNAUTHENTICATED"


def test_each_scope_opens_its_own(server, infer_key):
    metrics = keys(server.folder, "create", "prometheus", "--scopes", "metrics")
    admin = keys(server.folder, "create", "operator", "--scopes", "admin")
    noticed(server, admin, "/admin/v1/workers")
    assert server.get("/admin/v1/workers", Authorization=f"Bearer {infer_key}").status == 403
    assert ask(server.metrics, "GET", "/metrics").status == 401
    page = ask(server.metrics, "GET", "/metrics", headers={"Authorization": f"Bearer {metrics}"})
    assert page.status == 200 and b"shoal_auth_refusals_total" in page.body
    assert server.get("/v1/models", Authorization=f"Bearer {metrics}").status == 403
    load = "/v2/repository/models/a/load"
    assert server.post(load, b"", Authorization=f"Bearer {infer_key}").status == 403
    assert "not allowed: models.control is 'none'" in server.post(load, b"", Authorization=f"Bearer {admin}").json()["error"]
    remote = triton_grpc.InferenceServerClient(server.grpc)
    for change in (remote.load_model, remote.unload_model):
        with pytest.raises(triton_grpc.InferenceServerException) as refused:
            change("a", headers={"authorization": f"Bearer {infer_key}"})
        assert refused.value.status() == "StatusCode.PERMISSION_DENIED"


def test_the_command_line_sends_the_key_of_the_environment(server):
    admin = keys(server.folder, "create", "an operator", "--scopes", "admin")
    noticed(server, admin, "/admin/v1/workers")

    def workers(key):
        return subprocess.run([str(binary()), "workers", "--server", f"http://{server.http}", "--json"], capture_output=True, text=True,
                              timeout=30, env=environment(server.folder) | ({"SHOAL_API_KEY": key} if key else {}), check=False)

    assert json.loads(workers(admin).stdout)["workers"][0]["slot"] == "headless_shell/0"
    refused = workers(None)
    assert refused.returncode == 1 and "API key is required" in refused.stderr


def test_a_revoked_key_is_refused_within_seconds(server):
    key = keys(server.folder, "create", "for a while")
    noticed(server, key)
    listed = next(line.split() for line in keys(server.folder, "list").splitlines() if "for a while" in line)
    assert "usable" in listed and "infer" in listed
    assert keys(server.folder, "revoke", listed[0]) == f"{listed[0]} is revoked"
    eventually("it is refused", 10, lambda: server.get("/v1/models", Authorization=f"Bearer {key}").status == 401)
    assert "revoked" in server.get("/v1/models", Authorization=f"Bearer {key}").json()["error"]["message"]
    assert "no key 'nobody'" in keys(server.folder, "revoke", "nobody", status=1)


def test_a_damaged_file_changes_nothing(server, infer_key):
    noticed(server, infer_key)
    file = server.folder / "keys.json"
    kept = file.read_text()
    file.write_text("{")
    server.wait_event("keys_unreadable", 10)
    assert server.get("/v1/models", Authorization=f"Bearer {infer_key}").status == 200
    assert server.get("/v1/models").status == 401
    file.write_text(kept)


def test_secrets_are_nowhere(server, infer_key):
    assert infer_key not in (server.folder / "keys.json").read_text()
    assert infer_key not in server.log_path.read_text()
    assert (server.folder / "keys.json").stat().st_mode & 0o077 == 0


def test_a_rate_is_kept(server):
    key = keys(server.folder, "create", "slow", "--rate", "2")
    header = {"Authorization": f"Bearer {key}"}
    eventually("the key is known", 10, lambda: server.get("/v1/models", **header).status in (200, 429))
    answers = [server.get("/v1/models", **header) for _ in range(20)]
    refused = [answer for answer in answers if answer.status == 429]
    assert refused and refused[0].headers["retry-after"] == "1"
    assert refused[0].json()["error"]["code"] == "rate_limit_exceeded"


def test_a_burst_is_let_through_and_no_more(server):
    key = keys(server.folder, "create", "in bursts", "--rate", "0.001", "--burst", "4")
    noticed(server, key)  # which is the first of them
    remote = triton_grpc.InferenceServerClient(server.grpc)
    header = {"authorization": f"Bearer {key}"}
    assert remote.get_server_metadata(headers=header).name == "shoal"
    assert [server.get("/v2", Authorization=f"Bearer {key}").status for _ in range(4)] == [200, 200, 429, 429]
    with pytest.raises(triton_grpc.InferenceServerException) as refused:
        remote.get_server_metadata(headers=header)
    assert refused.value.status() == "StatusCode.RESOURCE_EXHAUSTED"
    assert "0.001/s, 4 at once" in keys(server.folder, "list")
    assert "burst" in keys(server.folder, "create", "x", "--burst", "4", status=2)


def test_without_a_key_the_server_does_not_start_closed(launch, tmp_path):
    server = launch(folder=tmp_path / "empty", auth__enabled="true", pool__browsers="kind=headless_shell,backends=wasm")
    server.spawn()
    assert server.wait_exit(15) == 1
    assert "shoal keys create" in server.tail()


def test_wrong_words_are_refused(tmp_path):
    assert "--scopes: expected infer, admin, metrics, join, got 'root'" in keys(tmp_path, "create", "x", "--scopes", "root", status=2)
    assert not (tmp_path / "keys.json").exists()


def test_the_readmes_commands(tmp_path):
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    (block,) = re.findall(r"^```sh\n(shoal keys .*?)^```", text, re.MULTILINE | re.DOTALL)
    done = subprocess.run(["bash", "-ec", f'shoal() {{ "{binary()}" "$@"; }}\n{block}'], capture_output=True, text=True, timeout=60,
                          env=environment(tmp_path), check=True)
    secrets = done.stdout.splitlines()[:3]
    assert all(re.fullmatch(r"shoal-[0-9a-f]{48}", secret) for secret in secrets) and len(set(secrets)) == 3
    assert "the search service" in done.stdout and "admin,join" in done.stdout
