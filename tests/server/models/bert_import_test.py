"""The imported BERT graph against PyTorch's reference outputs, by native onnxruntime.

SHOAL_IMPORTER   the import_encoder program (build/<preset>/tests/server/models/import_encoder)
SHOAL_FIXTURES   the folder with the reference models; without it the comparison is skipped
SHOAL_MINILM     a Hugging Face folder of all-MiniLM-L6-v2; without it real weights are skipped
"""

import json
import math
import os
import pathlib
import subprocess

import numpy
import onnxruntime
import pytest


def environment(name: str) -> pathlib.Path:
    value = os.environ.get(name)
    if not value:
        pytest.skip(f"{name} is not set")
    return pathlib.Path(value)


def read_safetensors(path: pathlib.Path) -> dict[str, numpy.ndarray]:
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    types = {"F32": numpy.float32, "I64": numpy.int64, "F16": numpy.float16}
    tensors = {}
    for name, row in json.loads(raw[8 : 8 + size]).items():
        if name != "__metadata__":
            begin, end = row["data_offsets"]
            data = numpy.frombuffer(raw[8 + size + begin : 8 + size + end], types[row["dtype"]])
            tensors[name] = data.reshape(row["shape"])
    return tensors


def imported(source: pathlib.Path, target: pathlib.Path) -> onnxruntime.InferenceSession:
    subprocess.run([environment("SHOAL_IMPORTER"), source, target], check=True)
    return onnxruntime.InferenceSession(target / "model.onnx", providers=["CPUExecutionProvider"])


def test_fixture_is_within_the_strict_tolerance(tmp_path: pathlib.Path) -> None:
    folder = environment("SHOAL_FIXTURES") / "models" / "bert"
    session = imported(folder, tmp_path / "1")
    cases = json.loads((folder / "reference" / "cases.json").read_text())
    strict = cases["tolerance"]["fp32_strict"]
    for case in cases["cases"]:
        tensors = read_safetensors(folder / "reference" / case["file"])
        inputs = {name[6:]: value for name, value in tensors.items() if name.startswith("input.")}
        (got,) = session.run(["last_hidden_state"], inputs)
        want = tensors["output.last_hidden_state"]
        bound = strict["atol"]["last_hidden_state"] + strict["rtol"] * numpy.abs(want)
        excess = (numpy.abs(got - want) - bound)[inputs["attention_mask"] == 1]
        assert excess.max() <= 0, f"{case['name']}: {numpy.abs(got - want).max()}"


def test_the_version_folder_is_complete_and_deterministic(tmp_path: pathlib.Path) -> None:
    folder = environment("SHOAL_FIXTURES") / "models" / "bert"
    imported(folder, tmp_path / "1")
    imported(folder, tmp_path / "2")
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == ["config.json", "model.onnx", "tokenizer.json"]
    assert (tmp_path / "1" / "model.onnx").read_bytes() == (tmp_path / "2" / "model.onnx").read_bytes()


def test_an_existing_folder_is_not_touched(tmp_path: pathlib.Path) -> None:
    folder = environment("SHOAL_FIXTURES") / "models" / "bert"
    (tmp_path / "1").mkdir()
    failed = subprocess.run([environment("SHOAL_IMPORTER"), folder, tmp_path / "1"], capture_output=True, text=True)
    assert failed.returncode == 1 and "is there already" in failed.stderr
    assert list((tmp_path / "1").iterdir()) == []


def test_another_architecture_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    folder = environment("SHOAL_FIXTURES") / "models" / "gpt2"
    failed = subprocess.run([environment("SHOAL_IMPORTER"), folder, tmp_path / "1"], capture_output=True, text=True)
    assert failed.returncode == 1 and "model_type is 'gpt2'" in failed.stderr
    assert list(tmp_path.iterdir()) == []


def reference(folder: pathlib.Path, ids: numpy.ndarray, mask: numpy.ndarray) -> numpy.ndarray:
    """BERT in float64, written from the paper and from nothing of the importer."""
    config = json.loads((folder / "config.json").read_text())
    weights = {name: value.astype(numpy.float64) for name, value in read_safetensors(folder / "model.safetensors").items()}
    heads, size = config["num_attention_heads"], config["hidden_size"] // config["num_attention_heads"]
    erf = numpy.vectorize(math.erf)

    def linear(name: str, x: numpy.ndarray) -> numpy.ndarray:
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    def norm(name: str, x: numpy.ndarray) -> numpy.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scale = numpy.sqrt((centred**2).mean(-1, keepdims=True) + config["layer_norm_eps"])
        return centred / scale * weights[name + ".weight"] + weights[name + ".bias"]

    def split(x: numpy.ndarray) -> numpy.ndarray:
        return x.reshape(*x.shape[:2], heads, size).transpose(0, 2, 1, 3)

    tables = "embeddings.{}_embeddings.weight".format
    x = weights[tables("word")][ids] + weights[tables("position")][: ids.shape[1]] + weights[tables("token_type")][0]
    x = norm("embeddings.LayerNorm", x)
    for layer in range(config["num_hidden_layers"]):
        path = f"encoder.layer.{layer}."
        q, k, v = (split(linear(path + "attention.self." + part, x)) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(size)
        scores = numpy.where(mask[:, None, None, :] == 1, scores, -numpy.inf)
        shares = numpy.exp(scores - scores.max(-1, keepdims=True))
        context = (shares / shares.sum(-1, keepdims=True)) @ v
        context = context.transpose(0, 2, 1, 3).reshape(x.shape)
        x = norm(path + "attention.output.LayerNorm", linear(path + "attention.output.dense", context) + x)
        up = linear(path + "intermediate.dense", x)
        up = up * (1 + erf(up / math.sqrt(2))) / 2
        x = norm(path + "output.LayerNorm", linear(path + "output.dense", up) + x)
    return x


def test_minilm_equals_a_float64_reference(tmp_path: pathlib.Path) -> None:
    folder = environment("SHOAL_MINILM")
    session = imported(folder, tmp_path / "1")
    random = numpy.random.default_rng(7)
    for rows, length in [(1, 1), (1, 7), (3, 64), (1, 512)]:
        ids = random.integers(1000, 30000, (rows, length))
        mask = numpy.ones_like(ids)
        mask[0, max(1, length * 2 // 3) :] = 0
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
        (got,) = session.run(["last_hidden_state"], inputs)
        want = reference(folder, ids, mask)
        assert numpy.abs(got - want)[mask == 1].max() < 2e-5, (rows, length)
