"""`shoal run` of models that chat: templates and text against transformers, greedy answers against llama.cpp."""

import json
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from support.chat_model import chat_model_file
from support.command import document, shoal
from support.server import binary

PROMPTS = (
    "Name three primary colors.",
    "What is the opposite of hot?",
    "Write a sentence about the sea.",
    "How many legs does a spider have?",
    "Explain what a browser is.",
    "Translate 'good morning' into French.",
    "List four fruits.",
    "What do bees make?",
    "Who wrote Romeo and Juliet?",
    "Give me a short poem about rain.",
    "What is 2 plus 3?",
    "Why is the sky blue?",
    "Describe a cat in one sentence.",
    "What is photosynthesis?",
    "How do I boil an egg?",
    "Name a planet with rings.",
    "What is the largest ocean?",
    "Summarise the story of Cinderella.",
    "What does CPU stand for?",
    "Tell me a fact about whales. \U0001f40b Und auf Deutsch: gr\u00fcn.",
)
NEAR_TIE = 0.25  # logits: rounding decides below it


run, report = partial(shoal, "run"), partial(document, "run")


@pytest.fixture(scope="module")
def chat_model() -> Path:
    file = chat_model_file()
    if file is None:
        pytest.skip("the chat model is not here: scripts/fetch_models.py smollm2-135m-instruct.gguf fetches it")
    return file


@pytest.mark.parametrize("model", ["gemma3_text", "llama", "llama3", "qwen2", "qwen3"])
def test_a_chat_is_the_one_of_transformers(fixtures: Path, model: str) -> None:
    cases = json.loads((fixtures / model / "reference" / "cases.json").read_text())["cases"]
    case = next(one for one in cases if one["name"] == "chat")
    question = case["raw"]["messages"][0]["content"]
    answer = report(fixtures / model, question, "--max-tokens", 24)
    expected = case["generate"]["ids"][0]
    assert answer["ids"] == expected
    assert answer["text"] == case["generate"]["text"][0]
    assert answer["finish_reason"] in ("length", "stop")
    assert run(fixtures / model, question, "--max-tokens", 24).stdout == answer["text"] + "\n"
    assert report(fixtures / model, question, "--raw", "--max-tokens", 1)["prompt_ids"] != answer["prompt_ids"]


def test_a_seed_draws_the_same_answer(fixtures: Path) -> None:
    def drawn(*options: object) -> list[int]:
        return report(fixtures / "llama3", "--tokens", "5,6,7", "--max-tokens", 20, "--temperature", 1.5, *options)["ids"]

    assert drawn("--seed", 1) == drawn("--seed", 1, "--threads", 2)
    assert len({tuple(drawn("--seed", seed, "--top-k", 40, "--top-p", 0.95, "--min-p", 0.01)) for seed in range(5)}) > 3
    assert drawn("--seed", 1, "--top-k", 1) == report(fixtures / "llama3", "--tokens", "5,6,7", "--max-tokens", 20)["ids"]
    bad = run(fixtures / "llama3", "--tokens", "5", "--top-p", 2)
    assert bad.returncode != 0
    assert "top_p: expected a number above 0 and up to 1" in bad.stderr


def test_a_prompt_that_does_not_fit_is_a_typed_error(fixtures: Path) -> None:
    done = run(fixtures / "llama3", "--tokens", ",".join(["5"] * 600))
    assert done.returncode != 0
    assert "600 tokens" in done.stderr


def test_an_interrupt_ends_an_answer_cleanly(chat_model: Path) -> None:
    command = [str(binary()), "run", str(chat_model), "Count from one to a thousand.", "--max-tokens", "4000", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.read(4)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
    assert time.monotonic() - begin < 10
    assert (first + rest).endswith(b"\n")
    assert (first + rest).decode()


def test_the_chat_model_keeps_its_codes_and_answers(chat_model: Path) -> None:
    answer = report(chat_model, PROMPTS[0], "--max-tokens", 60)
    assert answer["bits"] == 4
    assert answer["finish_reason"] == "stop"
    assert all(color in answer["text"].lower() for color in ("red", "blue", "yellow"))
    # 98.4 MB of the file without its vocabulary.
    assert 94e6 < answer["weight_bytes"] < 97e6
    assert report(chat_model, PROMPTS[0], "--max-tokens", 60, "--threads", 1)["ids"] == answer["ids"]


def greedy_of_llama_cpp(llama: object, ids: list[int], count: int, stops: set[int]) -> tuple[list[int], list[float]]:
    """Greedy ids, the stop token among them, and by how many logits each was ahead of the next one."""
    llama.reset()
    made, margins = [], []
    pending = ids
    while len(made) < count and (not made or made[-1] not in stops):
        llama.eval(pending)
        logits = np.array(llama.scores[llama.n_tokens - 1])
        second, first = np.partition(logits, -2)[-2:]
        made.append(int(np.argmax(logits)))
        margins.append(float(first - second))
        pending = [made[-1]]
    return made, margins


def test_greedy_answers_are_those_of_llama_cpp(chat_model: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    chat_format = pytest.importorskip("llama_cpp.llama_chat_format")
    llama = llama_cpp.Llama(str(chat_model), n_ctx=512, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False)
    formatter = chat_format.Jinja2ChatFormatter(
        llama.metadata["tokenizer.chat_template"], eos_token="<|im_end|>", bos_token="<|im_start|>")
    compared = 0
    for prompt in PROMPTS:
        ours = report(chat_model, prompt, "--max-tokens", 40)
        text = formatter(messages=[{"role": "user", "content": prompt}]).prompt
        ids = llama.tokenize(text.encode(), add_bos=False, special=True)
        assert ours["prompt_ids"] == ids
        expected, margins = greedy_of_llama_cpp(llama, ids, 40, {0, 2})
        sure = next((index for index, margin in enumerate(margins) if margin < NEAR_TIE), len(margins))
        mine = ours["ids"] + ([2] if ours["finish_reason"] == "stop" else [])
        assert mine[:sure] == expected[:sure], (prompt, sure, margins[:sure])
        made = ours["ids"][:sure]
        if sure == len(expected):
            assert ours["text"] == llama.detokenize(made).decode(errors="replace")
        compared += sure
    assert compared > 100
