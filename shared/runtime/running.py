"""Which of a tool's runs have a living process: each process locks a file until it ends, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.settings import Settings


def folder(settings: Settings) -> Path:
    """The folder with a file for each of the tool's runs that has not ended."""
    path = settings.home / "running" / settings.tool
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def claimed(run_id: str, settings: Settings) -> Iterator[None]:
    """This process runs `run_id`, the tool's own id of a run, until the block ends."""
    path = folder(settings) / run_id
    new = path.with_name(f".{run_id}")
    with new.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # before others see the file
        new.rename(path)
        try:
            yield
        finally:
            path.unlink()


def abandoned(settings: Settings) -> Iterator[str]:
    """The ids of runs whose process is gone without having ended them; the caller ends each, and it is forgotten."""
    for path in folder(settings).glob("[!.]*"):
        try:
            with path.open() as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield path.name
                path.unlink(missing_ok=True)
        except (BlockingIOError, FileNotFoundError):
            continue
