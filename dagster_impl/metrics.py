"""`python -m dagster_impl.metrics`: the page that Prometheus reads, of the runs that Dagster's instance knows.

Dagster has no such page. Its library `dagster-prometheus` pushes to a Pushgateway what a run or a sensor counts itself.
"""

from datetime import datetime
from functools import partial

import dagster as dg

from dagster_impl.home import instance
from dagster_impl.record import as_datetime, is_of_all_stages, last_stats, result, stage_record
from shared.contracts import Evaluation, Plan, Validated
from shared.runtime import exporter, metrics, records

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def ended(dagster: dg.DagsterInstance) -> exporter.Ended:
    """The runs of all stages that have ended."""
    for stored in dagster.get_run_records(dg.RunsFilter(statuses=FINISHED)):
        run, end = stored.dagster_run, as_datetime(stored.end_time) or stored.update_timestamp
        if is_of_all_stages(run, dagster):
            yield run.run_id, end, partial(read, run, end, dagster)


def read(run: dg.DagsterRun, end: datetime, dagster: dg.DagsterInstance) -> metrics.Run:
    """What the metrics tell of a run; the stages that a retry did not repeat are those of the run before it."""
    steps = last_stats(run, dagster)
    plan = result(steps, "training_plan", Plan)
    validated = result(steps, "validated_batch", Validated)
    return metrics.Run(
        state="success" if run.is_success else "failed",
        ended=end,
        stages=tuple(stage for step in steps if (stage := stage_record(step, plan))),
        drift=validated.drift if validated else {},
        evaluation=records.evaluation_record(result(steps, "evaluation", Evaluation)),
    )


if __name__ == "__main__":
    with instance() as dagster:
        exporter.serve("dagster", partial(ended, dagster))
