"""The claims that readers bring along, each with a verdict that a rule computes from what was recorded and counted."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from page.grades import grades_of, id_of, ids, listed, scenario_of, tool_names
from page.measures import MEASURES
from page.verdicts import KINDS, VERDICTS, Verdict, alone, others_than, ranks_of, verdict
from tools.scenarios import TOOLS, Evidence, Scenario, kept, scenarios

TEXTS = Path(__file__).parent / "texts" / "claims.toml"


@dataclass(frozen=True)
class Claim:
    """A claim, its verdict and why, how each tool stands, and the rule that gave the verdict."""

    id: str
    text: str
    verdict: Verdict
    reason: str
    scenarios: list[str]
    by_tool: dict[str, str]
    rule: str


def claims() -> list[Claim]:
    """All claims of claims.toml, judged by what docs/ keeps and by what is counted in the code."""
    texts = tomllib.loads(TEXTS.read_text("utf-8"))["claim"]
    found, evidence = scenarios(), kept()
    return [judged(text, found, evidence) for text in texts]


def judged(text: dict[str, Any], scenarios: list[Scenario], evidence: Evidence) -> Claim:
    """One claim of claims.toml with its verdict."""
    kind, measure = KINDS[text["kind"]], MEASURES[text.get("measure", "grade")]
    tools, items = text.get("tools", list(TOOLS)), text.get("scenarios", [])
    found = measure.of(items, scenarios, evidence)
    votes = {item: kind.vote(ranks, tools) for item, ranks in found.ranks.items()}
    reason = [
        votes_told(votes, kind.words, tools),
        *answers_told(items, scenarios),
        *beyond(tools, ids(items, scenarios), scenarios, evidence),
        found.which,
    ]
    rule = kind.rule.format(item=measure.item, quantity=measure.quantity, **wording(tools))
    return Claim(
        id=text["id"],
        text=text["text"],
        verdict=verdict(list(votes.values()), found.missing),
        reason=" ".join(filter(None, reason)),
        scenarios=ids(items, scenarios),
        by_tool=found.by_tool,
        rule=" ".join(filter(None, [rule, measure.note, VERDICTS])),
    )


def votes_told(votes: dict[str, int], words: dict[int, str], tools: list[str]) -> str:
    """Which items confirm the claim, which leave it open and which contradict it, in one sentence."""
    parts = [(words[vote], [item for item in votes if votes[item] == vote]) for vote in words]
    told = [f"{word.format(**wording(tools))} {listed(items)}" for word, items in parts if items]
    return f"{tool_names(tools)}: {'; '.join(told)}." if told else ""


def answers_told(items: list[str], scenarios: list[Scenario]) -> list[str]:
    """What the items ask that are one answer of a scenario."""
    found = [
        (item, each.text["answers"][item.partition(".")[2]])
        for item in items
        if "." in item
        if (each := scenario_of(item, scenarios))
    ]
    return [f"Of {id_of(item)} only one answer counts here: “{text}”." for item, text in found]


def wording(tools: list[str]) -> dict[str, str]:
    """What the words of a rule need, for one tool or for several."""
    names, rest = tool_names(tools), tool_names(others_than(tools))
    others = {
        "others": rest if len(tools) > 1 else f"both {rest}",
        "other": rest if len(tools) > 1 else f"one of {rest}",
    }
    if len(tools) == 1:
        return {"tools": names, "each": names, "one": "", "than_one": "", **others}
    each, one, than_one = f"each of {names}", "one of them ", " than that of one of them"
    return {"tools": names, "each": each, "one": one, "than_one": than_one, **others}


def beyond(tools: list[str], ids: list[str], scenarios: list[Scenario], evidence: Evidence) -> list[str]:
    """What these tools alone do of that which a scenario asks, but does not want for its grade."""
    found = [each for id in ids if (each := scenario_of(id, scenarios))] if len(tools) < len(TOOLS) else []
    asked = {
        f"{each.id}.{name}": text
        for each in found
        for name, text in each.text["answers"].items()
        if name not in each.text["wanted"]
    }
    return [
        f"Not wanted for the grade, but of {tool_names(tools)} alone, without own code, the answer is yes to "
        f"“{asked[item]}” ({id_of(item)})."
        for item, grades in grades_of(list(asked), scenarios, evidence).items()
        if alone(ranks_of(grades), tools) == 1
    ]
