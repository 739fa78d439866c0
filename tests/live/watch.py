"""What the tests of all tools watch: whether something has come true, and whether a process lives."""

import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def until(look: Callable[[], T], seconds: float = 240) -> T:
    """What `look` returns, as soon as that is true; AssertionError if it is not within the seconds."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not true within {seconds:.0f} s: {look}"
        time.sleep(0.5)  # between looks: most are a request to the tool's API, which slows down what is waited for
    return found


def alive(pid: int) -> bool:
    """Whether the process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter if it goes while its state is read
        return False


def parent(pid: int) -> int:
    """The id of the process's parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def changed_settings(tool: str) -> dict[str, Any]:
    """The tool's settings that the tests change, with their values here."""
    changes = tomllib.loads(Path(__file__).with_name("settings.toml").read_text("utf-8"))[tool]
    return {name: change["here"] for name, change in changes.items()}
