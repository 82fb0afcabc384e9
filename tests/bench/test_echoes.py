"""The front end's load client against the bare echoes, and against servers whose answers are wrong."""

import http.server
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from bench import echoes

ECHOES = {"grpc": "bare_grpc_echo", "http-json": "bare_http_echo", "http-binary": "bare_http_echo"}
KINDS = {"answers": int, "all_answers": int, "errors": int, "first_error": str} | dict.fromkeys(
    ("per_second", "p50_us", "p95_us", "p99_us", "client_cores"), float,
)


@pytest.mark.parametrize(("elements", "concurrency"), [(1, 1), (1, 16), (4 << 20, 1)])
@pytest.mark.parametrize("protocol", echoes.PROTOCOLS)
def test_a_bare_echo_answers(protocol, elements, concurrency):
    if protocol == "http-json":
        elements = min(elements, 1000)
    with echoes.bare(ECHOES[protocol]) as server:
        said = echoes.load(protocol, server.address, elements, concurrency, seconds=0.5 if elements < 1 << 20 else 2, warm_up=0.1)
    assert {name: type(said[name]) for name in KINDS} == KINDS
    assert said["errors"] == 0
    assert said["answers"] > 0
    assert said["per_second"] > 0
    assert 0 < said["p50_us"] <= said["p95_us"] <= said["p99_us"]


@contextmanager
def liar(answer):
    """An HTTP server; answer(request's body) is (status, body)."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            status, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            if json_size := self.headers["Inference-Header-Content-Length"]:
                self.send_header("Inference-Header-Content-Length", json_size)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def later(count, answer):
    """The request's own body `count` times, then answer(body)."""
    seen = iter(range(count))
    return lambda body: (200, body if next(seen, None) is not None else answer(body))


@pytest.mark.parametrize(
    ("protocol", "answer", "why"),
    [
        ("http-json", lambda body: (200, body.replace(b"0.5", b"0.25")), "another tensor"),
        ("http-json", lambda body: (200, b"{}"), "another tensor"),
        ("http-json", later(3, lambda body: body.replace(b"0.5", b"0.50")), "another size"),
        ("http-json", lambda _: (503, b"no room"), "status 503: no room"),
        ("http-binary", lambda body: (200, body[:-1] + b"!"), "not the tensor"),
        ("http-binary", later(3, lambda body: body[:-4]), "should have 4 after it"),
    ],
)
def test_a_wrong_answer_is_an_error(protocol, answer, why):
    with liar(answer) as address:
        status, said = echoes.ask(protocol, address, seconds=0.2, warm_up=0)
    assert status == 1
    assert said["errors"] == 1
    assert why in said["first_error"]


class InFlight:
    """Counts the calls that are open at once; each stays open for some milliseconds."""

    def __init__(self):
        self.lock, self.now, self.most = threading.Lock(), 0, 0

    def __call__(self, answer):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.1)
        with self.lock:
            self.now -= 1
        return answer


@pytest.mark.parametrize("protocol", ["http-json", "http-binary"])
def test_so_many_requests_are_open(protocol):
    in_flight = InFlight()
    with liar(lambda body: in_flight((200, body))) as address:
        echoes.load(protocol, address, concurrency=4, seconds=0.5, warm_up=0)
    assert in_flight.most == 4


def test_so_many_grpc_calls_are_open_and_an_answer_without_the_tensor_is_an_error():
    in_flight = InFlight()
    infer = grpc.unary_unary_rpc_method_handler(lambda request, context: in_flight(b""))
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("inference.GRPCInferenceService", {"ModelInfer": infer})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        status, said = echoes.ask("grpc", f"127.0.0.1:{port}", concurrency=4, seconds=0.2, warm_up=0)
    finally:
        server.stop(None)
    assert (status, said["errors"], in_flight.most) == (1, 4, 4)
    assert "0 tensors" in said["first_error"]


@pytest.mark.parametrize("protocol", echoes.PROTOCOLS)
def test_nobody_there_is_an_error(protocol):
    with echoes.bare("bare_http_echo") as gone:
        pass
    status, said = echoes.ask(protocol, gone.address, concurrency=2, seconds=0.2, warm_up=0)
    assert (status, said["errors"], said["answers"]) == (1, 2, 0)


def test_no_answer_in_the_measured_time_is_an_error():
    with echoes.bare("bare_grpc_echo") as server:
        status, said = echoes.ask("grpc", server.address, elements=8 << 20, seconds=0.01, warm_up=0)
    assert (status, said["errors"], said["answers"]) == (1, 0, 0)
