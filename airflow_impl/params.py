"""What a run can be asked for: the fields of the form behind *Trigger*, and how a task reads them."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param, get_current_context

from shared.lib import stage
from shared.settings import WITHOUT_LOGIN, Settings

DEFAULT_MONTH = "2013-06"
DEFAULTS = Settings(tool="airflow")


def param(name: str, **schema: Any) -> Param:
    """A field of the form for one of the settings, with that setting's default and description."""
    field = Settings.model_fields[name]
    default = list(field.default) if isinstance(field.default, tuple) else field.default
    return Param(default, description=field.description, **schema)


PARAMS = {
    "month": Param(
        DEFAULT_MONTH,
        type="string",
        pattern=r"^\d{4}-(0[1-9]|1[0-2])$",
        description="target month, such as 2013-06; a partition key, where one is given, comes first",
    ),
    # An empty form field is null: Airflow takes "" for a missing value, and greys its button without a word.
    "source": Param(
        None,
        type=["null", "string"],
        description=Settings.model_fields["source"].description,
        pattern=WITHOUT_LOGIN,
    ),
    "min_rows": param("min_rows", type="integer", minimum=1),
    "families": param("families", type="array", items={"type": "string"}, minItems=1),
    "seed": param("seed", type="integer", minimum=0),
}


def target_month() -> str:
    """The month of this task's run: its partition key, or else what the form or the command has asked for."""
    context = get_current_context()
    return str(context["dag_run"].partition_key or context["params"]["month"])


def settings() -> Settings:
    """The settings of this task's run."""
    return settings_of(get_current_context()["params"])


def settings_of(params: Mapping[str, Any]) -> Settings:
    """The settings that a run's params ask for."""
    asked = {name: value for name, value in params.items() if name != "month"}
    return Settings(tool="airflow", **asked | {"source": asked["source"] or ""})


def instance() -> stage.Instance:
    """What the log and a trace call this task's instance."""
    context = get_current_context()
    return stage.Instance(context["run_id"], target_month(), context["ti"].try_number)


stage.instances["airflow"] = instance
