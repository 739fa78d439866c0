"""Dagster's IO manager writes hand-overs wherever UPath can; the pipeline's files lie in the store."""

import pytest

from tests.live.dagster import Pipeline
from tests.scale.s4_object_store import observe
from tests.scenario import Scenario


@pytest.mark.slow
def test_s4_object_store(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, scenario: Scenario) -> None:
    from dagster_impl.defs.assets import feature_table

    seen = observe("dagster", pipeline.small["source"], pipeline, monkeypatch)
    assert seen["same_champion"]
    scenario.obvious(feature_table.op, **seen, hand_overs="the IO manager, with the store on S3")
    scenario.finding(
        f"The run that met 503 was a success after {seen['attempts']} attempts at ingest (S3's client tries again, "
        "too), and the changed object was refused by its name. The IO manager keeps references to objects "
        "beside the store, as the next step may run on another machine."
    )
