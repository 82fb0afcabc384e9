"""`shoal import` makes packages; `shoal models`, `shoal estimate` and `shoal run` read them; browsers serve them."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from golden import native
from support import command
from support.server import HOME

TEXTS = ["A shoal of fish.", "Ein Schwarm Fische schwimmt im Kreis.", "1 + 1 = 2", "a", "word " * 100]


# Models are imported here, beside whatever else the machine does.
SECONDS = 240
shoal, document = partial(command.shoal, timeout=SECONDS), partial(command.document, timeout=SECONDS)


def test_a_second_import_is_another_variant_and_another_source_another_version(fixtures: Path, tmp_path: Path) -> None:
    home, source = tmp_path / "home", tmp_path / "bert"
    shutil.copytree(fixtures / "bert", source)
    first = document("import", source, "--name", "m", "--bits", 4, home=home)
    assert first["folder"] == str(home / "models/m/1") and first["variant"] == "q4"
    second = document("import", source, "--name", "m", "--bits", 8, home=home)
    assert second["folder"] == first["folder"] and second["default_variant"] == "q4"
    mixed = document("import", source, "--name", "m", "--bits", 2, "--mixed", "--default", home=home)
    assert mixed["variant"] == mixed["default_variant"] == "q2-mixed"
    package = json.loads((home / "models/m/1/package.json").read_text())
    assert [variant["name"] for variant in package["variants"]] == ["q4", "q8", "q2-mixed"]
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"pad_token_id": 1}))
    changed = document("import", source, "--name", "m", "--bits", 4, home=home)
    assert changed["folder"] == str(home / "models/m/2")
    refused = shoal("import", source, "--name", "m", "--version", 1, home=home)
    assert refused.returncode == 2 and "--version" in refused.stderr
    assert sorted(path.name for path in (home / "models").iterdir()) == ["m"]

    listed = document("models", home=home)
    assert [(row["version"], row["class"], row["state"]) for row in listed] == [(2, "encoder", "READY")]
    text = shoal("models", home=home).stdout.splitlines()
    assert text[0].split() == ["MODEL", "VERSION", "CLASS", "VARIANT", "BITS", "SIZE", "STATE"]
    assert text[1].split()[:5] == ["m", "2", "encoder", "q4", "*"]


def test_errors_and_sizes_follow_the_bits(fixtures: Path, tmp_path: Path) -> None:
    made = {bits: document("import", fixtures / "gpt2", "--name", f"m{bits}", "--bits", bits, home=tmp_path)
            for bits in (32, 16, 8, 4, 3, 2)}
    errors = [made[bits]["relative_error"] for bits in (32, 16, 8, 4, 3, 2)]
    assert errors == sorted(errors) and errors[0] == 0 and 0.3 < errors[-1] < 0.45
    for bits in (32, 16, 8, 4, 3, 2):
        package = json.loads((tmp_path / f"models/m{bits}/1/package.json").read_text())
        weights = sum(path.stat().st_size for path in (tmp_path / f"models/m{bits}/1").glob("*.weights"))
        assert weights == package["variants"][0]["weight_bytes"] == made[bits]["weight_bytes"]
        assert all(one["bytes"] > 0 for one in package["variants"][0]["tensors"])
    nearest = document("import", fixtures / "gpt2", "--name", "n", "--bits", 4, "--method", "nearest", home=tmp_path)
    assert nearest["relative_error"] > made[4]["relative_error"]
    symmetric = document("import", fixtures / "gpt2", "--name", "s", "--bits", 4, "--scheme", "symmetric", home=tmp_path)
    assert {one["format"] for one in symmetric["tensors"]} == {"q4-sym-s8z8-g32"}


def test_what_cannot_be_asked_for_is_said(fixtures: Path, tmp_path: Path) -> None:
    bert = fixtures / "bert"
    for arguments, status, words in [
        ([bert, "--name", "m", "--keep", "nothing.*=8"], 2, "matches no tensor"),
        ([bert, "--name", "m", "--keep", "ffn"], 2, "PATTERN=BITS"),
        ([bert, "--name", "../m"], 2, "--name"),
        ([bert], 2, "--name"),
        ([tmp_path / "nowhere", "--name", "m"], 1, "there is no"),
        ([bert / "config.json", "--name", "m"], 2, "neither a folder nor a GGUF file"),
    ]:
        done = shoal("import", *arguments, home=tmp_path)
        assert (done.returncode, words in done.stderr) == (status, True), (arguments, done.returncode, done.stderr)
    assert not (tmp_path / "models").exists() or list((tmp_path / "models").iterdir()) == []


@pytest.mark.parametrize("model", ["bert", "gpt2", "t5"])
def test_a_package_runs_as_its_source_does(fixtures: Path, tmp_path: Path, model: str) -> None:
    source, tokens = fixtures / model, "5,6,7,8"
    for bits in (32, 4):
        document("import", source, "--name", f"{model}{bits}", "--bits", bits, "--block", 32, home=tmp_path)
        expected = document("run", source, "--tokens", tokens, "--bits", bits, "--max-tokens", 6, home=tmp_path)
        for name in (f"{model}{bits}", tmp_path / f"models/{model}{bits}/1"):
            got = document("run", name, "--tokens", tokens, "--max-tokens", 6, home=tmp_path)
            assert got.get("ids") == expected.get("ids") and got.get("output") == expected.get("output")
            assert (got["bits"], got["weight_bytes"]) == (bits, expected["weight_bytes"])
    missing = shoal("run", f"{model}4", "--tokens", tokens, "--bits", 3, home=tmp_path)
    assert missing.returncode == 1 and "has no variant of 3 bits" in missing.stderr


def test_an_estimate_is_what_a_run_takes(fixtures: Path, tmp_path: Path) -> None:
    for model in ("gpt2", "llama", "bert"):
        for bits in (32, 8, 4):
            ran = document("run", fixtures / model, "--tokens", "5,6,7,8", "--bits", bits, "--max-tokens", 12, "--threads", 1,
                           home=tmp_path)
            told = document("estimate", fixtures / model, "--bits", bits, "--block", 32, "--context",
                            4 if model == "bert" else 16, home=tmp_path)
            assert told["weight_bytes"] == ran["weight_bytes"] == sum(told["weights"].values())
            assert told["state_bytes"] == ran["state_bytes"]
            if model == "bert":
                assert told["value_bytes"] == pytest.approx(ran["value_bytes"], rel=0.05)
            assert told["weight_bytes_f16"] > told["weight_bytes"] * (0.4 if bits == 32 else 1)


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@pytest.fixture(scope="module")
def repository(minilm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("packages")
    for name, bits in [("mini", 32), ("mini8", 8)]:
        made = document("import", minilm, "--name", name, "--bits", bits, home=home)
        assert made["class"] == "encoder"
    return home / "models"


def test_a_browser_serves_a_package(repository: Path, launch) -> None:
    server = launch(models__repository=str(repository)).start()
    encoder = native.NativeEncoder(HOME / "models" / "all-minilm-l6-v2-fp32" / "1")
    expected = [encoder.embed(text) for text in TEXTS]
    for model, bound in [("mini", 1e-5), ("mini8", 0.03)]:
        answer = server.post("/v1/embeddings", {"model": model, "input": TEXTS})
        assert answer.status == 200, answer
        for row, vector in zip(answer.json()["data"], expected, strict=True):
            assert 1 - cosine(np.array(row["embedding"]), vector) < bound
            assert abs(np.linalg.norm(row["embedding"]) - 1) < 1e-4
    metadata = server.get("/v2/models/mini8").json()
    assert metadata["platform"] == "shoal_plan"
    assert [one["name"] for one in metadata["inputs"]] == ["input_ids", "attention_mask", "token_type_ids"]
    ids = [[101, 2023, 102, 0, 0], [101, 2023, 2003, 1037, 102]]
    mask = [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    body = {"inputs": [{"name": name, "datatype": "INT64", "shape": [2, 5], "data": data} for name, data in
                       [("input_ids", ids), ("attention_mask", mask), ("token_type_ids", [[0] * 5] * 2)]]}
    answer = server.post("/v2/models/mini/infer", body | {"parameters": {"shoal_bits": 32}}).json()
    outputs = {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in answer["outputs"]}
    assert outputs["last_hidden_state"].shape == (2, 5, 384)
    assert not outputs["last_hidden_state"][0, 3:].any()
    assert outputs["embedding"].shape == (2, 384)
    assert (answer["parameters"]["shoal_variant"], answer["parameters"]["shoal_bits"]) == ("f32", 32)
    refused = server.post("/v2/models/mini/infer", body | {"parameters": {"shoal_bits": 4}})
    assert refused.status == 501 and "32 bits" in refused.json()["error"]
