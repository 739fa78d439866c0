"""The fit that all three tools run nine times, and what their records of it tell."""

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.live.watch import until

NINE = range(9)
CORES = os.cpu_count() or 1


class Fit(NamedTuple):
    """When a fit began and ended, in seconds, and the id of its process."""

    start: float
    end: float
    pid: int


def fit(number: int, folder: str) -> int:
    """Say so in the folder, wait for `let_go`, and fit a decision tree in one thread; returns the process's id."""
    import numpy as np
    from sklearn.tree import DecisionTreeClassifier

    Path(folder, str(number)).touch()
    until(Path(folder, "go").exists, 600)
    random = np.random.default_rng(number)
    DecisionTreeClassifier(random_state=number).fit(random.normal(size=(20_000, 10)), random.integers(2, size=20_000))
    return os.getpid()


def let_go(folder: Path) -> None:
    """Let the fits begin as soon as all nine are at work, or no other one has come for 30 seconds."""
    until(partial(have_begun, 1, folder))
    with suppress(AssertionError):
        for count in NINE:
            until(partial(have_begun, count + 1, folder), 30)
    (folder / "go").touch()


def have_begun(count: int, folder: Path) -> bool:
    return len(list(folder.iterdir())) >= count


def answers(fits: list[Fit]) -> dict[str, Any]:
    """The scenario's answers and facts but one."""
    assert len(fits) == len(NINE)
    most = max(sum(each.start <= one.start < each.end for each in fits) for one in fits)
    processes = len({each.pid for each in fits})
    return {
        "at_once": most > 1,
        "not_too_many": most <= CORES,
        "own_process": processes == len(NINE),
        "most_at_once": most,
        "processes": processes,
    }
