"""The rules by which a claim is judged: what confirms it, what contradicts it, and what follows from all of these."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from page.grades import OWN_MEANS
from tools.scenarios import SIGNS, TOOLS

Verdict = Literal["holds", "holds in part", "no longer holds", "not settled here"]
Ranks = dict[str, int]
"""By tool; the smaller the better, and a grade's place from the best to the worst."""
GRADES = tuple(SIGNS)
BY_DEFAULT, IDIOM = (GRADES.index(grade) for grade in OWN_MEANS)


@dataclass(frozen=True)
class Kind:
    """How an item confirms a claim about some tools (1), contradicts it (-1) or does neither (0), in code and words."""

    vote: Callable[[Ranks, list[str]], int]
    rule: str
    words: dict[int, str]


def ranks_of(grades: dict[str, str]) -> Ranks:
    return {tool: GRADES.index(grade) for tool, grade in grades.items()}


def ahead(ranks: Ranks, tools: list[str]) -> int:
    """1 if each of the tools is better than every other, -1 if another one is better than one of them."""
    mine, others = max(ranks[tool] for tool in tools), min(ranks[tool] for tool in others_than(tools))
    return (mine < others) - (mine > others)


def behind(ranks: Ranks, tools: list[str]) -> int:
    return -ahead(ranks, tools)


def natively(ranks: Ranks, tools: list[str]) -> int:
    worst = max(ranks[tool] for tool in tools)
    return (worst == BY_DEFAULT) - (worst > IDIOM)


def everywhere(ranks: Ranks, tools: list[str]) -> int:
    return 1 if max(ranks[tool] for tool in tools) <= IDIOM else -1


def alone(ranks: Ranks, tools: list[str]) -> int:
    return 1 if everywhere(ranks, tools) == 1 and min(ranks[tool] for tool in others_than(tools)) > IDIOM else -1


def others_than(tools: list[str]) -> list[str]:
    return [tool for tool in TOOLS if tool not in tools]


KINDS = {
    "ahead": Kind(
        ahead,
        "{item} confirms the claim if the {quantity} of {each} is better than that of {others}, and contradicts it if "
        "that of {other} is better{than_one}; a tie does neither.",
        {1: "ahead of the others in", 0: "{one}level with the best of the others in", -1: "{one}behind in"},
    ),
    "behind": Kind(
        behind,
        "{item} confirms the claim if the {quantity} of {other} is better than that of {each}, and contradicts it if "
        "that of {each} is better than that of {others}; a tie does neither.",
        {1: "behind another tool in", 0: "level with the best of the others in", -1: "ahead in"},
    ),
    "natively": Kind(
        natively,
        "{item} confirms the claim if {tools} can do it by default, and contradicts it if {tools} cannot do it by its "
        "own means; its idiom does neither.",
        {1: "by default in", 0: "with its idiom in", -1: "not by its own means in"},
    ),
    "everywhere": Kind(
        everywhere,
        "{item} confirms the claim if every tool can do it by default or with its idiom, and contradicts it otherwise.",
        {1: "every tool by its own means in", -1: "not every tool by its own means in"},
    ),
    "alone": Kind(
        alone,
        "{item} confirms the claim if {tools} can do it by default or with their idioms and no other tool can, and "
        "contradicts it otherwise.",
        {1: "alone by their own means in", -1: "not they alone in"},
    ),
}
VERDICTS = (
    "The claim holds if more than half confirm it and none contradicts it; it holds in part if some confirm it and no "
    "more than these contradict it; otherwise it no longer holds. If half or more have not been run, it is not settled "
    "here; if fewer have not been run, it holds in part at most, and is not settled where it would no longer hold."
)


def verdict(votes: list[int], missing: int) -> Verdict:
    """What follows from the votes of those items that have been run, and from how many have not."""
    confirming, contradicting = votes.count(1), votes.count(-1)
    if len(votes) <= missing:
        return "not settled here"
    if 2 * confirming > len(votes) and not contradicting:
        return "holds in part" if missing else "holds"
    if confirming and confirming >= contradicting:
        return "holds in part"
    return "not settled here" if missing else "no longer holds"
