"""Every encoder of the reference models as a package, served by browsers of two kinds: what PyTorch answered, through the whole server."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.command import document
from support.kinds import group
from support.safetensors import read_safetensors
from support.server import Server

MODELS = ["bert", "bert_mlm", "bert_qa", "distilbert", "roberta", "xlm-roberta", "electra", "albert"]
KINDS = ["headless_shell", "chromium"]
# What an output of ours is called in the references.
NAMES = {"mean_pooled_normalized": "embedding"}
ONE_NUMBER = {"start_logits", "end_logits"}


@pytest.fixture(scope="module")
def server(launch, fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Server:
    home = tmp_path_factory.mktemp("packages")
    for model in MODELS:
        document("import", fixtures / model, "--name", model, "--bits", 32, home=home)
    groups = ";".join(group(kind) for kind in KINDS)
    return launch(models__repository=str(home / "models"), pool__browsers=groups, models__warm_up="none").start(120)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", MODELS)
def test_an_encoder_answers_what_pytorch_answers(server: Server, fixtures: Path, model: str, kind: str) -> None:
    reference = fixtures / model / "reference"
    facts = json.loads((reference / "cases.json").read_text())
    strict = facts["tolerance"]["fp32_strict"]
    wanted = [one["name"] for one in server.get(f"/v2/models/{model}").json()["inputs"]]
    for case in facts["cases"]:
        arrays = read_safetensors(reference / case["file"])
        shape = arrays["input.input_ids"].shape
        given = {name: arrays.get(f"input.{name}", np.zeros(shape, np.int64)) for name in wanted}
        inputs = [{"name": name, "datatype": "INT64", "shape": list(shape), "data": data.ravel().tolist()}
                  for name, data in given.items()]
        answer = server.post(f"/v2/models/{model}/infer",
                             {"inputs": inputs, "parameters": {"shoal_worker": f"{kind}/0", "shoal_backend": "wasm"}}, timeout=120)
        assert answer.status == 200, answer.body[:2000]
        outputs = {one["name"]: np.array(one["data"], np.float32).reshape(one["shape"]) for one in answer.json()["outputs"]}
        kept = arrays["input.attention_mask"] != 0
        for name in (key.removeprefix("output.") for key in arrays if key.startswith("output.")):
            expected, got = arrays[f"output.{name}"], outputs[NAMES.get(name, name)]
            if name in ONE_NUMBER:
                expected = expected[..., None]
            assert got.shape == expected.shape, (case["name"], name)
            if expected.ndim == 3:
                assert not got[~kept].any()
                got, expected = got[kept], expected[kept]
            bound = strict["atol"][name] + strict["rtol"] * np.abs(expected)
            worst = float((np.abs(got - expected) / bound).max())
            assert worst <= 1, f"{case['name']} {name}: {worst:.2f} times the tolerance"
