"""The default chat model as a GGUF file, where scripts/fetch_models.py lays it."""

import os
from pathlib import Path

from support.server import HOME


def chat_model_file() -> Path | None:
    """The file that SHOAL_SMOLLM2_GGUF names, else the one that was fetched; None when nobody has."""
    file = Path(os.environ.get("SHOAL_SMOLLM2_GGUF") or HOME / "gguf" / "smollm2-135m-instruct.gguf")
    return file if file.is_file() else None
