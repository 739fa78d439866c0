"""Airflow's settings: everything under `<home>/airflow`, an embedded database, this one Dag, nothing sent anywhere."""

import json
import os
from pathlib import Path

from shared.runtime.home import ROOT, default_home

HERE = Path(__file__).resolve().parent

# Airflow warns of its own deprecated names when skops looks through all modules.
LOG_LEVELS = "py.warnings=ERROR"
# In the terminal only what the stages say: no line for each request, no traceback for a user's mistake.
QUIET_LOG_LEVELS = f"{LOG_LEVELS} airflow=WARNING airflow.sdk.definitions.dag=ERROR task=CRITICAL"


def variables(dags: Path) -> dict[str, str]:
    bundle = {
        "name": "dags-folder",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(dags)},
    }
    return {
        "AIRFLOW_HOME": str(default_home() / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(HERE / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__ALLOWED_DESERIALIZATION_CLASSES": "airflow.* shared.contracts.*",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle]),
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": QUIET_LOG_LEVELS,
        "AIRFLOW__LOGGING__LOG_FORMAT": "%(asctime).19s %(name)s: %(message)s",  # to the second
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), str(HERE / "config"), os.environ.get("PYTHONPATH")])),
    }


def apply(dags: Path = HERE) -> None:
    """Set the variables; Airflow reads them when it is first imported."""
    os.environ.update(variables(dags.resolve()))
