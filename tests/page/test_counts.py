"""Lines and concepts are counted in the code as it stands."""

from page.counts import PACKAGE, PIPELINE, concepts, counts, lines, names_of, spelled_out, totals
from shared.runtime.records import STAGES
from tools.scenarios import TOOLS

SOURCE = '''
"""A module."""
import dagster as dg
from prefect import flow, task as piece
from prefect.futures import wait  # a comment
from shared import prefect_like

LIMIT = 3
"""A constant's words."""


@piece(
    retries=2,  # twice
)
def work() -> None:
    """Does
    it."""
    # Why.
    wait([prefect_like])
    text = """two
lines"""


@dg.asset
def thing(context: dg.AssetExecutionContext): ...
'''


def test_lines_are_those_that_bear_code() -> None:
    assert lines(SOURCE) == 4 + 1 + 3 + 1 + 1 + 2 + 2


def test_concepts_are_names_of_the_tool_that_are_used() -> None:
    assert set(concepts(SOURCE, names_of("prefect", SOURCE))) == {"task", "wait"}  # flow is imported, and not used
    assert set(concepts(SOURCE, names_of("dagster", SOURCE))) == {"asset", "AssetExecutionContext"}
    assert set(concepts(SOURCE, names_of("airflow", SOURCE))) == set()


def test_every_stage_of_every_tool_is_counted() -> None:
    found = counts()
    assert tuple(found) == STAGES
    for stage in STAGES:
        for tool in TOOLS:
            assert found[stage][tool].lines > 0
            assert found[stage][tool].concepts, f"{stage} in {tool} uses no name of it"


def test_the_stages_are_part_of_the_pipeline_and_that_is_part_of_the_implementation() -> None:
    for tool in TOOLS:
        pipeline, package = totals()[PIPELINE][tool], totals()[PACKAGE][tool]
        assert {name for stage in STAGES for name in counts()[stage][tool].concepts} <= set(pipeline.concepts)
        assert max(counts()[stage][tool].lines for stage in STAGES) < pipeline.lines < package.lines
        assert set(pipeline.concepts) < set(package.concepts)


def test_what_is_spelled_out_is_an_order_without_data() -> None:
    assert spelled_out("first() >> second()\nthird(wait_for=[second])\nfourth(third())\ntotal = 8 >> 1\n") == 2
