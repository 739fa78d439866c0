"""The folders of the checkout and of run-time files; imports next to nothing, so that it loads at once."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def default_home() -> Path:
    """The folder of all files that runs write: `$TRIPTYCH_HOME`, else `.local` in the checkout."""
    return Path(os.environ.get("TRIPTYCH_HOME") or ROOT / ".local").resolve()
