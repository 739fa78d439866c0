"""The verdict on a claim follows from its rule and the evidence, and from nothing else."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from page import grades, kept, measures
from page.claims import TEXTS, claims, judged
from page.measures import MEASURES
from page.verdicts import KINDS, ranks_of, verdict
from tests.page.made_up import DEFAULT, IDIOM, NO, OWN, cell, evidence, scenario
from tools.scenarios import TOOLS, scenarios

CLAIM = {"id": "C0", "text": "Prefect is the best.", "kind": "ahead", "tools": ["prefect"], "scenarios": ["R1", "R2"]}
WRITTEN = tomllib.loads(TEXTS.read_text("utf-8"))["claim"]


def judge(text: dict[str, Any] = CLAIM, **recorded: tuple[str, str, str]) -> Any:
    return judged(text, [scenario("R1"), scenario("R2")], evidence(**recorded))


@pytest.mark.parametrize(
    ("kind", "tools", "recorded", "vote"),
    [
        ("ahead", ["prefect"], (IDIOM, DEFAULT, IDIOM), 1),
        ("ahead", ["prefect"], (DEFAULT, DEFAULT, NO), 0),
        ("ahead", ["prefect"], (NO, IDIOM, DEFAULT), -1),
        ("ahead", ["prefect", "dagster"], (OWN, DEFAULT, IDIOM), 1),
        ("ahead", ["prefect", "dagster"], (IDIOM, DEFAULT, OWN), -1),
        ("behind", ["airflow"], (IDIOM, DEFAULT, NO), 1),
        ("behind", ["airflow"], (IDIOM, IDIOM, NO), 0),
        ("behind", ["airflow"], (DEFAULT, IDIOM, IDIOM), -1),
        ("natively", ["dagster"], (NO, NO, DEFAULT), 1),
        ("natively", ["dagster"], (DEFAULT, DEFAULT, IDIOM), 0),
        ("natively", ["dagster"], (DEFAULT, DEFAULT, OWN), -1),
        ("everywhere", list(TOOLS), (DEFAULT, IDIOM, IDIOM), 1),
        ("everywhere", list(TOOLS), (DEFAULT, DEFAULT, OWN), -1),
        ("alone", ["prefect", "dagster"], (OWN, IDIOM, DEFAULT), 1),
        ("alone", ["prefect", "dagster"], (IDIOM, DEFAULT, DEFAULT), -1),
        ("alone", ["prefect", "dagster"], (NO, OWN, DEFAULT), -1),
    ],
)
def test_each_kind_of_rule(kind: str, tools: list[str], recorded: tuple[str, ...], vote: int) -> None:
    ranks = ranks_of(dict(zip(TOOLS, recorded, strict=True)))
    assert KINDS[kind].vote(ranks, tools) == vote


@pytest.mark.parametrize(
    ("votes", "missing", "expected"),
    [
        ([1, 1, 0], 0, "holds"),
        ([1, 1, -1], 0, "holds in part"),
        ([1, 0], 0, "holds in part"),
        ([1, -1], 0, "holds in part"),
        ([1, -1, -1], 0, "no longer holds"),
        ([0, 0], 0, "no longer holds"),
        ([1, 1], 1, "holds in part"),
        ([-1, -1], 1, "not settled here"),
        ([1], 1, "not settled here"),
        ([], 2, "not settled here"),
        ([], 0, "not settled here"),
    ],
)
def test_what_follows_from_the_votes(votes: list[int], missing: int, expected: str) -> None:
    assert verdict(votes, missing) == expected


def test_a_verdict_changes_when_the_evidence_does() -> None:
    assert judge(R1=(IDIOM, DEFAULT, IDIOM), R2=(OWN, IDIOM, OWN)).verdict == "holds"
    assert judge(R1=(IDIOM, DEFAULT, IDIOM), R2=(IDIOM, IDIOM, OWN)).verdict == "holds in part"
    assert judge(R1=(DEFAULT, IDIOM, IDIOM), R2=(IDIOM, IDIOM, OWN)).verdict == "no longer holds"
    assert judge(R1=(IDIOM, DEFAULT, IDIOM)).verdict == "not settled here"


def test_the_reason_names_what_confirms_what_contradicts_and_what_is_missing() -> None:
    found = judge(CLAIM | {"scenarios": ["R1", "R2", "T1"]}, R1=(IDIOM, DEFAULT, IDIOM), R2=(DEFAULT, NO, IDIOM))
    assert found.reason == (
        "Prefect: ahead of the others in R1; behind in R2. Not run in all three tools yet: "
        "T1 (a schedule, and what becomes of ticks that were missed)."
    )
    assert found.scenarios == ["R1", "R2"]
    assert found.by_tool["prefect"] == "by default: R1; not possible: R2."
    assert "the grade of Prefect is better than that of both Airflow and Dagster" in found.rule


def test_a_scenario_that_one_tool_lacks_is_missing() -> None:
    recorded = evidence(R1=(IDIOM, DEFAULT, IDIOM), R2=(OWN, IDIOM, OWN))
    del recorded["R2"]["dagster"]
    found = judged(CLAIM, [scenario("R1"), scenario("R2")], recorded)
    assert found.verdict == "not settled here"
    assert "R2" in found.reason.split("yet:")[1]


def test_what_a_tool_alone_can_do_is_told_also_if_the_grade_does_not_hang_on_it() -> None:
    recorded = evidence(R1=(IDIOM, IDIOM, IDIOM))
    recorded["R1"]["prefect"] = cell(IDIOM, extra=True)
    told = "of Prefect alone, without own code, the answer is yes to “Does it shine?” (R1)"
    assert told in judged(CLAIM, [scenario("R1")], recorded).reason
    recorded["R1"]["airflow"] = cell(IDIOM, extra=True)
    assert "shine" not in judged(CLAIM, [scenario("R1")], recorded).reason


def test_an_answer_can_be_looked_at_by_itself() -> None:
    recorded = evidence(R1=(OWN, OWN, OWN))
    recorded["R1"]["prefect"] = cell(OWN, extra=True)
    found = judged(CLAIM | {"scenarios": ["R1.extra"]}, [scenario("R1")], recorded)
    assert found.verdict == "holds"
    assert "ahead of the others in R1 (extra)" in found.reason
    with pytest.raises(ValueError, match=r"r1_name/scenario.toml has no answer nothing"):
        judged(CLAIM | {"scenarios": ["R1.nothing"]}, [scenario("R1")], recorded)


def test_traps_are_named() -> None:
    recorded = evidence(R1=(IDIOM, DEFAULT, IDIOM))
    recorded["R1"]["airflow"] = cell(IDIOM, trap=True)
    found = judged(CLAIM, [scenario("R1")], recorded)
    assert found.by_tool["airflow"] == "with its idiom: R1. Traps: R1."
    assert "Traps" not in found.by_tool["dagster"]


def test_error_messages_are_judged_once_they_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = CLAIM | {"scenarios": [], "measure": "messages", "tools": ["prefect", "dagster"]}
    monkeypatch.setattr(kept, "DOCS", tmp_path)
    assert judge(claim).verdict == "not settled here"
    said = {"airflow": "Broken Dag", "prefect": "in train", "dagster": "train failed"}
    tools = {tool: {"when": "loading", "message": text} for tool, text in said.items()}
    mistakes = {"m1": {"title": "A typo", "names": "train", "tools": tools}}
    (tmp_path / "mistakes.json").write_text(json.dumps(mistakes))
    assert judge(claim).verdict == "holds"
    assert judge(claim).by_tool["airflow"] == (
        "Mistakes told when the file is loaded: 1. The message names what is at fault in 0 of 1."
    )
    tools["prefect"]["when"] = "run"
    (tmp_path / "mistakes.json").write_text(json.dumps(mistakes))
    assert judge(claim).verdict == "no longer holds"
    tools["prefect"]["when"] = "harmless"
    (tmp_path / "mistakes.json").write_text(json.dumps(mistakes))
    assert judge(claim).verdict == "not settled here"


def test_a_message_is_the_better_the_sooner_it_comes_and_if_it_names_what_is_at_fault() -> None:
    ranks = [
        measures.message_rank("mnth", when, message)
        for when in ("loading", "start", "run", "never")
        for message in ("no mnth here", "something broke")
    ]
    assert ranks == [0, 1, 0, 1, 2, 3, 4, 4]


@pytest.mark.parametrize("text", WRITTEN, ids=lambda text: text["id"])
def test_every_claim_has_a_rule_and_names_scenarios_that_exist_or_are_planned(text: dict[str, Any]) -> None:
    planned = tomllib.loads(grades.PLANNED.read_text("utf-8"))
    existing = {each.id for each in scenarios()}
    assert text["kind"] in KINDS
    assert text.get("measure", "grade") in MEASURES
    assert set(text.get("tools", TOOLS)) <= set(TOOLS)
    assert text.get("scenarios") or "measure" in text
    assert {grades.id_of(item) for item in text.get("scenarios", [])} <= existing | set(planned)
    assert not {"verdict", "reason"} & set(text)


def test_the_claims_of_the_page() -> None:
    found = claims()
    assert [each.id for each in found] == [f"C{number}" for number in range(1, 16)]
    for each in found:
        assert set(each.by_tool) == set(TOOLS)
        assert re.fullmatch(r"[A-Z].*\.", each.reason), each.reason
        assert not re.search(r"[{}]", each.rule), each.rule


def test_a_claim_about_one_answer_says_which() -> None:
    found = judge(CLAIM | {"scenarios": ["R1.works"]}, R1=(IDIOM, DEFAULT, IDIOM))
    assert "Of R1 only one answer counts here: “Does it work?”." in found.reason
