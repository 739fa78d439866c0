"""Which one, when: each tool's sign and sentence follow from the scenarios that a need names."""

import tomllib
from typing import Any

import pytest

from page import grades
from page.counts import RULE
from page.needs import TEXTS, Need, answered, needs
from tests.page.made_up import DEFAULT, IDIOM, NO, OWN, cell, evidence, scenario, version
from tools.scenarios import SIGNS, TOOLS, Evidence, kept, scenarios

WRITTEN = tomllib.loads(TEXTS.read_text("utf-8"))["need"]


def need(recorded: Evidence, items: list[str] | None = None, **more: Any) -> Need:
    text = {"id": "n", "text": "A need", "scenarios": items or ["R1"], **more}
    return answered(text, [scenario("R1"), scenario("R2")], recorded)


def test_a_sentence_for_each_grade() -> None:
    found = need(evidence(R1=(DEFAULT, IDIOM, OWN))).answers
    assert (found["airflow"].sign, found["airflow"].sentence) == ("●", "By default.")
    assert (found["prefect"].sign, found["dagster"].sign) == ("◐", "○")
    assert found["prefect"].sentence == "With its idiom. The obvious code: “Does it work?” No."
    assert found["dagster"].sentence == "With your own code: A crutch."
    assert need(evidence(R1=(NO, NO, NO))).answers["airflow"].sentence == "Not possible. “Does it work?” No."


def test_obvious_code_with_a_mechanism_of_your_own_is_not_by_default() -> None:
    recorded = evidence(R1=(DEFAULT, DEFAULT, DEFAULT))
    for tool in ("prefect", "dagster"):
        recorded["R1"][tool]["obvious"]["own_code"] = "A crutch."
    recorded["R1"]["prefect"]["idiom"] = version(works=True, extra=False)
    found = need(recorded).answers
    assert [each.sign for each in found.values()] == ["●", "◐", "○"]
    assert found["prefect"].sentence == "With its idiom. The obvious code: It takes code of your own: A crutch."
    assert found["dagster"].sentence == "With your own code: A crutch."


def test_a_trap_is_told() -> None:
    recorded = evidence(R1=(DEFAULT, DEFAULT, DEFAULT))
    recorded["R1"]["dagster"] = cell(IDIOM, trap=True)
    found = need(recorded).answers["dagster"]
    assert found.sign == "◐ ⚠"
    assert found.sentence.endswith("The obvious code's run says success all the same.")


def test_a_trap_in_one_of_several_scenarios_is_told() -> None:
    recorded = evidence(R1=(DEFAULT, DEFAULT, DEFAULT), R2=(DEFAULT, DEFAULT, DEFAULT))
    recorded["R2"]["dagster"] = cell(IDIOM, trap=True)
    assert [each.sign for each in need(recorded, ["R1", "R2"]).answers.values()] == ["●", "●", "◐ ⚠"]


def test_of_several_scenarios_the_worst_counts() -> None:
    found = need(evidence(R1=(DEFAULT, DEFAULT, IDIOM), R2=(IDIOM, DEFAULT, NO)), ["R1", "R2"])
    assert [found.answers[tool].sign for tool in TOOLS] == ["◐", "●", "–"]
    assert found.answers["prefect"].sentence == "R1: By default. R2: By default."
    assert found.rule == "The sign is the worst of the grades of R1 and R2."


def test_an_answer_changes_when_the_evidence_does() -> None:
    before, after = (need(evidence(R1=(each, DEFAULT, DEFAULT))).answers["airflow"] for each in (DEFAULT, OWN))
    assert before != after


def test_what_has_not_been_run_has_no_sign_and_is_named() -> None:
    found = need({}, ["R1", "T3"])
    assert {each.sign for each in found.answers.values()} == {""}
    assert found.rule == "Not run in all three tools yet: R1 and T3 (a file arrives)."
    assert found.scenarios == ["R1"]
    part = need(evidence(R1=(DEFAULT, IDIOM, OWN)), ["R1", "T3"])
    assert part.answers["airflow"].sign == "●"
    assert "T3 (a file arrives)" in part.rule


def test_facts_and_further_answers_stand_beside_the_grade_as_recorded() -> None:
    recorded = evidence(R1=(DEFAULT, DEFAULT, DEFAULT))
    recorded["R1"]["prefect"] = cell(DEFAULT, extra=True)
    found = need(recorded, facts=["R1.seconds", "R1.extra"]).answers
    assert found["airflow"].sentence == "By default. Seconds: 7. “Does it shine?” No."
    assert found["prefect"].sentence == "By default. Seconds: 7. “Does it shine?” Yes."


def test_code_is_counted_and_gets_no_sign() -> None:
    found = answered({"id": "n", "text": "Little code", "measure": "code"}, [], {})
    assert found.rule == RULE
    assert all(each.sign == "" and "lines in" in each.sentence for each in found.answers.values())


def test_cost_of_a_task_is_what_the_benchmark_has_and_gets_no_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("page.needs.bench", lambda: {"fan_out_in_process": {"airflow": {"per_task": {"1000": 0.25}}}})
    found = answered({"id": "n", "text": "Small tasks", "measure": "task"}, [], {}).answers
    assert (found["airflow"].sign, found["airflow"].sentence) == ("", "250 ms a task.")
    assert found["prefect"].sentence == "Not measured yet; make bench does so."


@pytest.mark.parametrize("text", WRITTEN, ids=lambda text: text["id"])
def test_every_need_names_what_exists_or_is_planned(text: dict[str, Any]) -> None:
    existing = {each.id: each for each in scenarios()}
    planned = tomllib.loads(grades.PLANNED.read_text("utf-8"))
    assert {grades.id_of(item) for item in text.get("scenarios", [])} <= set(existing) | set(planned)
    for fact in text.get("facts", []):
        id, _, name = fact.partition(".")
        assert name in existing[id].text["answers"] | existing[id].text["facts"]


def test_the_needs_of_the_page() -> None:
    found = needs()
    assert len({each.id for each in found}) == len(found) == len(WRITTEN)
    for each in found:
        for tool, answer in each.answers.items():
            assert tool in TOOLS
            assert answer.sign.split(" ")[0] in {*SIGNS.values(), ""}
            assert answer.sentence.endswith(".")


def test_every_scenario_that_has_been_run_answers_a_need() -> None:
    asked = {id for each in needs() for id in each.scenarios}
    assert set(kept()) <= asked
