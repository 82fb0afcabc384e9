"""A client of shoal.v1.Inference made from descriptors at run time: no generated code, as any gRPC tool would call it."""

from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tritonclient.grpc import service_pb2

_FIELD = descriptor_pb2.FieldDescriptorProto
CODES = ("CODE_UNSPECIFIED", "INVALID_ARGUMENT", "NOT_FOUND")


def _messages() -> dict[str, Any]:
    """RunAllRequest and RunAllResponse, beside the stock client's KServe messages."""
    file = descriptor_pb2.FileDescriptorProto(name="test/run_all.proto", package="shoal.v1", syntax="proto3")
    file.dependency.append(service_pb2.DESCRIPTOR.name)
    request = file.message_type.add(name="RunAllRequest")
    request.field.add(name="requests", number=1, type=_FIELD.TYPE_MESSAGE, label=_FIELD.LABEL_REPEATED,
                      type_name=".inference.ModelInferRequest")
    failure = file.message_type.add(name="Failure")
    for number, (name, kind) in enumerate((("code", _FIELD.TYPE_INT32), ("message", _FIELD.TYPE_STRING), ("param", _FIELD.TYPE_STRING)), 1):
        failure.field.add(name=name, number=number, type=kind, label=_FIELD.LABEL_OPTIONAL)
    response = file.message_type.add(name="RunAllResponse")
    response.field.add(name="index", number=1, type=_FIELD.TYPE_UINT32, label=_FIELD.LABEL_OPTIONAL)
    for name, number, kind in (("response", 2, ".inference.ModelInferResponse"), ("failure", 3, ".shoal.v1.Failure")):
        response.field.add(name=name, number=number, type=_FIELD.TYPE_MESSAGE, label=_FIELD.LABEL_OPTIONAL, type_name=kind)
    pool = descriptor_pool.Default()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"shoal.v1.{name}"))
            for name in ("RunAllRequest", "RunAllResponse")}


MESSAGES = _messages()


class RunAll:
    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)

    def __enter__(self) -> "RunAll":
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()

    def code(self, name: str) -> int:
        return CODES.index(name)

    def run(self, requests: list[Any], timeout: float) -> Iterator[Any]:
        call = self.channel.unary_stream("/shoal.v1.Inference/RunAll", request_serializer=lambda made: made.SerializeToString(),
                                         response_deserializer=MESSAGES["RunAllResponse"].FromString)
        yield from call(MESSAGES["RunAllRequest"](requests=requests), timeout=timeout)
