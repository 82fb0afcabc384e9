"""Three times more requests than can be served, at the real server: who is let in is answered in time, the rest is told at once."""

import queue
import time
from dataclasses import dataclass

import numpy as np
import pytest
import tritonclient.grpc as triton
from support.echo_models import delay, echo_model

RUN_S, TIMEOUT_S, SECONDS = 0.02, 0.5, 6
OFFERED = 3 / RUN_S
URGENT = 10  # every so manyth is of the highest priority


@dataclass
class Outcome:
    priority: int
    at: float  # since the start
    seconds: float
    status: str  # "OK" or gRPC's


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    echo_model(root, "echo", shape="1", more="max_batch_size: 1\n" + delay(int(RUN_S * 1e6)))
    return root


def flood(server, seed):
    """One request after the other at their times, whatever becomes of those before."""
    outcomes = queue.Queue()
    values = triton.InferInput("INPUT0", [1, 1], "FP32")
    values.set_data_from_numpy(np.ones((1, 1), np.float32))
    gaps = np.random.default_rng(seed).exponential(1 / OFFERED, int(OFFERED * SECONDS))
    with triton.InferenceServerClient(server.grpc) as client:
        client.infer("echo", [values])
        began = time.perf_counter()
        for index, at in enumerate(np.cumsum(gaps)):
            time.sleep(max(0.0, began + at - time.perf_counter()))
            priority, sent = 1 if index % URGENT == 0 else 2, time.perf_counter()

            def came(result, error, priority=priority, sent=sent):
                status = "OK" if error is None else error.status().removeprefix("StatusCode.")
                outcomes.put(Outcome(priority, sent - began, time.perf_counter() - sent, status))

            client.async_infer("echo", [values], came, priority=priority, timeout=int(TIMEOUT_S * 1e6))
        return [outcomes.get(timeout=30) for _ in gaps]


def kept(outcomes):
    """Of those that were let in after the first second, which is for learning: the share that was answered in time."""
    let_in = [outcome for outcome in outcomes if outcome.status != "UNAVAILABLE" and outcome.at > 1]
    return sum(outcome.status == "OK" for outcome in let_in) / len(let_in)


def test_who_is_let_in_is_answered_in_time(launch, models, seed):
    settings = {"pool__browsers": "none", "echo__workers": "1", "models__repository": str(models), "schedule__max_in_flight": "1"}
    shares = {}
    for refuses in ("true", "false"):
        server = launch(**settings, schedule__refuse_late=refuses).start()
        outcomes = flood(server, seed)
        shares[refuses] = kept(outcomes)
        counts = {status: sum(outcome.status == status for outcome in outcomes) for status in ("OK", "UNAVAILABLE", "DEADLINE_EXCEEDED")}
        refused = sorted(outcome.seconds for outcome in outcomes if outcome.status == "UNAVAILABLE")
        urgent = [outcome for outcome in outcomes if outcome.priority == 1]
        print(f"refuse_late={refuses}: {counts}, {100 * shares[refuses]:.1f} % of those let in; "
              f"told of a refusal after {1000 * refused[len(refused) // 2] if refused else 0:.1f} ms (median)")
        assert sum(counts.values()) == len(outcomes), {outcome.status for outcome in outcomes}
        if refuses == "true":
            assert kept(urgent) > 0.95
            assert sum(outcome.status == "UNAVAILABLE" for outcome in urgent if outcome.at > 1) <= len(urgent) // 20
            # It is told long before its time is over.
            assert refused[len(refused) // 2] < TIMEOUT_S / 5
            # The worker is not kept idle by caution.
            assert counts["OK"] > 0.75 * SECONDS / RUN_S
        server.stop()
    assert shares["true"] > 0.95
    assert shares["true"] > shares["false"] + 0.2, shares
