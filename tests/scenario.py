"""What a scenario's test observes, recorded in pytest's JUnit XML under the names that its scenario.toml gives."""

import inspect
import json
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from shared.settings import ROOT

PACKAGES = {"airflow": "apache-airflow", "prefect": "prefect", "dagster": "dagster"}


class Scenario:
    """Records the answers and facts of each version of the code: the obvious one, and where it differs the idiom.

    `folder` holds scenario.toml and the test of each tool. Every answer (yes or no) and every fact of scenario.toml
    must be given, and nothing else: KeyError says what is missing or too much.
    """

    def __init__(self, folder: Path, tool: str, live: bool, record: Callable[[str, object], None]) -> None:
        self.text = tomllib.loads((folder / "scenario.toml").read_text("utf-8"))
        self.record = record
        self.mode = "live" if live else "in process"
        self.record("version", metadata.version(PACKAGES[tool]))
        self.versions: list[str] = []

    def obvious(self, *code: Any, success: bool, own_code: str = "", **observed: Any) -> None:
        """Record what the code that one writes first does.

        `success` is what the run's own state says of it; `own_code` names a mechanism that the tool does not have.
        """
        self._record("obvious", code, success=success, own_code=own_code, **observed)

    def idiom(self, *code: Any, success: bool, own_code: str = "", **observed: Any) -> None:
        """Record what the tool's best users write."""
        self._record("idiom", code, success=success, own_code=own_code, **observed)

    def finding(self, sentence: str) -> None:
        """Record the author's sentence, observed values filled in."""
        self.record("finding", sentence)
        self.versions.append("finding")

    def _record(self, version: str, code: tuple[Any, ...], success: bool, own_code: str, **observed: Any) -> None:
        expected = self.text["answers"] | self.text["facts"]
        if wrong := set(expected) ^ set(observed):
            raise KeyError(f"{version}: {', '.join(sorted(wrong))} missing or unknown, expected {', '.join(expected)}")
        answers = {name: observed[name] for name in self.text["answers"]}
        if wrong := [name for name, answer in answers.items() if not isinstance(answer, bool)]:
            raise TypeError(f"{version}: {', '.join(wrong)} must be True or False, found {answers}")
        facts = {name: observed[name] for name in self.text["facts"]}
        seen = {"success": success, "mode": self.mode, "own_code": own_code, "answers": answers, "facts": facts}
        self.record(version, json.dumps(seen | location(code)))
        self.versions.append(version)

    def check_complete(self) -> None:
        """Raises AssertionError if the test has not recorded the obvious version and a finding."""
        missing = {"obvious", "finding"} - set(self.versions)
        assert not missing, f"the test recorded no {' and no '.join(sorted(missing))}"


def location(code: tuple[Any, ...]) -> dict[str, Any]:
    """Where a version stands, and how many lines it has: without blank ones, with all it uses of the same file."""
    functions = [written(part) for part in code]
    path = source_file(functions[0])
    for function in functions:  # grows as it is read
        functions += [used for used in used_by(function) if used not in functions and source_file(used) == path]
    lines = sum(bool(line.strip()) for function in functions for line in inspect.getsource(function).splitlines())
    return {"code": f"{path.relative_to(ROOT)}:{functions[0].__qualname__}", "lines": lines}


def used_by(function: Any) -> list[Any]:
    """The functions and classes that a function names, from what the tool has made of them."""
    codes, names = [getattr(function, "__code__", None)], list[str]()
    for code in filter(None, codes):  # with the functions inside it
        names += code.co_names
        codes += [constant for constant in code.co_consts if inspect.iscode(constant)]
    found = [written(function.__globals__[name]) for name in names if name in getattr(function, "__globals__", ())]
    return [each for each in found if inspect.isfunction(each) or inspect.isclass(each)]


def source_file(function: Any) -> Path:
    return Path(inspect.getsourcefile(function) or "").resolve()


def written(part: Any) -> Any:
    """The function that somebody wrote, from what a tool's decorator has made of it."""
    for name in ("fn", "function", "node_def"):  # Prefect's flows and tasks, Airflow's task groups, Dagster's assets
        part = getattr(part, name, part)
    return inspect.unwrap(part)
