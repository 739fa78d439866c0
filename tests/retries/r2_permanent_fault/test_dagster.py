"""Dagster: a RetryPolicy retries every exception except `Failure(allow_retries=False)`."""

import shutil
from pathlib import Path

import dagster as dg

from tests.live.dagster import Pipeline, attempts
from tests.scenario import Scenario

POLICY = dg.RetryPolicy(max_retries=3)


@dg.op(retry_policy=POLICY)
def raises() -> None:
    raise ValueError("no such column")


@dg.job
def obvious() -> None:
    raises()


@dg.op(retry_policy=POLICY)
def gives_up() -> None:
    raise dg.Failure("no such column", allow_retries=False)


@dg.job
def idiom() -> None:
    gives_up()


def test_r2_permanent_fault(
    pipeline: Pipeline, source: Path, tmp_path: Path, instance: dg.DagsterInstance, scenario: Scenario
) -> None:
    from dagster_impl.stage import RETRIES

    result = obvious.execute_in_process(instance=instance, raise_on_error=False)
    tried = attempts(instance, result.run_id)
    scenario.obvious(
        raises,
        obvious,
        success=result.success,
        tried_once=tried["raises"] == 1,
        run_fails=not result.success,
        attempts=tried,
        retries_left=POLICY.max_retries + 1 - tried["raises"],
    )

    result = idiom.execute_in_process(instance=instance, raise_on_error=False)
    broken = shutil.copytree(source, tmp_path / "broken")
    flights = broken / "flights" / "2013-06.csv"
    flights.write_text(flights.read_text().replace(",1400,", ",-1400,"))
    record = pipeline(source=str(broken))
    assert record.state == "failed"
    once = attempts(instance, result.run_id)
    validate = attempts(pipeline.instance, record.run_id)["validated_batch"]
    scenario.idiom(
        gives_up,
        idiom,
        success=result.success,
        tried_once=once["gives_up"] == validate == 1,
        run_fails=not result.success and record.state == "failed",
        attempts=once | {"the pipeline's validate": validate},
        retries_left=min(POLICY.max_retries, RETRIES.max_retries) + 1 - once["gives_up"],
    )
    scenario.finding(
        f"A RetryPolicy retries a plain exception, too ({tried['raises']} attempts); a Failure with "
        f"allow_retries=False ends the step after {once['gives_up']}, and so does the pipeline, which has no policy "
        f"and asks for a retry only where that can help ({validate} attempt at validate)."
    )
