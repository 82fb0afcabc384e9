"""Frames of proto/shoal/agent/v1/agent.proto made by hand, so that a test can make wrong ones."""

import struct

MAX_HEADER, MAX_CHUNK = 262144 - 4, 262144

# Envelope's fields.
WORK_ID, HELLO, HEARTBEAT, OUTPUT, END, CHUNK = 1, 2, 3, 4, 5, 32
# Hello's fields.
PROTOCOL, BUILD, SLOT, TOKEN = 1, 2, 3, 4


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def frame(envelope: bytes, payload: bytes = b"") -> bytes:
    return struct.pack("<I", len(envelope)) + envelope + payload


def hello(slot: str, token: str, protocol: int = 1, build: str = "") -> bytes:
    fields = field(PROTOCOL, protocol) + field(BUILD, build) + field(SLOT, slot) + field(TOKEN, token)
    return frame(field(HELLO, fields))
