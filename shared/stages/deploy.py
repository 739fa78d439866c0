"""Stage 7, `deploy`: registers the challenger, smoke-tests it through the serving app and puts it in service."""

import logging
from importlib import metadata

import mlflow
import numpy as np
import polars as pl
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec

from shared.contracts import Deployment, Evaluation, PermanentError
from shared.lib import feature_table, registry, serving, tracking
from shared.lib.feature_table import FEATURE_COLUMNS, NUMERIC
from shared.lib.model import TRUSTED_TYPES, RoutedModel, routed
from shared.lib.model_card import model_card
from shared.lib.stage import stage
from shared.settings import Settings

PACKAGES = ("scikit-learn", "polars", "pandas", "numpy", "pyarrow", "skops")
SMOKE_ROWS = 20
# Probabilities of (on time, late).
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec("double" if name in NUMERIC else "string", name) for name in FEATURE_COLUMNS]),
    outputs=Schema([TensorSpec(np.dtype("float64"), (-1, 2))]),
)

log = logging.getLogger(__name__)


@stage
@tracking.outage_is_transient()
def deploy(evaluation: Evaluation, settings: Settings) -> Deployment:
    """Put the evaluated challenger in service: alias `champion`; the old champion becomes `previous`.

    Safe to repeat at any point: a version that was registered for the same month and predictions is used again.
    Raises PermanentError, the aliases being as before, if the champion has changed since the evaluation, or if the
    smoke test fails.
    """
    with tracking.registry_lock(settings):
        champion = registry.by_alias(registry.CHAMPION, settings)
        version = registry.by_fingerprint(evaluation.month, evaluation.challenger_fingerprint, settings)
        if champion and version and champion.version == version.version:
            log.info("version %s is in service already: nothing changed", version.version)
            return deployment(evaluation, version, changed=False, settings=settings)
        check_champion(champion, evaluation)
        rows = feature_table.target_rows(evaluation.features, settings).select(FEATURE_COLUMNS)
        challenger = routed(evaluation.best, evaluation.late_rate, settings)
        version = version or register(challenger, evaluation, rows, settings)
        before = registry.aliases(settings)
        try:
            smoke_test(version, challenger, rows, settings)
            if champion:
                registry.move_alias(registry.PREVIOUS, champion, settings)
            registry.move_alias(registry.CHAMPION, version, settings)
            registry.remove_alias(registry.CHALLENGER, settings)
        except BaseException:  # an interrupt too
            registry.restore(before, settings)
            raise
    log.info("version %s of %s is in service", version.version, settings.model_name)
    return deployment(evaluation, version, changed=True, settings=settings)


def deployment(evaluation: Evaluation, version: ModelVersion, changed: bool, settings: Settings) -> Deployment:
    """The result of the stage, now that `version` is in service."""
    previous = registry.by_alias(registry.PREVIOUS, settings)
    return Deployment(
        version=str(version.version),
        previous=str(previous.version) if previous else None,
        fingerprint=evaluation.challenger_fingerprint,
        changed=changed,
    )


def check_champion(champion: ModelVersion | None, evaluation: Evaluation) -> None:
    """Raise PermanentError if another run has changed the champion since the evaluation."""
    version = str(champion.version) if champion else None
    if version != evaluation.champion_version:
        raise PermanentError(
            f"champion of {evaluation.month} is version {version} now, but the challenger was compared with version "
            f"{evaluation.champion_version}; run the month again"
        )


def register(challenger: RoutedModel, evaluation: Evaluation, rows: pl.DataFrame, settings: Settings) -> ModelVersion:
    """Log the challenger with signature and input example, without pickle, and register it."""
    mlflow.set_tracking_uri(settings.tracking_uri)
    with mlflow.start_run(run_id=evaluation.run_id):
        info = mlflow.sklearn.log_model(
            challenger,
            name="challenger",
            signature=SIGNATURE,
            input_example=rows.head(3).to_pandas(),
            pip_requirements=requirements(),
            serialization_format="skops",
            skops_trusted_types=TRUSTED_TYPES,
            pyfunc_predict_fn="predict_proba",
        )
    card = model_card(evaluation, settings)
    tracking.client(settings).log_text(evaluation.run_id, card, "model_card.md")
    tags = {"month": evaluation.month, "fingerprint": evaluation.challenger_fingerprint}
    tags |= tracking.orchestrator_tags(evaluation.run_id, settings)
    return registry.add_version(info.model_uri, info.model_id, evaluation.run_id, tags, settings, card)


def requirements() -> list[str]:
    """The packages that the model needs, pinned to the installed versions."""
    return [f"{package}=={metadata.version(package)}" for package in PACKAGES]


def smoke_test(version: ModelVersion, challenger: RoutedModel, rows: pl.DataFrame, settings: Settings) -> None:
    """Serve the version under the alias `challenger` and compare its answers with the challenger's own."""
    registry.move_alias(registry.CHALLENGER, version, settings)
    sample = rows.head(SMOKE_ROWS)
    try:
        answered = serving.predict_once(sample, registry.CHALLENGER, settings)
        expected = challenger.predict_proba(sample)[:, 1].tolist()
        if answered.version != str(version.version) or answered.late != expected:
            raise PermanentError(f"version {version.version} answers with other probabilities than the evaluated model")
    except Exception as error:
        raise PermanentError(
            f"smoke test of version {version.version} failed ({error}); the aliases are as before; mend the cause, or "
            "delete the version, and run the month again"
        ) from error
