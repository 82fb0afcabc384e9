"""Triton's log and trace settings with the stock clients: what is set is what the real server's log then holds."""

import uuid

import pytest
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from support.echo_models import echo_model
from tritonclient.utils import InferenceServerException

INFO = {"log_error": True, "log_warning": True, "log_info": True, "log_verbose_level": 0, "log_format": "ISO8601", "log_file": ""}
QUIET = {"log_info": False, "log_warning": False, "log_verbose_level": 0}


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    echo_model(root, "echo")
    return launch(pool__browsers="none", echo__workers="1", models__repository=str(root)).start()


class Grpc:
    """The gRPC client, with settings as plain values."""

    def __init__(self, client):
        self.client = client

    @staticmethod
    def plain(response):
        return {name: getattr(value, value.WhichOneof("parameter_choice")) for name, value in response.settings.items()}

    def get_log_settings(self):
        return self.plain(self.client.get_log_settings())

    def update_log_settings(self, settings):
        return self.plain(self.client.update_log_settings(settings))

    def get_trace_settings(self, model_name=None):
        return {name: list(value.value) for name, value in self.client.get_trace_settings(model_name).settings.items()}

    def update_trace_settings(self, model_name=None, settings=None):
        return {name: list(value.value) for name, value in self.client.update_trace_settings(model_name, settings).settings.items()}


@pytest.fixture(params=["grpc", "http"])
def client(request, server):
    if request.param == "http":
        with triton_http.InferenceServerClient(server.http) as made:
            yield made
    else:
        with triton.InferenceServerClient(server.grpc) as made:
            yield Grpc(made)


def test_the_level_decides_what_is_logged(server, client):
    before, during, after = (f"/v2/nowhere/{uuid.uuid4().hex}" for _ in range(3))
    assert client.get_log_settings() == INFO
    server.get(before)
    assert client.update_log_settings({"log_verbose_level": 1}) == INFO | {"log_verbose_level": 1}
    server.get(during)
    server.wait_event("http", 10, path=during)
    assert client.update_log_settings({"log_verbose_level": 0}) == INFO
    server.get(after)
    assert client.update_log_settings(QUIET) == INFO | QUIET
    assert client.get_log_settings() == INFO | QUIET
    assert client.update_log_settings({"log_info": True, "log_warning": True}) == INFO
    assert not {before, after} & {event["path"] for event in server.events("http")}


def test_a_change_is_in_the_log(server, client):
    client.update_log_settings(QUIET)
    client.update_log_settings(INFO)
    changes = [(event["from"], event["to"]) for event in server.events("log_level_changed")]
    assert changes[-2:] == [("info", "error"), ("error", "info")]


@pytest.mark.parametrize(("settings", "message"), [
    ({"log_file": "/tmp/elsewhere"}, "'log_file' cannot be changed while the server runs"),
    ({"log_format": "default"}, "'log_format' cannot be changed"),
    ({"log_error": False}, "'log_error' cannot be false"),
    ({"log_warning": False}, "'log_warning' cannot be false while"),
    ({"log_verbose_level": 7}, "'log_verbose_level' must be 0 or 1"),
    ({"log_loud": True}, "'log_loud' is not known"),
    ({"log_info": None}, "log_info"),
])
def test_what_cannot_be_set_is_named(client, settings, message):
    with pytest.raises(InferenceServerException, match=message) as refused:
        client.update_log_settings(settings)
    assert refused.value.status() in ("StatusCode.INVALID_ARGUMENT", "400")
    assert client.get_log_settings() == INFO


def test_traces_are_off_and_stay_off(client):
    off = {"trace_level": ["OFF"]}
    assert client.get_trace_settings() == off
    assert client.get_trace_settings(model_name="echo") == off
    assert client.update_trace_settings(settings=off) == off
    assert client.update_trace_settings(model_name="echo", settings={"trace_level": None}) == off
    for settings in ({"trace_level": ["TIMESTAMPS"]}, {"trace_rate": "1"}, {"trace_file": "x"}):
        with pytest.raises(InferenceServerException, match=f"'{next(iter(settings))}' cannot be set: this server has no tracer"):
            client.update_trace_settings(settings=settings)
    with pytest.raises(InferenceServerException, match="unknown model: 'nobody'") as refused:
        client.get_trace_settings(model_name="nobody")
    assert refused.value.status() in ("StatusCode.NOT_FOUND", "404")


def test_only_the_log_is_advertised(server):
    extensions = server.get("/v2").json()["extensions"]
    assert "logging" in extensions and "trace" not in extensions


def test_a_body_that_is_no_object_is_refused(server):
    for path in ("/v2/logging", "/v2/trace/setting", "/v2/models/echo/trace/setting"):
        for body in (b"[]", b"{", b'{"log_info": {}}'):
            assert server.post(path, body).status == 400, (path, body)
