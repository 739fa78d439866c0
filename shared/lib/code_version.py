"""Which version of the code a run was made with."""

import hashlib
import subprocess
from contextlib import suppress
from functools import cache

from shared.settings import ROOT


@cache
def code_version() -> str:
    """The checkout's git commit, with `-dirty` if files differ from it; outside a checkout the hash of `shared/`."""
    if (ROOT / ".git").exists():
        git = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        with suppress(OSError, subprocess.SubprocessError):
            return subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    files = sorted((ROOT / "shared").rglob("*.py"))
    return "sha256:" + hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
