"""Which one, when? What a reader may need, and how far each tool goes towards it, computed from the scenarios."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from page.counts import RULE, totals
from page.grades import grades_of, ids, label, listed, missing_told, scenario_of
from page.kept import bench
from page.verdicts import GRADES
from tools.scenarios import SIGNS, TOOLS, TRAP, Evidence, Scenario, grade, is_trap, kept, last, missed, scenarios, words

TEXTS = Path(__file__).parent / "texts" / "needs.toml"


@dataclass(frozen=True)
class Answer:
    """A tool's sign, with a warning if its obvious code is a trap, and what it takes; no sign if nothing was run."""

    sign: str
    sentence: str


@dataclass(frozen=True)
class Need:
    """A line of the table: what is needed, each tool's answer, and by which rule it was found in which scenarios."""

    id: str
    text: str
    answers: dict[str, Answer]
    scenarios: list[str]
    rule: str


def needs() -> list[Need]:
    """All lines of needs.toml, answered by what docs/evidence.json keeps and by what is counted in the code."""
    texts = tomllib.loads(TEXTS.read_text("utf-8"))["need"]
    found, evidence = scenarios(), kept()
    return [answered(text, found, evidence) for text in texts]


def answered(text: dict[str, Any], scenarios: list[Scenario], evidence: Evidence) -> Need:
    """One line of needs.toml with its answers; one that names no scenarios is about a figure, which has no grade."""
    if "scenarios" not in text:
        figure, rule_of_figure = MEASURED[text["measure"]]
        return Need(text["id"], text["text"], {tool: figure(tool) for tool in TOOLS}, [], rule_of_figure)
    items = text["scenarios"]
    graded = list(grades_of(items, scenarios, evidence))
    answers = {tool: answer(graded, tool, text.get("facts", []), scenarios, evidence) for tool in TOOLS}
    return Need(text["id"], text["text"], answers, ids(items, scenarios), rule(items, graded))


def rule(items: list[str], graded: list[str]) -> str:
    """How the sign comes about, and which scenarios are missing."""
    names = listed([label(item) for item in graded])
    told = (
        f"The sign is the {f'worst of the grades of {names}' if len(graded) > 1 else f'grade of {names}'}."
        if graded
        else ""
    )
    answers = "A word in brackets is the only answer that is looked at." if "(" in names else ""
    return " ".join(filter(None, [told, answers, missing_told([item for item in items if item not in graded])]))


def answer(graded: list[str], tool: str, facts: list[str], scenarios: list[Scenario], evidence: Evidence) -> Answer:
    """A tool's answer from the scenarios that were run."""
    if not graded:
        return Answer("", "Not run yet.")
    cells = [(each, evidence[each.id][tool]) for item in graded if (each := scenario_of(item, scenarios))]
    worst = max((grade(*cell) for cell in cells), key=GRADES.index)
    sign = f"{SIGNS[worst]} {TRAP}" if any(is_trap(*cell) for cell in cells) else SIGNS[worst]
    heads = [f"{label(item)}: " if len(graded) > 1 else "" for item in graded]
    told = [head + grade_told(*cell) for head, cell in zip(heads, cells, strict=True)]
    return Answer(sign, " ".join([*told, *(fact_told(fact, tool, scenarios, evidence) for fact in facts)]))


def grade_told(scenario: Scenario, cell: dict[str, Any]) -> str:
    """The grade in words: which code of one's own it takes, or what the obvious code or the idiom leaves out."""
    found = grade(scenario, cell)
    told = f"{found.capitalize()}."
    if found == "with your own code":
        told = f"{found.capitalize()}: {last(cell)['own_code'].rstrip('.')}."
    if found == "with its idiom":
        told += f" The obvious code: {refused(scenario, cell['obvious'])}"
    if found == "not possible":
        told += f" {refused(scenario, last(cell))}"
    return f"{told} The obvious code's run says success all the same." if is_trap(scenario, cell) else told


def refused(scenario: Scenario, version: dict[str, Any]) -> str:
    """The first question that a version answers with no where yes is wanted, and how many more there are."""
    names = missed(scenario, version)
    if not names:
        return f"It takes code of your own: {version['own_code'].rstrip('.')}."
    more = f", and the same for {len(names) - 1} more" if len(names) > 1 else ""
    return f"“{scenario.text['answers'][names[0]]}” No{more}."


def fact_told(fact: str, tool: str, scenarios: list[Scenario], evidence: Evidence) -> str:
    """A fact or a further answer of the tool's best version, such as `D8.seconds`, with its label; empty if not run."""
    id, _, name = fact.partition(".")
    if not grades_of([id], scenarios, evidence):
        return ""
    text = next(each.text for each in scenarios if each.id == id)
    seen = last(evidence[id][tool])
    if name in text["answers"]:
        return f"“{text['answers'][name]}” {words(seen['answers'][name]).capitalize()}."
    return f"{text['facts'][name]}: {words(seen['facts'][name])}."


def counted(tool: str) -> Answer:
    """What the implementation takes; a number of lines has no grade."""
    told = [
        f"{len(found[tool].concepts)} concepts and {found[tool].lines} lines in {part}"
        for part, found in totals().items()
    ]
    return Answer("", f"{'; '.join(told)}.")


def cost_of_task(tool: str) -> Answer:
    """What a task takes that does nothing."""
    seconds = bench().get("fan_out_in_process", {}).get(tool, {"per_task": {}})["per_task"].get(str(WIDE))
    return Answer("", f"{seconds * 1000:.0f} ms a task." if seconds else "Not measured yet; make bench does so.")


WIDE = 1000
MEASURED = {
    "code": (counted, RULE),
    "task": (
        cost_of_task,
        f"Milliseconds for a task that does nothing, in a fan-out of {WIDE:,} in one process without a scheduler, by "
        "`make bench` (see “The cost”).",
    ),
}
