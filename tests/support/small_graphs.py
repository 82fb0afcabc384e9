"""Small ONNX graphs and the repositories that hold them."""

import os
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

WIDTH = 4


def model_of(nodes: list, inputs: list, outputs: list, constants: list) -> onnx.ModelProto:
    made = helper.make_graph(nodes, "graph", inputs, outputs, constants)
    return helper.make_model(made, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def adding(amount: float) -> bytes:
    """y = x + amount, x is [n, WIDTH]."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, [WIDTH], [amount] * WIDTH)
    node = helper.make_node("Add", ["x", "w"], ["y"], name="node")
    shape = ["n", WIDTH]
    return model_of([node], [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                    [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], [weights]).SerializeToString()


def write(root: Path, name: str, graph: bytes, version: int = 1) -> None:
    """The graph as a version of the model, put there at once as a deployment does it."""
    folder = root / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = root / f".{name}-{version}"
    fresh.write_bytes(graph)
    os.replace(fresh, folder / "model.onnx")


def body() -> dict:
    """A request: x is zeros, so that y is what the graph adds."""
    return {"inputs": [{"name": "x", "shape": [1, WIDTH], "datatype": "FP32", "data": np.zeros(WIDTH).tolist()}]}


def looking_up(rows: int) -> bytes:
    """y = a table of so many rows, looked up at ids [n]: an id beyond it is the engine's error."""
    table = helper.make_tensor("table", TensorProto.FLOAT, [rows, WIDTH], [float(row) for row in range(rows) for _ in range(WIDTH)])
    node = helper.make_node("Gather", ["table", "ids"], ["y"], name="look up")
    return model_of([node], [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])],
                    [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", WIDTH])], [table]).SerializeToString()
