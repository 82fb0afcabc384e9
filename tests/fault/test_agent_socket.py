"""Strangers on the agents' WebSocket: none of them gets in, harms a worker, or holds a connection for long."""

import random
import struct
import time
from contextlib import ExitStack

import pytest
from support import agent_frames
from support.agent_frames import END, HEARTBEAT, MAX_CHUNK, MAX_HEADER, attach, field, frame, hello
from support.embeddings import infer, rows
from support.waiting import eventually
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

SLOT = "headless_shell/0"
MISMATCH, PROTOCOL, REFUSED = 4001, 4002, 4003


@pytest.fixture(scope="module")
def server(launch):
    return launch(pool__browsers="kind=headless_shell,backends=wasm").start()


@pytest.fixture(autouse=True)
def unharmed(server, seed):
    yield
    assert server.live()
    assert infer(server, rows(seed, 1, 8)[0]).status == 200
    assert server.events("worker_lost") == []


def opened(server, origin=None):
    return connect(f"ws://{server.http}/agent/ws", origin=origin or f"http://{server.http}", open_timeout=10, close_timeout=1,
                   max_size=None)


def close_code(connection, seconds=12):
    """The code that the server closes with; 1006 when it just cuts."""
    try:
        connection.recv(seconds)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006
    raise AssertionError("the server answered a stranger")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://localhost"])
def test_another_origin_is_refused(server, origin):
    with pytest.raises(InvalidStatus) as refused:
        opened(server, origin)
    assert refused.value.response.status_code == 403


def test_no_origin_is_refused(server):
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://{server.http}/agent/ws", open_timeout=10)
    assert refused.value.response.status_code == 403


MESSAGES = {
    "nothing": (b"", PROTOCOL),
    "a truncated length": (b"\x05\0\0", PROTOCOL),
    "no envelope": (struct.pack("<I", 0), PROTOCOL),
    "a header longer than the message": (struct.pack("<I", 100) + b"\x0a\x02", PROTOCOL),
    "a header of 4 GiB": (struct.pack("<I", 0xFFFFFFFF) + b"x" * 64, PROTOCOL),
    "a header beyond its bound": (struct.pack("<I", MAX_HEADER + 1) + b"\0" * (MAX_HEADER + 1), PROTOCOL),
    "an envelope that is not protobuf": (frame(b"\xff\xff\xff\xff\xff"), PROTOCOL),
    "an envelope without a body": (frame(field(1, 7)), PROTOCOL),
    "a truncated envelope": (hello(SLOT, "x")[:-3], PROTOCOL),
    "a name that is not UTF-8": (frame(field(agent_frames.HELLO, field(agent_frames.SLOT, b"\xc3\x28\xff"))), PROTOCOL),
    "bytes behind a hello": (hello(SLOT, "x") + b"more", PROTOCOL),
    "a heartbeat first": (frame(field(HEARTBEAT, field(1, 1))), PROTOCOL),
    "an answer to work that was never given": (frame(field(1, 1) + field(END, b"")), PROTOCOL),
    "a wrong token": (hello(SLOT, "0" * 32), REFUSED),
    "an empty token": (hello(SLOT, ""), REFUSED),
    "an unknown slot": (hello("headless_shell/99", "0" * 32), REFUSED),
    "a slot out of its mind": (hello("../" * 1000, "0" * 32), REFUSED),
    "an engine's connection with a wrong token": (attach(SLOT, "0" * 32), REFUSED),
    "an engine's connection with an empty token": (attach(SLOT, ""), REFUSED),
    "an engine's connection of an unknown slot": (attach("headless_shell/99", "0" * 32), REFUSED),
    "an engine's connection of a device": (attach("device", ""), REFUSED),
    "bytes behind an attach": (attach(SLOT, "x") + b"more", PROTOCOL),
}


@pytest.mark.parametrize("message", MESSAGES)
def test_a_wrong_first_message_ends_it(server, message):
    data, code = MESSAGES[message]
    with opened(server) as connection:
        connection.send(data)
        assert close_code(connection) == code


def test_a_text_message_ends_it(server):
    with opened(server) as connection:
        connection.send("hello")
        assert close_code(connection) == 1003


def test_a_message_beyond_its_bound_ends_it(server):
    with opened(server) as connection:
        try:
            connection.send(frame(field(agent_frames.CHUNK, b""), b"x" * (MAX_CHUNK + MAX_HEADER)))
        except ConnectionClosed:
            pass  # cut while it was still being sent
        assert close_code(connection) in (1009, PROTOCOL, 1006)


def test_random_bytes_end_it(server, seed):
    print(f"seed {seed}")
    source = random.Random(seed)
    for _ in range(30):
        with opened(server) as connection:
            body = source.randbytes(source.randrange(1, 3000))
            connection.send(struct.pack("<I", source.randrange(1, len(body) + 2)) + body)
            assert close_code(connection) in (PROTOCOL, REFUSED)


def test_silence_ends_it(server):
    """A connection without a hello is closed after 10 s."""
    with opened(server) as connection:
        before = time.monotonic()
        code = close_code(connection, 15)
        assert 8 < time.monotonic() - before < 13
        assert code in (PROTOCOL, 1006)


def test_a_crowd_of_strangers_does_not_keep_agents_out(server):
    """More connections than are served at once; they all go away, and the browser's own is not among the victims."""
    got_in = refused = 0
    with ExitStack() as crowd:
        for _ in range(300):
            try:
                crowd.enter_context(opened(server))
                got_in += 1
            except (OSError, InvalidHandshake):
                refused += 1
        print(f"{got_in} got in, {refused} were refused")
        assert got_in >= 100
        assert server.get("/v2/health/ready").status == 200
    eventually("a new connection is served", 15, lambda: try_hello(server) == REFUSED)


def try_hello(server):
    try:
        with opened(server) as connection:
            connection.send(hello(SLOT, "0" * 32))
            return close_code(connection)
    except (OSError, InvalidHandshake):
        return None
