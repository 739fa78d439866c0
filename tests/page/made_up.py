"""Scenarios and evidence that nobody has recorded, for tests of the rules."""

from pathlib import Path
from typing import Any

from tools.scenarios import TOOLS, Evidence, Scenario

DEFAULT, IDIOM, OWN, NO = "by default", "with its idiom", "with your own code", "not possible"
QUESTIONS = {"works": "Does it work?", "extra": "Does it shine?"}


def scenario(id: str) -> Scenario:
    text = {"title": id, "wanted": ["works"], "answers": QUESTIONS, "facts": {"seconds": "Seconds"}}
    return Scenario(Path("tests/made_up") / f"{id.lower()}_name", text)


def cell(grade: str, trap: bool = False, extra: bool = False) -> dict[str, Any]:
    """What a tool did that got this grade; `trap`: the obvious code's run says success; `extra`: the other answer."""
    own_code = "A crutch." if grade == OWN else ""
    versions = {"obvious": version(grade == DEFAULT, extra, success=trap or grade == DEFAULT)}
    if grade != DEFAULT:
        versions["idiom"] = version(grade != NO, extra) | {"own_code": own_code}
    return versions


def version(works: bool, extra: bool, success: bool = True) -> dict[str, Any]:
    return {"answers": {"works": works, "extra": extra}, "facts": {"seconds": 7}, "success": success, "own_code": ""}


def evidence(**grades: tuple[str, str, str]) -> Evidence:
    """Evidence of scenarios with the grades of Airflow, Prefect and Dagster."""
    return {id: {tool: cell(grade) for tool, grade in zip(TOOLS, each, strict=True)} for id, each in grades.items()}
