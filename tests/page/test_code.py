"""The page finds the code of each stage, and of each version that a scenario has recorded."""

import pytest

from page.code import Extract, code_at, code_of, stage_code
from shared.runtime.records import STAGES
from tools.scenarios import TOOLS, VERSIONS, kept

README = """
| stage | construct | why |
|---|---|---|
| `ingest` | task | |
| `plan` → `choices` | two tasks | |
"""
PIPELINE = '''
def helper(): ...


# Why this task is as it is.
@task(retries=2)
def ingest():
    helper()


@task
def plan(batch):
    name(batch)


def name(batch): ...


@plan.on_failure
def undo(): ...


@task
def choices(): ...


@flow
def late_flights():
    """A docstring."""
    batch = ingest()
    wait(batch)

    names = [name(batch)]
    plan(batch, names)
    return batch
'''


def extracts(stage: str, source: str = PIPELINE) -> list[Extract]:
    return code_of(stage, "pipeline.py", source, README)


def test_a_stage_has_its_function_what_that_uses_and_its_lines_of_the_flow() -> None:
    helper, ingest, calls = extracts("ingest")
    assert (helper.qualname, ingest.qualname, calls.qualname) == ("helper", "ingest", "late_flights")
    assert ingest.text.startswith("# Why this task is as it is.\n@task(retries=2)\ndef ingest")
    assert ingest.first_line == 5
    assert calls.text == "batch = ingest()\nwait(batch)"


def test_a_stage_has_what_hangs_on_it_and_what_its_row_in_the_readme_names() -> None:
    assert [each.qualname for each in extracts("plan")] == ["plan", "name", "undo", "choices", "late_flights"]


def test_a_line_that_prepares_a_call_with_the_stages_own_helper_belongs_to_that_stage() -> None:
    assert extracts("plan")[-1].text == "names = [name(batch)]\nplan(batch, names)"


def test_a_line_that_calls_two_stages_belongs_to_both() -> None:
    nested = PIPELINE.replace("    plan(batch, names)", "    plan(ingest())")
    assert "plan(ingest())" in extracts("ingest", nested)[-1].text
    assert "plan(ingest())" in extracts("plan", nested)[-1].text


def test_a_stage_may_be_found_by_its_tag() -> None:
    tagged = '@dg.asset(tags={"stage": "ingest"})\ndef batch(raw_file): ...\n\n\n@dg.asset\ndef raw_file(): ...\n'
    assert [each.qualname for each in extracts("ingest", tagged)] == ["batch", "raw_file"]


def test_a_missing_stage_is_told_in_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"pipeline.py has no function for the stage train, expected one of that name"):
        extracts("train")


@pytest.mark.parametrize("tool", TOOLS)
def test_every_implementation_has_code_for_every_stage(tool: str) -> None:
    for stage in STAGES:
        found = stage_code(tool, stage)
        assert f"{stage}(" in "\n".join(each.text for each in found)
        if tool != "dagster":
            assert any(each.qualname == "late_flights" for each in found), f"{stage} is called nowhere"


def test_the_code_of_every_recorded_version_is_found() -> None:
    for cells in kept().values():
        for cell in cells.values():
            for version in VERSIONS:
                if version in cell:
                    assert code_at(cell[version]["code"]).text


def test_a_nested_function_is_found_with_its_decorators_and_without_its_indentation() -> None:
    found = code_at("airflow_impl/pipeline.py:late_flights.<locals>.evaluate")
    assert "\n@task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)\ndef evaluate(" in found.text


def test_code_that_is_not_there_is_told_in_a_sentence() -> None:
    for place in ("airflow_impl/pipeline.py:nothing", "nowhere.py:late_flights"):
        with pytest.raises(ValueError, match=r"which docs/evidence\.json names; run make test"):
            code_at(place)
