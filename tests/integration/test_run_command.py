"""`shoal run`: the plan engine's answers in the terminal, against PyTorch's outputs and native onnxruntime."""

import json
import os
import signal
import subprocess
import tempfile
import uuid
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from support.command import document, shoal
from support.safetensors import read_safetensors
from support.processes import marked
from support.server import HOME, binary


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


def headless(*arguments: object) -> dict:
    return report(*arguments, "--backend", "wasm")


@pytest.mark.parametrize("model", ["llama3", "t5"])
def test_a_browser_generates_what_this_machine_does(fixtures: Path, model: str) -> None:
    case, tensors = case_of(fixtures / model, "short")
    tokens = ",".join(str(token) for token in tensors["input.input_ids"][0])
    answer = headless(fixtures / model, "--tokens", tokens, "--max-tokens", 24)
    assert answer["ids"] == case["generate"]["ids"][0]
    assert (answer["backend"], answer["worker"], answer["bits"]) == ("wasm", "headless_shell/0", 32)
    assert answer["finish_reason"] == "length" and answer["prompt_tokens"] == len(tokens.split(","))
    assert answer["load_ms"] > 0 and answer["decode_tokens_per_second"] > 0
    drawn = ["--max-tokens", 20, "--temperature", 1.5, "--seed", 7, "--top-k", 50, "--raw"]
    text = case["raw"]["texts"][0]
    assert headless(fixtures / model, text, *drawn)["ids"] == report(fixtures / model, text, *drawn)["ids"]


def test_a_browser_computes_the_vectors_of_encoders(fixtures: Path, tmp_path: Path) -> None:
    document("import", fixtures / "bert", "--name", "vectors", "--bits", 32, home=tmp_path)
    document("import", fixtures / "bert", "--name", "vectors", "--bits", 8, home=tmp_path)
    package = tmp_path / "models" / "vectors" / "1"
    for options in ([], ["--bits", 8]):
        for question in (["A shoal of fish."], ["--tokens", "2,17,45,200,3"]):
            here, there = report(package, *question, *options), headless(package, *question, *options)
            np.testing.assert_allclose(there["output"], here["output"], atol=2e-5)
            assert there["bits"] == here["bits"] and there["backend"] == "wasm"


def test_what_a_browser_cannot_run_is_said(fixtures: Path, tmp_path: Path) -> None:
    for arguments, status, message in [
        (["nowhere", "text"], 1, "is no folder, no GGUF file, and no package"),
        ([fixtures / "bert"], 2, "expected a prompt or --tokens"),
        ([fixtures / "gpt2", "--tokens", ",".join(["1"] * 129)], 2, "takes 128 tokens"),
        ([fixtures / "gpt2", "x", "--url", "http://127.0.0.1:1"], 2, "--backend excludes --url"),
    ]:
        done = run(*arguments, "--backend", "wasm")
        assert (done.returncode, message in done.stderr) == (status, True), done.stderr
    unreachable = run("gpt2", "x", "--url", "http://127.0.0.1:1")
    assert unreachable.returncode == 1 and "no server answers at 127.0.0.1:1" in unreachable.stderr


def test_a_running_server_answers(endpoints) -> None:
    chat = ["smollm2-135m-instruct", "Name three primary colors."]
    there, here = report(*chat, "--url", f"http://{endpoints.http}"), report(*chat)
    assert (there["text"], there["ids"], there["finish_reason"]) == (here["text"], here["ids"], "stop")
    assert run(*chat, "--url", endpoints.http).stdout == here["text"] + "\n"
    assert headless(*chat)["ids"] == here["ids"]
    vector = report("all-minilm-l6-v2", "a shoal of fish", "--url", endpoints.http)
    assert len(vector["output"][0]) == 384
    unknown = run("none", "x", "--url", endpoints.http)
    assert unknown.returncode == 1 and "unknown model: 'none'" in unknown.stderr


def test_an_interrupt_ends_the_answer_of_a_browser(tmp_path: Path) -> None:
    arguments = [binary(), "run", "smollm2-135m-instruct", "Count from one to one thousand.", "--backend", "wasm", "--max-tokens", "2000"]
    mark = uuid.uuid4().hex
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=os.environ | {"RUN_MARKER": mark}, start_new_session=True) as running:
        assert len(running.stdout.read(8)) == 8
        assert len(marked(f"RUN_MARKER={mark}", tmp_path)) > 5
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
    assert running.returncode == 0
    assert not marked(f"RUN_MARKER={mark}", tmp_path), "its server or browser is still there"
    assert not list(Path(tempfile.gettempdir()).glob("shoal-run-*"))
