"""One trace of a run whose tasks are processes of their own, and which the scheduler ends."""

from pathlib import Path

import pytest

from shared.settings import Settings
from tests.collector import at_mlflows_address, tree
from tests.live.airflow import Engine, conf
from tests.live.watch import until


@pytest.mark.live
def test_tasks_in_their_own_processes_are_one_trace_that_the_scheduler_sends(
    live: Engine, home: Path, source: Path
) -> None:
    settings = Settings(tool="airflow", source=str(source), min_rows=100, families=("logistic",))
    with at_mlflows_address(home) as receiver:
        run = live.start("late_flights", conf("2013-06", settings))
        assert live.wait(run) == "success"
        spans = until(lambda: receiver.spans)
        _, headers, _ = receiver.requests[-1]
    trained = [f"train {origin}/logistic" for origin in ("EWR", "JFK", "LGA")]
    (root, stages) = tree(spans)
    assert root == "run"
    assert sorted(name for name in stages if name != ["fit"])[-4:-1] == trained
    assert stages.count(["fit"]) == len(trained)
    assert {span.trace for span in spans} == {spans[0].trace}
    assert spans[0].attributes["triptych.run_id"] == run.run_id
    assert headers["x-mlflow-experiment-id"].isdigit()
    assert len(headers["x-mlflow-run-id"]) == 32
