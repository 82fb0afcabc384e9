"""What no client should send. Each gets a clear error of its protocol, and the server answers the next request.

The wording is Triton's where it has one; the status is 400 where Triton says 500 for what is the client's fault.
"""

import json
import os
import socket
import struct

import pytest
from support.http import ask
from support.server import MODEL

PATH = f"/v2/models/{MODEL}/infer"
NAMES = ("input_ids", "attention_mask", "token_type_ids")


def body(**changes):
    """A good request, whose first input is changed."""
    inputs = [{"name": name, "datatype": "INT64", "shape": [1, 4], "data": [101, 7592, 2088, 102]} for name in NAMES]
    inputs[0] = {key: value for key, value in (inputs[0] | changes).items() if value is not None}
    return {"inputs": inputs}


def more(**members):
    return body() | members


def first(count):
    return {"inputs": body()["inputs"][:count]}


CASES = {
    "unknown model": ("/v2/models/none/infer", body(), 404, "unknown model: 'none' is not found"),
    "unknown version": (f"/v2/models/{MODEL}/versions/99/infer", body(), 404, "version 99 is not found"),
    "version no number": (f"/v2/models/{MODEL}/versions/abc/infer", body(), 404, "Not Found"),
    "wrong name": (PATH, body(name="other"), 400, "other"),
    "wrong datatype": (PATH, body(datatype="FP32"), 400, "data-type is 'FP32'"),
    "unknown datatype": (PATH, body(datatype="INT7"), 400, "INT7"),
    "wrong rank": (PATH, body(shape=[4]), 400, "unexpected shape for input 'input_ids'"),
    "too large a batch": (PATH, {"inputs": [
        {"name": name, "datatype": "INT64", "shape": [4096, 1], "data": [1] * 4096} for name in NAMES]}, 400, "batch-size must be <="),
    "batches that differ": (PATH, body(shape=[2, 2]), 400, "input"),
    "too few elements": (PATH, body(data=[1, 2, 3]), 400, "Expected 32, got 24"),
    "too many elements": (PATH, body(data=[1, 2, 3, 4, 5]), 400, "Expected 32, got 40"),
    "negative dimension": (PATH, body(shape=[1, -4]), 400, "negative"),
    "fractional dimension": (PATH, body(shape=[1, 4.5]), 400, "integer"),
    "overflowing shape": (PATH, body(shape=[2**32, 2**32, 2**32]), 400, "exceed"),
    "missing inputs": (PATH, first(1), 400, "expected 3 inputs but got 1"),
    "duplicate input": (PATH, {"inputs": [*body()["inputs"], body()["inputs"][0]]}, 400, "input_ids"),
    "unknown output": (PATH, more(outputs=[{"name": "none"}]), 400, "none"),
    "no inputs": (PATH, {}, 400, "no 'inputs'"),
    "no data": (PATH, body(data=None), 400, "sets none"),
    "data and binary": (PATH, body(parameters={"binary_data_size": 32}), 400, "only one of the following fields"),
    "shared memory": (PATH, body(data=None, parameters={"shared_memory_region": "r"}), 400, "shared memory"),
    "binary beyond the end": (PATH, body(data=None, parameters={"binary_data_size": 32}), 400, "expecting 32 additional bytes"),
    "text for a number": (PATH, body(data=["a", "b", "c", "d"]), 400, "no INT64"),
    "fraction for an integer": (PATH, body(data=[1.5, 2, 3, 4]), 400, "no INT64"),
    "number beyond its type": (PATH, body(data=[2**70, 2, 3, 4]), 400, "no INT64"),
    "nested parameter": (PATH, more(parameters={"p": {"q": 1}}), 400, "parameter 'p' has invalid type"),
    "reserved parameter": (PATH, more(parameters={"triton_x": 1}), 400, "reserved"),
    "sequence parameter": (PATH, more(parameters={"sequence_id": 1}), 400, "stateful"),
    "unknown demand": (PATH, more(parameters={"shoal_backends": "wasm"}), 400, "shoal_backends"),
    "negative priority": (PATH, more(parameters={"priority": -1}), 400, "priority"),
    "timeout as text": (PATH, more(parameters={"timeout": "1"}), 400, "timeout"),
    "no classes": (PATH, more(outputs=[{"name": "last_hidden_state", "parameters": {"classification": 0}}]), 400, "'classification'"),
}


@pytest.fixture(autouse=True)
def stays_live(endpoints):
    yield
    assert ask(endpoints.http, "GET", "/v2/health/live").status == 200


@pytest.mark.parametrize("name", CASES)
def test_requests_that_are_json(endpoints, name):
    path, sent, status, says = CASES[name]
    answer = ask(endpoints.http, "POST", path, sent)
    assert answer.status == status, answer.body
    assert says in answer.json()["error"]
    assert answer.json()["code"]


TEXTS = {
    "empty": b"",
    "cut": b'{"inputs":[{"name":"input_ids"',
    "no object": b"[]",
    "two values": b"{}{}",
    "trailing comma": b'{"inputs":[],}',
    "duplicate key": b'{"id":"1","id":"2","inputs":[]}',
    "not UTF-8": b'{"id":"\xff","inputs":[]}',
    "half a surrogate": b'{"id":"\\ud800","inputs":[]}',
    "deep array": b"[" * 250_000,
    "deep object": b'{"a":' * 100_000,
    "deep data": b'{"inputs":[{"name":"input_ids","datatype":"INT64","shape":[1],"data":' + b"[" * 101 + b"1" + b"]" * 101 + b"}]}",
    "random": os.urandom(4096),
}


@pytest.mark.parametrize("name", TEXTS)
def test_bodies_that_are_not_json(endpoints, name):
    for path in (PATH, "/v1/embeddings"):
        answer = ask(endpoints.http, "POST", path, TEXTS[name])
        assert answer.status == 400, answer.body
        assert answer.json()["error"]


@pytest.mark.parametrize("size", ["abc", "-1", "1e3", "99999999999", "9" * 40, "0x10"])
def test_wrong_sizes_of_the_json_part(endpoints, size):
    answer = ask(endpoints.http, "POST", PATH, json.dumps(body()), {"Inference-Header-Content-Length": size})
    assert answer.status == 400, answer.body
    assert "Inference-Header-Content-Length" in answer.json()["error"]


def test_left_over_binary(endpoints):
    text = json.dumps(body()).encode()
    answer = ask(endpoints.http, "POST", PATH, text + b"123", {"Inference-Header-Content-Length": str(len(text))})
    assert answer.status == 400
    assert "unexpected additional input data" in answer.json()["error"]


def test_a_raw_body_for_a_model_of_three_inputs(endpoints):
    answer = ask(endpoints.http, "POST", PATH, b"12345678", {"Inference-Header-Content-Length": "0"})
    assert answer.status == 400
    assert "raw binary request" in answer.json()["error"]


def test_sizes_that_are_too_large(endpoints):
    answer = ask(endpoints.http, "POST", PATH, headers={"Content-Length": str(1 << 40)})
    assert answer.status == 400
    assert "exceeds the maximum allowed input size" in answer.json()["error"]
    header = ask(endpoints.http, "GET", "/v2", headers={"X": "a" * 20_000})
    assert header.status == 431


def test_encodings_that_are_not_there(endpoints):
    for coding in ("br", "zstd", "gzip, gzip"):
        answer = ask(endpoints.http, "POST", PATH, b"x", {"Content-Encoding": coding})
        assert answer.status == 501
        assert answer.headers["accept-encoding"] == "gzip, deflate"


def connection(address):
    host, _, port = address.rpartition(":")
    made = socket.create_connection((host, int(port)), timeout=20)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return made


NOT_HTTP = [
    b"\x16\x03\x01\x02\x00",
    b"GET\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /v2 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST /v2 HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
]


@pytest.mark.parametrize("sent", NOT_HTTP)
def test_bytes_that_are_not_http(endpoints, sent):
    with connection(endpoints.http) as made:
        made.sendall(sent)
        answer = made.recv(65536)
        assert not answer or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 405", b"HTTP/1.1 404")), answer


def test_a_flood_of_chunks(endpoints):
    with connection(endpoints.http) as made:
        made.sendall(b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(70):
                made.sendall(b"1\r\n \r\n" * 1000)
        except OSError:
            pass  # it has closed, which is what it should
        try:
            answer = made.recv(65536)
        except ConnectionResetError:
            answer = b""
        assert not answer or b"400" in answer.split(b"\r\n")[0]


def test_other_sites_are_kept_out(endpoints):
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Host": "evil.example", "Origin": "http://evil.example"}):
        answer = ask(endpoints.http, "POST", PATH, body(), headers)
        assert answer.status == 403, headers
    assert ask(endpoints.http, "GET", "/agent/", headers={"Host": "evil.example"}).status == 403


@pytest.mark.parametrize("path", ["/agent/../../etc/passwd", "/agent/%2e%2e/%2e%2e/etc/passwd", "/agent/.git", "/agent/blobs/../x",
                                  "/agent/%00", "/agent//etc/passwd", "/agent/blobs/" + "0" * 64])
def test_files_outside_the_agent(endpoints, path):
    assert ask(endpoints.http, "GET", path).status == 404
