"""Readiness tells the truth: a model without a live worker is not ready, and says why, whichever way it is asked."""

import grpc
import pytest
import tritonclient.grpc as triton_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.server import MODEL
from support.waiting import eventually

BROWSER = "kind=headless_shell,backends=wasm,threads=1"
SLOT = "/admin/v1/workers/headless_shell/0"


def health(address):
    with grpc.insecure_channel(address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=20)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)


def told(server):
    """Everything that speaks of readiness, asked at about the same time."""
    ready, model = server.get("/v2/health/ready"), server.get(f"/v2/models/{MODEL}/ready")
    index = {entry["name"]: entry for entry in server.post("/v2/repository/index", {}).json()}
    with triton_grpc.InferenceServerClient(server.grpc) as remote:
        return {"server": ready.status, "why": ready.json().get("error", ""),
                "model": model.status, "model_why": model.json().get("error", ""),
                "index": index[MODEL]["state"], "index_why": index[MODEL]["reason"], "grpc": remote.is_server_ready(),
                "grpc_model": remote.is_model_ready(MODEL), "health": health(server.grpc)}


def is_not_ready(now):
    return (now["server"] == now["model"] == 503 and now["index"] != "READY" and not now["grpc"] and not now["grpc_model"]
            and now["health"] == "NOT_SERVING" and now["why"] and now["model_why"] and now["index_why"])


def is_ready(now):
    return (now["server"] == now["model"] == 200 and now["index"] == "READY" and now["grpc"] and now["grpc_model"]
            and now["health"] == "SERVING")


@pytest.mark.parametrize("warm_up", ["default", "none"])
def test_the_only_browser_is_killed_drained_and_back(launch, warm_up):
    server = launch(models__warm_up=warm_up, pool__browsers=BROWSER).start()
    assert is_ready(told(server))
    assert server.ask("POST", SLOT + "/drain", {"reason": "a test"}).status == 200
    drained = told(server)
    assert is_not_ready(drained), drained
    assert "drained" in drained["why"] and "drained" in drained["index_why"] and drained["index"] == "UNAVAILABLE"
    assert server.ask("POST", SLOT + "/resume").status == 200
    eventually("it is ready again", 60, lambda: is_ready(told(server)))
    assert server.ask("POST", SLOT + "/kill").status == 200

    def lost():
        now = told(server)
        return is_not_ready(now) and now

    assert eventually("everybody says so", 30, lost)["index"] == "LOADING", "it comes by itself"
    assert server.live()
    eventually("it is ready again", 120, lambda: is_ready(told(server)))
