"""The flow: ingest, validate, features, plan, train, evaluate and deploy, as Prefect tasks."""

import os
from typing import Annotated

from prefect import flow, task, unmapped
from prefect.assets import Asset, add_asset_metadata, materialize
from prefect.cache_policies import DEFAULT as DEFAULT_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import wait
from prefect.runtime import flow_run
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import Task, exponential_backoff
from prefect.transactions import Transaction, get_transaction, transaction
from pydantic import Field

import shared.stages.deploy
import shared.stages.evaluate
import shared.stages.features
import shared.stages.ingest
import shared.stages.plan
import shared.stages.train
import shared.stages.validate
from prefect_impl import artifacts, home, hooks
from shared.contracts import (
    Batch,
    Candidate,
    Deployment,
    Evaluation,
    Features,
    Month,
    Plan,
    Trained,
    TransientError,
    Validated,
)
from shared.lib import registry
from shared.settings import WITHOUT_LOGIN, Settings

DEFAULT = Settings(tool="prefect")


def asset(kind: str, name: str) -> Asset:
    """`triptych://model/2013-06`: one asset for each month of features and model, and for each file of the source."""
    return Asset(key=f"triptych://{kind}/{name}")


def is_transient(task: Task, run: TaskRun, state: State) -> bool:
    """Whether trying again may help."""
    return isinstance(state.result(raise_on_failure=False), TransientError)


RETRIES = {
    "retries": 3,
    "retry_delay_seconds": exponential_backoff(backoff_factor=1),
    "retry_jitter_factor": 0.5,
    "retry_condition_fn": is_transient,
    # Settings are the run's own and the machine's home: without them, another machine finds what was done on this one.
    "cache_policy": DEFAULT_CACHE - "settings",
}


# What reads the source or the registry runs again when a failed run is retried; the other stages come from the cache.
@task(task_run_name="ingest", refresh_cache=True, **RETRIES)
def ingest(month: Month, settings: Settings) -> Batch:
    return shared.stages.ingest.ingest(month, settings)


@task(task_run_name="validate", **RETRIES)
def validate(batch: Batch, settings: Settings) -> Validated:
    return shared.stages.validate.validate(batch, settings)


# The flow names the asset of its month.
@materialize("triptych://features", task_run_name="features", **RETRIES)
def features(validated: Validated, settings: Settings) -> Features:
    table = shared.stages.features.features(validated, settings)
    facts = {"month": table.month, "rows": table.rows, "sha256": table.file.sha256, "inputs": table.inputs}
    add_asset_metadata(asset("features", table.month), facts)
    return table


@task(task_run_name="plan", **RETRIES)
def plan(features: Features, settings: Settings) -> Plan:
    return shared.stages.plan.plan(features, flow_run.id, settings, home.run_url(flow_run.id, settings.home))


@task(task_run_name="{candidate.key}", **RETRIES)
def train(candidate: Candidate, plan: Plan, settings: Settings) -> Trained:
    return shared.stages.train.train(candidate, plan, settings)


@task(task_run_name="evaluate", refresh_cache=True, **RETRIES)
def evaluate(plan: Plan, trained: list[Trained], settings: Settings) -> Evaluation:
    evaluation = shared.stages.evaluate.evaluate(plan, trained, settings)
    artifacts.publish(evaluation, trained, settings)
    return evaluation


@materialize("triptych://model", task_run_name="deploy", refresh_cache=True, **RETRIES)
def deploy(evaluation: Evaluation, settings: Settings) -> Deployment:
    get_transaction().set("before", {"aliases": registry.aliases(settings), "settings": settings})
    deployment = shared.stages.deploy.deploy(evaluation, settings)
    add_asset_metadata(asset("model", evaluation.month), {"month": evaluation.month, **deployment.model_dump()})
    return deployment


@deploy.on_rollback
def withdraw(transaction: Transaction) -> None:
    """Put back in service what was there before; runs if `announce` fails for good."""
    before = transaction.get("before")
    registry.restore(before["aliases"], before["settings"])


@task(task_run_name="announce", refresh_cache=True, **RETRIES)
def announce(evaluation: Evaluation, deployment: Deployment, settings: Settings) -> None:
    """Show in Prefect's UI which model is in service: no model serves without its artifact to say so."""
    artifacts.announce(evaluation, deployment, settings)


@flow(
    name="late-flights",
    flow_run_name="{month}",
    task_runner=ThreadPoolTaskRunner(max_workers=os.cpu_count()),
    persist_result=True,
    result_serializer="json",
    on_running=[hooks.claim],
    on_completion=[hooks.conclude],
    on_failure=[hooks.conclude],
    on_crashed=[hooks.conclude],
    on_cancellation=[hooks.conclude],
)
def late_flights(
    month: Month,
    source: Annotated[str, Field(json_schema_extra={"pattern": WITHOUT_LOGIN})] = DEFAULT.source,
    min_rows: Annotated[int, Field(ge=1)] = DEFAULT.min_rows,
    families: tuple[str, ...] = DEFAULT.families,
    seed: Annotated[int, Field(ge=0)] = DEFAULT.seed,
) -> Evaluation:
    """Retrain the model on the months before `month`, and put it in service if it beats the champion on `month`.

    Args:
        month: target month, such as 2013-06
        source: folder or URL of the source (login: in ~/.netrc); empty: the flights of 2013
        min_rows: training rows that an origin airport needs to get candidates
        families: model families: logistic, boosting20, boosting60, or module:function of a classifier
        seed: seed of every random choice
    """
    settings = Settings(tool="prefect", source=source, min_rows=min_rows, families=families, seed=seed)
    batch = ingest(month, settings)
    validated = validate(batch, settings)
    # No task materializes the source, so its files have to be named; that a model comes from features, Prefect sees.
    files = [asset("source", file.name) for file in validated.batch.files]
    table = features.with_options(assets=[asset("features", month)], asset_deps=files)(validated, settings)
    planned = plan(table, settings)

    trainings = train.map(planned.candidates, plan=unmapped(planned), settings=unmapped(settings))
    wait(trainings)
    # Of one that was lost on its way, with Dask's scheduler, `result` raises an error: it must not be left out.
    trained = [training.result() for training in trainings if not training.state.is_failed()]

    evaluation = evaluate(planned, trained, settings)
    if evaluation.decision == "promote":
        with transaction():  # if announce fails, the deployment is rolled back, see `withdraw`
            deployment = deploy.with_options(assets=[asset("model", month)])(evaluation, settings)
            announce(evaluation, deployment, settings)
    return evaluation
