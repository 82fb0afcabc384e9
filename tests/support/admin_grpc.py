"""A client of shoal.admin.v1 made from descriptors at run time, of the calls about the server as a whole: no generated code."""

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_TEXT, _NUMBER, _FLAG = _FIELD.TYPE_STRING, _FIELD.TYPE_UINT64, _FIELD.TYPE_BOOL
_ONE, _MANY = _FIELD.LABEL_OPTIONAL, _FIELD.LABEL_REPEATED
# name: (request, answer)
CALLS = {"InspectServer": ("Nothing", "Server"), "DrainServer": ("DrainServerRequest", "Server"),
         "ResumeServer": ("Nothing", "Server"), "ReloadSettings": ("Nothing", "ReloadSettingsResponse")}
FIELDS = {
    "Nothing": [],
    "DrainServerRequest": [("reason", _TEXT, _ONE), ("grace_ms", _NUMBER, _ONE)],
    "Server": [("state", _TEXT, _ONE), ("reason", _TEXT, _ONE), ("ready", _FLAG, _ONE), ("not_ready_reason", _TEXT, _ONE),
               ("open_requests", _NUMBER, _ONE), ("grace_left_ms", _NUMBER, _ONE), ("version", _TEXT, _ONE)],
    "ReloadSettingsResponse": [("changed", _TEXT, _MANY), ("needs_restart", _TEXT, _MANY)],
}


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="test/server_admin.proto", package="test.admin", syntax="proto3")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for number, (field, kind, label) in enumerate(fields, 1):
            message.field.add(name=field, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"test.admin.{name}")) for name in FIELDS}


MESSAGES = _messages()


def server_admin(channel: grpc.Channel) -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    """call("DrainServer", {"reason": "x"}): the answer as a dictionary. Raises grpc.RpcError."""

    def call(name: str, request: dict[str, Any]) -> dict[str, Any]:
        asked, answered = CALLS[name]
        method = channel.unary_unary(f"/shoal.admin.v1.Admin/{name}", request_serializer=lambda made: made.SerializeToString(),
                                     response_deserializer=MESSAGES[answered].FromString)
        answer = method(json_format.ParseDict(request, MESSAGES[asked]()), timeout=20)
        return json_format.MessageToDict(answer, preserving_proto_field_name=True)

    return call
