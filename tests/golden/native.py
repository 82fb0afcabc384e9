"""The embeddings that the tests hold the server's against: native onnxruntime on the model's own files.

One sentence at a time, so that nothing is padded; the tokenizer file's own truncation and padding are off.
"""

import itertools
import json
from pathlib import Path

import numpy as np
import onnxruntime
import tokenizers

GOLDEN = Path(__file__).parent
MAX_TOKENS = 512


def sentences():
    """The short sentences of sentences.json, then one of exactly MAX_TOKENS tokens, [CLS] and [SEP] included."""
    document = json.loads((GOLDEN / "sentences.json").read_text())
    return [*document["sentences"], long_text(MAX_TOKENS - 2)]


def long_text(word_count):
    """Words that are one token each."""
    document = json.loads((GOLDEN / "sentences.json").read_text())
    return " ".join(itertools.islice(itertools.cycle(document["words"]), word_count))


def mean_normalized(states, mask):
    """Mean over the tokens that `mask` [batch, tokens] has, then length 1; states is [batch, tokens, width]."""
    weights = mask[..., None].astype(np.float64)
    mean = (states.astype(np.float64) * weights).sum(axis=1) / weights.sum(axis=1)
    return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)


def first_normalized(states, mask):
    """CLS pooling: what a mix-up would give."""
    del mask
    first = states[:, 0].astype(np.float64)
    return (first / np.linalg.norm(first, axis=1, keepdims=True)).astype(np.float32)


class NativeEncoder:
    """folder: a version folder of the model repository, model.onnx and tokenizer.json inside."""

    def __init__(self, folder, threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(Path(folder) / "model.onnx"), options, providers=["CPUExecutionProvider"])
        self.tokenizer = tokenizers.Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.input_names = [entry.name for entry in self.session.get_inputs()]
        self.states_name = self.session.get_outputs()[0].name

    def token_ids(self, text):
        return self.tokenizer.encode(text).ids

    def inputs(self, rows):
        """The graph's inputs for rows of token ids, padded at the right to the longest."""
        length = max(map(len, rows))
        ids = np.array([row + [0] * (length - len(row)) for row in rows], np.int64)
        mask = np.array([[1] * len(row) + [0] * (length - len(row)) for row in rows], np.int64)
        made = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        return {name: made[name] for name in self.input_names}

    def states(self, inputs):
        return self.session.run([self.states_name], inputs)[0]

    def embed_ids(self, ids, pool=mean_normalized):
        inputs = self.inputs([ids])
        return pool(self.states(inputs), inputs["attention_mask"])[0]

    def embed(self, text, pool=mean_normalized):
        return self.embed_ids(self.token_ids(text), pool)
