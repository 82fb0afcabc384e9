"""The ONNX graphs of the reference models (SHOAL_FIXTURES), with inputs and what they must give.

Inputs that a case does not spell out (empty caches, positions, image and text embeddings put together) are made the way a
caller of that graph makes them. Every output is held against native onnxruntime on the same inputs, and against
PyTorch's where the fixtures have it. Graphs with a cache get one more case, `cached`: the step after their first.
"""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from support.safetensors import read_safetensors

# What the fixtures call an output of the graph.
REFERENCE_NAMES = {
    "last_hidden_state": ("last_hidden_state", "encoder_last_hidden_state", "image_embeds"),
    "image_features": ("image_features", "image_features_packed"),
}
# Towers that give projections before they are normalised, where the fixtures hold them normalised.
UNNORMALIZED = {"clip/text_model.onnx", "clip/vision_model.onnx", "clap/text_model.onnx", "clap/audio_model.onnx"}
# The last hidden state that the fixtures hold is the encoder's, or another tower's.
OTHER_STATES = {"flava/model.onnx", "blip_itm/text_model.onnx", "blip_itm/vision_model.onnx"}


def fixtures():
    """The fixtures' folder, or None where they are not."""
    folder = os.environ.get("SHOAL_FIXTURES")
    return Path(folder) if folder and (Path(folder) / "models").is_dir() else None


@dataclass(frozen=True)
class Reference:
    source: str  # PyTorch | onnxruntime
    data: np.ndarray
    rtol: float
    atol: float
    is_normalized: bool = False


@dataclass(frozen=True)
class Case:
    name: str
    inputs: dict
    references: dict  # output name: [Reference]
    valid: np.ndarray | None  # [batch, tokens]: where token-wise outputs mean something


@dataclass(frozen=True)
class Verdict:
    error: float  # the largest |a - b|
    excess: float  # the largest |a - b| / (atol + rtol |b|): at most 1 is right
    where: str

    @property
    def is_right(self):
        return self.excess <= 1


def positions(mask):
    return np.maximum(np.cumsum(mask, axis=1) - 1, 0).astype(np.int64)


class Graph:
    def __init__(self, folder, model, file):
        self.home = Path(folder) / "models" / model
        self.model, self.file = model, file
        self.name = f"{model}/{file}"
        self.served_as = model if file == "model.onnx" else f"{model}.{Path(file).stem}"
        self.path = self.home / "onnx" / file

    @cached_property
    def document(self):
        return json.loads((self.home / "reference/cases.json").read_text())

    @property
    def task(self):
        return self.document["task"]

    @cached_property
    def config(self):
        return json.loads((self.home / "config.json").read_text())

    @cached_property
    def signature(self):
        return self.document["onnx"][self.file]["inputs"]

    @cached_property
    def session(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(self.path), options, providers=["CPUExecutionProvider"])

    def native(self, inputs):
        names = [entry.name for entry in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, inputs), strict=True))

    def case_names(self):
        names = [case["name"] for case in self.document["cases"] if self._fits(case)]
        return names + (["cached"] if any(name.startswith("past_key_values") for name in self.signature) else [])

    def case(self, name):
        if name == "cached":
            return self._cached()
        case = next(case for case in self.document["cases"] if case["name"] == name)
        arrays = read_safetensors(self.home / "reference" / case["file"])
        maker = InputMaker(self, arrays)
        inputs = {wanted: maker.make(wanted, dims, kind) for wanted, (kind, dims) in self.signature.items()}
        mask = arrays.get("input.attention_mask") if "ignore_positions" in case else None
        references = {output: [self._near(data)] for output, data in self.native(inputs).items()}
        for output in references:
            references[output] += self._pytorch(output, arrays, references[output][0].data.shape)
        return Case(name, inputs, references, mask)

    def _fits(self, case):
        given = case["inputs"]
        if "langs" in given:  # a variant of the model that the graph is not
            return False
        return not ("pixel_values" in self.signature and "pixel_values" not in given)

    # The rule that the fixtures use for PyTorch: about 1e-4 of the largest value, and 1e-3 of each.
    def _near(self, data):
        largest = float(np.abs(data[np.isfinite(data)], dtype=np.float64).max(initial=0)) if data.dtype.kind == "f" else 0
        return Reference("onnxruntime", data, rtol=1e-3, atol=max(1e-4, 1e-4 * largest))

    def _pytorch(self, output, arrays, shape):
        rule = self.document["tolerance"]["fp32"]
        if output == "last_hidden_state" and self.name in OTHER_STATES:
            return []
        for name in REFERENCE_NAMES.get(output, (output,)):
            data = arrays.get(f"output.{name}")
            # llava's features come image by image or end to end.
            is_same = data is not None and (data.shape == shape or (name == "image_features_packed" and data.size == np.prod(shape)))
            if is_same and name in rule["atol"]:
                is_normalized = self.name in UNNORMALIZED and output.endswith("_embeds")
                return [Reference("PyTorch", data.reshape(shape), rule["rtol"], rule["atol"][name], is_normalized)]
        return []

    # The step after the first case: its caches, its likeliest token.
    def _cached(self):
        first = self.case(self.case_names()[0])
        outputs = {name: references[0].data for name, references in first.references.items()}
        token = outputs["logits"][:, -1].argmax(axis=-1)[:, None].astype(np.int64)
        inputs = dict(first.inputs)
        for name, data in outputs.items():
            if name.startswith("present"):
                inputs[name.replace("present", "past_key_values", 1)] = data
        if "use_cache_branch" in inputs:
            inputs["use_cache_branch"] = np.array([True])
        if "attention_mask" in inputs:
            mask = inputs["attention_mask"]
            inputs["attention_mask"] = np.concatenate([mask, np.ones_like(mask[:, :1])], axis=1)
        if "position_ids" in inputs:
            inputs["position_ids"] = positions(inputs["attention_mask"])[:, -1:]
        if "input_ids" in inputs:
            inputs["input_ids"] = token
        else:
            inputs["inputs_embeds"] = InputMaker(self, {}).text_embeddings(token, inputs.get("position_ids"))
        references = {output: [self._near(data)] for output, data in self.native(inputs).items()}
        return Case("cached", inputs, references, None)


class InputMaker:
    """The inputs of one case; `arrays` are the case's."""

    def __init__(self, graph, arrays):
        self.graph, self.arrays = graph, arrays

    def make(self, name, dims, kind):
        if name.startswith("past_key_values"):
            batch = self._given("input_ids", "decoder_input_ids").shape[0]
            return np.zeros([batch if axis == 0 else dim if isinstance(dim, int) else 0 for axis, dim in enumerate(dims)], np.float32)
        array = self._array(name, dims)
        return np.ascontiguousarray(array, {"tensor(int64)": np.int64, "tensor(float)": np.float32, "tensor(bool)": np.bool_}[kind])

    def _array(self, name, dims):
        if name == "use_cache_branch":
            return np.array([False])
        if name == "position_ids":
            return positions(self._array("attention_mask", None))
        if name == "encoder_hidden_states":
            return next(self.arrays[key] for key in ("output.encoder_last_hidden_state", "output.image_embeds") if key in self.arrays)
        if name == "encoder_attention_mask":
            # speech_to_text: of the input frames; the graph itself makes it as short as the encoder's states.
            return self.arrays["input.attention_mask"]
        if name == "input_ids":
            return self._given(*(("decoder_input_ids", "input_ids") if "encoder_hidden_states" in self.graph.signature else ("input_ids",)))
        if name == "inputs_embeds":
            return self._embeddings()
        if name == "attention_mask":
            if "inputs_embeds" not in self.graph.signature:
                mask = self.arrays.get("input.attention_mask")
                return np.ones_like(self._given("input_ids")) if mask is None else mask
            embeddings, mask = self._embeddings(), self.arrays["input.attention_mask"]
            front = np.ones((mask.shape[0], embeddings.shape[1] - mask.shape[1]), np.int64)
            return np.concatenate([front, mask], axis=1)
        if name == "pixel_values":
            pixels = self.arrays["input.pixel_values"]
            # llava_next's vision graph takes the tiles of all images.
            return pixels.reshape(-1, *pixels.shape[2:]) if pixels.ndim > len(dims) else pixels
        return self.arrays[f"input.{name}"]

    def _given(self, *names):
        return next(self.arrays[f"input.{name}"] for name in names if f"input.{name}" in self.arrays)

    def text_embeddings(self, ids, at=None):
        graph = Graph(self.graph.home.parents[1], self.graph.model, "embed_tokens.onnx")
        inputs = {"input_ids": ids}
        if "position_ids" in graph.signature:
            inputs["position_ids"] = positions(np.ones_like(ids)) if at is None else at
        return graph.session.run(None, inputs)[0]

    # Token embeddings with the image's features in front (git) or in the place of the image tokens (llava).
    def _embeddings(self):
        ids = self.arrays["input.input_ids"]
        text = self.text_embeddings(ids)
        image = self.arrays.get("output.image_features_packed", self.arrays.get("output.image_features"))
        if image is None:
            return text
        if self.graph.model == "git":
            return np.concatenate([image.reshape(text.shape[0], -1, text.shape[2]), text], axis=1)
        config = self.graph.config
        merged = text.copy()
        merged[ids == config.get("image_token_id", config.get("image_token_index"))] = image.reshape(-1, text.shape[2])
        return merged


def judge(case, output, got):
    """The worst of `got` against all references of this output."""
    worst = Verdict(0.0, 0.0, "")
    for reference in case.references[output]:
        worst = max(worst, compare(case, reference, got, f"{output} against {reference.source}"), key=lambda verdict: verdict.excess)
    return worst


def compare(case, reference, got, where):
    expected = reference.data
    if got.shape != expected.shape:
        return Verdict(np.inf, np.inf, f"{where}: shape {list(got.shape)}, expected {list(expected.shape)}")
    if reference.is_normalized:
        got = got / np.linalg.norm(got, axis=-1, keepdims=True)
    if case.valid is not None and expected.shape[:2] == case.valid.shape:
        got, expected = got[case.valid != 0], expected[case.valid != 0]
    if got.size == 0 or np.array_equal(got, expected):
        return Verdict(0.0, 0.0, where)
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    # Masked logits may be infinite on both sides; NaN agrees with nothing.
    difference = np.where(got == expected, 0, np.abs(got - expected))
    difference = np.where(np.isnan(difference), np.inf, difference)
    bound = reference.atol + reference.rtol * np.abs(np.where(np.isfinite(expected), expected, 0))
    return Verdict(float(difference.max()), float((difference / bound).max()), where)


def all_graphs(folder):
    return [Graph(folder, path.parts[-3], path.name) for path in sorted(Path(folder).glob("models/*/onnx/*.onnx"))]
