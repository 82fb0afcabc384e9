"""The README's examples, run as they stand against a server (only its ports are put in)."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"
EXPECTED = {"bash": 3, "python": 3}


def examples(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


def with_ports(text: str, endpoints) -> str:
    return text.replace("127.0.0.1:8000", endpoints.http).replace("127.0.0.1:8001", endpoints.grpc)


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("language", "count"), EXPECTED.items())
def test_the_examples_are_all_found(language, count):
    assert len(examples(language)) == count


def test_curl(endpoints):
    answer = run(["bash", "-c", with_ports(examples("bash")[0], endpoints)])
    assert '"object":"embedding"' in answer
    assert '"shoal"' in answer


def test_chat(endpoints):
    answer = json.loads(run(["bash", "-c", with_ports(examples("bash")[1], endpoints)]))
    assert answer["choices"][0]["message"]["content"].startswith("The primary colors are:")
    assert answer["shoal"]["backend"] == "wasm"


def test_generate(endpoints):
    answer = json.loads(run(["bash", "-c", with_ports(examples("bash")[2], endpoints)]))
    assert (answer["id"], answer["model_name"]) == ("7", "all-minilm-l6-v2")
    assert len(answer["last_hidden_state"]) == 3 * 384


def test_openai_client(endpoints):
    assert run([sys.executable, "-c", with_ports(examples("python")[0], endpoints)]).split() == ["2", "384"]


def test_chat_client(endpoints):
    assert "Red" in run([sys.executable, "-c", with_ports(examples("python")[1], endpoints)])


def test_triton_client(endpoints):
    answer = run([sys.executable, "-c", with_ports(examples("python")[2], endpoints)])
    assert answer.strip() in ("(1, 3, 384) webnn", "(1, 3, 384) mixed")
