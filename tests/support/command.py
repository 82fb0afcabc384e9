"""The binary's commands, run to their end."""

import json
import os
import subprocess
from pathlib import Path

from support.server import binary

SECONDS = 120


def shoal(*arguments: object, home: Path | None = None, timeout: float = SECONDS) -> subprocess.CompletedProcess[str]:
    """`home` is SHOAL_HOME in place of the environment's."""
    command = [str(binary()), *map(str, arguments)]
    environment = os.environ | ({"SHOAL_HOME": str(home)} if home else {})
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment)


def document(*arguments: object, home: Path | None = None, timeout: float = SECONDS) -> dict:
    """What the command prints with --json; it must end well."""
    done = shoal(*arguments, "--json", home=home, timeout=timeout)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
