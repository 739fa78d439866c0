"""The grades that claims and needs are computed from: of whole scenarios (`R4`), or of one answer (`O5.stored`)."""

import tomllib
from dataclasses import replace
from pathlib import Path

from tools.scenarios import TOOLS, Evidence, Scenario, grade

PLANNED = Path(__file__).parent / "texts" / "planned.toml"
OWN_MEANS = ("by default", "with its idiom")
Grades = dict[str, dict[str, str]]
"""By item and tool; without items that have no evidence of all three tools."""


def grades_of(items: list[str], scenarios: list[Scenario], evidence: Evidence) -> Grades:
    """The grades of those items that have evidence of every tool."""
    found: Grades = {}
    for item in items:
        scenario, cells = scenario_of(item, scenarios), evidence.get(id_of(item), {})
        if scenario and all(tool in cells for tool in TOOLS):
            found[item] = {tool: grade(scenario, cells[tool]) for tool in TOOLS}
    return found


def scenario_of(item: str, scenarios: list[Scenario]) -> Scenario | None:
    """The item's scenario; if the item is an answer, as if nothing else were wanted. ValueError: no such answer."""
    answer = item.partition(".")[2]
    scenario = next((each for each in scenarios if each.id == id_of(item)), None)
    if scenario is None or not answer:
        return scenario
    if answer not in scenario.text["answers"]:
        raise ValueError(
            f"{scenario.folder.name}/scenario.toml has no answer {answer}, which page/texts names; mend {item}"
        )
    return replace(scenario, text={**scenario.text, "wanted": [answer]})


def id_of(item: str) -> str:
    return item.partition(".")[0]


def ids(items: list[str], scenarios: list[Scenario]) -> list[str]:
    """The scenarios that the items are of, each once, without those that do not exist yet."""
    return [id for id in dict.fromkeys(map(id_of, items)) if scenario_of(id, scenarios)]


def label(item: str) -> str:
    """`R4`, or `O5 (stored)` for an answer."""
    id, _, answer = item.partition(".")
    return f"{id} ({answer.replace('_', ' ')})" if answer else id


def missing_told(items: list[str]) -> str:
    """Which items have not been run, with what they will be about; empty if there are none."""
    planned = tomllib.loads(PLANNED.read_text("utf-8"))
    named = [f"{label(item)} ({planned[item]})" if item in planned else label(item) for item in items]
    return f"Not run in all three tools yet: {listed(named)}." if named else ""


def listed(names: list[str]) -> str:
    """`R1`, `R1 and R2`, or `R1, R2 and R3`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def tool_names(tools: list[str]) -> str:
    return listed([tool.capitalize() for tool in tools])
