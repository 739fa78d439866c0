"""The whole pipeline without an orchestrator: the yardstick."""

import logging
import platform
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from shared.runtime import interrupt

if __name__ == "__main__":
    interrupt.while_loading()

import skops.io  # noqa: F401  # it looks through all loaded modules: as long as there are few, that is quick

from shared.contracts import Candidate, Deployment, Evaluation, Plan, Trained
from shared.lib import tracking
from shared.runtime import cli, records, running
from shared.runtime.records import RunRecord, StageRecord
from shared.settings import Settings
from shared.stages.deploy import deploy
from shared.stages.evaluate import evaluate
from shared.stages.features import features
from shared.stages.ingest import ingest
from shared.stages.plan import plan
from shared.stages.train import train
from shared.stages.validate import validate

T = TypeVar("T")

log = logging.getLogger(__name__)


class Run:
    """One run: its results so far and the times of its stages."""

    def __init__(self) -> None:
        self.id, self.started = str(uuid.uuid4()), datetime.now(UTC)
        self.stages: list[StageRecord] = []
        self.inputs: dict[str, str] = {}
        self.plan: Plan | None = None
        self.evaluation: Evaluation | None = None
        self.deployment: Deployment | None = None

    def stage(self, work: Callable[[], T], name: str, key: str | None = None) -> T:
        started, state = datetime.now(UTC), "failed"
        try:
            result = work()
            state = "success"
            return result
        finally:
            times = {"started": started, "ended": datetime.now(UTC)}
            self.stages.append(
                StageRecord.model_validate({"stage": name, "key": key, "state": state, "attempts": 1, **times})
            )

    def pipeline(self, month: str, settings: Settings) -> None:
        """The seven stages in a row."""
        batch = self.stage(lambda: ingest(month, settings), "ingest")
        self.inputs = batch.inputs
        validated = self.stage(lambda: validate(batch, settings), "validate")
        table = self.stage(lambda: features(validated, settings), "features")
        planned = self.plan = self.stage(lambda: plan(table, self.id, settings), "plan")
        trained = [its for candidate in planned.candidates if (its := self.try_train(candidate, planned, settings))]
        evaluation = self.evaluation = self.stage(lambda: evaluate(planned, trained, settings), "evaluate")
        if evaluation.decision == "promote":
            self.deployment = self.stage(lambda: deploy(evaluation, settings), "deploy")

    def try_train(self, candidate: Candidate, planned: Plan, settings: Settings) -> Trained | None:
        """Train one candidate; one that fails does not sink the others."""
        try:
            return self.stage(lambda: train(candidate, planned, settings), "train", candidate.key)
        except Exception as error:
            log.error("%s failed: %s", candidate.key, error)
            return None


def run(month: str, settings: Settings) -> RunRecord:
    """Run the pipeline for one month; an error ends up in the record."""
    for run_id in running.abandoned(settings):
        tracking.kill(run_id, settings)
    this, error = Run(), None
    with running.claimed(this.id, settings):
        try:
            this.pipeline(month, settings)
        except Exception as raised:
            error = str(raised) or type(raised).__name__
        except KeyboardInterrupt:
            error = records.STOPPED
            tracking.kill(this.id, settings)
    return RunRecord.model_validate(
        {
            "tool": settings.tool,
            "tool_version": f"Python {platform.python_version()}",
            "month": month,
            "run_id": this.id,
            "state": "failed" if error else "success",
            "started": this.started,
            "ended": datetime.now(UTC),
            "stages": records.in_order(this.stages),
            **records.outcome(this.inputs, this.plan, this.evaluation, this.deployment),
            "error": error,
        }
    )


if __name__ == "__main__":
    cli.log_progress()
    cli.main("plain", run)
