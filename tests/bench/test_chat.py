"""The arithmetic of the benchmark of the chat model."""

import pytest
from bench import chat


def result(**speeds):
    names = {"native": chat.NATIVE, "browser": chat.BROWSER, "q4_1": chat.Q4_1, "q4_0": chat.Q4_0, "wllama": chat.WLLAMA}
    return {"rows": [chat.row_of(names[name], [{"prefill": prefill, "decode": decode}]) for name, (prefill, decode) in speeds.items()]}


KEPT = {"native": (350, 70), "browser": (240, 72), "q4_1": (400, 90), "q4_0": (500, 100), "wllama": (30, 12)}


def test_a_row_has_the_medians_of_its_passes():
    passes = [{"prefill": prefill, "decode": decode} for prefill, decode in ((1, 30), (9, 10), (5, 20))]
    assert chat.row_of("one", passes) == {"engine": "one", "passes": 3, "prefill": 5, "decode": 20}


def test_promises_that_are_just_kept():
    assert not list(chat.problems(result(**KEPT)))


@pytest.mark.parametrize(
    ("name", "speeds", "words"),
    [
        ("native", (349, 70), f"prefill of {chat.NATIVE}: 0.70 times {chat.Q4_0}, not 0.7"),
        ("native", (350, 69), f"decode of {chat.NATIVE}: 0.69 times {chat.Q4_0}, not 0.7"),
        ("browser", (239, 72), f"prefill of {chat.BROWSER}: 7.97 times {chat.WLLAMA}, not 8"),
        ("browser", (240, 71), f"decode of {chat.BROWSER}: 5.92 times {chat.WLLAMA}, not 6"),
        ("q4_1", (481, 90), f"prefill of {chat.BROWSER}: 0.50 times {chat.Q4_1}, not 0.5"),
        ("q4_1", (400, 97), f"decode of {chat.BROWSER}: 0.74 times {chat.Q4_1}, not 0.75"),
    ],
)
def test_a_broken_promise_is_told_in_words(name, speeds, words):
    assert words in list(chat.problems(result(**KEPT | {name: speeds})))


def test_what_was_not_measured_breaks_nothing():
    assert not list(chat.problems({}))
    assert not list(chat.problems(result(native=(1, 1), wllama=(30, 12))))


def test_the_table_gives_ratios_to_llama_cpp():
    assert f"| {chat.BROWSER} | 240 | 72.0 | 0.60 | 0.80 | 1 |" in chat.table(result(**KEPT)).splitlines()
