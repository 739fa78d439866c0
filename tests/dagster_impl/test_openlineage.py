"""Dagster's event log in OpenLineage's words."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import dagster as dg
from openlineage.client.serde import Serde

from dagster_impl.openlineage_events import run_events
from shared.settings import ROOT
from tests.openlineage import parents, problems, switched_on


@dg.op(out=dg.DynamicOut(int))
def numbers() -> Any:
    yield from (dg.DynamicOutput(n, mapping_key=str(n)) for n in range(3))


@dg.op
def fit(context: dg.OpExecutionContext, number: int) -> int:
    if number == 0 and context.retry_number == 0:
        raise dg.RetryRequested(max_retries=1) from ValueError("busy")
    if number == 1:
        context.log_event(dg.ExpectationResult(success=False, description="no late flight"))
    return number


@dg.op
def deploy(fitted: list[int]) -> None:
    raise ValueError("no such model")


@dg.job
def train() -> None:
    deploy(numbers().map(fit).collect())


def translated(entries: list[dg.EventLogEntry], folder: Path) -> list[dict[str, Any]]:
    with switched_on(folder / "unused"):
        return [Serde.to_dict(event) for event in run_events(entries)]


def log_of(job: dg.JobDefinition) -> list[dg.EventLogEntry]:
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        return list(instance.all_logs(result.run_id))


def test_tries_and_candidates_are_runs_and_failures_bear_their_error(tmp_path: Path) -> None:
    sent = translated(log_of(train), tmp_path)
    assert problems(sent) == []
    assert Counter((event["job"]["name"], event["eventType"]) for event in sent) == {
        ("train", "START"): 1,
        ("train", "FAIL"): 1,
        ("train.numbers", "START"): 1,
        ("train.numbers", "COMPLETE"): 1,
        ("train.fit", "START"): 4,
        ("train.fit", "FAIL"): 2,
        ("train.fit", "COMPLETE"): 2,
        ("train.deploy", "START"): 1,
        ("train.deploy", "FAIL"): 1,
    }
    assert parents(sent) == {(f"train.{step}", "train") for step in ("numbers", "fit", "deploy")}
    errors = [event["run"]["facets"]["errorMessage"]["message"] for event in sent if event["eventType"] == "FAIL"]
    assert errors[:3] == ["busy", "no late flight", "no such model"]


def test_step_that_a_killed_process_leaves_open_is_aborted(tmp_path: Path) -> None:
    whole = log_of(train)
    cut = [entry for entry in whole if not (entry.step_key == "deploy" and entry.dagster_event.is_step_failure)]
    sent = translated(cut, tmp_path)
    assert problems(sent) == []
    assert [(event["eventType"], event["job"]["name"]) for event in sent[-2:]] == [
        ("ABORT", "train.deploy"),
        ("FAIL", "train"),
    ]


def test_nothing_is_said_of_events_that_nobody_has_asked_for(home: Path) -> None:
    load = "from dagster_impl.definitions import defs; defs()"
    done = subprocess.run([sys.executable, "-c", load], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "OpenLineage" not in done.stdout + done.stderr
