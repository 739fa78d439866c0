"""The same ten mistakes made in each tool, and what each tool tells of them. The texts are in mistakes.toml.

Each mistake is a file as somebody writes it who is new to the tool. A test lets the tool load it, and then runs it.
"""

import json
import re
import runpy
import time
import tomllib
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from shared.settings import ROOT
from tests.scenario import PACKAGES

HERE = Path(__file__).parent
TEXTS = tomllib.loads((HERE / "mistakes.toml").read_text("utf-8"))


@dataclass(frozen=True)
class Seen:
    """What a tool told of a mistake, when (one of mistakes.toml's `when`), and the seconds until its command ended."""

    message: str
    when: str
    seconds: float


class Mistake:
    """A tool's file with one mistake in it, and the record of what became of it."""

    def __init__(self, tool: str, id: str, record: Callable[[str, object], None]) -> None:
        self.tool, self.id, self.record = tool, id, record
        self.file = HERE / tool / f"{id}.py"

    def seen(self, seen: Seen, place: str) -> None:
        """Record it; `place` says in words where a person sees the message."""
        recorded = {
            "code": self.file.read_text("utf-8"),
            "where": str(self.file.relative_to(ROOT)),
            "message": seen.message,
            "when": seen.when,
            "seen_by": f"{TEXTS['when'][seen.when]}: {place}",
            "seconds": round(seen.seconds, 1),
            "version": metadata.version(PACKAGES[self.tool]),
        }
        self.record("mistake", json.dumps(recorded))

    def harmless(self, seen: Seen, place: str) -> None:
        """Record that what is a mistake in another tool is none in this one."""
        assert seen.when == "never", seen
        self.seen(replace(seen, when="harmless"), place)


def timed(action: Callable[[], str]) -> tuple[str, float]:
    """What the action returns, and the seconds that it takes."""
    began = time.monotonic()
    return action(), time.monotonic() - began


def python(file: Path, name: str = "__main__") -> str:
    """Run a file in this process, like `python file.py`; returns what Python prints at the end if it fails."""
    try:
        runpy.run_path(str(file), run_name=name)
    except Exception as error:
        return of_error(error, file)
    return ""


def of_error(error: BaseException, file: Path) -> str:
    """What Python prints of an exception, without the frames of any other file."""
    return shortened("".join(traceback.format_exception(error, chain=False)), file)


def shortened(text: str, file: Path) -> str:
    """A message without what differs from machine to machine, and without the frames of any file but this one."""
    lines, shown = list[str](), True
    for line in text.strip().splitlines():
        if not line.startswith("    "):  # deeper lines belong to the frame above
            shown = not line.startswith('  File "') or file.name in line
        if shown and "system frames hidden" not in line:
            lines.append(line.rstrip())
    short = re.sub(r"\n+Stack Trace:(?!\n  File)", "", "\n".join(lines)).replace(f"{file.parent}/", "")
    return re.sub(r'File "[^"]*/', 'File "', short).replace(str(ROOT), "…")
