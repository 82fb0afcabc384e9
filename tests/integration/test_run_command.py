"""`shoal run`: the plan engine's answers in the terminal, against PyTorch's outputs and native onnxruntime."""

import json
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from support.command import document, shoal
from support.safetensors import read_safetensors
from support.server import HOME


run, report = partial(shoal, "run"), partial(document, "run")


def case_of(folder: Path, name: str) -> tuple[dict, dict[str, np.ndarray]]:
    facts = json.loads((folder / "reference" / "cases.json").read_text())
    case = next(one for one in facts["cases"] if one["name"] == name)
    return case, read_safetensors(folder / "reference" / case["file"])


def test_an_encoder_prints_its_vector(fixtures: Path) -> None:
    folder = fixtures / "bert"
    case, tensors = case_of(folder, "single_short")
    expected = tensors["output.mean_pooled_normalized"][0]
    done = run(folder, case["raw"]["texts"][0])
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose([float(number) for number in done.stdout.split()], expected, atol=2e-5)
    tokens = ",".join(str(token) for token in tensors["input.input_ids"][0])
    for threads in (1, 2):
        answer = report(folder, "--tokens", tokens, "--threads", threads)
        np.testing.assert_allclose(answer["output"][0], expected, atol=2e-5)
    assert answer["prompt_tokens"] == 12
    assert answer["weight_bytes"] >= 4 * 112_000


@pytest.mark.parametrize("model", ["llama3", "t5"])
def test_a_model_that_generates_prints_token_ids(fixtures: Path, model: str) -> None:
    case, tensors = case_of(fixtures / model, "short")
    expected = case["generate"]["ids"][0]
    tokens = ",".join(str(token) for token in tensors["input.input_ids"][0])
    assert report(fixtures / model, "--tokens", tokens, "--max-tokens", 24)["ids"] == expected
    lines = run(fixtures / model, "--tokens", tokens, "--max-tokens", 5, "--backend", "native").stdout.split()
    assert lines == [str(token) for token in expected[:5]]


def test_fewer_bits_are_fewer_bytes_and_near_the_float_vector(fixtures: Path) -> None:
    folder = fixtures / "bert"
    answers = {bits: report(folder, "--tokens", "2,17,45,200,3", "--bits", bits) for bits in (32, 16, 8, 4)}
    sizes = [answers[bits]["weight_bytes"] for bits in (32, 16, 8, 4)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[3] < 0.25 * sizes[0]
    for bits, least in ((16, 0.99999), (8, 0.999), (4, 0.85)):
        assert np.dot(answers[32]["output"][0], answers[bits]["output"][0]) > least, bits


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["nowhere", "text"], 1, "is no folder, no GGUF file, and no package"),
        (["{bert}"], 2, "expected a prompt or --tokens"),
        (["{bert}", "--tokens", "1,x"], 2, "'x' is no token id"),
        (["{bert}", "--tokens", "1,,2"], 2, "'' is no token id"),
        (["{bert}", "--tokens", "1,512"], 2, "tokens: 512 is not below 512"),
        (["{bert}", "--tokens", "1", "--bits", "5"], 1, "bits"),
        (["{bert}", "--tokens", "1", "--backend", "gpu"], 2, "backend"),
        (["{clip}", "--tokens", "1"], 1, "the model_type 'clip' is not known"),
        (["{gpt2}", "--tokens", ",".join(["1"] * 129)], 1, "the prompt has 129 tokens, there is room for 128"),
    ],
)
def test_what_cannot_be_run_is_said(fixtures: Path, arguments: list[str], status: int, message: str) -> None:
    folders = {name: str(fixtures / name) for name in ("bert", "clip", "gpt2")}
    done = run(*(argument.format(**folders) for argument in arguments))
    assert (done.returncode, message in done.stderr) == (status, True), done.stderr


def test_minilm_is_what_onnxruntime_computes(minilm: Path) -> None:
    graph = HOME / "models" / "all-minilm-l6-v2-fp32" / "1" / "model.onnx"
    if not graph.is_file():
        pytest.skip("all-minilm-l6-v2-fp32 is not among the models")
    tokens = [101, *range(2000, 2060), 102]
    answer = report(minilm, "--tokens", ",".join(map(str, tokens)))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    ids = np.array([tokens])
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    states = session.run(["last_hidden_state"], {one.name: feeds[one.name] for one in session.get_inputs()})[0][0]
    expected = states.mean(axis=0) / np.linalg.norm(states.mean(axis=0))
    np.testing.assert_allclose(answer["output"][0], expected, atol=2e-6)
