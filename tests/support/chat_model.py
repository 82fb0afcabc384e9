"""The default chat model: its GGUF file, where scripts/fetch_models.py lays it, and servers of it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import document
from support.server import HOME, Server


def chat_model_file() -> Path | None:
    """The file that SHOAL_SMOLLM2_GGUF names, else the one that was fetched; None when nobody has."""
    file = Path(os.environ.get("SHOAL_SMOLLM2_GGUF") or HOME / "gguf" / "smollm2-135m-instruct.gguf")
    return file if file.is_file() else None


def serve_chat(launch: Callable[..., Server], home: Path, templates: dict[str, str | None], **settings: str) -> Server:
    """A server of the chat model under each of these names, with that chat template in place of its own where one is given."""
    file = chat_model_file()
    if file is None:
        pytest.skip("the chat model has not been fetched")
    for name, template in templates.items():
        document("import", file, "--name", name, "--bits", 4, home=home)
        if template is not None:
            (home / "models" / name / "1" / "chat_template.jinja").write_text(template)
    return launch(models__repository=str(home / "models"), models__warm_up="none",
                  pool__browsers="kind=headless_shell,backends=wasm", **settings).start(120)
