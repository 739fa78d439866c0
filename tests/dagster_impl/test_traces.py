"""One trace of a run whose steps are processes of their own, and whose record a sensor writes."""

from pathlib import Path

import pytest

from tests.collector import at_mlflows_address, tree
from tests.live.dagster import PIPELINE, Engine
from tests.live.watch import until


@pytest.mark.live
def test_steps_in_their_own_processes_are_one_trace_that_the_sensor_sends(
    live: Engine, home: Path, source: Path
) -> None:
    config = {"source": str(source), "min_rows": 100, "families": ["logistic"]}
    resources = {"resources": {"settings": {"config": config}}}
    with at_mlflows_address(home) as receiver:
        month = {"dagster/partition": "2013-06"}
        run_id = live.launch(PIPELINE, "__repository__", "retrain_isolated", resources, month)
        assert live.wait(run_id).is_success
        spans = until(lambda: receiver.spans)
        _, headers, _ = receiver.requests[-1]
    trained = [f"train {origin}/logistic" for origin in ("EWR", "JFK", "LGA")]
    (root, stages) = tree(spans)
    assert root == "run"
    assert sorted(name for name in stages if name != ["fit"])[-4:-1] == trained
    assert stages.count(["fit"]) == len(trained)
    assert {span.trace for span in spans} == {spans[0].trace}
    assert spans[0].attributes["triptych.run_id"] == run_id
    assert headers["x-mlflow-experiment-id"].isdigit()
    assert len(headers["x-mlflow-run-id"]) == 32
