"""The whole pipeline without an orchestrator: the yardstick."""

import logging
import platform
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

from shared.contracts import Contract, Deployment, Evaluation, Plan
from shared.lib import stage, tracking
from shared.runtime import cli, openlineage, records, running
from shared.runtime.records import RunRecord, StageRecord, State
from shared.settings import Settings
from shared.stages.deploy import deploy
from shared.stages.evaluate import evaluate
from shared.stages.features import features
from shared.stages.ingest import ingest
from shared.stages.plan import plan
from shared.stages.train import train
from shared.stages.validate import validate

log = logging.getLogger(__name__)
now = partial(datetime.now, UTC)


@dataclass
class Run:
    """One run: its stages so far, and what the run record takes from their results."""

    settings: Settings
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: datetime = field(default_factory=now)
    stages: list[StageRecord] = field(default_factory=list)
    inputs: dict[str, str] = field(default_factory=dict)
    plan: Plan | None = None
    evaluation: Evaluation | None = None
    deployment: Deployment | None = None

    @contextmanager
    def stage(self, name: str, key: str | None = None) -> Iterator[list[Contract]]:
        """Record when the stage in the block started and ended, and whether it succeeded; what it made, for lineage."""
        started = now()
        state: State = "failed"
        try:
            with openlineage.reported(f"plain.{name}", self.settings, parent=(self.id, "plain")) as made:
                yield made
            state = "success"
        finally:
            self.stages.append(StageRecord(stage=name, key=key, state=state, attempts=1, started=started, ended=now()))


def pipeline(month: str, settings: Settings, run: Run) -> None:
    """The seven stages in a row."""
    with run.stage("ingest"):
        batch = ingest(month, settings)
        run.inputs = batch.inputs
    with run.stage("validate"):
        validated = validate(batch, settings)
    with run.stage("features") as made:
        table = features(validated, settings)
        made += [table]
    with run.stage("plan"):
        planned = run.plan = plan(table, run.id, settings)
    trained = []
    for candidate in planned.candidates:
        try:
            with run.stage("train", candidate.key):
                trained.append(train(candidate, planned, settings))
        except Exception as error:  # one bad candidate does not sink the others
            log.error("%s failed: %s", candidate.key, error)
    with run.stage("evaluate"):
        evaluation = run.evaluation = evaluate(planned, trained, settings)
    if evaluation.decision == "promote":
        with run.stage("deploy") as made:
            run.deployment = deploy(evaluation, settings)
            made += [evaluation.features, run.deployment]


def run(month: str, settings: Settings) -> RunRecord:
    """Run the pipeline for one month; an error ends up in the record."""
    for run_id in running.abandoned(settings):
        tracking.kill(run_id, settings)
    this_run, error = Run(settings), None
    stage.instances["plain"] = lambda: stage.Instance(this_run.id, month, attempt=1)
    with running.claimed(this_run.id, settings):
        try:
            with openlineage.reported("plain", settings, this_run.id):
                pipeline(month, settings, this_run)
        except Exception as raised:
            error = str(raised) or type(raised).__name__
        except KeyboardInterrupt:
            error = records.STOPPED
            tracking.kill(this_run.id, settings)
    return record_of(this_run, month, settings, error)


def record_of(run: Run, month: str, settings: Settings, error: str | None) -> RunRecord:
    """The record of a run that has ended."""
    return RunRecord.model_validate(
        {
            "tool": settings.tool,
            "tool_version": f"Python {platform.python_version()}",
            "month": month,
            "run_id": run.id,
            "state": "failed" if error else "success",
            "started": run.started,
            "ended": now(),
            "stages": records.in_order(run.stages),
            **records.outcome(run.inputs, run.plan, run.evaluation, run.deployment),
            "error": error,
        }
    )


if __name__ == "__main__":
    cli.log_progress()
    cli.main("plain", run)
