"""The model registry: versions found by what they predict, and the aliases champion, challenger and previous."""

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from shared.lib import tracking
from shared.lib.model import RoutedModel
from shared.settings import Settings

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
ABOUT = (
    "Tells before departure how likely a flight is to land more than 15 minutes late; trained by {tool}. The version "
    "with the alias **champion** is in service, **previous** was so before it, **challenger** is being tested."
)
NOT_FOUND = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # no such model; no such alias


def by_alias(alias: str, settings: Settings) -> ModelVersion | None:
    """The version with the alias, or None."""
    try:
        return tracking.client(settings).get_model_version_by_alias(settings.model_name, alias)
    except MlflowException as error:
        if error.error_code not in NOT_FOUND:
            raise
        return None


def by_fingerprint(month: str, fingerprint: str, settings: Settings) -> ModelVersion | None:
    """The version that was registered for the month with this fingerprint, or None."""
    wanted = f"name = '{settings.model_name}' AND tags.month = '{month}' AND tags.fingerprint = '{fingerprint}'"
    versions = tracking.client(settings).search_model_versions(wanted, max_results=1)
    return versions[0] if versions else None


def add_version(
    source: str, model_id: str, run_id: str, tags: dict[str, str], settings: Settings, description: str = ""
) -> ModelVersion:
    """Register a logged model, tags and all in one step."""
    store = tracking.client(settings)
    if not store.search_registered_models(f"name = '{settings.model_name}'"):
        store.create_registered_model(settings.model_name, description=ABOUT.format(tool=settings.tool))
    return store.create_model_version(
        settings.model_name, source, run_id, tags=tags, description=description, model_id=model_id
    )


def version_url(version: str, settings: Settings) -> str:
    """The version's page when `make mlflow-ui` is up."""
    return tracking.page(f"models/{settings.model_name}/versions/{version}", settings)


def load(version: ModelVersion | str, settings: Settings) -> RoutedModel:
    """The routed model of a version."""
    number = version if isinstance(version, str) else version.version
    mlflow.set_tracking_uri(settings.tracking_uri)
    model: RoutedModel = mlflow.sklearn.load_model(f"models:/{settings.model_name}/{number}")
    return model


@tracking.outage_is_transient()
def aliases(settings: Settings) -> dict[str, str]:
    """Each alias with its version's number."""
    models = tracking.client(settings).search_registered_models(f"name = '{settings.model_name}'")
    return {alias: str(version) for model in models for alias, version in model.aliases.items()}


def restore(before: dict[str, str], settings: Settings) -> None:
    """Set the aliases back to those in `before`, and delete the others."""
    store = tracking.client(settings)
    for alias in aliases(settings).keys() - before.keys():
        store.delete_registered_model_alias(settings.model_name, alias)
    for alias, version in before.items():
        store.set_registered_model_alias(settings.model_name, alias, version)


def remove_alias(alias: str, settings: Settings) -> None:
    """Take the alias from the version that has it."""
    tracking.client(settings).delete_registered_model_alias(settings.model_name, alias)


def move_alias(alias: str, version: ModelVersion, settings: Settings) -> None:
    """Give the alias to the version."""
    tracking.client(settings).set_registered_model_alias(settings.model_name, alias, version.version)
