"""Sequences of a stateful model, by stock clients: in order, on one worker, each by itself; and how they end."""

import signal
import subprocess
import threading

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from support.echo_models import accumulate, delay, echo_model
from support.server import HOME
from support.waiting import eventually
from tritonclient.utils import InferenceServerException

STATEFUL = "sequence_batching { max_sequence_idle_microseconds: 60000000 }\n"
BRIEF = "sequence_batching { max_sequence_idle_microseconds: 1000 }\n"
FEW = "sequence_batching { max_sequence_idle_microseconds: 60000000 oldest { max_candidate_sequences: 2 } }\n"


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    echo_model(root, "sums", more=STATEFUL + accumulate())
    echo_model(root, "slow", more=STATEFUL + accumulate() + delay(300_000))
    echo_model(root, "slower", more=STATEFUL + accumulate() + delay(5_000_000))
    echo_model(root, "brief", more=BRIEF + accumulate())
    echo_model(root, "few", more=FEW + accumulate())
    echo_model(root, "plain")
    echo_model(root, "stateless", more=accumulate())
    echo_model(root, "words", datatype="TYPE_STRING", more=STATEFUL + accumulate())
    return launch(pool__browsers="none", echo__workers="3", models__repository=str(root)).start()


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(server.grpc) as made:
        yield made


def tensor(*values, module=triton):
    made = module.InferInput("INPUT0", [len(values)], "FP32")
    made.set_data_from_numpy(np.array(values, np.float32))
    return made


def total(result):
    return result.as_numpy("OUTPUT0").tolist()


def refusal(client, model, **sequence):
    with pytest.raises(InferenceServerException) as told:
        client.infer(model, [tensor(1)], **sequence)
    return told.value


def test_the_state_is_kept_from_step_to_step_over_both_protocols(server, client):
    assert total(client.infer("sums", [tensor(1, 2)], sequence_id=7, sequence_start=True)) == [1, 2]
    with triton_http.InferenceServerClient(server.http) as rest:
        assert total(rest.infer("sums", [tensor(10, 20, module=triton_http)], sequence_id=7)) == [11, 22]
    assert total(client.infer("sums", [tensor(0.5, 0.5)], sequence_id=7, sequence_end=True)) == [11.5, 22.5]
    told = refusal(client, "sums", sequence_id=7)
    assert told.status() == "StatusCode.INVALID_ARGUMENT"
    assert "sequence 7 to model 'sums' must specify the START flag" in told.message()


def test_ids_may_be_words_and_begin_again(client):
    assert total(client.infer("sums", [tensor(1)], sequence_id="a word", sequence_start=True)) == [1]
    assert total(client.infer("sums", [tensor(1)], sequence_id="a word")) == [2]
    assert total(client.infer("sums", [tensor(5)], sequence_id="a word", sequence_start=True)) == [5]
    assert total(client.infer("sums", [tensor(1)], sequence_id="a word", sequence_end=True)) == [6]


def test_many_sequences_at_once_each_on_its_worker_and_in_order(server):
    failures, workers = [], {}

    def one(number):
        try:
            with triton.InferenceServerClient(server.grpc) as own:
                seen = set()
                for step in range(4):
                    result = own.infer(
                        "slow", [tensor(number)], sequence_id=1000 + number, sequence_start=step == 0, sequence_end=step == 3)
                    assert total(result) == [number * (step + 1)], (number, step)
                    seen.add(result.get_response().parameters["shoal_worker"].string_param)
                workers[number] = seen
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert all(len(seen) == 1 for seen in workers.values()), workers
    assert len(set().union(*workers.values())) > 1, "those that begin at once are spread over the workers"


def test_steps_that_are_sent_at_once_run_in_their_order(server):
    answers = []
    with triton.InferenceServerClient(server.grpc) as own:
        own.start_stream(lambda result, error: answers.append(error or total(result)[0]))
        for step in range(20):
            own.async_stream_infer("sums", [tensor(1 << step)], sequence_id=77, sequence_start=step == 0, sequence_end=step == 19)
        own.stop_stream()
    # In another order some sum would be another one.
    assert sorted(answers) == [(2 << step) - 1 for step in range(20)]


@pytest.mark.parametrize(("model", "sequence", "words"), [
    ("sums", {}, "non-zero or non-empty correlation ID"),
    ("sums", {"sequence_id": 0, "sequence_start": True}, "non-zero or non-empty correlation ID"),
    ("sums", {"sequence_id": "", "sequence_start": True}, "non-zero or non-empty correlation ID"),
    ("sums", {"sequence_id": 99}, "START flag"),
    ("sums", {"sequence_id": "x" * 129, "sequence_start": True}, "at most 128 bytes"),
    ("plain", {"sequence_id": 1, "sequence_start": True}, "stateful"),
])
def test_what_is_no_step_is_refused(server, client, model, sequence, words):
    told = refusal(client, model, **sequence)
    assert told.status() == "StatusCode.INVALID_ARGUMENT"
    assert words in told.message()
    assert server.live()


@pytest.mark.parametrize(("parameters", "words"), [
    ({"sequence_id": 1.5}, "sequence_id"), ({"sequence_id": -1}, "sequence_id"), ({"sequence_id": True}, "sequence_id"),
    ({"sequence_id": 1, "sequence_start": 1}, "sequence_start"), ({"sequence_id": 1, "sequence_middle": True}, "sequence_middle"),
])
def test_parameters_of_the_wrong_kind_are_named(server, parameters, words):
    tensor = {"name": "INPUT0", "datatype": "FP32", "shape": [1], "data": [1]}
    answer = server.post("/v2/models/sums/infer", {"inputs": [tensor], "parameters": parameters})
    assert answer.status == 400, answer
    assert words in answer.json()["error"]


def test_another_shape_is_refused_and_the_sequence_goes_on(client):
    client.infer("sums", [tensor(1)], sequence_id=50, sequence_start=True)
    with pytest.raises(InferenceServerException, match="shape"):
        client.infer("sums", [tensor(1, 2)], sequence_id=50)
    assert total(client.infer("sums", [tensor(1)], sequence_id=50, sequence_end=True)) == [2]


def test_an_idle_sequence_ends(client):
    client.infer("brief", [tensor(1)], sequence_id=3, sequence_start=True)

    def ended():
        try:
            client.infer("brief", [tensor(1)], sequence_id=3)
        except InferenceServerException as told:
            return "START flag" in told.message()
        return False

    eventually("it has ended", 20, ended, every=0.1)


def test_more_than_the_model_bears_are_refused(client):
    for number in (1, 2):
        client.infer("few", [tensor(1)], sequence_id=number, sequence_start=True)
    told = refusal(client, "few", sequence_id=3, sequence_start=True)
    assert "the limit is 2" in told.message()
    client.infer("few", [tensor(1)], sequence_id=1, sequence_end=True)
    assert total(client.infer("few", [tensor(4)], sequence_id=3, sequence_start=True)) == [4]


def test_a_deadline_holds_for_one_that_waits_for_its_turn(server):
    answers = []
    with triton.InferenceServerClient(server.grpc) as own:
        own.start_stream(lambda result, error: answers.append(error.message() if error else total(result)[0]))
        own.async_stream_infer("slower", [tensor(1)], sequence_id=5, sequence_start=True)
        own.async_stream_infer("slower", [tensor(1)], sequence_id=5, timeout=1000)
        own.async_stream_infer("slower", [tensor(1)], sequence_id=5, sequence_end=True)
        own.stop_stream()
    late, *sums = sorted(answers, key=lambda answer: not isinstance(answer, str))
    assert "deadline" in late.lower(), answers
    assert sums == [1, 2], "the late one was not added"


def test_its_configuration_says_it(server):
    assert "sequence" in server.get("/v2").json()["extensions"]
    config = server.get("/v2/models/sums/config").json()
    assert config["sequence_batching"]["max_sequence_idle_microseconds"] in (60000000, "60000000")
    index = {entry["name"]: entry for entry in server.post("/v2/repository/index", {}).json()}
    assert "sequence_batching" in index["stateless"]["reason"]
    assert "BYTES" in index["words"]["reason"]


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_perf_analyzer_drives_sequences(server, protocol):
    measured = subprocess.run(
        [HOME / "tools/clients/perf_analyzer.sh", "-i", protocol, "-u", getattr(server, protocol), "-m", "sums", "--shape", "INPUT0:4",
         "--concurrency-range", "4", "--sequence-length", "10", "--request-count", "400", "-v"],
        capture_output=True, timeout=120, check=False)
    said = measured.stdout.decode() + measured.stderr.decode()
    assert measured.returncode == 0, said
    assert "Sequence count" in said, said


def test_a_server_that_goes_down_answers_every_step_that_it_took(launch, tmp_path):
    echo_model(tmp_path, "slow", more=STATEFUL + accumulate() + delay(2_000_000))
    leaving = launch(pool__browsers="none", echo__workers="1", models__repository=str(tmp_path)).start()
    answers = []
    with triton.InferenceServerClient(leaving.grpc) as own:
        own.start_stream(lambda result, error: answers.append(error or total(result)[0]))
        for step in range(3):
            own.async_stream_infer("slow", [tensor(1)], sequence_id=9, sequence_start=step == 0, sequence_end=step == 2)
        eventually("the first one is answered", 60, lambda: answers)
        leaving.signal(signal.SIGTERM)
        draining = leaving.wait_event("draining", 10)
        own.stop_stream()
    assert draining["requests"] == 2, "one runs, one waits for its turn"
    # Behind them the end of the stream, as the server leaves.
    assert answers[:3] == [1, 2, 3]
    assert leaving.wait_exit(60) == 0
