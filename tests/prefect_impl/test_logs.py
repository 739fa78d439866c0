"""The stages' log lines are found again in Prefect's logs, over its API."""

from pathlib import Path
from uuid import UUID

from prefect_impl.run import run
from shared.settings import Settings
from tests.live import prefect
from tests.live.watch import until
from tests.logs import check


def test_each_stage_has_a_line_in_the_log_of_the_run(home: Path, source: Path) -> None:
    settings = Settings(tool="prefect", source=str(source), min_rows=100, families=("logistic",))
    record = run("2013-06", settings)
    assert record.state == "success", record.error
    until(lambda: "stage=deploy" in "".join(prefect.log(UUID(record.run_id))))
    check(prefect.log(UUID(record.run_id)), "prefect", record.run_id)
