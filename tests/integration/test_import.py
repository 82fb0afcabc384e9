"""`shoal import`: its BERT graphs, run by native onnxruntime, against PyTorch's outputs and a float64 reference."""

import json
import math
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
from support.command import shoal
from support.safetensors import read_safetensors


def run_import(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    return shoal("import", source, "--format", "onnx", "--into", target)


def imported(source: Path, target: Path) -> onnxruntime.InferenceSession:
    done = run_import(source, target)
    assert done.returncode == 0, done.stderr
    return onnxruntime.InferenceSession(target / "model.onnx", providers=["CPUExecutionProvider"])


def test_fixture_is_within_the_strict_tolerance(fixtures: Path, tmp_path: Path) -> None:
    folder = fixtures / "bert"
    session = imported(folder, tmp_path / "1")
    cases = json.loads((folder / "reference" / "cases.json").read_text())
    strict = cases["tolerance"]["fp32_strict"]
    for case in cases["cases"]:
        tensors = read_safetensors(folder / "reference" / case["file"])
        inputs = {name[6:]: value for name, value in tensors.items() if name.startswith("input.")}
        (got,) = session.run(["last_hidden_state"], inputs)
        want = tensors["output.last_hidden_state"]
        bound = strict["atol"]["last_hidden_state"] + strict["rtol"] * np.abs(want)
        excess = (np.abs(got - want) - bound)[inputs["attention_mask"] == 1]
        assert excess.max() <= 0, f"{case['name']}: {np.abs(got - want).max()}"


def test_the_version_folder_is_complete_and_deterministic(fixtures: Path, tmp_path: Path) -> None:
    folder = fixtures / "bert"
    imported(folder, tmp_path / "1")
    imported(folder, tmp_path / "2")
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == ["config.json", "model.onnx", "tokenizer.json"]
    assert (tmp_path / "1" / "model.onnx").read_bytes() == (tmp_path / "2" / "model.onnx").read_bytes()


def test_an_existing_folder_is_not_touched(fixtures: Path, tmp_path: Path) -> None:
    folder = fixtures / "bert"
    (tmp_path / "1").mkdir()
    failed = run_import(folder, tmp_path / "1")
    assert failed.returncode == 2 and "is there already" in failed.stderr
    assert list((tmp_path / "1").iterdir()) == []


def test_another_architecture_is_refused_by_name(fixtures: Path, tmp_path: Path) -> None:
    folder = fixtures / "gpt2"
    failed = run_import(folder, tmp_path / "1")
    assert failed.returncode == 1 and "model_type is 'gpt2'" in failed.stderr
    assert list(tmp_path.iterdir()) == []


def reference(folder: Path, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """BERT in float64, written from the paper and from nothing of the importer."""
    config = json.loads((folder / "config.json").read_text())
    weights = {name: value.astype(np.float64) for name, value in read_safetensors(folder / "model.safetensors").items()}
    heads, size = config["num_attention_heads"], config["hidden_size"] // config["num_attention_heads"]
    erf = np.vectorize(math.erf)

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ weights[name + ".weight"].T + weights[name + ".bias"]

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + config["layer_norm_eps"])
        return centred / scale * weights[name + ".weight"] + weights[name + ".bias"]

    def split(x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:2], heads, size).transpose(0, 2, 1, 3)

    tables = "embeddings.{}_embeddings.weight".format
    x = weights[tables("word")][ids] + weights[tables("position")][: ids.shape[1]] + weights[tables("token_type")][0]
    x = norm("embeddings.LayerNorm", x)
    for layer in range(config["num_hidden_layers"]):
        path = f"encoder.layer.{layer}."
        q, k, v = (split(linear(path + "attention.self." + part, x)) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(size)
        scores = np.where(mask[:, None, None, :] == 1, scores, -np.inf)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        context = (shares / shares.sum(-1, keepdims=True)) @ v
        context = context.transpose(0, 2, 1, 3).reshape(x.shape)
        x = norm(path + "attention.output.LayerNorm", linear(path + "attention.output.dense", context) + x)
        up = linear(path + "intermediate.dense", x)
        up = up * (1 + erf(up / math.sqrt(2))) / 2
        x = norm(path + "output.LayerNorm", linear(path + "output.dense", up) + x)
    return x


def test_minilm_equals_a_float64_reference(minilm: Path, tmp_path: Path) -> None:
    session = imported(minilm, tmp_path / "1")
    random = np.random.default_rng(7)
    for rows, length in [(1, 1), (1, 7), (3, 64), (1, 512)]:
        ids = random.integers(1000, 30000, (rows, length))
        mask = np.ones_like(ids)
        mask[0, max(1, length * 2 // 3) :] = 0
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (got,) = session.run(["last_hidden_state"], inputs)
        want = reference(minilm, ids, mask)
        assert np.abs(got - want)[mask == 1].max() < 2e-5, (rows, length)
