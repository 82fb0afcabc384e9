"""gzip and deflate both ways, as the stock clients do them, against the real server and a real browser."""

import gzip
import json
import subprocess
import zlib

import numpy as np
import openai
import pytest
import tritonclient.http as triton
from support.http import ask
from support.server import MODEL

IDS = np.arange(1000, 1064, dtype=np.int64).reshape(4, 16)
INPUTS = {"input_ids": IDS, "attention_mask": np.ones_like(IDS), "token_type_ids": np.zeros_like(IDS)}
INFER = f"/v2/models/{MODEL}/infer"
PACK = {"gzip": gzip.compress, "deflate": zlib.compress}
UNPACK = {"gzip": gzip.decompress, "deflate": zlib.decompress}


@pytest.fixture(scope="module")
def client(endpoints):
    with triton.InferenceServerClient(endpoints.http, network_timeout=60) as made:
        yield made


@pytest.fixture(scope="module")
def output(client):
    return client.get_model_metadata(MODEL)["outputs"][0]["name"]


def infer(client, output, binary, **compression):
    tensors = [triton.InferInput(name, list(values.shape), "INT64") for name, values in INPUTS.items()]
    for tensor, values in zip(tensors, INPUTS.values(), strict=True):
        tensor.set_data_from_numpy(values, binary_data=binary)
    return client.infer(MODEL, tensors, outputs=[triton.InferRequestedOutput(output, binary_data=binary)], **compression).as_numpy(output)


@pytest.fixture(scope="module")
def expected(client, output):
    return infer(client, output, binary=True)


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("sent", [None, "gzip", "deflate"])
@pytest.mark.parametrize("wanted", [None, "gzip", "deflate"])
def test_tritons_client(client, output, expected, binary, sent, wanted):
    values = infer(client, output, binary, request_compression_algorithm=sent, response_compression_algorithm=wanted)
    np.testing.assert_array_equal(values, expected)


def body(binary_output=False):
    inputs = [{"name": name, "shape": list(values.shape), "datatype": "INT64", "data": values.ravel().tolist()}
              for name, values in INPUTS.items()]
    return json.dumps({"parameters": {"binary_data_output": binary_output}, "inputs": inputs}).encode()


@pytest.mark.parametrize("coding", PACK)
def test_what_goes_over_the_wire(endpoints, coding):
    plain = ask(endpoints.http, "POST", INFER, body())
    coded = ask(endpoints.http, "POST", INFER, PACK[coding](body()), {"Content-Encoding": coding, "Accept-Encoding": coding})
    assert coded.status == 200, coded.body
    assert coded.headers["content-encoding"] == coding
    assert coded.headers["vary"] == "Accept-Encoding"
    assert len(coded.body) < 0.7 * len(plain.body)
    assert json.loads(UNPACK[coding](coded.body))["outputs"] == plain.json()["outputs"]
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize("coding", PACK)
def test_the_binary_header_counts_what_is_decompressed(endpoints, coding):
    answer = ask(endpoints.http, "POST", INFER, PACK[coding](body(binary_output=True)),
                 {"Content-Encoding": coding, "Accept-Encoding": coding})
    assert answer.headers["content-encoding"] == coding
    size = int(answer.headers["inference-header-content-length"])
    plain = UNPACK[coding](answer.body)
    outputs = json.loads(plain[:size])["outputs"]
    assert len(plain) == size + sum(output["parameters"]["binary_data_size"] for output in outputs)


@pytest.mark.parametrize("coding", PACK)
def test_the_other_routes(endpoints, coding):
    header = {"Content-Encoding": coding}
    texts = json.dumps({"model": MODEL, "input": ["a shoal of fish"] * 2}).encode()
    plain = ask(endpoints.http, "POST", "/v1/embeddings", texts)
    coded = ask(endpoints.http, "POST", "/v1/embeddings", PACK[coding](texts), header)
    assert (coded.status, coded.json()["data"]) == (200, plain.json()["data"])
    item = json.loads(body()) | {"model_name": MODEL}
    several = ask(endpoints.http, "POST", "/v2/parallel", PACK[coding](json.dumps({"requests": [item, item]}).encode()), header)
    assert [list(response) for response in several.json()["responses"]] == [list(several.json()["responses"][0])] * 2
    assert "outputs" in several.json()["responses"][0]


def test_openais_client_reads_what_it_asks_for(endpoints):
    """Its HTTP library asks for gzip and deflate in every request."""
    client = openai.OpenAI(base_url=f"http://{endpoints.http}/v1", api_key="none", max_retries=0)
    answer = client.embeddings.with_raw_response.create(model=MODEL, input=["a shoal"] * 4)
    assert answer.headers["content-encoding"] == "gzip"
    assert [len(entry.embedding) for entry in answer.parse().data] == [384] * 4


def curl(*words, **more):
    return subprocess.run(["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "30", *words],
                          capture_output=True, timeout=60, check=True, **more).stdout


def test_curl(endpoints, tmp_path):
    url = f"http://{endpoints.http}{INFER}"
    sent = tmp_path / "body.gz"
    sent.write_bytes(gzip.compress(body()))
    seen = curl("--compressed", "--dump-header", "-", "--output", str(tmp_path / "answer"), "--data-binary", f"@{sent}",
                "--header", "Content-Encoding: gzip", url)
    assert b"\r\nContent-Encoding: gzip\r\n" in seen
    plain = json.loads(curl("--data-binary", "@-", url, input=body()))
    assert json.loads((tmp_path / "answer").read_bytes())["outputs"] == plain["outputs"]


@pytest.mark.parametrize("coding", PACK)
def test_a_bomb_and_damage_are_refused_and_hurt_nobody(endpoints, coding):
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31 if coding == "gzip" else 15)
    bomb = b"".join(compressor.compress(bytes(1 << 20)) for _ in range(1024)) + compressor.flush()
    assert len(bomb) < 2_000_000, "a GiB"
    answer = ask(endpoints.http, "POST", INFER, bomb, {"Content-Encoding": coding})
    assert answer.status == 400
    assert "decompressed body exceeds the maximum allowed input size of 67108864 bytes" in answer.json()["error"]
    openais = ask(endpoints.http, "POST", "/v1/embeddings", bomb, {"Content-Encoding": coding})
    assert openais.status == 413
    assert "16777216 bytes" in openais.json()["error"]["message"]
    good = PACK[coding](body())
    for damaged in (good[:-1], good + b"\n", good[:20] + b"\xff" + good[21:], body()):
        answer = ask(endpoints.http, "POST", INFER, damaged, {"Content-Encoding": coding})
        assert (answer.status, answer.json()["code"]) == (400, "INVALID_ARGUMENT"), answer.body
    assert ask(endpoints.http, "POST", INFER, good, {"Content-Encoding": coding}).status == 200
