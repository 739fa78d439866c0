"""The run record: what one run did, by the tool's own metadata."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from shared.contracts import Contract, Decision, Deployment, Evaluation, Month, Plan
from shared.lib import store
from shared.runtime import trace
from shared.settings import Settings

STOPPED = "the run was stopped before its end; run the month again"
STAGES = ("ingest", "validate", "features", "plan", "train", "evaluate", "deploy")
TOOLS = ("plain", "airflow", "prefect", "dagster")
State = Literal["success", "failed", "skipped"]


class StageRecord(Contract):
    """One stage instance; `key` is the candidate's for `train`. What did not run is skipped, with 0 attempts."""

    stage: str
    key: str | None = None
    state: State
    attempts: int
    started: datetime | None = None
    ended: datetime | None = None


class Brier(Contract):
    brier: float


class EvaluationRecord(Contract):
    challenger: Brier
    champion: Brier | None
    base_rate: Brier
    decision: Decision


class ChampionRecord(Contract):
    """The model in service after the run, and the fingerprint of its predictions for the month."""

    version: str
    fingerprint: str


class TrackingRecord(Contract):
    experiment: str
    run_id: str


class RunRecord(Contract):
    """What `.local/records/<tool>/<month>.json` holds; times are UTC."""

    tool: str
    tool_version: str
    month: Month
    run_id: str
    state: Literal["success", "failed"]
    started: datetime
    ended: datetime
    inputs: dict[str, str]
    stages: tuple[StageRecord, ...]
    evaluation: EvaluationRecord | None
    champion: ChampionRecord | None
    tracking: TrackingRecord | None
    error: str | None


def outcome(
    inputs: dict[str, str], plan: Plan | None, evaluation: Evaluation | None, deployment: Deployment | None
) -> dict[str, object]:
    """The fields of a record that come from the stages' results; None for a stage without one."""
    return {
        "inputs": inputs,
        "evaluation": evaluation_record(evaluation),
        "champion": champion_record(evaluation, deployment),
        "tracking": plan and TrackingRecord(experiment=plan.experiment, run_id=plan.run_id),
    }


def evaluation_record(evaluation: Evaluation | None) -> EvaluationRecord | None:
    if evaluation is None:
        return None
    champion = evaluation.champion
    return EvaluationRecord(
        challenger=Brier(brier=evaluation.challenger.brier),
        champion=Brier(brier=champion.brier) if champion else None,
        base_rate=Brier(brier=evaluation.base_rate.brier),
        decision=evaluation.decision,
    )


def champion_record(evaluation: Evaluation | None, deployment: Deployment | None) -> ChampionRecord | None:
    if deployment:
        return ChampionRecord(version=deployment.version, fingerprint=deployment.fingerprint)
    if evaluation and evaluation.champion_version and evaluation.champion_fingerprint:
        return ChampionRecord(version=evaluation.champion_version, fingerprint=evaluation.champion_fingerprint)
    return None


def in_order(stages: list[StageRecord]) -> tuple[StageRecord, ...]:
    """All seven stages in the pipeline's order, candidates by key; a stage without a record was skipped."""
    recorded = {stage.stage for stage in stages}
    missing = [StageRecord(stage=stage, state="skipped", attempts=0) for stage in STAGES if stage not in recorded]
    return tuple(sorted([*stages, *missing], key=lambda stage: (STAGES.index(stage.stage), stage.key or "")))


def path_of(tool: str, month: str, home: Path) -> Path:
    """The record of the month's last run, whether it succeeded or failed."""
    return home / "records" / tool / f"{month}.json"


def path_of_success(tool: str, month: str, home: Path) -> Path:
    """The record of the month's last run that succeeded: a failed one leaves it as it is."""
    return home / "records" / tool / f"{month}.success.json"


def write(record: RunRecord, settings: Settings) -> Path:
    """Write the record in place of the month's former one, and end the run's trace; returns the record's path."""
    path, data = path_of(record.tool, record.month, settings.home), record.model_dump_json(indent=1).encode() + b"\n"
    if record.state == "success":
        store.write_atomically(path_of_success(record.tool, record.month, settings.home), data)
    store.write_atomically(path, data)
    trace.end(record, settings)
    return path


def read(tool: str, month: str, home: Path) -> RunRecord:
    return RunRecord.model_validate_json(path_of(tool, month, home).read_bytes())


def comparable(record: RunRecord) -> dict[str, object]:
    """The fields in which all tools must agree to the bit, by name."""
    stages = {f"{s.stage}[{s.key}]" if s.key else s.stage: (s.state, s.attempts) for s in record.stages}
    fields: dict[str, object] = {f"inputs[{name}]": digest for name, digest in record.inputs.items()} | {
        f"stages.{name}": value for name, value in stages.items()
    }
    for name in ("month", "state", "evaluation", "champion"):
        value = getattr(record, name)
        nested = value.model_dump() if isinstance(value, Contract) else None
        fields |= {f"{name}.{key}": part for key, part in nested.items()} if nested else {name: value}
    return fields


def differences(one: RunRecord, other: RunRecord) -> list[str]:
    """The fields in which two records of one month disagree, with both values."""
    a, b = comparable(one), comparable(other)
    return [
        f"{name}: {one.tool} has {a.get(name)}, {other.tool} has {b.get(name)}"
        for name in sorted(a.keys() | b.keys())
        if a.get(name) != b.get(name)
    ]
