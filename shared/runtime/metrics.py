"""Metrics in Prometheus's form, of the runs that a tool's own records hold: the same names for every tool."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from shared.contracts import Contract
from shared.runtime.records import EvaluationRecord, StageRecord

METRICS = {
    "triptych_runs_total": ("Runs that have ended, by their state.", ["state"]),
    "triptych_last_run_timestamp_seconds": (
        "When the last run of this state ended, in seconds since 1970; 0 if none has.",
        ["state"],
    ),
    "triptych_stage_duration_seconds": (
        "From start to end of a stage's instances, waits for retries included.",
        ["stage"],
    ),
    "triptych_stage_attempts_total": ("Attempts at a stage's instances, as the tool counts them.", ["stage"]),
    "triptych_candidates_total": ("Candidates whose training has ended, by its state.", ["state"]),
    "triptych_data_quality_failures_total": ("Runs in which `validate` failed: the batch broke a rule.", []),
    "triptych_feature_drift_psi": (
        "Population stability index of a column: the last validated month against the months before.",
        ["column"],
    ),
    "triptych_champion_brier_score": ("Brier score of the model in service, on the last month it was scored on.", []),
    "triptych_base_rate_brier_score": ("Brier score of the late rate of each airport, on that month.", []),
}
"""Each metric's help and labels; all of them have the label `tool`, too."""

STATES = ("success", "failed")
BUCKETS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, math.inf)


class Run(Contract):
    """What the metrics tell of a run that has ended; `drift` is the population stability index by column."""

    state: Literal["success", "failed"]
    ended: datetime
    stages: tuple[StageRecord, ...]
    drift: dict[str, float]
    evaluation: EvaluationRecord | None


def families(tool: str, runs: Sequence[Run]) -> Iterator[Metric]:
    """All metrics; `runs` are in the order of their ends."""
    yield from (*of_runs(tool, runs), *of_stages(tool, runs), *of_models(tool, runs))


def of_runs(tool: str, runs: Sequence[Run]) -> Iterator[Metric]:
    """The metrics of the runs as wholes."""
    count = Counter[str](run.state for run in runs)
    last: dict[str, float] = {run.state: run.ended.timestamp() for run in runs}
    yield family(tool, "triptych_runs_total", {(state,): count[state] for state in STATES})
    yield family(tool, "triptych_last_run_timestamp_seconds", {(state,): last.get(state, 0) for state in STATES})
    refused = sum(("validate", "failed") in [(stage.stage, stage.state) for stage in run.stages] for run in runs)
    yield family(tool, "triptych_data_quality_failures_total", {(): refused})


def of_stages(tool: str, runs: Sequence[Run]) -> Iterator[Metric]:
    """The metrics of the stages' instances; one that a resumed run did not repeat is counted once."""
    begun = [stage for run in runs for stage in run.stages if stage.attempts]
    instances = {(stage.stage, stage.key, stage.started): stage for stage in begun}.values()
    trained = Counter[str](stage.state for stage in instances if stage.stage == "train")
    attempts, seconds = Counter[tuple[str, ...]](), dict[str, list[float]]()
    for stage in instances:
        attempts[(stage.stage,)] += stage.attempts
        if stage.started and stage.ended:
            seconds.setdefault(stage.stage, []).append((stage.ended - stage.started).total_seconds())
    yield family(tool, "triptych_candidates_total", {(state,): trained[state] for state in STATES})
    yield family(tool, "triptych_stage_attempts_total", attempts)
    yield histogram(tool, "triptych_stage_duration_seconds", seconds)


def of_models(tool: str, runs: Sequence[Run]) -> Iterator[Metric]:
    """The metrics of data and model, of the last run that has them."""
    drift: dict[tuple[str, ...], float] = {}
    champion: dict[tuple[str, ...], float] = {}
    base_rate: dict[tuple[str, ...], float] = {}
    for run in runs:
        drift = {(column,): index for column, index in run.drift.items()} or drift
        if run.state == "success" and run.evaluation:
            promoted = run.evaluation.decision == "promote"
            if in_service := run.evaluation.challenger if promoted else run.evaluation.champion:
                champion, base_rate = {(): in_service.brier}, {(): run.evaluation.base_rate.brier}
    yield family(tool, "triptych_feature_drift_psi", drift)
    yield family(tool, "triptych_champion_brier_score", champion)
    yield family(tool, "triptych_base_rate_brier_score", base_rate)


def family(tool: str, name: str, values: Mapping[tuple[str, ...], float]) -> Metric:
    """A counter, if the name says so, or a gauge, with its values by label."""
    text, labels = METRICS[name]
    kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
    made = kind(name, text, labels=["tool", *labels])
    for label_values, value in values.items():
        made.add_metric([tool, *label_values], value)
    return made


def histogram(tool: str, name: str, values: Mapping[str, Sequence[float]]) -> Metric:
    """A histogram of one label."""
    text, labels = METRICS[name]
    made = HistogramMetricFamily(name, text, labels=["tool", *labels])
    for label_value, seconds in values.items():
        below = [(str(limit) if limit < math.inf else "+Inf", sum(s <= limit for s in seconds)) for limit in BUCKETS]
        made.add_metric([tool, label_value], buckets=below, sum_value=sum(seconds))
    return made
