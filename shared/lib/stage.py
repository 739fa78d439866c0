"""What is written down of each stage that a tool runs: a line in the log, and a span if traces are on."""

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple, ParamSpec, TypeVar

from shared.contracts import Candidate
from shared.lib import logs, tracing
from shared.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


class Instance(NamedTuple):
    """What a tool knows of the stage instance that it runs: its own id of the run, the month, the attempt from 1."""

    run_id: str
    month: str
    attempt: int


instances: dict[str, Callable[[], Instance]] = {}
"""How each tool tells, within a stage, which instance that is: an implementation adds its way."""


def stage(function: Callable[P, R]) -> Callable[P, R]:
    """Have each call of a stage's function logged and traced, if a tool runs it."""

    @wraps(function)
    def recorded(*args: P.args, **kwargs: P.kwargs) -> R:
        given = (*args, *kwargs.values())
        settings = next(argument for argument in given if isinstance(argument, Settings))
        if settings.tool not in instances:
            return function(*args, **kwargs)
        candidate = next((argument for argument in given if isinstance(argument, Candidate)), None)
        name, key = function.__name__, candidate.key if candidate else ""
        run_id, month, attempt = instances[settings.tool]()
        with (
            logs.stage_line(tool=settings.tool, run=run_id, stage=name, key=key, month=month),
            tracing.stage_span(name, key, run_id, month, attempt, settings),
        ):
            return function(*args, **kwargs)

    return recorded
