"""Frames of proto/shoal/agent/v1/agent.proto made by hand, so that a test can make wrong ones."""

import struct

MAX_HEADER, MAX_CHUNK = 262144 - 4, 262144

# Envelope's fields.
WORK_ID, HELLO, HEARTBEAT, OUTPUT, END, FRAMES, CHUNK = 1, 2, 3, 4, 5, 12, 32
# Hello's fields.
PROTOCOL, BUILD, SLOT, TOKEN, CAPABILITIES, DEVICE_KEY = 1, 2, 3, 4, 6, 7
WELCOME, LOAD, UNLOAD, RUN, CANCEL = 16, 17, 18, 19, 20
ATTACH = 11


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


def hello(slot: str, token: str, protocol: int = 1, build: str = "", more: bytes = b"") -> bytes:
    fields = field(PROTOCOL, protocol) + field(BUILD, build) + field(SLOT, slot) + field(TOKEN, token) + more
    return frame(field(HELLO, fields))


def attach(slot: str, token: str, backend: str = "wasm") -> bytes:
    return frame(field(ATTACH, field(1, slot) + field(2, token) + field(3, backend)))


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields_of(data: bytes) -> dict[int, list[int | bytes]]:
    """A message's fields by number, each with its values in order; varints and length-delimited ones are all there are."""
    found: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        value: int | bytes
        if key & 7 == 0:
            value, at = read_varint(data, at)
        elif key & 7 == 2:
            size, at = read_varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = 8 if key & 7 == 1 else 4
            value, at = data[at:at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def envelope_of(message: bytes) -> tuple[dict[int, list[int | bytes]], bytes]:
    """Of a frame: its envelope's fields and its raw bytes."""
    size = struct.unpack_from("<I", message)[0]
    return fields_of(message[4:4 + size]), message[4 + size:]
