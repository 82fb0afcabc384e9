"""A real server over a model repository made of the reference models' graphs, and what it answers for their cases."""

import re
import shutil
from dataclasses import asdict, dataclass, field

import tritonclient.http as triton
from matrix.graphs import judge
from tritonclient.utils import np_to_triton_dtype

SECONDS = 240
REFUSALS = {"OPERATOR_NOT_SUPPORTED", "GRAPH_BUILDING_ERROR", "PRECISION_NOT_SUPPORTED", "RESOURCE_LIMIT"}
OPERATOR = re.compile(
    r"\(operator ([\w.:]+)\)|implementation for (?:\S+ )?([\w.]+)\(|\b([A-Z]\w+)\(-?\d+\) is not a registered"
)


@dataclass
class Cell:
    """How one case of one graph went on one backend."""

    outcome: str  # right | wrong | refused | failed
    error: float = 0.0  # largest |a - b| over all outputs
    excess: float = 0.0  # the same as a multiple of what is allowed
    where: str = ""
    ran_on: str = ""  # what the answer calls its backend
    nodes: dict = field(default_factory=dict)  # where the graph's nodes ran
    heavy_elsewhere: int = 0  # matrix products, convolutions and norms that did not run on the backend
    code: str = ""
    message: str = ""

    def document(self):
        return asdict(self)

    def operator(self):
        """Which operator a refusal names, or nothing."""
        named = OPERATOR.search(self.message)
        return next((name for name in named.groups() if name), "") if named else ""


def lay_out(graphs, repository):
    """One model per graph."""
    for graph in graphs:
        folder = repository / graph.served_as / "1"
        folder.mkdir(parents=True)
        shutil.copyfile(graph.path, folder / "model.onnx")


def settings(repository, backends):
    return {
        "models__repository": str(repository), "models__warm_up": "none", "pool__adapter": "software",
        "pool__browsers": f"kind=headless_shell,backends={'+'.join(backends)}", "server__request_timeout": f"{SECONDS}s",
        "schedule__max_instances": "2",
    }


def cases_for(graph, backend):
    """All of them on wasm; elsewhere one, and the step after it, since each size is another graph to build."""
    names = graph.case_names()
    return names if backend == "wasm" else [name for name in names if name in (names[0], "cached")]


def run_case(server, graph, case, backend):
    inputs = []
    for name, data in case.inputs.items():
        inputs.append(triton.InferInput(name, list(data.shape), np_to_triton_dtype(data.dtype)))
        inputs[-1].set_data_from_numpy(data)
    # The stock client's encoding, sent by hand: it keeps an error's `code` to itself.
    body, header_bytes = triton.InferenceServerClient.generate_request_body(inputs, parameters={"shoal_backend": backend})
    headers = {"Inference-Header-Content-Length": str(header_bytes)}
    answer = server.post(f"/v2/models/{graph.served_as}/infer", body, SECONDS + 10, **headers)
    if answer.status != 200:
        refusal = answer.json()
        outcome = "refused" if refusal["code"] in REFUSALS else "failed"
        return Cell(outcome, code=refusal["code"], message=refusal["error"][:2000])
    length = answer.headers.get("inference-header-content-length")
    result = triton.InferenceServerClient.parse_response_body(answer.body, header_length=length and int(length))
    outputs = {entry["name"]: result.as_numpy(entry["name"]) for entry in result.get_response()["outputs"]}
    if set(outputs) != set(case.references):
        return Cell("wrong", message=f"outputs {sorted(outputs)}, expected {sorted(case.references)}")
    verdicts = [judge(case, name, outputs[name]) for name in case.references]
    worst = max(verdicts, key=lambda verdict: verdict.excess)
    reported = result.get_response()["parameters"]
    nodes = dict(entry.split("=") for entry in reported["shoal_nodes"].split(","))
    return Cell(
        "right" if worst.is_right else "wrong", error=max(verdict.error for verdict in verdicts), excess=worst.excess,
        where=worst.where, ran_on=reported["shoal_backend"], nodes={name: int(count) for name, count in nodes.items()},
        heavy_elsewhere=heavy_elsewhere(server, graph, backend),
    )


def heavy_elsewhere(server, graph, backend):
    """What the newest load of this graph on this backend said."""
    for event in reversed(server.events("model_loaded")):
        if event["instance"].startswith(f"{graph.served_as}:1#") and f"@{backend}" in event["instance"]:
            return event["heavy_elsewhere"]
    return 0
