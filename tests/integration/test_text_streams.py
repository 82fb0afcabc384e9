"""Texts that grow, of the default chat model in two browsers: over each protocol, and what becomes of them in a fault."""

import queue
import random

import openai
import pytest
import tritonclient.grpc as triton
from bench import machine
from support.command import document
from support.processes import kill_hard
from support.server import HOME, Server
from support.text_stream import TextStream
from support.waiting import eventually
from tritonclient.utils import InferenceServerException

CHAT = "smollm2-135m-instruct"
PROMPT = "Once upon a time, in a village by the sea, there lived"
LONG = {"max_tokens": 150, "ignore_eos": True}


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory: pytest.TempPathFactory) -> Server:
    root = tmp_path_factory.mktemp("models")
    (root / CHAT).symlink_to(HOME / "models" / CHAT)
    return launch(pool__browsers="kind=headless_shell,count=2,backends=wasm,threads=1", models__repository=str(root),
                  models__warm_up="all").start(180)


@pytest.fixture(scope="module")
def whole(server: Server) -> str:
    """What the long answer is when nothing happens."""
    return server.post(f"/v2/models/{CHAT}/generate", {"text_input": PROMPT} | LONG, timeout=120).json()["text_output"]


@pytest.fixture
def stream(server: Server):
    """stream(text, ...): a TextStream; none is left at the end, and the pool is whole."""
    begun: list[TextStream] = []

    def begin(text: str = PROMPT, **parameters) -> TextStream:
        begun.append(TextStream(server.http, CHAT, text, **(LONG | parameters)))
        return begun[-1]

    yield begin
    for one in begun:
        one.join()
    settle(server)


def busy(server: Server) -> list[str]:
    return [slot["slot"] for slot in server.get("/admin/v1/workers").json()["workers"] if int(slot["pending_work"]) > 0]


def settle(server: Server) -> None:
    """Both browsers are there, and have loaded the model."""
    eventually("the pool is whole", 60, lambda: server.ready_workers() == 2 and not busy(server))


def worker_of(server: Server) -> str:
    """The one that makes the only answer that there is."""
    return eventually("a worker has it", 30, lambda: busy(server))[0]


def test_its_answers_are_those_of_the_engine_by_itself(server: Server) -> None:
    """In a browser to the last token, natively as far as the first near tie: rounding decides there, and kernels round differently."""
    client = openai.OpenAI(base_url=f"http://{server.http}/v1", api_key="none", max_retries=0)
    for question in ("Name three primary colors.", "Why is the sky blue?"):
        asked = {"model": CHAT, "messages": [{"role": "user", "content": question}], "max_tokens": 48, "temperature": 0}
        served = client.chat.completions.create(**asked, extra_body={"return_token_ids": True})
        choice = served.choices[0]
        options = ("run", CHAT, question, "--max-tokens", 48, "--kv-bits", 16)
        alone = document(*options, "--backend", "wasm", home=HOME)
        assert (choice.message.content, choice.finish_reason) == (alone["text"], alone["finish_reason"])
        native = document(*options, home=HOME)
        assert choice.token_ids[:5] == native["ids"][:5], question
        assert served.usage.prompt_tokens == len(native["prompt_ids"])


def test_a_stream_is_the_whole_text_in_pieces(stream, whole: str) -> None:
    one = stream().join()
    assert one.text == whole
    assert one.end["finish_reason"] == "length" and one.end["completion_tokens"] == 150
    assert len(one.pieces) > 20
    assert one.times[-1] - one.times[0] > 0.2, "they came as they were made"


def test_a_stock_grpc_client_reads_it(server: Server, whole: str) -> None:
    came: queue.Queue = queue.Queue()

    def ask(client, text: str, request_id: str, **parameters) -> None:
        made = triton.InferInput("text_input", [1], "BYTES")
        made.set_data_from_numpy(triton.np.array([text.encode()], dtype=object))
        client.async_stream_infer(CHAT, [made], request_id=request_id, parameters=parameters)

    with triton.InferenceServerClient(server.grpc) as client:
        client.start_stream(lambda result, error: came.put(error or result))
        ask(client, PROMPT, "long", **LONG)
        ask(client, "One, two,", "short", max_tokens=4)
        texts = {"long": "", "short": ""}
        final: set[str] = set()
        while final != set(texts):
            response = came.get(timeout=120)
            assert not isinstance(response, InferenceServerException), response
            told = response.get_response()
            assert told.model_name == CHAT and told.parameters["shoal_backend"].string_param == "wasm"
            texts[told.id] += response.as_numpy("text_output")[0].decode()
            if told.parameters["triton_final_response"].bool_param:
                final.add(told.id)
                assert told.parameters["finish_reason"].string_param == "length"
        assert texts["long"] == whole
        assert texts["short"]
        ask(client, "word " * 5000, "refused")
        refused = came.get(timeout=60)
        assert isinstance(refused, InferenceServerException) and "4096" in str(refused), refused
        # Who leaves in the middle leaves no work behind.
        ask(client, PROMPT, "left", max_tokens=3000, ignore_eos=True)
        came.get(timeout=60)
        client.stop_stream(cancel_requests=True)
    eventually("no worker has anything in hand", 10, lambda: not busy(server))


def test_tokens_are_counted(server: Server, stream) -> None:
    before = server.scrape()
    one = stream("One, two,", max_tokens=30).join()
    assert not one.error, one.error
    after = server.scrape()

    def grown(name: str, **labels: str) -> float:
        return after.value(name, model=CHAT, **labels) - before.value(name, model=CHAT, **labels)

    assert grown("shoal_generated_tokens_total") == one.end["completion_tokens"] == 30
    assert grown("shoal_prompt_tokens_total") == one.end["prompt_tokens"]
    assert grown("shoal_time_to_first_token_seconds_count", backend="wasm") == 1
    assert 0 < grown("shoal_time_to_first_token_seconds_sum") < 20
    assert grown("shoal_time_per_output_token_seconds_count") == 1
    assert 0 < grown("shoal_time_per_output_token_seconds_sum") < 5


def test_a_deadline_ends_a_stream_with_an_event(stream) -> None:
    one = stream(max_tokens=3000, timeout=1_500_000).join()
    assert one.status == 200 and one.pieces
    assert one.error["code"] == "DEADLINE_EXCEEDED"


def test_a_killed_browser_ends_what_was_told_and_restarts_what_was_not(server: Server, stream, whole: str) -> None:
    told = stream()
    eventually("it has begun", 60, lambda: len(told.pieces) > 5)
    victim = server.victim(worker_of(server), "browser")
    kill_hard(victim)
    told.join()
    assert told.status == 200 and told.error["code"] == "WORKER_LOST", told.error
    assert whole.startswith(told.text) and told.text != whole
    # A prompt that takes a while to read: nothing has been told when the browser goes.
    settle(server)
    silent = stream("The sea is wide. " * 120 + PROMPT, max_tokens=12)
    kill_hard(server.victim(worker_of(server), "browser"))
    silent.join()
    assert silent.end.get("shoal_attempts") == 2, (silent.end, silent.error)
    again = stream("The sea is wide. " * 120 + PROMPT, max_tokens=12).join()
    assert silent.text == again.text and again.end["shoal_worker"]


def test_who_asks_for_it_goes_on_in_another_browser(server: Server, stream, whole: str) -> None:
    for parameters, expected in [({}, whole), ({"temperature": 0.9, "seed": 7}, None)]:
        one = stream(shoal_resume=True, **parameters)
        eventually("it has begun", 60, lambda one=one: len(one.pieces) > 20)
        first = worker_of(server)
        kill_hard(server.victim(first, "browser"))
        one.join()
        assert not one.error, one.error
        assert one.end["shoal_attempts"] == 2 and one.end["shoal_worker"] != first
        assert one.end["completion_tokens"] == 150
        assert one.text == (expected if expected is not None else stream(**parameters).join().text)
        settle(server)


def test_a_connection_that_comes_back_goes_on_where_it_was(server: Server, stream, whole: str) -> None:
    one = stream()
    eventually("it has begun", 60, lambda: len(one.pieces) > 10)
    slot = worker_of(server)
    kill_hard(server.victim(slot, "network"))
    one.join()
    assert one.text == whole, one.error
    assert one.end["shoal_worker"] == slot and "shoal_attempts" not in one.end


STORIES = [f"Once upon a time, in a village by the {place}, there lived" for place in
           ("sea", "lake", "river", "wood", "road", "mill", "hill", "wall")]
MOST_ROUNDS = 20


def test_of_eight_none_hangs_and_none_is_doubled(server: Server, stream, request: pytest.FixtureRequest) -> None:
    """A browser is killed somewhere in the middle of eight streams, half of which ask to go on elsewhere; one round by default,
    20 in ./test --long."""
    wholes = [one.join().text for one in [stream(story) for story in STORIES]]
    before = held(server)
    ends = {"right": 0, "in another browser": 0, "with an error": 0}
    for turn in range(min(MOST_ROUNDS, request.config.getoption("--rounds"))):
        chance = random.Random(turn)
        resumes = chance.sample([True, False] * 4, 8)
        begun = [stream(story, shoal_resume=goes_on) for story, goes_on in zip(STORIES, resumes, strict=True)]
        pieces = chance.randrange(1, 60)
        eventually("one is so far", 60, lambda begun=begun, pieces=pieces: any(len(one.pieces) >= pieces for one in begun))
        kill_hard(server.victim(chance.choice(busy(server)), "browser"))
        for one, whole, goes_on in zip(begun, wholes, resumes, strict=True):
            one.join()
            if one.error:
                assert not goes_on and one.error["code"] == "WORKER_LOST", one.error
                assert one.text and whole.startswith(one.text) and one.text != whole, "who had been told nothing begins again"
                ends["with an error"] += 1
            else:
                assert one.text == whole
                ends["in another browser" if "shoal_attempts" in one.end else "right"] += 1
        settle(server)
    print(ends)
    assert ends["in another browser"] >= 1
    after = held(server)
    assert after[0] - before[0] < 32 and after[1] - before[1] < 96, f"MiB of the server and of its browsers: {before} before, {after} after"


def held(server: Server) -> tuple[float, float]:
    """MiB of the server, resident, and of its browsers, proportional."""
    pids = [pid for roles in server.workers().values() for found in roles.values() for pid in found]
    return machine.resident_mib(server.pid), machine.proportional_mib(set(pids))
