"""What the page shows of a scenario: the grades of tools/scenarios.py, the answers, and the code of each version."""

from dataclasses import dataclass
from functools import cached_property
from itertools import dropwhile, groupby
from typing import Any

from page.code import Extract
from page.versions import code_of
from tools.scenarios import SIGNS, TOOLS, VERSIONS, Evidence, Scenario, grade, is_trap, kept, last, scenarios


@dataclass(frozen=True)
class Cell:
    """What a tool did in a scenario."""

    scenario: Scenario
    tool: str
    recorded: dict[str, Any]

    @property
    def grade(self) -> str:
        return grade(self.scenario, self.recorded)

    @property
    def sign(self) -> str:
        return SIGNS[self.grade]

    @property
    def trap(self) -> bool:
        return is_trap(self.scenario, self.recorded)

    @property
    def versions(self) -> dict[str, dict[str, Any]]:
        """What each version of the code did: the obvious one, and the idiom where it differs."""
        return {version: self.recorded[version] for version in VERSIONS if version in self.recorded}

    @property
    def own_code(self) -> str:
        own_code: str = last(self.recorded)["own_code"]
        return own_code

    @cached_property
    def code(self) -> dict[str, list[Extract]]:
        test = self.scenario.test(self.tool)
        return {version: code_of(seen["code"], test, version) for version, seen in self.versions.items()}

    def hidden(self, version: str) -> int:
        """How many of the version's lines are not shown: those of functions that the test only names as it runs."""
        lines: int = self.versions[version]["lines"]
        return lines - sum(map(written_lines, self.code[version]))


@dataclass(frozen=True)
class Shown:
    """A scenario, and for each tool its cell; None if nothing was recorded."""

    scenario: Scenario
    cells: dict[str, Cell | None]

    @property
    def id(self) -> str:
        return self.scenario.id

    @property
    def text(self) -> dict[str, Any]:
        return self.scenario.text

    @property
    def columns(self) -> list[tuple[Cell, str]]:
        """Each version of each tool, as the columns of the table of answers."""
        return [(cell, version) for cell in self.cells.values() if cell for version in cell.versions]

    @property
    def missing(self) -> list[str]:
        return [tool for tool, cell in self.cells.items() if cell is None]


def shown() -> list[Shown]:
    """All scenarios, by topic and number."""
    evidence = kept()
    return [Shown(scenario, cells(scenario, evidence)) for scenario in scenarios()]


def cells(scenario: Scenario, evidence: Evidence) -> dict[str, Cell | None]:
    recorded = evidence.get(scenario.id, {})
    return {tool: Cell(scenario, tool, recorded[tool]) if tool in recorded else None for tool in TOOLS}


def by_topic(found: list[Shown]) -> dict[str, list[Shown]]:
    """Scenarios under the name of their topic: "Dynamic tasks"."""
    groups = groupby(found, key=lambda each: each.scenario.topic)
    return {topic.replace("_", " ").capitalize(): list(group) for topic, group in groups}


def written_lines(extract: Extract) -> int:
    """As the tests count them: without blank lines, and without a comment above."""
    lines = filter(str.strip, extract.text.splitlines())
    return len(list(dropwhile(lambda line: line.startswith("#"), lines)))
