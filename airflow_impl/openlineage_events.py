"""OpenLineage by Airflow's own provider, which emits all events; what it cannot know of our assets is told here.

The provider asks an extractor for the datasets of a task that has ended. Without one it drops these assets without a
word, as their URIs are of no scheme that it knows, and it has no facets for any.

This file is not called openlineage.py: Airflow puts the folder of its Dags on Python's path, where it would hide the
package of that name.
"""

from collections.abc import Mapping
from typing import Any

from airflow.models.dagrun import DagRun
from airflow.providers.openlineage.extractors import BaseExtractor, OperatorLineage
from airflow.sdk import DAG, Asset

from airflow_impl.assets import CHAMPION, FEATURES, FLIGHTS
from airflow_impl.params import settings_of
from shared.contracts import Evaluation
from shared.runtime import openlineage
from shared.runtime.openlineage import Dataset
from shared.settings import Settings

OURS = (FLIGHTS, FEATURES, CHAMPION)


class AssetExtractor(BaseExtractor):
    """The datasets of a task's inlets and outlets, if those are of our assets; else the provider looks for itself."""

    @classmethod
    def get_operator_classnames(cls) -> list[str]:
        return ["_PythonDecoratedOperator", "_ShortCircuitDecoratedOperator"]

    def _execute_extraction(self) -> OperatorLineage:
        return OperatorLineage()  # a task that begins, or fails, has made nothing

    def extract_on_failure(self, task_instance: Any) -> OperatorLineage:
        return self.extract()

    def extract_on_complete(self, task_instance: Any) -> OperatorLineage:
        if not any(asset in OURS for asset in (*self.operator.inlets, *self.operator.outlets)):
            return OperatorLineage()
        context = task_instance.get_template_context()
        inlets, outlets, settings = self.operator.inlets, self.operator.outlets, settings_of(context["params"])
        facts = facts_of_features([*self.operator.op_args, *self.operator.op_kwargs.values()])
        for asset in outlets:
            facts |= context["outlet_events"][asset].extra
        return OperatorLineage(
            inputs=[dataset.read() for asset in inlets for dataset in datasets(asset, facts, settings)],
            outputs=[dataset.written() for asset in outlets for dataset in datasets(asset, facts, settings)],
        )


def facts_of_features(arguments: list[Any]) -> dict[str, Any]:
    """What the event of the features tells, from the evaluation that a task was given, if it was."""
    for given in arguments:
        if isinstance(given, Evaluation):
            table = given.features
            return {"month": table.month, "rows": table.rows, "sha256": table.file.sha256, "inputs": table.inputs}
    return {}


def datasets(asset: Asset, facts: Mapping[str, Any], settings: Settings) -> list[Dataset]:
    """The datasets of one of our assets, from what asset events tell; none of another one."""
    if asset == FLIGHTS:
        return openlineage.source_files(facts["inputs"], settings)
    if asset == FEATURES:
        return [openlineage.feature_table(facts["month"], facts["sha256"], facts["rows"], facts["inputs"], settings)]
    return [openlineage.model(facts["version"], settings)] if asset == CHAMPION else []


def tell_start(dag: DAG, run_id: str) -> None:
    """Have the provider tell that a Dag run has begun: the scheduler does, `dag.test()` does not."""
    from airflow.providers.openlineage.plugins.listener import get_openlineage_listener

    (run,) = DagRun.find(dag.dag_id, run_id=[run_id])
    run.dag = dag
    get_openlineage_listener().on_dag_run_running(dag_run=run, msg="started")
