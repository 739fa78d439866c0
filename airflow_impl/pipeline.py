"""The pipeline as an Airflow Dag: seven stages, and as many `train` tasks as the plan has candidates.

The stages are imported inside the tasks: Airflow reads this file again each half minute, and they load scikit-learn and
MLflow, which takes seconds.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from airflow.sdk import (
    Context,
    ExceptionRetryPolicy,
    PartitionedAssetTimetable,
    RetryAction,
    RetryRule,
    StartOfMonthMapper,
    TriggerRule,
    dag,
    get_current_context,
    task,
)

from airflow_impl.alert import ALERTS
from airflow_impl.assets import CHAMPION, FEATURES, FLIGHTS, describe_event
from airflow_impl.pages import run_url
from airflow_impl.params import PARAMS, settings, target_month
from shared.contracts import (
    Batch,
    Candidate,
    Deployment,
    Evaluation,
    Features,
    Plan,
    Trained,
    TransientError,
    Validated,
)

log = logging.getLogger("late_flights")


def keep_error(context: Context) -> None:
    """Log a failed attempt in one line, and push its error: Airflow keeps states, but no messages."""
    ti, error = context["ti"], context["exception"]
    message = str(error) or type(error).__name__
    log.error("%s failed at attempt %d: %s", ti.rendered_map_index or ti.task_id, ti.try_number, message)
    ti.xcom_push(key="error", value=message)


DEFAULT_ARGS = {
    "owner": "triptych",
    "retries": 3,
    "retry_delay": timedelta(seconds=1),
    "retry_exponential_backoff": 2,
    # An interrupt is the end of a worker that is stopped: the task begins anew when Airflow is up again.
    "retry_policy": ExceptionRetryPolicy(
        [RetryRule(TransientError), RetryRule(KeyboardInterrupt)], default=RetryAction.FAIL
    ),
    "on_retry_callback": [keep_error],
    "on_failure_callback": [keep_error],
}


@dag(
    # A month of the asset `flights` starts a run for that month; schedule.py says when one is due.
    schedule=PartitionedAssetTimetable(
        assets=FLIGHTS, default_partition_mapper=StartOfMonthMapper(input_format="%Y-%m")
    ),
    params=PARAMS,
    default_args=DEFAULT_ARGS,
    tags=["triptych"],
    **ALERTS,
)
def late_flights() -> None:
    """Retrain the model of late flights for one month, and put the better one in service.

    **Trigger** starts a run; its *Report* tab shows the candidates and how challenger and champion do. A task's
    *MLflow* link, and *MLflow* under *Browse*, lead to the runs and models (`make mlflow-ui` starts it).
    Mark a run as failed to stop it. For a run each month, unpause the Dag `monthly_schedule`.
    """

    @task
    def ingest() -> Batch:
        """Read the month, its training window of three months and the lookup tables into the local store."""
        from shared.stages.ingest import ingest

        return ingest(target_month(), settings())

    @task
    def validate(batch: Batch) -> Validated:
        """Check types, ranges, keys and row counts; put a bad batch aside."""
        from shared.stages.validate import validate

        return validate(batch, settings())

    @task(inlets=[FLIGHTS], outlets=[FEATURES])
    def features(validated: Validated) -> Features:
        """Join what is known before departure into one file."""
        from shared.stages.features import features

        result = features(validated, settings())
        describe_event(FEATURES, result.month, rows=result.rows, sha256=result.file.sha256, inputs=result.inputs)
        return result

    @task
    def plan(table: Features) -> Plan:
        """Decide which candidates to train, and open the run in MLflow."""
        from shared.stages.plan import plan

        run_id = get_current_context()["run_id"]
        return plan(table, run_id, settings(), run_url(run_id))

    @task
    def candidates(planned: Plan) -> list[Candidate]:
        """List the plan's candidates: `expand` maps over the whole result of a task, and a plan holds more."""
        return list(planned.candidates)

    @task(
        pool="train",
        map_index_template="{{ task.op_kwargs['candidate'].key }}",
        doc_md="Fit one candidate, and score it on the window's last 14 days.",  # Airflow shows no mapped docstring
    )
    def train(candidate: Candidate, planned: Plan) -> Trained:
        from shared.stages.train import train

        return train(candidate, planned, settings())

    # Runs when every candidate is done, failed ones too, but not without a plan, the one success that it needs.
    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def evaluate(planned: Plan, trained: Sequence[Trained]) -> Evaluation:
        """Route each airport to its best candidate, and compare that challenger with champion and base rate."""
        from shared.stages.evaluate import evaluate

        # `trained` fetches one result at a time, from the database; a slice of it is a list, fetched at once.
        return evaluate(planned, trained[:], settings())

    @task.short_circuit
    def promoted(evaluation: Evaluation) -> bool:
        """Go on to `deploy` only if the challenger is the better one."""
        return evaluation.decision == "promote"

    @task(inlets=[FEATURES], outlets=[CHAMPION])
    def deploy(evaluation: Evaluation) -> Deployment:
        """Register the challenger, smoke-test it through the serving app, and make it the champion."""
        from shared.stages.deploy import deploy

        result = deploy(evaluation, settings())
        describe_event(CHAMPION, evaluation.month, **result.model_dump())
        return result

    batch = ingest()
    table = features(validate(batch))
    planned = plan(table)
    trained = train.partial(planned=planned).expand(candidate=candidates(planned))
    evaluation = evaluate(planned, trained)
    promoted(evaluation) >> deploy(evaluation)


late_flights_dag = late_flights()
