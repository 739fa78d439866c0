"""What claims are measured by: the grades of scenarios, the concepts that are counted in the code, error messages."""

from collections.abc import Callable
from dataclasses import dataclass

from page import kept
from page.counts import RULE, counts, spelled_out, totals
from page.grades import Grades, grades_of, label, listed, missing_told, scenario_of
from page.verdicts import GRADES, Ranks, ranks_of
from shared.settings import ROOT
from tools.readme import PIPELINES
from tools.scenarios import TOOLS, Evidence, Scenario, is_trap

WHENS = {
    "loading": "when the file is loaded",
    "start": "when it is started",
    "run": "after its first task has begun",
    "never": "never",
    "harmless": "never, as the run does what was meant",
}
MOMENTS = {"loading": 0, "start": 0, "run": 1, "never": 2}
MESSAGES = (
    "A message that comes before the first task begins is better than a later one, and that than none; of two that "
    "come equally soon, the one that names what is at fault is the better one. A mistake that does no harm in one of "
    "the tools is left out."
)


@dataclass(frozen=True)
class Found:
    """The tools' ranks by item, each tool's in a sentence, and how many items are missing, and which."""

    ranks: dict[str, Ranks]
    by_tool: dict[str, str]
    missing: int = 0
    which: str = ""


@dataclass(frozen=True)
class Measure:
    """Gives the ranks of some scenarios (other measures need none); the words are those of the rule."""

    of: Callable[[list[str], list[Scenario], Evidence], Found]
    item: str
    quantity: str
    note: str = ""


def by_grade(items: list[str], scenarios: list[Scenario], evidence: Evidence) -> Found:
    grades = grades_of(items, scenarios, evidence)
    missing = [item for item in items if item not in grades]
    by_tool = {tool: grades_told(tool, grades, traps(tool, grades, scenarios, evidence)) for tool in TOOLS}
    ranks = {label(item): ranks_of(found) for item, found in grades.items()}
    return Found(ranks, by_tool, len(missing), missing_told(missing))


def grades_told(tool: str, grades: Grades, traps: list[str]) -> str:
    """A tool's scenarios by grade, and those in which its obvious code is a trap."""
    by_grade = {each: [label(item) for item, found in grades.items() if found[tool] == each] for each in GRADES}
    told = "; ".join(f"{grade}: {listed(items)}" for grade, items in by_grade.items() if items)
    return f"{told}. {f'Traps: {listed(traps)}.' if traps else ''}".strip() if told else "Nothing has been run yet."


def traps(tool: str, grades: Grades, scenarios: list[Scenario], evidence: Evidence) -> list[str]:
    found = [(item, scenario_of(item, scenarios)) for item in grades]
    return [label(item) for item, each in found if each and is_trap(each, evidence[each.id][tool])]


def by_concepts(items: list[str], scenarios: list[Scenario], evidence: Evidence) -> Found:
    ranks = {stage: {tool: len(found[tool].concepts) for tool in TOOLS} for stage, found in counts().items()}
    return Found(ranks, {tool: count_told(tool) for tool in TOOLS})


def count_told(tool: str) -> str:
    source = (ROOT / PIPELINES[tool.capitalize()]).read_text("utf-8")
    parts = [f"{len(found[tool].concepts)} concepts in {part}" for part, found in totals().items()]
    return f"{'; '.join(parts)}. Dependencies spelled out where no data is handed on: {spelled_out(source)}."


def by_messages(items: list[str], scenarios: list[Scenario], evidence: Evidence) -> Found:
    found = kept.mistakes()
    if not found:
        told = "The same mistakes have not been made in each tool yet: there is no docs/mistakes.json."
        return Found({}, dict.fromkeys(TOOLS, "Nothing has been run yet."), 1, told)
    mistakes = list(found.values())
    made = [each for each in mistakes if set(each["tools"]) == set(TOOLS)]
    ranks = {
        each["title"]: {tool: message_rank(each["names"], **each["tools"][tool]) for tool in TOOLS}
        for each in made
        if not any(seen["when"] == "harmless" for seen in each["tools"].values())
    }
    told = {tool: messages_told([(each["names"], each["tools"][tool]) for each in made]) for tool in TOOLS}
    return Found(ranks, told, len(mistakes) - len(made))


def message_rank(names: str, when: str, message: str, **others: object) -> int:
    """The smaller the better: first by when the message comes, then by whether it names what is at fault."""
    return 2 * MOMENTS[when] + (is_told(when) and names not in message)


def is_told(when: str) -> bool:
    return when not in ("never", "harmless")


def messages_told(made: list[tuple[str, dict[str, str]]]) -> str:
    """A tool's mistakes by when it tells them, and how many of the messages name what is at fault."""
    whens = [seen["when"] for _, seen in made]
    counted = [f"{words}: {count}" for when, words in WHENS.items() if (count := whens.count(when))]
    named = [names in seen["message"] for names, seen in made if is_told(seen["when"])]
    return f"Mistakes told {'; '.join(counted)}. The message names what is at fault in {sum(named)} of {len(named)}."


MEASURES = {
    "grade": Measure(by_grade, "A scenario", "grade"),
    "concepts": Measure(by_concepts, "A stage", "number of concepts", f"Fewer concepts are better. {RULE}"),
    "messages": Measure(by_messages, "A mistake", "message", MESSAGES),
}
