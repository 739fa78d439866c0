"""The pauses before a stage is tried again, as Prefect has recorded them."""

from pathlib import Path
from uuid import UUID

from prefect_impl.run import run
from shared.settings import Settings
from tests.faults import scripted_source
from tests.live.prefect import delays, task_run


def test_delays_between_tries_of_a_stage_grow_and_bear_jitter(home: Path, source: Path) -> None:
    with scripted_source(source, {"planes.csv": [503, 503]}) as vendor:
        settings = Settings(tool="prefect", source=vendor.url, min_rows=100, families=("logistic",))
        record = run("2013-06", settings)
    first, second = delays(task_run("ingest", UUID(record.run_id)))
    assert second > first
    assert (round(first, 2), round(second, 2)) != (1, 2), "the delays without jitter"
