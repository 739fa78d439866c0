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
PARAMS = {
    "month": Param(type="string", pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="target month, such as 2013-06"),
    "source": Param("", type="string", description="folder or URL of the source; empty: the flights of 2013"),
    "min_rows": Param(DEFAULTS.min_rows, type="integer", minimum=1),
    "families": Param(list(DEFAULTS.families), type="array", items={"type": "string"}, minItems=1),
    "seed": Param(DEFAULTS.seed, type="integer", minimum=0),
}
RETRIES = {
    "retries": 3,
    "retry_delay": timedelta(seconds=1),
    "retry_exponential_backoff": 2,
    "retry_policy": ExceptionRetryPolicy([RetryRule(TransientError)], default=RetryAction.FAIL),
}
FEATURES = Asset("late_flights_features")
MODEL = Asset("late_flights_model")

log = logging.getLogger("late_flights")


def settings() -> Settings:
    """The settings of the run that this task belongs to, from its params."""
    params = get_current_context()["params"]
    return Settings(tool="airflow", **{name: params[name] for name in PARAMS if name != "month"})


def report(context: Context) -> None:
    """Log a failed attempt in one line, and push its error: Airflow keeps states, but no messages."""
    ti, error = context["ti"], context["exception"]
    task = f"{ti.task_id} {ti.rendered_map_index or ''}".strip()
    log.error("%s failed at attempt %d: %s", task, ti.try_number, error)
    ti.xcom_push(key="error", value=str(error) or type(error).__name__)


@dag(
    schedule=PartitionedAtRuntime(),
    params=PARAMS,
    default_args={**RETRIES, "on_retry_callback": report, "on_failure_callback": report},
    tags=["triptych"],
)
def late_flights() -> None:
    """Retrain the model of late flights for one month, and put the better one in service."""

    @task
    def ingest(*, params: dict[str, Any]) -> Batch:
        from shared.ingest import ingest

        return ingest(params["month"], settings())

    @task
    def validate(batch: Batch) -> Validated:
        from shared.validate import validate

        return validate(batch, settings())

    @task(outlets=[FEATURES])
    def features(validated: Validated, *, outlet_events: Any) -> Features:
        from shared.features import features

        result = features(validated, settings())
        outlet_events[FEATURES].add_partitions(result.month)
        outlet_events[FEATURES].extra = {"rows": result.rows, "sha256": result.file.sha256}
        return result

    @task
    def plan(table: Features, *, run_id: str) -> Plan:
        from shared.plan import plan

        return plan(table, run_id, settings())

    @task
    def candidates(planned: Plan) -> list[Candidate]:
        return list(planned.candidates)

    @task(pool="train", map_index_template="{{ task.op_kwargs['candidate'].key }}")
    def train(candidate: Candidate, planned: Plan) -> Trained:
        from shared.train import train

        return train(candidate, planned, settings())

    # Runs when every candidate is done, failed ones too, but not without a plan, the one success that it needs.
    @task(trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    def evaluate(planned: Plan, trained: Sequence[Trained]) -> Evaluation:
        from shared.evaluate import evaluate

        return evaluate(planned, trained[:], settings())

    @task.short_circuit
    def promoted(evaluation: Evaluation) -> bool:
        return evaluation.decision == "promote"

    @task(outlets=[MODEL])
    def deploy(evaluation: Evaluation, *, outlet_events: Any) -> Deployment:
        from shared.deploy import deploy

        result = deploy(evaluation, settings())
        outlet_events[MODEL].add_partitions(evaluation.month)
        outlet_events[MODEL].extra = result.model_dump()
        return result

    batch = ingest()
    table = features(validate(batch))
    planned = plan(table)
    trained = train.partial(planned=planned).expand(candidate=candidates(planned))
    evaluation = evaluate(planned, trained)
    promoted(evaluation) >> deploy(evaluation)


late_flights_dag = late_flights()
