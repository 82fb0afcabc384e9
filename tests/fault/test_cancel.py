"""A client that goes away frees what it held: its place in the queue, and the browser's time."""

import json
import socket
import time

import grpc
import pytest
from support.embeddings import PATH, infer, rows
from support.load import Load, pending
from support.server import MODEL
from support.waiting import eventually
from tritonclient.grpc import service_pb2, service_pb2_grpc


@pytest.fixture(scope="module")
def server(launch):
    return launch(pool__browsers="kind=headless_shell,backends=wasm,threads=1").start()


def open_request(server, row):
    """A request whose answer nobody reads yet."""
    body = json.dumps(row.body()).encode()
    host, _, port = server.http.rpartition(":")
    connection = socket.create_connection((host, int(port)), 10)
    connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: {server.http}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


def cancelled(server):
    return server.scrape().value("nv_inference_request_failure", model=MODEL, reason="CANCELED")


def test_closed_connections_leave_the_queue(server, seed):
    before = cancelled(server)
    connections = [open_request(server, row) for row in rows(seed, 40, 256)]
    eventually("they wait", 20, lambda: pending(server) >= 30)
    for connection in connections:
        connection.close()
    closed = time.monotonic()
    eventually("the queue is empty", 2, lambda: pending(server) == 0)
    eventually("each is counted", 5, lambda: cancelled(server) - before >= 30)
    # Forty runs of 256 tokens would take far longer than this one answer does.
    answer = infer(server, rows(seed + 1, 1, 8)[0])
    print(f"answered {time.monotonic() - closed:.2f} s after forty clients went away")
    assert answer.status == 200
    assert server.scrape().value("nv_inference_pending_request_count") == 0


def test_half_a_body_and_away(server):
    for cut in (b"", b"{", b'{"inputs": [{"name": "input_ids"'):
        host, _, port = server.http.rpartition(":")
        with socket.create_connection((host, int(port)), 10) as connection:
            connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: {server.http}\r\nContent-Length: 5000\r\n\r\n".encode() + cut)
    assert server.live()
    assert pending(server) == 0


def grpc_request(row):
    request = service_pb2.ModelInferRequest(model_name=MODEL)
    for tensor in row.body()["inputs"]:
        made = request.inputs.add(name=tensor["name"], datatype="INT64", shape=tensor["shape"])
        made.contents.int64_contents.extend(tensor["data"])
    return request


def test_cancelled_calls_leave_the_queue(server, seed):
    before = cancelled(server)
    with grpc.insecure_channel(server.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        calls = [stub.ModelInfer.future(grpc_request(row), timeout=30) for row in rows(seed, 40, 256)]
        eventually("they wait", 20, lambda: pending(server) >= 30)
        for call in calls:
            call.cancel()
        eventually("the queue is empty", 2, lambda: pending(server) == 0)
        eventually("each is counted", 5, lambda: cancelled(server) - before >= 30)
        answer = stub.ModelInfer(grpc_request(rows(seed + 1, 1, 8)[0]), timeout=30)
        assert list(answer.outputs[0].shape) == [1, 8, 384]


def test_a_deadline_is_kept_while_others_are_answered(server, seed):
    """The short ones fail when they are due, the long ones behind them are answered."""
    patient = Load(server, rows(seed, 10, 192), 30).start(waiting=4)
    hasty = Load(server, rows(seed + 1, 10, 192), 0.3)
    hasty.start(waiting=0)
    for outcome in hasty.join():
        # Some may be told at once that they would be too late.
        assert outcome.ok or outcome.answer.json()["code"] in ("DEADLINE_EXCEEDED", "OVERLOADED"), outcome
        assert outcome.seconds < 2, outcome
    assert all(outcome.ok for outcome in patient.join())


def test_a_full_queue_refuses_at_once(launch, seed):
    small = launch(pool__browsers="kind=headless_shell,backends=wasm,threads=1", schedule__max_queue="5").start()
    load = Load(small, rows(seed, 30, 256), 30)
    load.start(waiting=3)
    outcomes = load.join()
    refused = [outcome for outcome in outcomes if not outcome.ok]
    assert len(refused) >= 10
    for outcome in refused:
        assert (outcome.answer.status, outcome.answer.json()["code"]) == (503, "OVERLOADED")
        assert int(outcome.answer.headers["retry-after"]) >= 1
        assert outcome.seconds < 2
    assert sum(outcome.ok for outcome in outcomes) >= 5
    over = small.scrape().value("nv_inference_request_failure", model=MODEL, reason="REJECTED")
    assert over == len(refused)
