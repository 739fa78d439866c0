"""The pipeline as an Airflow Dag: seven stages, the fan-out decided at run time."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    Context,
    ExceptionRetryPolicy,
    Param,
    PartitionedAtRuntime,
    RetryAction,
    RetryRule,
    TriggerRule,
    dag,
    get_current_context,
    task,
)

from airflow_impl.links import page_of_run
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
from shared.settings import Settings

DEFAULTS = Settings(tool="airflow")
ABOUT = {name: field.description for name, field in Settings.model_fields.items()}
MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"
PARAMS = {
    "month": Param("2013-06", type="string", pattern=MONTH, description="target month, year and month: 2013-06"),
    "source": Param(None, type=["null", "string"], description=ABOUT["source"]),
    "min_rows": Param(DEFAULTS.min_rows, type="integer", minimum=1, description=ABOUT["min_rows"]),
    "families": Param(
        list(DEFAULTS.families), type="array", items={"type": "string"}, minItems=1, description=ABOUT["families"]
    ),
    "seed": Param(DEFAULTS.seed, type="integer", minimum=0, description=ABOUT["seed"]),
}
RETRIES = {
    "retries": 3,
    "retry_delay": timedelta(seconds=1),
    "retry_exponential_backoff": 2,
    # An interrupt is the end of a worker that is stopped: the task begins anew when Airflow is up again.
    "retry_policy": ExceptionRetryPolicy(
        [RetryRule(TransientError), RetryRule(KeyboardInterrupt)], default=RetryAction.FAIL
    ),
}
SOURCE = Asset(
    "flights",
    uri="triptych://source/flights",
    group="data",
    extra={"description": "the vendor's monthly drop: flights, weather, planes, airports, airlines"},
)
FEATURES = Asset(
    "flight_features",
    uri="triptych://store/airflow/features",
    group="data",
    extra={"description": "what is known of each flight before departure: one Arrow file for each month"},
)
MODEL = Asset(
    "late_flights_champion",
    uri=f"mlflow://models/{DEFAULTS.model_name}/champion",
    group="model",
    extra={"description": "the model in service: how likely is a flight to land more than 15 minutes late?"},
)

log = logging.getLogger("late_flights")


def settings() -> Settings:
    """The settings of the run that this task belongs to, from its params."""
    params = get_current_context()["params"]
    asked = {name: params[name] for name in PARAMS if name != "month"}
    return Settings(tool="airflow", **asked | {"source": asked["source"] or ""})


def report(context: Context) -> None:
    """Log a failed attempt in one line, and push its error: Airflow keeps states, but no messages."""
    ti, error = context["ti"], context["exception"]
    said = str(error) or type(error).__name__
    log.error("%s failed at attempt %d: %s", ti.rendered_map_index or ti.task_id, ti.try_number, said)
    ti.xcom_push(key="error", value=said)


@dag(
    schedule=PartitionedAtRuntime(),
    params=PARAMS,
    default_args={**RETRIES, "owner": "triptych", "on_retry_callback": [report], "on_failure_callback": [report]},
    tags=["triptych"],
)
def late_flights() -> None:
    """Retrain the model of late flights for one month, and put the better one in service.

    **Trigger** starts a run; its *Report* tab shows the candidates and how challenger and champion do. A task's
    *MLflow* link, and *MLflow* under *Browse*, lead to the runs and models (`make mlflow-ui` starts it).
    Mark a run as failed to stop it.
    """

    @task
    def ingest(*, params: dict[str, Any]) -> Batch:
        """Read the month, its training window of three months and the lookup tables into the local store."""
        from shared.stages.ingest import ingest

        return ingest(params["month"], settings())

    @task
    def validate(batch: Batch) -> Validated:
        """Check types, ranges, keys and row counts; put a bad batch aside."""
        from shared.stages.validate import validate

        return validate(batch, settings())

    @task(inlets=[SOURCE], outlets=[FEATURES])
    def features(validated: Validated, *, outlet_events: Any) -> Features:
        """Join what is known before departure into one file."""
        from shared.stages.features import features

        result = features(validated, settings())
        outlet_events[FEATURES].add_partitions(result.month)
        outlet_events[FEATURES].extra = {"month": result.month, "rows": result.rows, "sha256": result.file.sha256}
        return result

    @task
    def plan(table: Features, *, run_id: str) -> Plan:
        """Decide which candidates to train, and open the run in MLflow."""
        from shared.stages.plan import plan

        return plan(table, run_id, settings(), page_of_run(run_id))

    @task
    def candidates(planned: Plan) -> list[Candidate]:
        """List the candidates, for one `train` each."""
        return list(planned.candidates)

    @task(
        pool="train",
        map_index_template="{{ task.op_kwargs['candidate'].key }}",
        doc_md="Fit one candidate, and score it on the window's last 14 days.",  # its docstring is not shown
    )
    def train(candidate: Candidate, planned: Plan) -> Trained:
        from shared.stages.train import train

        return train(candidate, planned, settings())

    # Runs when every candidate is done, failed ones too, but not without a plan, the one success that it needs.
    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def evaluate(planned: Plan, trained: Sequence[Trained]) -> Evaluation:
        """Route each airport to its best candidate, and compare that challenger with champion and base rate."""
        from shared.stages.evaluate import evaluate

        return evaluate(planned, trained[:], settings())

    @task.short_circuit
    def promoted(evaluation: Evaluation) -> bool:
        """Go on to `deploy` only if the challenger is the better one."""
        return evaluation.decision == "promote"

    @task(inlets=[FEATURES], outlets=[MODEL])
    def deploy(evaluation: Evaluation, *, outlet_events: Any) -> Deployment:
        """Register the challenger, smoke-test it through the serving app, and make it the champion."""
        from shared.stages.deploy import deploy

        result = deploy(evaluation, settings())
        outlet_events[MODEL].add_partitions(evaluation.month)
        outlet_events[MODEL].extra = {"month": evaluation.month, **result.model_dump()}
        return result

    batch = ingest()
    table = features(validate(batch))
    planned = plan(table)
    trained = train.partial(planned=planned).expand(candidate=candidates(planned))
    evaluation = evaluate(planned, trained)
    promoted(evaluation) >> deploy(evaluation)


late_flights_dag = late_flights()
