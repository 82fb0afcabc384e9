"""Decoupled models: any number of responses to a request over ModelStreamInfer, by the stock client."""

import queue
import threading

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from support.echo_models import decoupled, delay, echo_model
from support.waiting import eventually
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

HOUR = 3_600_000_000  # microseconds
MINUTE = 60_000_000
SOON = 30_000_000  # less than what A_WHILE leaves of a minute, and long enough for any machine
A_WHILE = 10_000_000
MEGABYTE = np.zeros(1 << 18, np.float32)


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    echo_model(root, "echo")
    echo_model(root, "three", more=decoupled(3))
    echo_model(root, "one", more=decoupled(1))
    echo_model(root, "none", more=decoupled(0))
    echo_model(root, "burst", more=decoupled(4096))
    # Its second response comes after a minute: who gets an answer sooner has not waited for it.
    echo_model(root, "waits", more=decoupled(2, gap=MINUTE))
    echo_model(root, "two", more='parameters { key: "echo_responses" value { string_value: "2" } }')
    echo_model(root, "slow", more=decoupled(2) + delay(MINUTE))
    return launch(pool__browsers="none", echo__workers="1", models__repository=str(root), schedule__max_in_flight="1").start()


@pytest.fixture
def client(server):
    with triton.InferenceServerClient(server.grpc) as made:
        yield made


def tensor(values):
    made = triton.InferInput("INPUT0", list(values.shape), "FP32")
    made.set_data_from_numpy(values)
    return made


def request(model, values=None, timeout=0, **parameters):
    values = np.ones(2, np.float32) if values is None else values
    made = service_pb2.ModelInferRequest(model_name=model, raw_input_contents=[values.tobytes()])
    made.inputs.add(name="INPUT0", datatype="FP32", shape=values.shape)
    if timeout:
        made.parameters["timeout"].int64_param = timeout
    for name, value in parameters.items():
        made.parameters[name].bool_param = value
    return made


class Stream:
    """A stream of the stock client: what came, in its order."""

    def __init__(self, client):
        self.client = client
        self.came = queue.Queue()
        client.start_stream(lambda result, error: self.came.put(error or result))

    def send(self, model, values, **options):
        self.client.async_stream_infer(model, [tensor(np.array(values, np.float32))], **options)

    def next(self):
        """One answer: (id, values or None where it has no output, whether it is the last)."""
        got = self.came.get(timeout=120)
        if isinstance(got, Exception):
            raise got
        response = got.get_response()
        values = got.as_numpy("OUTPUT0")
        return response.id, None if values is None else values.tolist(), response.parameters["triton_final_response"].bool_param

    def end(self, **options):
        self.client.stop_stream(**options)
        assert self.came.empty(), self.came.get_nowait()


def test_the_configuration_says_so(server, client):
    assert client.get_model_config("three").config.model_transaction_policy.decoupled
    assert not client.get_model_config("echo").config.model_transaction_policy.decoupled
    with triton_http.InferenceServerClient(server.http) as rest:
        assert rest.get_model_config("three")["model_transaction_policy"] == {"decoupled": True}


def test_several_responses_without_it_are_a_bad_configuration(server):
    states = {entry["name"]: entry for entry in server.post("/v2/repository/index", {}).json()}
    assert states["two"]["state"] == "UNAVAILABLE"
    assert "echo_responses is 2" in states["two"]["reason"]
    assert "decoupled" in states["two"]["reason"]


def test_each_request_has_its_responses_in_order(client):
    stream = Stream(client)
    stream.send("three", [1, 2], request_id="a")
    assert [stream.next() for _ in range(3)] == [("a", [1, 2], False), ("a", [1, 2], False), ("a", [1, 2], True)]
    for name in ("b", "c"):
        stream.send("three", [5], request_id=name)
    stream.send("echo", [6], request_id="d")
    came = [stream.next() for _ in range(7)]
    for name in ("b", "c"):
        assert [answer[1:] for answer in came if answer[0] == name] == [([5], False), ([5], False), ([5], True)]
    assert [answer for answer in came if answer[0] == "d"] == [("d", [6], True)]
    stream.end()


def test_an_empty_final_response_only_where_it_is_asked_for(client):
    stream = Stream(client)
    stream.send("none", [1], request_id="silent")
    stream.send("none", [1], request_id="asked", enable_empty_final_response=True)
    assert stream.next() == ("asked", None, True)
    # The last response says that it is: no other follows.
    stream.send("three", [1], request_id="three", enable_empty_final_response=True)
    stream.send("one", [2], request_id="one")
    came = [stream.next() for _ in range(4)]
    assert came == [("three", [1], False), ("three", [1], False), ("three", [1], True), ("one", [2], True)]
    stream.end()


def test_other_calls_say_that_they_cannot(server, client):
    with pytest.raises(InferenceServerException, match="ModelInfer RPC doesn't support models with decoupled transaction") as refused:
        client.infer("one", [tensor(np.ones(1, np.float32))])
    assert refused.value.status() == "StatusCode.UNIMPLEMENTED"
    body = {"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [1], "data": [1]}]}
    answer = server.post("/v2/models/one/infer", body)
    assert answer.status == 501
    assert "doesn't support models with decoupled transaction policy" in answer.json()["error"]
    both = server.post("/v2/parallel", {"requests": [{"model_name": name, **body} for name in ("echo", "one")]}).json()
    assert "decoupled" in str(both)


def test_what_is_wrong_is_told_in_band(client):
    stream = Stream(client)
    stream.send("nothing", [1])
    with pytest.raises(InferenceServerException, match="unknown model: 'nothing'"):
        stream.next()
    outputs = [triton.InferRequestedOutput("OUTPUT0", class_count=1)]
    stream.send("three", [1], outputs=outputs)
    with pytest.raises(InferenceServerException, match="classification is not offered for 'three', which is decoupled"):
        stream.next()
    stream.send("one", [3], request_id="still")
    assert stream.next() == ("still", [3], True)
    stream.end()


def answers_at_once(server):
    """The worker does one run at a time, and what was given up would have taken it for a minute."""
    with triton.InferenceServerClient(server.grpc) as other:
        values = np.ones(2, np.float32)
        assert other.infer("echo", [tensor(values)], timeout=SOON).as_numpy("OUTPUT0").tolist() == [1, 1]


def executions(client, model):
    return client.get_inference_statistics(model).model_stats[0].execution_count


def test_a_cancelled_stream_frees_the_worker(server, client):
    stream = Stream(client)
    stream.send("waits", [1], timeout=HOUR)
    assert stream.next() == ("", [1], False)
    client.stop_stream(cancel_requests=True)
    answers_at_once(server)


def test_cancelled_before_its_first_response(server, client):
    before = executions(client, "slow")
    with grpc.insecure_channel(server.grpc) as channel:
        stream = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelStreamInfer(iter([request("slow", timeout=HOUR)]))
        with triton.InferenceServerClient(server.grpc) as other:
            eventually("it runs", 60, lambda: executions(other, "slow") > before)
        stream.cancel()
    answers_at_once(server)


def test_a_deadline_ends_it_between_two_responses(server):
    with grpc.insecure_channel(server.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answers = list(stub.ModelStreamInfer(iter([request("waits", timeout=A_WHILE)]), timeout=60))
    assert not answers[0].error_message
    assert "Request timeout expired" in answers[-1].error_message and len(answers) == 2
    answers_at_once(server)


def test_an_error_ends_the_stream_where_the_client_wants_it(server):
    with grpc.insecure_channel(server.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answers = stub.ModelStreamInfer(iter([request("waits", timeout=A_WHILE)]), timeout=60, metadata=[("triton_grpc_error", "true")])
        assert not next(answers).error_message
        with pytest.raises(grpc.RpcError) as ended:
            list(answers)
    assert ended.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def iter_until_error(stream):
    for answer in stream:
        yield answer
        if answer.error_message:
            return


def test_who_does_not_read_is_held_then_told_and_others_go_on(server):
    """4096 responses of a megabyte: far more than the server keeps for a client that reads none of them."""
    def peak():
        return int(next(line for line in open(f"/proc/{server.process.pid}/status") if line.startswith("VmHWM")).split()[1]) >> 10

    before = peak()
    more = threading.Event()

    def requests():
        yield request("burst", MEGABYTE, timeout=HOUR)
        more.wait(120)

    with grpc.insecure_channel(server.grpc, options=[("grpc.max_receive_message_length", -1)]) as channel:
        stream = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelStreamInfer(requests())
        assert not next(stream).error_message
        answers_at_once(server)  # once the run has been held too long
        answers = list(iter_until_error(stream))
        more.set()
    assert "the client has not taken response" in answers[-1].error_message
    assert len(answers) < 200
    assert peak() - before < 200


def test_all_of_them_come_to_one_who_reads(server):
    with grpc.insecure_channel(server.grpc) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answers = list(stub.ModelStreamInfer(iter([request("burst", timeout=HOUR)]), timeout=300))
    assert len(answers) == 4096
    assert [answer.infer_response.parameters["triton_final_response"].bool_param for answer in answers] == [False] * 4095 + [True]
