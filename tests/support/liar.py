"""An agent at protocol level that joins as a device and answers with numbers of its own making: the planted liar."""

import json
import ssl
import struct
import threading
import time

from support import agent_frames as frames
from support.agent_frames import END, HEARTBEAT, OUTPUT, envelope_of, field, fields_of, frame
from support.server import AGENT
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

FP32 = 11
WIDTH = 384


def build() -> str:
    return json.loads((AGENT / "build.json").read_text())["build"]


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def capabilities() -> bytes:
    benchmark = field(1, "wasm") + bytes([2 << 3 | 1]) + struct.pack("<d", 5.0) + bytes([3 << 3 | 1]) + struct.pack("<d", 1.0)
    return field(frames.CAPABILITIES, field(1, 4) + field(4, 1) + field(10, benchmark))


def opened(address: str) -> ClientConnection:
    return connect(f"ws://{address}/agent/ws", origin=f"http://{address}", open_timeout=10, close_timeout=1, max_size=None)


def device_hello(token: str, key: str = "", slot: str = "device") -> bytes:
    return frames.hello(slot, token, build=build(), more=capabilities() + field(frames.DEVICE_KEY, key))


class Liar:
    """Joins by `token` on the server's http port. The first `honest` runs it leaves unanswered... it has no model to be honest
    with: it answers every run with the same made-up vectors, in the right shape."""

    def __init__(self, address: str, token: str, key: str = "") -> None:
        self.connection = opened(address)
        self.connection.send(device_hello(token, key))
        envelope, _ = envelope_of(self.connection.recv(15))
        welcome = fields_of(envelope[frames.WELCOME][0])
        self.slot = welcome[1][0].decode()
        self.key = welcome.get(4, [b""])[0].decode()
        self.answered = 0
        self.closed: int | None = None
        self.reason = ""
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        beat = 0.0
        try:
            while True:
                if time.monotonic() - beat > 0.5:
                    beat = time.monotonic()
                    self.connection.send(frame(field(HEARTBEAT, field(1, 1))))
                try:
                    self._handle(self.connection.recv(0.25))
                except TimeoutError:
                    continue
        except ConnectionClosed as closed:
            self.closed = closed.rcvd.code if closed.rcvd else 1006
            self.reason = closed.rcvd.reason if closed.rcvd else ""

    def _handle(self, message: bytes) -> None:
        envelope, _ = envelope_of(message)
        work = field(1, envelope[1][0]) if 1 in envelope else b""
        if frames.LOAD in envelope:
            loaded = field(1, field(1, "wasm") + field(2, 100)) + field(6, 1 << 20)
            self.connection.send(frame(work + field(END, field(1, loaded))))
        elif frames.UNLOAD in envelope:
            self.connection.send(frame(work + field(END, b"")))
        elif frames.RUN in envelope:
            first = fields_of(fields_of(envelope[frames.RUN][0])[2][0])
            shape = self._shape(first[3])
            data = struct.pack("<f", 0.5) * (shape[0] * shape[1] * WIDTH)
            declared = field(1, "last_hidden_state") + field(2, FP32) + b"".join(
                field(3, size) for size in (*shape, WIDTH)) + field(4, len(data))
            end = field(2, 1000)
            self.connection.send(frame(work + field(OUTPUT, field(1, declared) + field(2, end)), data))
            self.answered += 1

    @staticmethod
    def _shape(values: list) -> list[int]:
        """Repeated integers, packed or not."""
        if isinstance(values[0], int):
            return list(values)
        sizes, at = [], 0
        while at < len(values[0]):
            size, at = frames.read_varint(values[0], at)
            sizes.append(size)
        return sizes

    def end(self) -> None:
        self.connection.close()
        self._thread.join(5)
