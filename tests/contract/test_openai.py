"""The stock OpenAI client, unmodified, against the real server and a real browser."""

import base64

import numpy as np
import openai
import pytest
from support.http import ask
from support.server import MODEL

WIDTH = 384
LIMIT = 512


@pytest.fixture(scope="module")
def client(endpoints):
    with openai.OpenAI(base_url=f"http://{endpoints.http}/v1", api_key="none", max_retries=0, timeout=120) as made:
        yield made


def vectors(response):
    return np.array([row.embedding for row in response.data], np.float32)


def refused(client, **body):
    with pytest.raises(openai.APIStatusError) as raised:
        client.embeddings.create(**({"model": MODEL, "input": "x"} | body))
    error = raised.value.body
    assert set(error) == {"message", "type", "param", "code"}
    return raised.value.status_code, error


def test_models(client):
    listed = {model.id: model for model in client.models.list()}
    assert listed[MODEL].object == "model"
    assert listed[MODEL].created > 1_500_000_000
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError) as raised:
        client.models.retrieve("none")
    assert raised.value.code == "model_not_found"


def test_every_kind_of_input_gives_the_same_vectors(client):
    # The client asks for base64 unless told otherwise.
    texts = ["hello world", "A second, longer sentence with \u00fcnicode \U0001f41f."]
    batch = client.embeddings.create(model=MODEL, input=texts)
    assert [row.index for row in batch.data] == [0, 1]
    assert vectors(batch).shape == (2, WIDTH)
    np.testing.assert_allclose(np.linalg.norm(vectors(batch), axis=1), 1, atol=1e-4)
    single = client.embeddings.create(model=MODEL, input=texts[0])
    np.testing.assert_allclose(vectors(single)[0], vectors(batch)[0], atol=2e-3)
    floats = client.embeddings.create(model=MODEL, input=texts[0], encoding_format="float")
    np.testing.assert_allclose(vectors(floats), vectors(single), atol=1e-6)
    # [CLS] hello world [SEP]
    ids = [101, 7592, 2088, 102]
    for given in (ids, [ids]):
        by_ids = client.embeddings.create(model=MODEL, input=given)
        np.testing.assert_allclose(vectors(by_ids), vectors(single), atol=1e-6)
        assert by_ids.usage.prompt_tokens == by_ids.usage.total_tokens == 4


def test_base64_is_little_endian_float32(endpoints):
    body = {"model": MODEL, "input": "hello", "encoding_format": "base64"}
    answer = ask(endpoints.http, "POST", "/v1/embeddings", body, timeout=60)
    assert answer.status == 200
    values = np.frombuffer(base64.b64decode(answer.json()["data"][0]["embedding"]), "<f4")
    assert values.shape == (WIDTH,)
    assert abs(np.linalg.norm(values) - 1) < 1e-4


def test_more_inputs_than_one_batch_keep_their_order(client):
    texts = [f"sentence number {number} " + "word " * (number % 7) for number in range(50)]
    batch = vectors(client.embeddings.create(model=MODEL, input=texts))
    assert batch.shape == (50, WIDTH)
    for number in (0, 13, 49):
        single = vectors(client.embeddings.create(model=MODEL, input=texts[number]))[0]
        assert float(single @ batch[number]) > 0.99
        assert int(np.argmax(batch @ single)) == number


def test_length(client):
    words = "word " * (LIMIT + 100)
    status, error = refused(client, input=words)
    assert status == 400
    assert error["code"] == "context_length_exceeded"
    assert error["param"] == "input"
    cut = client.embeddings.create(model=MODEL, input=words, extra_body={"truncate": True})
    assert cut.usage.prompt_tokens == LIMIT
    short = client.embeddings.create(model=MODEL, input=words, extra_body={"truncate_prompt_tokens": 16})
    assert short.usage.prompt_tokens == 16
    # The end marker is kept: what is embedded is the text's beginning as a text of its own.
    beginning = client.embeddings.create(model=MODEL, input="word " * 14)
    np.testing.assert_allclose(vectors(short), vectors(beginning), atol=1e-5)
    whole = client.embeddings.create(model=MODEL, input="word " * (LIMIT - 2))
    assert whole.usage.prompt_tokens == LIMIT


def test_demand_and_report(client):
    response = client.embeddings.create(model=MODEL, input="x", extra_body={"shoal": {"backend": "wasm", "priority": 1}})
    report = response.model_extra["shoal"]
    assert report["backend"] == "wasm"
    assert report["timing"]["compute_us"] > 0
    assert report["worker"]
    status, error = refused(client, extra_body={"shoal": {"backend": "cuda"}})
    assert (status, error["param"]) == (400, "shoal")


def test_dimensions(client):
    assert vectors(client.embeddings.create(model=MODEL, input="x", dimensions=WIDTH)).shape == (1, WIDTH)
    status, error = refused(client, dimensions=64)
    assert (status, error["param"]) == (400, "dimensions")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["x", ""]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": [30522]}, "input"),
        ({"input": [-1]}, "input"),
        ({"input": ["x", 5]}, "input"),
        ({"input": ["x"] * 2049}, "input"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"extra_body": {"shoal": 7}}, "shoal"),
    ],
)
def test_bad_requests(client, body, param):
    status, error = refused(client, **body)
    assert status == 400
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param


def test_unknown_model(client):
    status, error = refused(client, model="none")
    assert (status, error["code"], error["param"]) == (404, "model_not_found", "model")


def test_paths_verbs_and_bodies(endpoints):
    unknown = ask(endpoints.http, "GET", "/v1/nothing")
    assert unknown.status == 404
    assert unknown.json()["error"]["message"] == "Not Found"
    assert ask(endpoints.http, "GET", "/v1/embeddings").status == 405
    assert ask(endpoints.http, "POST", "/v1/embeddings", "{").status == 400
    large = ask(endpoints.http, "POST", "/v1/embeddings", headers={"Content-Length": str(1 << 30)})
    assert large.status == 413
