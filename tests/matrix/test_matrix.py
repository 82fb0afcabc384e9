"""Every ONNX graph of the reference models through the real server: right on wasm; right, or refused by name, elsewhere.

./test runs all graphs on wasm and a sample of them on webgpu and webnn; the tests marked long are the rest.
"""

import numpy as np
import pytest
from matrix import bare, serving
from matrix.graphs import Case, Graph, Reference, all_graphs, compare, fixtures
from support.server import Server

FOLDER = fixtures()
GRAPHS = all_graphs(FOLDER) if FOLDER else []
MODEL_CLASSES = 13
# Of every kind of layer: a cache, an If, convolutions, resizing, audio, an embedding lookup.
SAMPLE = {
    "webnn": {
        "bert/model.onnx", "deberta-v2/model.onnx", "gpt2/model.onnx", "qwen3/model.onnx", "t5/encoder_model.onnx", "swin/model.onnx",
        "t5/decoder_model_merged.onnx", "llava/decoder_model_merged.onnx", "resnet/model.onnx", "detr/model.onnx",
        "segformer/model.onnx", "whisper/encoder_model.onnx", "clip/model.onnx", "git/embed_tokens.onnx", "wav2vec2/model.onnx",
    },
    "webgpu": {
        "bert/model.onnx", "gpt2/model.onnx", "t5/decoder_model_merged.onnx", "resnet/model.onnx", "git/embed_tokens.onnx",
        "whisper/encoder_model.onnx", "clip/vision_model.onnx", "llava/decoder_model_merged.onnx",
    },
}
pytestmark = pytest.mark.skipif(FOLDER is None, reason="SHOAL_FIXTURES does not name the reference models")


def parameters():
    for backend in ("wasm", "webnn", "webgpu"):
        for graph in GRAPHS:
            is_quick = graph.name in SAMPLE.get(backend, {graph.name})
            yield pytest.param(backend, graph, marks=[] if is_quick else [pytest.mark.long], id=f"{backend}-{graph.name}")


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix") / "models"
    serving.lay_out(GRAPHS, folder)
    return folder


@pytest.fixture(scope="module")
def servers(repository, launch):
    """By backend: a server whose browser has only that one."""
    running: dict[str, Server] = {}

    def of(backend):
        if backend not in running:
            running[backend] = launch(**serving.settings(repository, [backend])).start()
        return running[backend]

    return of


@pytest.mark.parametrize(("backend", "graph"), list(parameters()))
def test_graph(backend, graph, servers, record_property):
    server = servers(backend)
    for name in serving.cases_for(graph, backend):
        cell = serving.run_case(server, graph, graph.case(name), backend)
        record_property(name, cell.document())
        if cell.outcome == "refused":
            assert backend != "wasm", cell
            assert cell.operator() or cell.code != "OPERATOR_NOT_SUPPORTED", cell
            bare_runs, _ = bare.runs(graph.path, graph.case(name).inputs, backend)
            assert not bare_runs, f"onnxruntime-web by itself runs it: {cell}"
        else:
            assert cell.outcome == "right", f"case {name}: {cell}"
            assert sum(cell.nodes.values()) > 0, "its placement is reported"
            assert cell.ran_on == ("mixed" if cell.heavy_elsewhere else backend), cell


@pytest.mark.parametrize("backend", ["wasm", "webnn", "webgpu"])
def test_onnxruntime_by_itself_can_be_asked(backend):
    graph = Graph(FOLDER, "resnet", "model.onnx")
    inputs = graph.case("exact_size").inputs
    assert bare.runs(graph.path, inputs, backend) == (True, "")


def test_onnxruntime_by_itself_can_refuse(tmp_path):
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"no graph")
    runs, why = bare.runs(broken, {}, "wasm")
    assert not runs
    assert why


def test_the_fixtures_cover_every_class():
    assert len({graph.task for graph in GRAPHS}) >= MODEL_CLASSES
    assert len(GRAPHS) >= 60
    assert all(graph.case_names() for graph in GRAPHS)


def test_a_wrong_output_is_noticed():
    graph = Graph(FOLDER, "bert", "model.onnx")
    case = graph.case("batch_padded")
    states = case.references["last_hidden_state"]
    assert {reference.source for reference in states} == {"onnxruntime", "PyTorch"}
    right = states[0].data
    for reference in states:
        assert compare(case, reference, right, "").is_right
        assert not compare(case, reference, right + 0.01, "").is_right
        assert not compare(case, reference, right[:, ::-1], "").is_right
        assert not compare(case, reference, right[:, :-1], "").is_right
        assert not compare(case, reference, np.full_like(right, np.nan), "").is_right
    dropped_token = np.where(np.arange(right.shape[1])[None, :, None] == 1, 0, right)
    assert not compare(case, states[0], dropped_token, "").is_right
    # Where nothing is attended to, nothing is promised.
    padding = np.where(case.valid[..., None] == 0, 99, right)
    assert compare(case, states[0], padding, "").is_right
    infinite = Case("", {}, {}, None)
    both = np.array([np.inf, 1.0])
    assert compare(infinite, Reference("", both, 1e-3, 1e-3), both.copy(), "").is_right
    assert not compare(infinite, Reference("", both, 1e-3, 1e-3), np.array([1.0, 1.0]), "").is_right
