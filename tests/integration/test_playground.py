"""The playground in a browser: a chat by keyboard, who answered, what is refused."""

import time
from pathlib import Path

import pytest
from support.chat_model import serve_chat
from support.device import Device
from support.server import Server
from support.waiting import eventually

MODEL = "smollm2"


@pytest.fixture(scope="module")
def server(launch, tmp_path_factory: pytest.TempPathFactory) -> Server:
    return serve_chat(launch, tmp_path_factory.mktemp("packages"), {MODEL: None})


@pytest.fixture
def page(server: Server, tmp_path: Path):
    device = Device(tmp_path / "visitor", ("--window-size=900,760",))
    try:
        device.open(f"http://{server.http}/playground")
        eventually("the models are listed", 20, lambda: device.run("return document.getElementById('model').value") == MODEL)
        yield device
    finally:
        device.end()


def type_in(page: Device, words: str) -> None:
    """What the keyboard does: words go to where the focus is, and Enter behind them."""
    page.run("document.activeElement.value = " + repr(words))
    press(page, "Enter")


def press(page: Device, key: str, **with_: bool) -> None:
    modifiers = "".join(f", {name}: true" for name in with_)
    page.run(f"document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', code: 'Key{key.upper()}', "
             f"bubbles: true, cancelable: true{modifiers}}}))")


def answers(page: Device) -> list[dict[str, str]]:
    return page.run("return [...document.querySelectorAll('article.assistant')].map((one) => ({words: one.querySelector('p')"
                    ".textContent, note: one.querySelector('footer').textContent, error: one.querySelector('.error')"
                    "?.textContent ?? ''}))")


def is_idle(page: Device) -> bool:
    return page.run("return document.getElementById('talk').getAttribute('aria-busy')") == "false"


def test_a_chat_by_keyboard(page: Device, tmp_path: Path) -> None:
    assert page.run("return document.activeElement.id") == "message", "one can type at once"
    page.run("document.getElementById('temperature').value = 0; document.getElementById('maxTokens').value = 40")
    type_in(page, "Name three primary colors.")
    eventually("it is answered", 60, lambda: is_idle(page) and answers(page))
    first = answers(page)[0]
    assert "Red" in first["words"]
    assert "tokens/s" in first["note"] and "headless_shell/0" in first["note"] and "wasm" in first["note"]
    assert "4 bits" in first["note"]
    type_in(page, "Which of them is the color of blood?")
    eventually("that too", 60, lambda: is_idle(page) and len(answers(page)) == 2)
    press(page, "ArrowUp")
    assert page.run("return document.activeElement.value") == "Which of them is the color of blood?"
    page.run("document.activeElement.value = ''")
    page.picture(tmp_path / "playground.png")
    press(page, "n", altKey=True)
    assert answers(page) == []
    assert page.run("return document.activeElement.id") == "message"


def test_escape_stops_an_answer(server: Server, page: Device) -> None:
    page.run("document.getElementById('maxTokens').value = 3000")
    type_in(page, "Tell me a very long story.")
    eventually("it begins", 60, lambda: answers(page) and answers(page)[0]["words"])
    press(page, "Escape")
    eventually("it has stopped", 10, lambda: is_idle(page))
    assert "stopped" in answers(page)[0]["note"]
    words = answers(page)[0]["words"]
    time.sleep(0.5)
    assert answers(page)[0]["words"] == words
    eventually("the browser is free", 10,
               lambda: server.scrape().value("nv_inference_pending_request_count", model=MODEL) == 0)


def test_what_the_server_refuses_is_shown(page: Device) -> None:
    page.run("document.getElementById('backend').value = 'webgpu'")
    type_in(page, "Hello")
    eventually("it is refused", 20, lambda: is_idle(page) and answers(page)[0]["error"])
    assert "webgpu" in answers(page)[0]["error"]
