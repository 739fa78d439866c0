"""The pauses before a stage is tried again, as Dagster has recorded them."""

from pathlib import Path

from tests.faults import scripted_source
from tests.live.dagster import Pipeline, delays


def test_delays_between_tries_of_a_stage_grow_and_bear_jitter(pipeline: Pipeline, source: Path) -> None:
    with scripted_source(source, {"planes.csv": [503, 503]}) as vendor:
        record = pipeline(source=vendor.url, families=("logistic",))
    first, second = delays(pipeline.instance, record.run_id, "batch")
    assert second > first
    assert (first, second) != (1, 3), "the delays without jitter"
