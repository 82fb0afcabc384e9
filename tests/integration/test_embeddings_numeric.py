"""Embeddings computed by a browser on each backend are those of native onnxruntime, for 50 sentences of every kind.

The same fp32 graph on both sides. On webgpu with a software adapter a token costs about 50 ms of a quiet machine, so its
singles are a sample unless the tests marked long run.
"""

import numpy as np
import pytest
import tritonclient.http as triton
from golden import native
from support.server import HOME

MODEL = "all-minilm-l6-v2-fp32"
TOLERANCE = 1e-3  # what is promised
# What rounding alone gives, with a margin: a mistake that the promise would let through shows here.
EXPECTED_ERROR = 1e-5
BACKENDS = ("wasm", "webnn", "webgpu")
SECONDS = 240
BATCH = 16
# SwiftShader takes both cores; where they are shared it takes as many times longer.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def server(launch):
    return launch(
        models__warm_up="none", pool__browsers="kind=headless_shell,backends=wasm+webgpu+webnn", pool__adapter="software",
        server__request_timeout=f"{SECONDS}s",
    ).start()


@pytest.fixture(scope="module")
def encoder():
    return native.NativeEncoder(HOME / "models" / MODEL / "1")


@pytest.fixture(scope="module")
def expected(encoder):
    return {text: encoder.embed(text) for text in native.sentences()}


@pytest.fixture(scope="module")
def batched(server, encoder):
    """By backend: the vector of every sentence, asked for in batches of like length."""
    done = {}

    def of(backend):
        if backend not in done:
            texts = sorted(native.sentences(), key=lambda text: len(encoder.token_ids(text)))
            *short, longest = texts
            groups = [short[first : first + BATCH] for first in range(0, len(short), BATCH)] + [[longest]]
            done[backend] = {text: vector for group in groups for text, vector in zip(group, embed(server, group, backend), strict=True)}
        return done[backend]

    return of


def ask(server, **body):
    return server.post("/v1/embeddings", {"model": MODEL, **body}, timeout=SECONDS + 10)


def embed(server, texts, backend, **more):
    answer = ask(server, input=texts, shoal={"backend": backend}, **more)
    assert answer.status == 200, answer.body[:2000]
    document = answer.json()
    assert document["shoal"]["backend"] == backend
    assert [entry["index"] for entry in document["data"]] == list(range(len(document["data"])))
    return np.array([entry["embedding"] for entry in document["data"]], np.float32)


def error(got, expected):
    assert got.shape == expected.shape
    assert np.isfinite(got).all()
    return float(np.abs(got - expected).max())


def all_errors(got, expected):
    return {text: error(got[text], expected[text]) for text in expected}


def check(errors, record_property):
    worst = max(errors, key=errors.get)
    record_property("max_error", errors[worst])
    record_property("sentences", len(errors))
    print(f"largest error {errors[worst]:.2e} of {len(errors)}, at {worst[:60]!r}")
    assert errors[worst] <= TOLERANCE, worst
    assert errors[worst] <= EXPECTED_ERROR, f"{worst!r}: within what is promised, and more than rounding explains"


def test_the_sentences_are_what_they_should_be(encoder):
    texts = native.sentences()
    lengths = [len(encoder.token_ids(text)) for text in texts]
    assert len(set(texts)) == 50
    assert lengths.count(native.MAX_TOKENS) == 1 == sum(length > 128 for length in lengths)
    assert lengths.count(3) >= 3, "one token between [CLS] and [SEP]"
    assert any("\u0590" <= letter <= "\u06ff" for text in texts for letter in text), "right to left"
    assert any(ord(letter) >= 0x1F300 for text in texts for letter in text), "emoji"


def test_a_planted_mistake_is_noticed(encoder, expected):
    texts = [text for text in expected if len(encoder.token_ids(text)) > 3]
    wrong_pooling = [error(encoder.embed(text, native.first_normalized), expected[text]) for text in texts]
    assert min(wrong_pooling) > 10 * TOLERANCE
    longest = encoder.token_ids(native.sentences()[-1])
    cut_at_128 = encoder.embed_ids([*longest[:127], longest[-1]])
    assert error(cut_at_128, expected[native.sentences()[-1]]) > 10 * TOLERANCE
    rows = [encoder.token_ids(text) for text in ("hello", "Two men pushed carts through the woods.")]
    inputs = encoder.inputs(rows)
    padding_counted = native.mean_normalized(encoder.states(inputs), np.ones_like(inputs["attention_mask"]))
    assert error(padding_counted[0], expected["hello"]) > 10 * TOLERANCE


@pytest.mark.parametrize("backend", BACKENDS)
def test_fifty_sentences(backend, batched, expected, record_property):
    check(all_errors(batched(backend), expected), record_property)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_batch_is_its_singles(backend, server, batched, record_property):
    texts = native.sentences()
    if backend == "webgpu":
        texts = [text for text in texts if text in ("hello", "😀", "A man is eating food.", "שלום עולם, מה שלומך?")]
    in_batches = batched(backend)
    check({text: error(embed(server, text, backend)[0], in_batches[text]) for text in texts}, record_property)


@pytest.mark.long
def test_a_batch_is_its_singles_on_webgpu_for_all(server, batched, record_property):
    in_batches = batched("webgpu")
    check({text: error(embed(server, text, "webgpu")[0], in_batches[text]) for text in in_batches}, record_property)


@pytest.mark.parametrize("backend", BACKENDS)
def test_token_states_over_kserve(backend, server, encoder, record_property):
    """A padded batch and the text without a word, [CLS][SEP], which only this protocol can ask for."""
    texts = ["hello", "A man is eating a piece of bread.", "I love pizza 🍕 and sushi 🍣!", "Привет, как дела?"]
    errors = {}
    for rows in ([encoder.token_ids(text) for text in texts], [encoder.token_ids("")]):
        inputs = encoder.inputs(rows)
        states, reported = infer(server, inputs, backend)
        assert reported == backend
        native_states = encoder.states(inputs)
        mask = inputs["attention_mask"]
        # Token states are not of length 1: the bound grows with them.
        scale = max(1.0, float(np.abs(native_states).max()))
        errors[f"states of {len(rows)}"] = error(states[mask == 1], native_states[mask == 1]) / scale
        errors[f"pooled {len(rows)}"] = error(native.mean_normalized(states, mask), native.mean_normalized(native_states, mask))
    assert len(encoder.token_ids("")) == 2
    check(errors, record_property)


def infer(server, inputs, backend):
    wanted = []
    for name, data in inputs.items():
        wanted.append(triton.InferInput(name, list(data.shape), "INT64"))
        wanted[-1].set_data_from_numpy(data)
    with triton.InferenceServerClient(server.http, network_timeout=SECONDS) as client:
        answer = client.infer(MODEL, wanted, parameters={"shoal_backend": backend})
        return answer.as_numpy(answer.get_response()["outputs"][0]["name"]), answer.get_response()["parameters"]["shoal_backend"]


def test_both_protocols_give_the_same(server, encoder):
    text = "Where can I change the password of my account?"
    inputs = encoder.inputs([encoder.token_ids(text)])
    states, _ = infer(server, inputs, "wasm")
    assert error(native.mean_normalized(states, inputs["attention_mask"])[0], embed(server, text, "wasm")[0]) < 1e-6


def test_token_ids_are_as_good_as_text(server, encoder):
    texts = ["hello", "A cheetah is running behind its prey."]
    by_ids = embed(server, [encoder.token_ids(text) for text in texts], "wasm")
    assert error(by_ids, embed(server, texts, "wasm")) < 1e-6


def test_more_than_the_model_can_hold(server, encoder):
    """512 is the model's limit; the 128 of the tokenizer file is nobody's."""
    fits, too_long = native.long_text(510), native.long_text(511)
    assert ask(server, input=fits).json()["usage"]["prompt_tokens"] == 512
    for text in (too_long, [encoder.token_ids(too_long)], ["short", too_long]):
        refused = ask(server, input=text)
        assert refused.status == 400
        assert refused.json()["error"]["code"] == "context_length_exceeded"
        assert refused.json()["error"]["type"] == "invalid_request_error"
        assert "512" in refused.json()["error"]["message"]
    cut = embed(server, too_long, "wasm", truncate=True)[0]
    assert error(cut, encoder.embed(fits)) < EXPECTED_ERROR, "the first 510 words and [SEP]"


def test_nothing_to_embed(server):
    for nothing in ("", [], [""], [[]], ["hello", ""]):
        refused = ask(server, input=nothing)
        assert refused.status == 400, nothing
        assert refused.json()["error"]["type"] == "invalid_request_error"
