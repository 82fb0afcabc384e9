"""Models from a hub and from an address: `shoal import`, `estimate` and `run` against a server that behaves like one, and that does
what such servers do when they are in trouble."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from support import hub as hubs
from support.command import document, shoal
from support.hub import COMMIT, Hub

MODEL = "llama"


@pytest.fixture
def hub(fixtures: Path, tmp_path: Path) -> Iterator[Hub]:
    source = tmp_path / "source"
    source.mkdir()
    for file in (fixtures / MODEL).iterdir():
        if file.is_file():
            shutil.copy(file, source)
    (source / "pytorch_model.bin").write_bytes(b"not wanted" * 4096)
    with hubs.running() as made:
        made.repositories["tiny/llama"] = source
        yield made


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def ask(hub: Hub, home: Path, *arguments: object, token: str = "") -> CompletedProcess[str]:
    token_file = home.parent / "token"
    token_file.write_text(token + "\n")
    return shoal(*arguments, "--endpoint", hub.endpoint, *(("--token-file", token_file) if token else ()), home=home)


def fetched(hub: Hub, home: Path, source: str = "hf:tiny/llama", **more: str) -> dict[str, Any]:
    done = ask(hub, home, "import", source, "--name", "m", "--bits", 32, "--json", **more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(hub: Hub, home: Path, *words: str, source: str = "hf:tiny/llama", more: tuple = (), token: str = "", status: int = 1) -> None:
    done = ask(hub, home, "import", source, "--name", "m", "--bits", 32, *more, token=token)
    assert done.returncode == status, (done.stdout, done.stderr)
    for word in words:
        assert word in done.stderr, done.stderr
    assert not (home / "models/m").exists()
    assert not token or token not in done.stderr


def weights(home: Path) -> Path:
    return home / "downloads/hub/tiny/llama" / COMMIT / "model.safetensors"


def test_a_model_of_a_hub_is_that_of_the_folder(hub: Hub, home: Path, fixtures: Path) -> None:
    made = fetched(hub, home)
    description = json.loads((Path(made["folder"]) / "package.json").read_text())
    assert description["source"]["name"] == f"tiny/llama@{COMMIT}"
    document("import", fixtures / MODEL, "--name", "local", "--bits", 32, home=home)
    options = ("--tokens", "5,6,7", "--max-tokens", 8)
    ids = document("run", "m", *options, home=home)["ids"]
    assert ids == document("run", "local", *options, home=home)["ids"] and len(ids) == 8
    assert not any("pytorch" in path for path in hub.asked_of("hub"))
    assert weights(home).read_bytes() == (fixtures / MODEL / "model.safetensors").read_bytes()
    # What is whole is not fetched again.
    before = len(hub.asked_of("storage"))
    straight = ask(hub, home, "run", "hf:tiny/llama@v1", *options, "--json")
    assert json.loads(straight.stdout)["ids"] == ids, straight.stderr
    assert len(hub.asked_of("storage")) == before


def test_an_estimate_reads_no_weights(hub: Hub, home: Path, fixtures: Path) -> None:
    done = ask(hub, home, "estimate", "hf:tiny/llama", "--bits", 4, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == document("estimate", fixtures / MODEL, "--bits", 4, home=home)
    ranges = [asked for port, path, asked, _ in hub.asked if port == "storage" and path.endswith(".safetensors")]
    assert ranges == ["bytes=0-1048575"]
    assert not weights(home).exists()


def test_one_file_by_its_address(hub: Hub, home: Path, tmp_path: Path) -> None:
    file = next(iter(hub.repositories["tiny/llama"].glob("model.safetensors")))
    refused(hub, home, "hf:owner/name", source=f"{hub.endpoint}/x/model.safetensors", status=2)
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(file.read_bytes())
    hub.repositories["tiny/gguf"] = tmp_path / "gguf"
    (tmp_path / "gguf").mkdir()
    shutil.move(broken, tmp_path / "gguf/broken.gguf")
    # It comes whole, and only then turns out to be no such file.
    for source in (f"{hub.endpoint}/tiny/gguf/resolve/main/broken.gguf", "hf:tiny/gguf", "hf:tiny/gguf/broken.gguf"):
        refused(hub, home, "neither a folder nor a GGUF file", source=source, status=2)
    refused(hub, home, "no such file", source=f"{hub.endpoint}/no/such/resolve/x.gguf")


def test_an_interrupted_download_goes_on(hub: Hub, home: Path) -> None:
    size = (hub.repositories["tiny/llama"] / "model.safetensors").stat().st_size
    hub.cut_after = size // 2
    fetched(hub, home)
    ranges = [asked for port, path, asked, _ in hub.asked if port == "storage" and path.endswith("model.safetensors")]
    assert ranges == [None, f"bytes={size // 2}-"]
    assert not list(home.rglob("*.part")) and not list(home.rglob("*.etag"))


def test_without_a_checksum_it_goes_on_with_the_same_file_only(hub: Hub, home: Path, tmp_path: Path) -> None:
    (tmp_path / "gguf").mkdir()
    file = tmp_path / "gguf/m.gguf"
    file.write_bytes(bytes(20_000))
    hub.repositories["tiny/gguf"] = file.parent
    source = f"{hub.endpoint}/tiny/gguf/resolve/main/m.gguf"

    def ranges() -> list[str | None]:
        refused(hub, home, "neither a folder nor a GGUF file", source=source, status=2)
        return [asked for port, path, asked, _ in hub.asked if port == "storage"]

    hub.cut_after = 7000
    assert ranges() == [None, "bytes=7000-"]
    # Another file under the same address, whose part is of the old one.
    target = next(home.glob("downloads/url/*/m.gguf"))
    target.rename(target.with_name("m.gguf.part"))
    target.with_name("m.gguf.etag").write_text('"of another"\n')
    file.write_bytes(b"x" * 30_000)
    hub.asked.clear()
    assert ranges() == ["bytes=20000-"]
    assert target.read_bytes() == file.read_bytes()


def test_a_part_of_an_earlier_day_goes_on(hub: Hub, home: Path) -> None:
    content = (hub.repositories["tiny/llama"] / "model.safetensors").read_bytes()
    part = weights(home).with_name("model.safetensors.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(content[:5000])
    fetched(hub, home)
    assert ("storage", "bytes=5000-") in [(port, asked) for port, _, asked, _ in hub.asked]
    assert weights(home).read_bytes() == content


def test_a_server_without_ranges_sends_all_again(hub: Hub, home: Path) -> None:
    hub.knows_ranges = False
    hub.cut_after = 5000
    fetched(hub, home)
    assert weights(home).read_bytes() == (hub.repositories["tiny/llama"] / "model.safetensors").read_bytes()


def test_what_passes_is_tried_again(hub: Hub, home: Path) -> None:
    hub.failures = 2
    fetched(hub, home)


def test_a_wrong_checksum_is_found(hub: Hub, home: Path) -> None:
    hub.wrong_checksum = True
    refused(hub, home, "sha256", "f" * 64)
    assert not weights(home).exists() and not list(home.rglob("*.part"))
    hub.wrong_checksum = False
    fetched(hub, home)


def test_a_part_with_other_bytes_is_found(hub: Hub, home: Path) -> None:
    part = weights(home).with_name("model.safetensors.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 5000)
    refused(hub, home, "sha256")
    fetched(hub, home)


def test_a_gated_model_asks_for_a_token_which_goes_to_the_hub_only(hub: Hub, home: Path) -> None:
    hub.token = "hf_secret"
    hub.gated.add("tiny/llama")
    refused(hub, home, "HF_TOKEN")
    refused(hub, home, "HF_TOKEN", token="hf_wrong")
    fetched(hub, home, token="hf_secret")
    told = {port: has_token for port, _, _, has_token in hub.asked}
    assert told == {"hub": True, "storage": False}
    hub.forbidden.add("tiny/llama")
    refused(hub, home.with_name("other"), "terms", token="hf_secret")


def test_it_is_led_to_allowed_hosts_only(hub: Hub, home: Path) -> None:
    hub.elsewhere = hub.storage.replace("127.0.0.1", "localhost")
    refused(hub, home, "nothing is fetched from 'localhost'", "--allow-host localhost")
    assert not hub.asked_of("storage")
    done = ask(hub, home, "import", "hf:tiny/llama", "--name", "m", "--bits", 32, "--allow-host", "localhost")
    assert done.returncode == 0, done.stderr


def test_what_is_too_large_is_refused_before_it_comes(hub: Hub, home: Path) -> None:
    refused(hub, home, "more than 4096", "--max-download", more=("--max-download", "4KiB"))
    assert not hub.asked_of("storage")


@pytest.mark.parametrize(("source", "status", "words"), [
    ("hf:tiny", 2, "expected hf:owner/name"),
    ("hf:tiny/none", 1, "no such file, repository or revision"),
    ("hf:tiny/llama@other", 1, "no such file, repository or revision"),
    ("hf:tiny/llama/no.gguf", 1, "has no file 'no.gguf'"),
    ("http://example.org/x.gguf", 2, "expected https"),
])  # fmt: skip
def test_what_is_not_there_is_told(hub: Hub, home: Path, source: str, status: int, words: str) -> None:
    refused(hub, home, words, source=source, status=status)


def test_nobody_there(hub: Hub, home: Path) -> None:
    done = shoal("import", "hf:tiny/llama", "--name", "m", "--endpoint", "https://127.0.0.1:1", home=home)
    assert done.returncode == 1 and "127.0.0.1" in done.stderr, done.stderr
    wrong = shoal("import", "hf:tiny/llama", "--name", "m", "--endpoint", "http://example.org", home=home)
    assert wrong.returncode == 2 and "endpoint" in wrong.stderr
