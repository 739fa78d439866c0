"""Where everything is that is made at run time; imports next to nothing, so that a command can ask at once."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def default_home() -> Path:
    """The folder of everything made at run time: `$TRIPTYCH_HOME`, else `.local` in the checkout."""
    return Path(os.environ.get("TRIPTYCH_HOME") or ROOT / ".local").resolve()
