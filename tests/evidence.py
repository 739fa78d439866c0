"""What a test saw, recorded in pytest's JUnit XML: the same keys for every tool."""

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shared.settings import ROOT

KEYS = {
    "said": "the tool's own word for what happened, in a few words",
    "attempts": "how often each task was tried",
    "delays": "seconds between the attempts",
    "states": "states as the tool names them, by task",
    "seconds_to_detection": "from the fault to the tool's knowing of it",
    "seconds": "how long the scenario took",
    "width": "number of mapped instances",
    "results": "how many results the fan-in got",
    "skipped": "what was not run again, and the key it was found by",
    "orphan": "what a killed run left behind",
    "code": "where the scenario's own DAG, flow or job stands, or the part of the pipeline that it is about",
    "lines": "how many lines it has",
}


class Evidence:
    """Records facts about the scenario; `evidence(said="…", attempts=3)`."""

    def __init__(self, record_property: Callable[[str, object], None]) -> None:
        self.record_property = record_property

    def __call__(self, **facts: Any) -> None:
        for key, value in facts.items():
            if key not in KEYS:
                raise KeyError(f"{key!r} is no key of evidence; expected one of {', '.join(KEYS)}")
            self.record_property(key, value if isinstance(value, str) else json.dumps(value))

    def code(self, *parts: Any) -> None:
        """Record where the functions of the scenario stand, and how many lines they have, without blank ones."""
        functions = [inspect.unwrap(getattr(part, "fn", part)) for part in parts]
        sources = [inspect.getsource(function) for function in functions]
        path = Path(inspect.getsourcefile(functions[0])).relative_to(ROOT)
        self(code=f"{path}:{functions[0].__qualname__}")
        self(lines=sum(bool(line.strip()) for source in sources for line in source.splitlines()))
