"""Small graphs whose runs do what a fault needs: keep a GPU busy, never end, or want more memory than there is."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.http import Answer
from support.server import Server
from support.small_graphs import model_of

WIDTH, DEPTH = 64, 4


def matrices(seed: int) -> list[np.ndarray]:
    source = np.random.default_rng(seed)
    return [(source.standard_normal((WIDTH, WIDTH)) / WIDTH**0.5).astype(np.float32) for _ in range(DEPTH)]


def products(weights: list[np.ndarray]) -> onnx.ModelProto:
    """x [n, WIDTH] -> y [n, WIDTH], a row of matrix products."""
    names = ["x", *(f"h{index}" for index in range(DEPTH - 1)), "y"]
    nodes = [helper.make_node("MatMul", [names[index], f"w{index}"], [names[index + 1]], name=f"product{index}") for index in range(DEPTH)]
    return model_of(nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", WIDTH])],
                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", WIDTH])],
                  [numpy_helper.from_array(matrix, f"w{index}") for index, matrix in enumerate(weights)])


def spin() -> onnx.ModelProto:
    """count [] -> total [1]: adds one `count` times, one step of a loop each."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Add", ["sum", "one"], ["next"])], "body",
        [helper.make_tensor_value_info("step", TensorProto.INT64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []),
         helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("goes", TensorProto.BOOL, []), helper.make_tensor_value_info("next", TensorProto.FLOAT, [1])])
    return model_of([helper.make_node("Loop", ["count", "yes", "zero"], ["total"], body=body)],
                  [helper.make_tensor_value_info("count", TensorProto.INT64, [])],
                  [helper.make_tensor_value_info("total", TensorProto.FLOAT, [1])],
                  [numpy_helper.from_array(np.array(True), "yes"), numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
                   numpy_helper.from_array(np.ones(1, np.float32), "one")])


def hog() -> onnx.ModelProto:
    """count [1] -> total [1]: fills `count` floats and adds them up."""
    return model_of([helper.make_node("ConstantOfShape", ["count"], ["many"], value=numpy_helper.from_array(np.ones(1, np.float32))),
                   helper.make_node("ReduceSum", ["many"], ["total"], keepdims=1)],
                  [helper.make_tensor_value_info("count", TensorProto.INT64, [1])],
                  [helper.make_tensor_value_info("total", TensorProto.FLOAT, [1])], [])


def write(root: Path, name: str, model: onnx.ModelProto, backend: str) -> None:
    (root / name / "1").mkdir(parents=True)
    onnx.save(model, root / name / "1/model.onnx")
    (root / name / "config.pbtxt").write_text(f'parameters {{ key: "shoal_backend" value {{ string_value: "{backend}" }} }}\n')


def multiply(server: Server, model: str, row: np.ndarray, seconds: float = 30) -> Answer:
    """One row through a products() model."""
    body = {"parameters": {"timeout": int(seconds * 1e6)},
            "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, WIDTH], "data": row.tolist()}]}
    return server.post(f"/v2/models/{model}/infer", body, timeout=seconds + 5)
